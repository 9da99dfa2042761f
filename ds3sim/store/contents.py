"""What a store holds, as records: problems, and sweeps with their points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from ds3sim.config.entries import Entry, Place
from ds3sim.core import rng
from ds3sim.core.check import is_list
from ds3sim.core.errors import InputError
from ds3sim.core.figure import new_axes
from ds3sim.core.record import Record
from ds3sim.task.budget import BudgetRow
from ds3sim.theory.cost import CostModel

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Problem:
    """A task of which trials are kept.

    Attributes:
        identity: ``Task.identity``.
        description: what the task is, plain data; empty where nobody said.
        rows: rows of the file.
        trials: trials of all engines and seeds, each counted once.
    """

    identity: str
    description: Mapping[str, Any]
    rows: int
    trials: int


@dataclass(frozen=True)
class Point(Place):
    """One strategy at one point of a sweep: what turns tallies into rows of a result, without the config.

    Attributes:
        engine: that simulates it.
        identities: of the tasks of its distribution.
        graph: digest of the graph, where it was read from a file.
    """

    engine: str
    identities: tuple[str, ...]
    graph: str | None = None

    @classmethod
    def of(cls, entry: Entry) -> Point:
        """The point of an entry of a study."""
        own = [getattr(entry, field.name) for field in fields(Place)]
        own += [entry.engine.kind, tuple(task.identity for task in entry.tasks), entry.said["tasks"].get("digest")]
        return cls(*own)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as the file keeps it."""
        parts = zip(self.identities, self.weights, strict=True)
        return {
            "axes": dict(self.axes),
            "strategy": self.strategy,
            "engine": self.engine,
            "parts": [{"identity": identity, "weight": weight} for identity, weight in parts],
            "n": self.n,
            "proposals": self.proposals,
            "tokens_per_step": self.tokens_per_step,
            "cost": None if self.cost is None else asdict(self.cost),
            "rows": [row.to_dict() for row in self.rows],
            **({} if self.graph is None else {"graph": self.graph}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Point:
        """What :meth:`to_dict` gave. InputError: it lacks something."""
        try:
            given = [part["weight"] for part in data["parts"]]
            weights: Any = tuple(tuple(w) if is_list(w) else float(w) for w in given)
            return cls(
                0,
                data["axes"],
                data["strategy"],
                int(data["n"]),
                int(data["proposals"]),
                float(data["tokens_per_step"]),
                CostModel(**data["cost"]) if data["cost"] else None,
                weights,
                tuple(BudgetRow(**row) for row in data["rows"]),
                data["engine"],
                tuple(part["identity"] for part in data["parts"]),
                data.get("graph"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"a point of the sweep cannot be read: {type(error).__name__}: {error}") from None


@dataclass(frozen=True)
class Sweep:
    """A sweep's table of contents.

    Attributes:
        name: of the sweep.
        common: what all points share: the resolved config without axes; None where it stands alone.
        points: in order; strategies of one point side by side.
    """

    name: str
    common: Mapping[str, Any] | None
    points: tuple[Point, ...]


def sweep_identity(common: Mapping[str, Any], points: Iterable[Point]) -> dict[str, Any]:
    """What tells a sweep from others: what its points share, with the content of the graph file in place of its path,
    and the random stream."""
    out = dict(common) if rng.STREAM == 1 else {**common, "stream": rng.STREAM}
    table = common.get("config", {}).get("graph", {})
    digests = {point.graph for point in points} - {None}
    if "path" in table and digests:
        own = {key: value for key, value in table.items() if key != "path"} | {"digests": sorted(map(str, digests))}
        out["config"] = {**common["config"], "graph": own}
    return out


@dataclass(frozen=True, eq=False)
class StoreContents(Record):
    """What a store holds.

    Attributes:
        file: its name.
        problems: the tasks, in the order in which they came.
        sweeps: the tables of contents, the one used last at the end.
        versions: of the engines that made the rows, sorted.

    >>> task = ds.Task(ds.SkillGraph.chain(3, 0.4), steps=10)
    >>> with ds.Store.open("tallies.ds3") as store:
    ...     store.add(ds.simulate(task, traces=1000))
    ...     found = store.contents()
    >>> found.rows, found.trials
    (1, 1000)
    """

    file: str
    problems: tuple[Problem, ...]
    sweeps: tuple[Sweep, ...]
    versions: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of the file."""
        return sum(problem.rows for problem in self.problems)

    @property
    def trials(self) -> int:
        """Trials of all problems, each counted once."""
        return sum(problem.trials for problem in self.problems)

    def to_dict(self) -> dict[str, Any]:
        """Numbers of problems, rows, trials and points, as ``ds3sim merge --json`` prints them."""
        return {
            "file": self.file,
            "problems": len(self.problems),
            "rows": self.rows,
            "trials": self.trials,
            "sweeps": [{"name": sweep.name, "points": len(sweep.points)} for sweep in self.sweeps],
            "versions": list(self.versions),
        }

    def to_dataset(self) -> xarray.Dataset:
        """``rows`` and ``trials`` along ``problem``, which is labelled by the identity."""
        import xarray

        counts = {"rows": [p.rows for p in self.problems], "trials": [p.trials for p in self.problems]}
        data = {name: ("problem", values, {"units": "1"}) for name, values in counts.items()}
        return xarray.Dataset(data, {"problem": [p.identity for p in self.problems]}, {"file": self.file})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Trials of each problem, most first."""
        axes = new_axes(ax)
        trials = sorted((p.trials for p in self.problems), reverse=True)
        axes.step(range(1, len(trials) + 1), trials, where="mid")
        axes.set(xlabel="problem", ylabel="trials")
        return axes
