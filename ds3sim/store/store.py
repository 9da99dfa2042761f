"""The store: one file that keeps what a sweep has simulated, through crashes and across machines.

A row holds the counts of the trials [first, end) of one problem, engine and seed. Rows are added,
never changed, and what is in a row depends on its key alone; so the same work done twice gives the
same row, and merging stores in any order, any number of times, gives the same store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from ds3sim.core.check import whole_number
from ds3sim.core.errors import InputError, note, require
from ds3sim.core.guard import guard, reads
from ds3sim.engine.limits import Stopping
from ds3sim.engine.tally import Tally
from ds3sim.results.result import Result
from ds3sim.results.row import rows_of
from ds3sim.store import file as store_file
from ds3sim.store.body import digest_of, pack, unpack
from ds3sim.store.contents import Point, Problem, StoreContents, Sweep, sweep_identity
from ds3sim.store.patient import Patient
from ds3sim.store.ranges import Damaged, Range, Row, cover, gaps

KEY = "identity, engine, seed, first, end"
_PARTS = "part JOIN problem ON id = problem"
_ROW = f"SELECT {KEY}, n, shared, stop, feasible, counts, code, {{}} FROM {_PARTS}"
_BEFORE = "a ds3sim before versions were kept"


class Tables(NamedTuple):
    """Everything in a store's file, row by row, for merging."""

    problem: list[tuple[Any, ...]]
    part: list[Row]
    sweep: list[tuple[Any, ...]]


class Store:
    """A file of tallies: what a sweep has simulated, kept through crashes and across machines.

    Use as a context manager, or ``close()`` it. What several processes add to one file is serialised by SQLite; each
    waits for the others a few seconds. Every method raises InputError, one line that names the file, where the disk
    is full or the file is locked or damaged; what was stored before stays.

    >>> task = ds.Task(ds.SkillGraph.chain(3, 0.4), steps=10)
    >>> with ds.Store.open("tallies.ds3") as store:
    ...     store.add(ds.simulate(task, traces=1000))
    ...     store.tally(task.identity, "traces").traces
    1000
    """

    def __init__(self, db: sqlite3.Connection, path: store_file.Name) -> None:
        self._db = db
        self.path: store_file.Name = path
        with guard(path, "store"), store_file.one_line(path):
            self._row = _ROW.format("squares, version" if store_file.has_versions(db) else "NULL, NULL")
        self._told: set[tuple[Any, ...]] = set()

    @cached_property
    def patient(self) -> Patient[Store]:
        """Writes for which nothing is lost while another process holds the file."""
        return Patient(self, self.path)

    def whole(self) -> Store:
        """Itself, or where something could not be written a copy in memory that has it."""
        if self.patient.flush():
            return self
        note(f"{self.path}: is still held by another process: it lacks what was simulated last, and is counted here")
        copy = Store.in_memory()
        copy.take([self.tables()])
        for write in self.patient.left:
            write(copy)
        return copy

    @classmethod
    def open(cls, path: store_file.Name, *, create: bool = True, readonly: bool = False, wait: float = 5.0) -> Store:
        """Open a store.

        Args:
            create: make it where it is missing.
            wait: seconds to wait for another process that is writing.

        Raises:
            InputError: missing, a folder, not a store, of a newer format, damaged, or locked.
        """
        return cls(store_file.connect(path, create=create, readonly=readonly, wait=wait), path)

    @classmethod
    def in_memory(cls) -> Store:
        """A store without a file, for one process."""
        return cls(store_file.connect_memory(), "memory")

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. May be called again."""
        self._db.close()

    def put_problems(self, problems: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Say what problems are: (identity, plain data). The first description of an identity is kept."""
        with store_file.transaction(self._db, self.path):
            for identity, description in problems:
                self._problem(identity, pack(description) if description else None)

    def add(self, tally: Tally) -> None:
        """Add the tally of one range of trials; see :meth:`add_all`."""
        self.add_all([tally])

    def add_all(self, tallies: Iterable[Tally]) -> int:
        """Add tallies, each of one range of trials, in one transaction; returns the number of rows that are new.

        A row that is there already is left alone. A row that overlaps others is kept beside them; reading never counts
        a trial twice.

        Raises:
            InputError: a tally of several ranges, or one whose counts differ from those stored for the
                same trials (another version of the engine made them). Nothing is added then.
        """
        with store_file.transaction(self._db, self.path):
            return sum(self._insert(Row.of(tally)) for tally in tallies if tally.traces)

    def missing(self, identity: str, engine: str, seed: int, first: int, end: int) -> list[Range]:
        """What has to be simulated so that all of [first, end) can be read."""
        first, end = whole_number("first", first), whole_number("end", end)
        return gaps(cover(self.rows(identity, engine, seed), first, end), first, end)

    def rows(self, identity: str, engine: str, seed: int) -> list[Range]:
        """(first, end) of every row, sorted; they may overlap."""
        query = f"SELECT first, end FROM {_PARTS} WHERE (identity, engine, seed) = (?, ?, ?)"
        return self._all(f"{query} ORDER BY first, end", (identity, engine, whole_number("seed", seed)))

    @reads("store")
    def tally(self, identity: str, engine: str, seed: int | None = None, end: int | None = None) -> Tally | None:
        """The sum of the rows within [0, end), or None where there are none; ``end`` None reads everything.

        Without a seed all are added up; the tally then has the first of them. Where rows overlap, disjoint ones that
        hold the most trials are taken. Rows of two versions of the engine are added with a note.
        """
        total: Tally | None = None
        versions: set[str] = set()
        end = None if end is None else whole_number("end", end)
        for one in self.seeds(identity, engine) if seed is None else [whole_number("seed", seed)]:
            for first, stop in cover(self.rows(identity, engine, one), 0, end):
                (found,) = self._all(
                    f"{self._row} WHERE ({KEY}) = (?, ?, ?, ?, ?)", (identity, engine, one, first, stop)
                )
                row = Row(*found)
                part = self._tally(row)
                versions.add(row.version or _BEFORE)
                total = part if total is None else total + part
        self.tell_versions(versions)
        return None if total is None else replace(total, stopping=Stopping(traces=total.traces))

    def seeds(self, identity: str, engine: str) -> list[int]:
        """The seeds of a problem's rows, sorted."""
        query = f"SELECT DISTINCT seed FROM {_PARTS} WHERE (identity, engine) = (?, ?) ORDER BY seed"
        return [seed for (seed,) in self._all(query, (identity, engine))]

    def keys(self) -> list[tuple[Any, ...]]:
        """(identity, engine, seed, first, end) of every row, sorted."""
        return self._all(f"SELECT {KEY} FROM {_PARTS} ORDER BY {KEY}")

    def put_points(self, name: str, points: Iterable[Point], common: Mapping[str, Any] | None = None) -> None:
        """Keep a sweep's table of contents, its points in order.

        ``common`` is what all points share, as the resolved config without axes. Lists with equal name and ``common``
        are read as one, where graph files have equal content wherever they lie; None: the list stands alone.
        """
        points = list(points)
        plain = [point.to_dict() for point in points]
        shared = "" if common is None else digest_of(sweep_identity(common, points))
        digest = digest_of([name, shared, plain])
        with store_file.transaction(self._db, self.path):
            latest = self._db.execute("SELECT coalesce(max(used), 0) + 1 FROM sweep").fetchone()[0]
            body = pack({"common": common, "points": plain})
            known = self._db.execute("UPDATE sweep SET used = ? WHERE digest = ?", (latest, digest)).rowcount
            if not known:
                self._db.execute("INSERT INTO sweep VALUES (?, ?, ?, ?, ?)", (digest, name, shared, latest, body))

    @reads("store")
    def contents(self) -> StoreContents:
        """What the store holds: problems, and sweeps, the one used last at the end."""
        keys: dict[str, dict[tuple[Any, ...], list[Range]]] = {}
        for identity, engine, seed, first, end in self.keys():
            keys.setdefault(identity, {}).setdefault((engine, seed), []).append((first, end))
        problems: list[Problem] = []
        for identity, body in self._all("SELECT identity, description FROM problem ORDER BY id"):
            own = keys.get(identity, {}).values()
            trials = sum(end - first for ranges in own for first, end in cover(ranges))
            said: dict[str, Any] = unpack(body, self.path) if body else {}
            problems.append(Problem(identity, said, sum(map(len, own)), trials))
        return StoreContents(str(self.path), tuple(problems), self.sweeps(), self.versions())

    @reads("store")
    def versions(self) -> tuple[str, ...]:
        """The versions of the engines that made the rows, sorted."""
        column = "version" if "version" in self._row else "NULL"
        return tuple(sorted({said or _BEFORE for (said,) in self._all(f"SELECT DISTINCT {column} FROM part")}))

    @reads("store")
    def sweeps(self) -> tuple[Sweep, ...]:
        """The tables of contents, the one used last at the end. Of two lists of one sweep the later wins."""
        common: dict[tuple[Any, ...], Any] = {}
        points: dict[tuple[Any, ...], dict[str, Point]] = {}
        query = "SELECT digest, name, common, body FROM sweep ORDER BY used DESC, digest"
        for digest, name, shared, packed in self._all(query):
            body, key = unpack(packed, self.path), (name, shared or digest)
            common.setdefault(key, body["common"])
            for point in map(Point.from_dict, body["points"]):
                points.setdefault(key, {}).setdefault(digest_of([point.axes, point.strategy]), point)
        return tuple(Sweep(key[0], common[key], tuple(points.get(key, {}).values())) for key in reversed(common))

    def result(self, name: str | None = None) -> Result:
        """What is known of a sweep, without its config: rows from all trials of all seeds.

        Points with the same axes stand together, their strategies side by side. A point of which nothing has been
        simulated is left out and counted in ``missing``.

        Args:
            name: of the sweep; None takes the one used last.

        Raises:
            InputError: the store holds no sweep (of this name).
        """
        every = self.sweeps()
        sweeps = [sweep for sweep in every if name in (None, sweep.name)]
        known = ", ".join(sorted({sweep.name for sweep in every}))
        have = f"it has {known}" if known else "ds3sim sweep --store writes one"
        require(len(sweeps) > 0, f"{self.path}: has no sweep{f' called {name}' if name else ''}: {have}")
        files = [{point.graph for point in sweep.points} for sweep in sweeps if sweep.name == sweeps[-1].name]
        if any(graphs != files[-1] for graphs in files):
            note(f"{self.path}: has sweeps called {sweeps[-1].name} of other graphs: this is the one used last")
        numbers: dict[str, int] = {}
        found: list[tuple[Point, list[Tally]]] = []
        for point in sweeps[-1].points:
            tallies = [self.tally(identity, point.engine) for identity in point.identities]
            there = [tally for tally in tallies if tally is not None]
            if there and len(there) == len(tallies):
                number = numbers.setdefault(repr(point.axes), len(numbers))
                found.append((replace(point, point=number), there))
        found.sort(key=lambda one: one[0].point)
        points = [point for point, _ in found]
        rows = rows_of(points, [tallies for _, tallies in found])
        seeds = sorted({r[0] for _, tallies in found for tally in tallies for r in tally.ranges})
        return Result(
            name=sweeps[-1].name,
            engine=", ".join(sorted({point.engine for point in points})),
            seed=seeds[0] if seeds else None,
            axes=tuple(dict.fromkeys(axis for point in points for axis in point.axes)),
            strategies=tuple(dict.fromkeys(point.strategy for point in points)),
            rows=tuple(row for own in rows for row in own),
            missing=len(sweeps[-1].points) - len(found),
            seeds=tuple(seeds),
            swept=True,
            config=(sweeps[-1].common or {}).get("config", {}),
        )

    @reads("store")
    def tables(self) -> Tables:
        """Everything there is, checked row by row.

        Raises:
            InputError: a row is damaged.
        """
        out = Tables(
            self._all("SELECT identity, description FROM problem ORDER BY id"),
            [Row(*row) for row in self._all(f"{self._row} ORDER BY {KEY}")],
            self._all("SELECT * FROM sweep ORDER BY used, digest"),
        )
        for row in out.part:
            self._tally(row)
        for body in (row[-1] for row in (*out.problem, *out.sweep)):
            if body is not None:
                unpack(body, self.path)
        return out

    def take(self, others: Sequence[Tables]) -> int:
        """Add what other stores hold, in one transaction; the number of new rows.

        Raises:
            InputError: rows for the same trials that differ. Nothing is added then.
        """
        new = 0
        with store_file.transaction(self._db, self.path):
            for other in others:
                for identity, description in other.problem:
                    self._problem(identity, description)
                new += sum(self._insert(row) for row in other.part)
                for digest, name, shared, _, body in other.sweep:
                    self._db.execute(
                        "INSERT OR IGNORE INTO sweep SELECT ?, ?, ?, coalesce(max(used), 0) + 1, ? FROM sweep",
                        (digest, name, shared, body),
                    )
        return new

    @reads("store")
    def _all(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with store_file.one_line(self.path):
            return self._db.execute(query, values).fetchall()

    def _problem(self, identity: str, description: bytes | None) -> None:
        self._db.execute("INSERT OR IGNORE INTO problem (identity) VALUES (?)", (identity,))
        if description is not None:
            self._db.execute(
                "UPDATE problem SET description = ? WHERE identity = ? AND description IS NULL", (description, identity)
            )

    def _insert(self, row: Row) -> int:
        """1 for a new row, 0 for one that was there; inside a transaction."""
        self._problem(row.identity, None)
        found = self._db.execute(f"{self._row} WHERE ({KEY}) = (?, ?, ?, ?, ?)", row.key).fetchone()
        if found is None:
            self._db.execute(
                "INSERT INTO part SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM problem WHERE identity = ?",
                (*row[1:], row.identity),
            )
            return 1
        if found != row:
            there = Row(*found)
            self._tally(there)  # says so where it is damaged
            require(
                there.agrees(row),
                f"{self.path}: trials {row.first}..{row.end} of seed {row.seed}, problem {row.identity[:8]}, are there"
                " with other counts: another version of ds3sim made them; use a store of its own for each version",
            )
        return 0

    def tell_versions(self, versions: Iterable[str]) -> None:
        """Say once that rows of several versions are added."""
        name = tuple(sorted(versions))
        if len(name) > 1 and name not in self._told:
            self._told.add(name)
            note(
                f"{self.path}: counts of {len(name)} versions of the engine are added: {'; '.join(name)}: where one of"
                " them was wrong, use a new store"
            )

    def _tally(self, row: Row) -> Tally:
        try:
            tally = row.tally()
            if row.squares is None is not tally.squares and ("old",) not in self._told:
                self._told.add(("old",))
                note(
                    f"{self.path}: holds counts of a ds3sim that did not keep how the traces of a task vary together:"
                    " intervals of expected steps are the widest possible; a new store has narrower ones"
                )
            return tally
        except Damaged as error:
            raise InputError(
                f"{self.path}: is damaged: trials {row.first}..{row.end} of problem {row.identity[:8]}: {error}:"
                " take a copy of it that is whole"
            ) from None
