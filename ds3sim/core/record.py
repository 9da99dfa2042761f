"""What a computation returns: a frozen dataclass that can be printed, tabulated, labelled, drawn, saved and read.

A saved record is JSON that holds every field with its type: NaN and infinities, dtypes and tuples come back as they
were. Inside are arrays; labels (pandas, xarray) are made once, at the edge.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import html
import importlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ds3sim.core import files
from ds3sim.core.errors import InputError, require
from ds3sim.core.figure import data_uri, new_figure, render
from ds3sim.core.plain import as_plain
from ds3sim.core.text import short

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

FORMAT = 1
"""Of the files that ``save`` writes; a higher one is of a later version."""

PACKAGES: dict[str, tuple[str, ...]] = {
    ".json": (),
    ".csv": ("pandas",),
    ".parquet": ("pandas", "pyarrow"),
    ".nc": ("xarray", "h5netcdf"),
    ".zarr": ("xarray", "zarr"),
}
"""Ending of a file -> packages that write it."""

MOST_ROWS = 8
"""Rows of the table in a notebook."""


class Record:
    """Mixin for frozen dataclasses (``@dataclass(frozen=True, eq=False)``: the mixin compares arrays too).

    A record says what it is by :meth:`to_dataset` and :meth:`plot`; the rest follows from its fields.
    """

    _known: ClassVar[dict[str, type[Record]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        Record._known[cls.__name__] = cls

    def to_dict(self) -> dict[str, Any]:
        """The record as plain Python data: dictionaries, lists, strings, numbers, None."""
        return as_plain(_fields(self))

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON text, as the command line prints it; NaN and infinities are null."""
        return json.dumps(as_plain(self.to_dict()), indent=2, allow_nan=False)

    def to_dataset(self) -> xarray.Dataset:
        """The record's numbers as an ``xarray.Dataset``: named dimensions, ``units`` in each variable's attributes."""
        raise NotImplementedError(f"{type(self).__name__} has no dataset")

    def to_frame(self) -> pandas.DataFrame:
        """The record's numbers as a tidy ``pandas.DataFrame``; ``attrs["units"]`` maps a column to its unit."""
        data = self.to_dataset()
        frame = (data.to_dataframe() if data.sizes else data.expand_dims("row").to_dataframe()).reset_index()
        frame = frame.loc[:, [name for name in frame.columns if name in data.variables]]
        frame.attrs = {
            "units": {n: data[n].attrs["units"] for n in frame.columns if "units" in data[n].attrs},
            "meanings": {n: data[n].attrs["long_name"] for n in frame.columns if "long_name" in data[n].attrs},
            **data.attrs,
        }
        return frame

    def to_table(self) -> pandas.DataFrame:
        """The table of ``.csv`` and ``.parquet``: that of :meth:`to_frame`, unless column names have to say units."""
        return self.to_frame()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the record.

        Args:
            ax: matplotlib axes to draw in; None makes a figure.

        Returns:
            The axes.
        """
        raise NotImplementedError(f"{type(self).__name__} has no figure")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the record to a file, whole or not at all; the ending decides the format.

        ``.json`` holds everything, and :meth:`load` reads it back to an equal record. ``.csv`` and ``.parquet`` hold
        the table of :meth:`to_table`, ``.nc`` (NetCDF 4) and ``.zarr`` that of :meth:`to_dataset`.

        Raises:
            InputError: an ending that is not known, a missing package, a place that cannot be written.
        """
        path = check_out(path)
        writers = {
            ".json": lambda file: file.write_text(json.dumps(self._saved(), allow_nan=False) + "\n"),
            ".csv": lambda file: self.to_table().to_csv(file, index=False, lineterminator="\n"),
            ".parquet": lambda file: _write_parquet(self.to_table(), file),
            ".nc": lambda file: self.to_dataset().to_netcdf(file, engine="h5netcdf"),
            ".zarr": lambda file: self.to_dataset().to_zarr(file, mode="w"),
        }
        return files.write_file(path, writers[path.suffix.lower()])

    def _saved(self) -> dict[str, Any]:
        return {"record": type(self).__name__, "format": FORMAT, "fields": _encoded_fields(self)}

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The record that :meth:`save` wrote to a ``.json`` file.

        Raises:
            InputError: the file cannot be read, is no record, holds another kind of record than this class, or is of
                a later version.
        """
        where = short(str(path), 300)
        about = files.parsed(files.read_text(path), where)
        about = about if isinstance(about, dict) else {}
        tag, made, fields = (about.get(key) for key in ("record", "format", "fields"))
        if not isinstance(tag, str) or not isinstance(fields, dict):
            raise InputError(f"{where}: is no saved record: name a .json file that save() wrote")
        ok = isinstance(made, int) and not isinstance(made, bool) and 1 <= made <= FORMAT
        require(ok, f"{where}: has the format {short(made)}, this version reads up to {FORMAT}: update ds3sim")
        found = Record._known.get(tag)
        if found is None or not issubclass(found, cls):
            what = "no record that is known here" if found is None else f"no {cls.__name__}"
            raise InputError(f"{where}: holds a {short(tag)}, which is {what}: read it with the class that wrote it")
        try:
            return _made(found, {key: _decoded(value) for key, value in fields.items()})
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            raise InputError(f"{where}: is broken: {short(error, 120)}: save the record again") from None

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _same(_fields(self, compared=True), _fields(other, compared=True))

    def __hash__(self) -> int:
        values = _fields(self, compared=True).items()
        return hash((type(self).__name__, *((k, v) for k, v in values if isinstance(v, str | int))))

    def _repr_html_(self) -> str:
        """A heading, a small table and the figure, for notebooks; names are escaped."""
        parts = [f"<p><b>{html.escape(type(self).__name__)}</b></p>"]
        try:
            frame = self.to_frame()
            units = frame.attrs.get("units", {})
            heads = [f"{name} [{units[name]}]" if units.get(name) else str(name) for name in frame.columns]
            parts.append(html_table(heads, frame.head(MOST_ROWS).itertuples(index=False), len(frame)))
        except NotImplementedError:
            said = [pair for pair in self.to_dict().items() if not isinstance(pair[1], dict | list)]
            parts.append(html_table(["field", "value"], said, len(said)))
        with contextlib.suppress(NotImplementedError):
            parts.append(picture(self))
        return "<div>" + "".join(parts) + "</div>"


def check_out(path: str | os.PathLike[str]) -> Path:
    """The file for a record, looked at before any work: its ending is known and it can be written."""
    path = files.check_file(path, folder_with="zarr.json" if str(path).lower().endswith(".zarr") else None)
    ending = path.suffix.lower()
    require(ending in PACKAGES, f"{path}: the ending decides the format: choose one of {', '.join(PACKAGES)}")
    missing = [name for name in PACKAGES[ending] if find_spec(name) is None]
    require(not missing, f"{path}: writing {ending} needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    return path


def html_table(heads: Sequence[str], rows: Iterable[Iterable[object]], of: int) -> str:
    """A table as HTML, escaped; says where it shows fewer than ``of`` rows."""

    def cell(value: object) -> str:
        if isinstance(value, float | np.floating):
            return f"{value:.5g}"
        return html.escape(short(value))

    lines = ["".join(f"<th>{html.escape(head)}</th>" for head in heads)]
    lines += ["".join(f"<td>{cell(value)}</td>" for value in row) for row in rows]
    more = f"<p>{len(lines) - 1} of {of:,} rows</p>" if of > len(lines) - 1 else ""
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + f"</table>{more}"


def picture(record: Record) -> str:
    """The record's figure as an SVG image for a page, drawn without touching pyplot."""
    figure, axes = new_figure((4.8, 2.8))
    record.plot(axes[0, 0])
    return f'<img alt="{type(record).__name__}" src="{data_uri(render(figure, "svg"))}">'


def _write_parquet(frame: pandas.DataFrame, file: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    arrow = pyarrow.Table.from_pandas(frame, preserve_index=False)
    said = (("units", frame.attrs.get("units", {})), ("long_name", frame.attrs.get("meanings", {})))
    fields = [f.with_metadata({key: by[f.name] for key, by in said if by.get(f.name)}) for f in arrow.schema]
    attrs = {"PANDAS_ATTRS": json.dumps(frame.attrs)} if frame.attrs else {}  # pyarrow keeps them since a later version
    schema = pyarrow.schema(fields, metadata={**(arrow.schema.metadata or {}), **attrs})
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrow.columns, schema=schema), file)


KIND = "$"
"""The key that says what a JSON object stands for, where it is not a plain dictionary."""


def _fields(record: Any, compared: bool = False) -> dict[str, Any]:
    return {
        f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.init and (f.compare or not compared)
    }


def _encoded_fields(record: Any) -> dict[str, Any]:
    return {name: _encoded(value) for name, value in _fields(record).items()}


def _encoded(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return {KIND: _home(type(value)), "value": _encoded(value.value)}
    if isinstance(value, np.generic | np.ndarray):
        return _encoded_array(value)
    if isinstance(value, float) and not math.isfinite(value):
        return {KIND: "float", "value": repr(value)}
    if value is None or isinstance(value, bool | str | int | float):
        return value
    if isinstance(value, tuple | list):
        items = [_encoded(item) for item in value]
        return items if isinstance(value, list) else {KIND: "tuple", "items": items}
    if isinstance(value, Mapping):
        if KIND not in value and all(type(key) is str for key in value):
            return {key: _encoded(item) for key, item in value.items()}
        return {KIND: "dict", "items": [[_encoded(key), _encoded(item)] for key, item in value.items()]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {KIND: _home(type(value)), "fields": _encoded_fields(value)}
    if hasattr(value, "__array__"):  # an array of JAX
        return _encoded_array(np.asarray(value))
    raise TypeError(f"a field of type {type(value).__name__} cannot be saved")


def _encoded_array(value: np.generic | np.ndarray) -> dict[str, Any]:
    kind = value.dtype.kind
    if kind not in "biufOU":
        raise TypeError(f"an array of {value.dtype} cannot be saved")
    about = {
        KIND: "array" if isinstance(value, np.ndarray) else "scalar",
        "dtype": value.dtype.str if kind != "O" else "O",
    }
    return about | {"shape": list(value.shape), "values": [_encoded(item) for item in np.ravel(value).tolist()]}


def _home(kind: type[Any]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(KIND)
    if kind is None:
        return {key: _decoded(item) for key, item in value.items()}
    if kind == "float":
        return float(value["value"])
    if kind == "tuple":
        return tuple(_decoded(item) for item in value["items"])
    if kind == "dict":
        return {_decoded(key): _decoded(item) for key, item in value["items"]}
    if kind in ("array", "scalar"):
        array = np.empty(len(value["values"]), dtype=np.dtype(value["dtype"]))
        array[:] = [_decoded(item) for item in value["values"]]
        return array.reshape(value["shape"]) if kind == "array" else array[0]
    found = _class_of(kind)
    if issubclass(found, enum.Enum):
        return found(_decoded(value["value"]))
    return _made(found, {key: _decoded(item) for key, item in value["fields"].items()})


def _class_of(home: str) -> type[Any]:
    """A frozen dataclass or an enumeration, of this package or defined beside a record."""
    module, _, name = home.rpartition(".")
    beside = {kind.__module__ for kind in Record._known.values()}
    ours = re.fullmatch(r"ds3sim(\.[a-z][a-z0-9_]*)+", module) is not None and not module.startswith("ds3sim.cli")
    found: Any = None
    if module in beside or ours:
        with contextlib.suppress(ImportError):
            found = getattr(importlib.import_module(module), name, None)
    require(isinstance(found, type), f"the kind {short(home)} is not known: update ds3sim")
    frozen = getattr(getattr(found, "__dataclass_params__", None), "frozen", False)
    require(frozen or issubclass(found, enum.Enum), f"{short(home)} is no record")
    return found


def _made(kind: type[Any], fields: dict[str, Any]) -> Any:
    named = {f.name: f for f in dataclasses.fields(kind) if f.init}
    unknown = [key for key in fields if key not in named]
    require(not unknown, f"{kind.__name__} has no field {short(unknown[0]) if unknown else ''}: update ds3sim")
    return kind(**fields)


def _same(one: Any, two: Any) -> bool:
    """Equality of fields: arrays by dtype, shape and value; NaN equals NaN."""
    if isinstance(one, np.ndarray) or isinstance(two, np.ndarray):
        if not (isinstance(one, np.ndarray) and isinstance(two, np.ndarray)):
            return False
        if one.dtype != two.dtype or one.shape != two.shape:
            return False
        if one.dtype.kind == "O":
            return _same(one.ravel().tolist(), two.ravel().tolist())
        return np.array_equal(one, two, equal_nan=one.dtype.kind == "f")
    if isinstance(one, float) and isinstance(two, float):
        return one == two or (math.isnan(one) and math.isnan(two))
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return one.keys() == two.keys() and all(_same(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple) and type(one) is type(two):
        return len(one) == len(two) and all(map(_same, one, two))
    if dataclasses.is_dataclass(one) and type(one) is type(two) and not isinstance(one, type):
        return _same(_fields(one, compared=True), _fields(two, compared=True))
    return bool(one == two)
