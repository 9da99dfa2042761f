"""Records: what is saved is read back equal, broken and foreign files are refused, names are escaped."""

import enum
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import xarray
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from refused import refusal, write

from ds3sim.core.errors import InputError
from ds3sim.core.figure import new_axes
from ds3sim.core.folder import Marker, add_files, check_folder, write_folder
from ds3sim.core.record import FORMAT, Record, check_out
from ds3sim.theory.cost import CostModel


@dataclass(frozen=True, eq=False)
class Part(Record):
    name: str
    share: float


class Colour(enum.StrEnum):
    RED = "red"


@dataclass(frozen=True, eq=False)
class Sample(Record):
    """A record of everything that a record may hold."""

    names: tuple[str, ...]
    values: np.ndarray
    parts: tuple[Part, ...] = ()
    cost: CostModel | None = None
    extra: object = None
    wall_s: float = field(default=0.0, compare=False)

    def to_dataset(self) -> xarray.Dataset:
        return xarray.Dataset(
            {"value": ("name", self.values, {"units": "steps", "long_name": "what was counted"})},
            coords={"name": ("name", np.array(self.names, dtype=object))},
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        ax = new_axes(ax)
        ax.plot(self.values)
        return ax


@dataclass(frozen=True, eq=False)
class Bare(Record):
    answer: str


NAN, INF = float("nan"), float("inf")
ARRAYS = [
    np.array([1.0, NAN, INF, -INF, -0.0, 5e-324]),
    np.array([[0.1, 0.2], [0.3, NAN]], dtype=np.float32),
    np.array([2**63 - 1, -(2**63)], dtype=np.int64),
    np.array([2**64 - 1], dtype=np.uint64),
    np.array([True, False]),
    np.array(["a", "<b>", ""]),
    np.array(["a", None, 2, NAN], dtype=object),
    np.array(1.5),
    np.zeros((2, 0, 3), dtype=np.int32),
    np.arange(6).reshape(2, 3)[:, ::-1],
]
VALUES = [
    None,
    True,
    10**40,
    NAN,
    -INF,
    0.1,
    "ü\n\x00\u2028",
    (),
    (1, (2.0, NAN), [3, None]),
    {"a": (1,), "$": 2},
    {1: "x", (2, "b"): [NAN]},
    np.float64(0.1),
    np.float32(0.1),
    np.int64(3),
    np.bool_(True),
    Colour.RED,
    CostModel(tokens_per_step=7, parameters=1e9),
    Part("p", NAN),
    [Part("p", 0.5)],
]


def sample(**changes) -> Sample:
    return Sample(**{"names": ("a", "b"), "values": np.array([1.0, 2.0])} | changes)


def trip(record: Record, folder, reader=Record):
    path = record.save(folder / "r.json")
    json.loads(path.read_text(), parse_constant=pytest.fail)  # NaN is no JSON
    return reader.load(path)


@pytest.mark.parametrize("values", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays_come_back_with_their_dtype(tmp_path, values):
    found = trip(sample(values=values), tmp_path)
    assert isinstance(found, Sample) and found.values.dtype == values.dtype and found.values.shape == values.shape
    assert found == sample(values=values)
    if values.dtype.kind == "f":
        assert found.values.tobytes() == np.ascontiguousarray(values).tobytes()


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back_with_their_type(tmp_path, value):
    record = sample(extra=value)
    found = trip(record, tmp_path, Sample)
    assert found == record and type(found.extra) is type(value)


def test_nested_records_and_dataclasses(tmp_path):
    record = sample(parts=(Part("x", 0.25), Part("y", INF)), cost=CostModel(parameters=2e9, prompt_tokens=10))
    assert trip(record, tmp_path) == record
    assert trip(record, tmp_path).parts[1].share == INF


def test_equality_sees_every_field_but_those_that_do_not_count():
    assert sample() == sample() and hash(sample()) == hash(sample())
    assert sample(wall_s=3.0) == sample()
    for change in (
        {"names": ("a", "c")},
        {"values": np.array([1.0, 2.5])},
        {"values": np.array([1, 2])},
        {"values": np.array([1.0])},
        {"extra": 0},
        {"parts": (Part("x", 1.0),)},
    ):
        assert sample(**change) != sample()
    assert sample(extra=0.0) != sample(extra=NAN) and sample(extra=(1,)) != sample(extra=[1])
    assert sample() != Part("a", 1.0)


def test_load_takes_the_class_from_the_file_and_refuses_others(tmp_path):
    path = Part("x", 0.5).save(tmp_path / "p.json")
    assert Part.load(path) == Record.load(path) == Part("x", 0.5)
    with pytest.raises(InputError, match=r"holds a Part, which is no Sample"):
        Sample.load(path)


def saved(share: object = 0.5, **changes: object) -> str:
    return json.dumps({"record": "Part", "format": FORMAT, "fields": {"name": "x", "share": share}} | changes)


COST = "ds3sim.theory.cost.CostModel"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
        ("[1]", "is no saved record"),
        ('{"results": []}', "is no saved record"),
        ("[" * 100_000, "nested too deeply"),
        (saved(record="Passkey"), "holds a Passkey, which is no record"),
        (saved(format=FORMAT + 1), "update ds3sim"),
        (saved(format="1"), "update ds3sim"),
        (saved(fields=[]), "is no saved record"),
        (saved(fields={"name": "x", "share": 0.5, "colour": 1}), "no field colour"),
        (saved(fields={"name": "x"}), "is broken"),
        (saved({"$": "float"}), "is broken"),
        (saved({"$": "float", "value": "x"}), "is broken"),
        (saved({"$": "tuple", "items": 3}), "is broken"),
        (saved({"$": 3}), "is broken"),
        (saved({"$": "array", "dtype": "x", "values": [], "shape": []}), "broken"),
        (saved({"$": "array", "dtype": "<f8", "values": [1], "shape": [2]}), "broken"),
        (saved({"$": "os.system", "fields": {}}), "os.system is not known"),
        (saved({"$": "ds3sim.__main__.X", "fields": {}}), "is not known"),
        (saved({"$": "ds3sim.cli.main.X", "fields": {}}), "is not known"),
        (saved({"$": "ds3sim.no.X", "fields": {}}), "is not known"),
        (saved({"$": COST, "fields": {"parameters": -1}}), "parameters = -1"),
    ],
)
def test_broken_files_are_refused_in_one_line(tmp_path, text, said):
    path = write(tmp_path / "p.json", text)
    message = refusal(Part.load, path)
    assert said in message and str(path) in message


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Part.load(tmp_path / "no.json")
    with pytest.raises(InputError, match="is a folder"):
        Part.load(tmp_path)


def test_other_endings_hold_the_table(tmp_path):
    record = sample(names=("a", "b"), values=np.array([1.0, NAN]))
    assert record.save(tmp_path / "r.csv").read_text() == "name,value\na,1.0\nb,\n"
    with xarray.open_dataset(record.save(tmp_path / "r.nc")) as data:
        assert data["value"].attrs["units"] == "steps" and data.sizes == {"name": 2}
    import pyarrow.parquet

    schema = pyarrow.parquet.read_schema(record.save(tmp_path / "r.parquet"))
    assert schema.field("value").metadata == {b"units": b"steps", b"long_name": b"what was counted"}
    frame = record.to_frame()
    assert list(frame.columns) == ["name", "value"] and frame.attrs["units"] == {"value": "steps"}
    with pytest.raises(InputError, match=r"choose one of \.json"):
        record.save(tmp_path / "r.xlsx")


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = sample().save(tmp_path / "r.json")
    before = path.read_bytes()
    with pytest.raises(TypeError, match="object"):
        sample(extra=object()).save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_to_json_has_null_for_what_json_cannot_hold():
    record = sample(values=np.array([1.0, NAN]), extra=INF)
    found = json.loads(record.to_json(), parse_constant=pytest.fail)
    assert found["values"] == [1.0, None] and found["extra"] is None and found["names"] == ["a", "b"]


def test_notebook_display_escapes_names_and_draws():
    text = sample(names=("<script>", "b"))._repr_html_()
    assert "&lt;script&gt;" in text and "<script>" not in text
    assert "value [steps]" in text and "data:image/svg+xml;base64," in text
    long = sample(names=tuple(map(str, range(100))), values=np.arange(100.0))._repr_html_()
    assert "8 of 100 rows" in long
    bare = Bare("<&>")._repr_html_()
    assert "&lt;&amp;&gt;" in bare and "<img" not in bare


def test_plot_draws_in_the_axes_given():
    ax = Figure().add_subplot()
    assert sample().plot(ax) is ax and len(ax.lines) == 1


RUN = Marker(".made-run", "make run", ("a.txt", "old.txt"))
FIT = Marker(".made-fit", "make fit")


def test_a_folder_is_replaced_only_by_what_wrote_it(tmp_path):
    out = tmp_path / "deep" / "run"
    written = write_folder(out, {"a.txt": b"1", "old.txt": b"2"}, RUN)
    assert [p.name for p in written] == ["a.txt", "old.txt"] and all(p.is_file() for p in written)
    (out / "mine.txt").write_text("mine")
    write_folder(out, {"a.txt": b"3"}, RUN)
    assert {p.name for p in out.iterdir()} == {"a.txt", "mine.txt", RUN.name}
    assert (out / "a.txt").read_text() == "3"
    with pytest.raises(InputError, match="make fit did not write"):
        write_folder(out, {"a.txt": b"4"}, FIT)
    assert (out / "a.txt").read_text() == "3" and [p.name for p in out.parent.iterdir()] == ["run"]


def test_files_are_added_one_by_one(tmp_path):
    add_files(tmp_path / "f", {"a": b"1"}, FIT)
    add_files(tmp_path / "f", {"b": b"2"}, FIT)
    assert {p.name for p in (tmp_path / "f").iterdir()} == {"a", "b", FIT.name}
    with pytest.raises(InputError, match="did not write"):
        add_files(tmp_path / "f", {"c": b"2"}, RUN)


def test_a_place_that_refuses_is_found_first(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(InputError, match="Read-only"):
        check_folder(tmp_path / "out", RUN)
    monkeypatch.undo()
    assert check_folder(tmp_path / "out", RUN) == tmp_path / "out" and not list(tmp_path.iterdir())
    for name in ("", " ", "a\0b"):
        with pytest.raises(InputError, match="not the name of a folder"):
            check_folder(name, RUN)
    with pytest.raises(InputError, match="is empty"):
        check_out("")
    with pytest.raises(InputError, match="there is no folder"):
        check_out(tmp_path / "no" / "r.json")
    with pytest.raises(InputError, match="is not a regular file"):
        check_out("/dev/null")


@pytest.mark.parametrize("broken", ["write_bytes", "rename"])
def test_a_failure_leaves_the_old_folder(tmp_path, monkeypatch, broken):
    out = tmp_path / "run"
    write_folder(out, {"a": b"old", "b": b"old"}, RUN)
    before, rename = {p.name: p.read_bytes() for p in out.iterdir()}, os.rename

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    def fails_on_the_new_one(source, target):
        if str(source).endswith(".tmp"):
            full_disk()
        rename(source, target)

    if broken == "rename":
        monkeypatch.setattr("os.rename", fails_on_the_new_one)
    else:
        monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(InputError, match="No space left"):
        write_folder(out, {"a": b"new"}, RUN)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
