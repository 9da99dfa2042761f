"""The result of a study: rows with references, axes, and how they were computed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, ClassVar

from ds3sim.core import files
from ds3sim.core.check import is_dict, is_list, is_mapping
from ds3sim.core.errors import InputError, require
from ds3sim.core.folder import Marker
from ds3sim.core.plain import as_plain
from ds3sim.core.text import short
from ds3sim.results.row import Row, read_rows
from ds3sim.results.tidy import Tidy


@dataclass(frozen=True)
class Point:
    """The rows of one point: ``axes`` has its value on each axis."""

    axes: Mapping[str, Any]
    rows: tuple[Row, ...]


@dataclass(frozen=True, eq=False)
class Result(Tidy):
    """What ``run`` and ``sweep`` return.

    A result without axes has one point. Points are in row-major order of the axes (the last varies fastest), within
    them strategies as in the config, within them budgets.

    Attributes:
        name: of the study.
        engine: traces, population, importance, exact or closed_form; names joined by commas where there are several.
        seed: of the random engines.
        axes: dotted keys that vary from point to point.
        strategies: names, (None,) for a single one.
        rows: one for each point, strategy and budget.
        match: ``flops`` where strategies get equal FLOPs, else None.
        stopping: the rule by which the simulation ended, for each strategy where they are named.
        interrupted: Ctrl-C came: rows are of what was done until then.
        missing: points of which nothing is known yet (of a store).
        seeds: whose trials are added up (of a store); ``seed`` is the first of them.
        swept: ``sweep`` made it: :meth:`to_dict` has points, also where there is one.
        config: the study as plain tables, from which it can be run again; empty where it is not known.
        environment: versions, device, threads, and ``wall_s``, seconds that it took.

    >>> study = ds.Study(ds.SkillGraph.chain(3, 0.5), steps=[10, 20], engine="exact")
    >>> result = ds.run(study)
    >>> result.save("result.json") and ds.Result.load("result.json") == result
    True
    """

    folder: ClassVar[Marker] = Marker(
        ".ds3sim-run",
        "ds3sim run",
        ("report.html", "results.csv", "results.json", "config.toml", "environment.json",
         *(f"{name}.{kind}" for name in ("accuracy", "cost") for kind in ("png", "svg"))),
    )  # fmt: skip
    """By what a folder that :func:`ds3sim.report` wrote is known, and its files."""

    name: str
    engine: str
    seed: int | None
    axes: tuple[str, ...]
    strategies: tuple[str | None, ...]
    rows: tuple[Row, ...]
    match: str | None = None
    stopping: Mapping[str, Any] = field(default_factory=dict[str, Any])
    interrupted: bool = False
    missing: int = 0
    seeds: tuple[int, ...] = ()
    swept: bool = False
    config: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    environment: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @property
    def points(self) -> tuple[Point, ...]:
        """The rows by point."""
        groups = (tuple(group) for _, group in groupby(self.rows, key=lambda row: row.point))
        return tuple(Point(rows[0].axes, rows) for rows in groups)

    @property
    def traces(self) -> int:
        """The largest number of trials of a row; 0 where nothing is random."""
        return max((row.traces for row in self.rows), default=0)

    def of(self, strategy: str | None) -> tuple[Row, ...]:
        """The rows of a strategy."""
        return tuple(row for row in self.rows if row.strategy == strategy)

    def to_dict(self) -> dict[str, Any]:
        """What ``ds3sim run --json`` prints; of a sweep, what ``ds3sim sweep --json`` prints."""
        points: list[dict[str, Any]] = [
            {
                "axes": dict(point.axes),
                "results": [row.to_dict() for row in point.rows],
                "reference": [row.reference_dict() for row in point.rows if row.reference is not None],
            }
            for point in self.points
        ]
        interrupted = {"interrupted": True} if self.interrupted else {}
        about = {"name": self.name, "seed": self.seed, "engine": self.engine}
        if self.swept or self.axes or self.seeds:
            said = {**self.environment, **about, "match": self.match, **interrupted}
            kept = {"name": self.name, "engine": self.engine, "missing": self.missing, "seeds": self.seeds}
            return as_plain({**(kept if self.seeds else {}), "points": points, "environment": said})
        (point,) = points or [{"results": [], "reference": []}]
        if "tasks" not in self.config:  # budgets of a graph are printed as they were given
            for row in point["results"]:
                row |= {"tokens": int(row["tokens"])} if "tokens" in row else {}
        return as_plain(
            {
                "name": self.name,
                "engine": self.engine,
                "seed": self.seed,
                "traces": self.traces,
                "stopping": {**self.stopping, **interrupted},
                "results": point["results"],
                "reference": point["reference"],
                "environment": dict(self.environment),
            }
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        """The result that :meth:`to_dict` wrote, or ``run --json`` and ``sweep --json`` printed.

        Raises:
            InputError: not such a result.
        """
        points = _points(data)
        environment = dict(data.get("environment") or {})
        about = {key: data.get(key, environment.pop(key, None)) for key in ("name", "engine", "seed", "match")}
        stopping = dict(data.get("stopping") or {})
        interrupted = [part.pop("interrupted", False) for part in (environment, stopping)]
        rows: list[Row] = []
        traces = int(data.get("traces") or 0)
        for number, point in enumerate(points):
            rows += read_rows(number, point["axes"], point["results"], point.get("reference") or (), traces)
        return cls(
            name=str(about["name"] or "study"),
            engine=str(about["engine"] or ""),
            seed=about["seed"],
            axes=tuple(dict.fromkeys(axis for point in points for axis in point["axes"])),
            strategies=tuple(dict.fromkeys(row.strategy for row in rows)),
            rows=tuple(rows),
            match=about["match"],
            swept="points" in data,
            stopping=stopping,
            interrupted=any(interrupted),
            missing=int(data.get("missing") or 0),
            seeds=tuple(data.get("seeds") or ()),
            config=data.get("config") or {},
            environment=environment,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Result:
        """The result that :meth:`save` wrote to a ``.json`` file, or that ``run --json`` and ``sweep --json`` printed.

        Raises:
            InputError: the file cannot be read, or holds no such result.
        """
        where = short(str(path), 300)
        data = files.parsed(files.read_text(path), where)
        if is_dict(data) and "record" in data:
            return super().load(path)
        try:
            return cls.from_dict(data)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None

    def _rows(self) -> Sequence[Row]:
        return self.rows

    def _said(self) -> dict[str, Any]:
        more = {"stopping": self.stopping or None, "missing": self.missing or None}
        return {**super()._said(), **more, "environment": dict(self.environment) or None}


def _points(data: Any) -> Sequence[Mapping[str, Any]]:
    """The points of a sweep; a result of ``run`` is a sweep of one point."""
    given: Mapping[Any, Any] = data if is_mapping(data) else {}
    points: Any = [given] if given.get("points") is None else given["points"]
    good = is_list(points) and all(is_mapping(point) and isinstance(point.get("results"), list) for point in points)
    require(good, "this is not a result of ds3sim sweep or run: it has no points with results")
    return [{**point, "axes": point.get("axes") or {}} for point in points]
