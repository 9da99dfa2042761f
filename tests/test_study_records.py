"""Allocations, trainings, stores and diagnoses as records: saved and read, as tables, as figures."""

from __future__ import annotations

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import ds3sim as ds

ALLOCATION = "[allocate]\ncompute = [1e18, 1e19]\ntasks = 1e7\ncheck = {}\n[tasks]\nskills = [2, 5]\nL0 = [1.0, 3.0]\n"
TRAINING = "[model]\nparameters = 5e6\nlevels = 5\nskills_per_level = 50\n[simulation]\nenabled = {}\ngraphs = 4\n"


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")

    def asked(name, text):
        (folder / name).write_text(text, encoding="utf-8")
        return folder / name

    graph = ds.SkillGraph.chain(3, 0.4)
    ds.sweep(ds.Study(graph, steps=[10], traces=100), axes={"graph.success": [0.2, 0.4]}, store=folder / "s.ds3")
    with ds.Store.open(folder / "s.ds3") as store:
        contents = store.contents()
    return {
        "allocation": ds.allocate(asked("a.toml", ALLOCATION.format("true"))),
        "data unlimited": ds.allocate(
            asked("b.toml", ALLOCATION.format("false")), ["allocate.mode=inference_optimal", "allocate.compute=1e11"]
        ),
        "training": ds.train(asked("c.toml", TRAINING.format("true"))),
        "theory": ds.train(asked("d.toml", TRAINING.format("false"))),
        "contents": contents,
        "merged": ds.merge([folder / "s.ds3"], folder / "t.ds3"),
        "diagnosis": ds.doctor(),
    }


KINDS = ("allocation", "data unlimited", "training", "theory", "contents", "merged", "diagnosis")


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_comes_back_from_its_file(records, kind, tmp_path):
    record = records[kind]
    again = type(record).load(record.save(tmp_path / "record.json"))
    assert again == record and again.to_json() == record.to_json()


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("allocation", 2),
        ("data unlimited", 1),
        ("training", 5),
        ("theory", 5),
        ("contents", 2),
        ("merged", 2),
        ("diagnosis", 2),
    ],
)
def test_a_record_is_a_table_a_dataset_and_a_figure(records, kind, rows):
    record = records[kind]
    data = record.to_dataset()
    assert all("units" in column.attrs for column in data.values())
    assert len(record.to_frame()) == rows
    axes = Figure().add_subplot()
    assert record.plot(axes) is axes and isinstance(axes, Axes) and axes.has_data()
    shown = record._repr_html_()
    assert shown.count("<tr>") == 1 + rows and "data:image/svg" in shown


def test_what_they_say(records):
    found = records["allocation"]
    assert found.gradient is not None and abs(found.gradient_difference) < 0.01 * found.points[-1].accuracy
    assert [pair.best for pair in found.comparison] == list(found.points)
    data = found.to_dataset()
    assert data.kappa.values == pytest.approx((data.training_tokens / data.parameters).values)
    assert records["training"].simulation.graphs == 4 and records["theory"].simulation is None
    assert (records["contents"].trials, records["merged"].new_rows) == (200, 2)
    assert records["diagnosis"].passed
