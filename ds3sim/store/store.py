"""The store: one file that keeps what a sweep has simulated, through crashes and across machines.

A row holds the counts of the trials [first, end) of one problem, engine and seed. Rows are added,
never changed, and what is in a row depends on its key alone; so the same work done twice gives the
same row, and merging stores in any order, any number of times, gives the same store.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterable, Sequence

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.engine.stopping import Stopping
from ds3sim.engine.tally import Tally
from ds3sim.store import file as store_file
from ds3sim.store.ranges import Damaged, Range, checksum, cover, decode, encode, gaps, joined

KEY = "identity, engine, seed, first, end"
_PARTS = "part JOIN problem ON id = problem"
_ROW = f"SELECT {KEY}, n, shared, stop, feasible, counts, code FROM {_PARTS}"


class Store:
    """A file of tallies. Use as a context manager, or ``close()`` it.

    What several processes add to one file is serialised by SQLite; each waits for the others a few
    seconds. Every method raises InputError, one line that names the file, where the disk is full
    or the file is locked or damaged; what was stored before stays.
    """

    def __init__(self, db: sqlite3.Connection, path):
        self._db, self.path = db, path

    @classmethod
    def open(cls, path, *, create: bool = True, readonly: bool = False, wait: float = 5.0) -> Store:
        """Open a store.

        Args:
            path: the file.
            create: make it where it is missing.
            readonly: for reading only.
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

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. May be called again."""
        self._db.close()

    # ---- tallies ------------------------------------------------------------------------------

    def put_problem(self, identity: str, description: dict) -> None:
        """Say what a problem is. The first description of an identity is kept."""
        self.put_problems([(identity, description)])

    def put_problems(self, problems: Iterable[tuple[str, dict]]) -> None:
        """:meth:`put_problem` for many, in one transaction."""
        with store_file.transaction(self._db, self.path):
            for identity, description in problems:
                self._problem(identity, _pack(description) if description else None)

    def add(self, tally: Tally) -> None:
        """Add the tally of one range of trials; see :meth:`add_all`."""
        self.add_all([tally])

    def add_all(self, tallies: Iterable[Tally]) -> int:
        """Add tallies, each of one range of trials, in one transaction.

        A row that is there already is left alone. A row that overlaps others is kept beside them;
        reading never counts a trial twice.

        Returns:
            The number of rows that are new.

        Raises:
            InputError: a tally of several ranges, or one whose counts differ from those stored for the
                same trials (another version of the engine made them). Nothing is added then.
        """
        with store_file.transaction(self._db, self.path):
            return sum(self._insert(_row_of(tally)) for tally in tallies if tally.traces)

    def covered(self, identity: str, engine: str, seed: int) -> list[Range]:
        """The trials that can be read together, as sorted disjoint ranges."""
        return joined(cover(self.rows(identity, engine, seed)))

    def missing(self, identity: str, engine: str, seed: int, first: int, end: int) -> list[Range]:
        """What has to be simulated so that all of [first, end) can be read."""
        return gaps(cover(self.rows(identity, engine, seed), first, end), first, end)

    def rows(self, identity: str, engine: str, seed: int) -> list[Range]:
        """(first, end) of every row, sorted; they may overlap."""
        query = f"SELECT first, end FROM {_PARTS} WHERE (identity, engine, seed) = (?, ?, ?)"
        return self._all(f"{query} ORDER BY first, end", (identity, engine, seed))

    def tally(self, identity: str, engine: str, seed: int | None = None, end: int | None = None) -> Tally | None:
        """The sum of the rows within [0, end), or None where there are none.

        Args:
            seed: None adds up all seeds; the tally then has the first of them.
            end: None reads everything.

        Where rows overlap, disjoint ones that hold the most trials are taken.
        """
        seeds = self.seeds(identity, engine) if seed is None else [seed]
        chosen = {s: cover(self.rows(identity, engine, s), 0, end) for s in seeds}
        total = None
        for one in seeds:
            for first, stop in chosen[one]:
                part = self._read(f"{_ROW} WHERE ({KEY}) = (?, ?, ?, ?, ?)", (identity, engine, one, first, stop))[0]
                total = part if total is None else _sum(total, part)
        if total is None:
            return None
        ranges = tuple((s, *r) for s in seeds for r in joined(chosen[s]))
        return _tally(total, ranges)

    def seeds(self, identity: str, engine: str) -> list[int]:
        """The seeds of a problem's rows, sorted."""
        query = f"SELECT DISTINCT seed FROM {_PARTS} WHERE (identity, engine) = (?, ?) ORDER BY seed"
        return [seed for (seed,) in self._all(query, (identity, engine))]

    def problems(self) -> list[dict]:
        """``identity``, ``description``, ``rows`` and ``trials`` (each counted once) of every problem."""
        keys: dict[str, dict[tuple, list[Range]]] = {}
        for identity, engine, seed, first, end in self.keys():
            keys.setdefault(identity, {}).setdefault((engine, seed), []).append((first, end))
        out = []
        for identity, body in self._all("SELECT identity, description FROM problem ORDER BY id"):
            own = keys.get(identity, {})
            trials = sum(stop - begin for ranges in own.values() for begin, stop in cover(ranges))
            rows = sum(map(len, own.values()))
            described = self._unpack(body) if body else {}
            out.append({"identity": identity, "description": described, "rows": rows, "trials": trials})
        return out

    def keys(self) -> list[tuple]:
        """(identity, engine, seed, first, end) of every row, sorted."""
        return self._all(f"SELECT {KEY} FROM {_PARTS} ORDER BY {KEY}")

    # ---- numbers that do not add --------------------------------------------------------------

    def put_numbers(self, identity: str, engine: str, seed: int, traces: int, rows: list[dict]) -> None:
        """Keep the finished rows of an engine whose results do not add up. The first are kept."""
        with store_file.transaction(self._db, self.path):
            self._db.execute(
                "INSERT OR IGNORE INTO number VALUES (?, ?, ?, ?, ?)", (identity, engine, seed, traces, _pack(rows))
            )

    def numbers(self, identity: str, engine: str, seed: int, traces: int) -> list[dict] | None:
        """What :meth:`put_numbers` kept, or None."""
        query = "SELECT body FROM number WHERE (identity, engine, seed, traces) = (?, ?, ?, ?)"
        found = self._all(query, (identity, engine, seed, traces))
        return self._unpack(found[0][0]) if found else None

    # ---- tables of contents -------------------------------------------------------------------

    def put_points(self, name: str, points: Sequence[dict], common: dict | None = None) -> None:
        """Keep a sweep's table of contents: its points in order, plain data (:mod:`ds3sim.store.contents`).

        Args:
            name: of the sweep.
            points: one dictionary a point.
            common: what all points share, as the resolved config without axes. Lists with equal name and
                ``common`` are read as one. None: the list stands alone.
        """
        shared = "" if common is None else _digest(common)
        digest = _digest([name, shared, list(points)])
        with store_file.transaction(self._db, self.path):
            latest = self._db.execute("SELECT coalesce(max(used), 0) + 1 FROM sweep").fetchone()[0]
            body = _pack({"common": common, "points": list(points)})
            known = self._db.execute("UPDATE sweep SET used = ? WHERE digest = ?", (latest, digest)).rowcount
            if not known:
                self._db.execute("INSERT INTO sweep VALUES (?, ?, ?, ?, ?)", (digest, name, shared, latest, body))

    def sweeps(self) -> list[dict]:
        """``name``, ``common`` and ``points`` of every sweep, the latest used last."""
        out: dict[tuple, dict] = {}
        query = "SELECT digest, name, common, body FROM sweep ORDER BY used DESC, digest"
        for digest, name, shared, packed in self._all(query):
            body = self._unpack(packed)
            key = (name, shared or digest)
            group = out.setdefault(key, {"name": name, "common": body["common"], "points": {}})
            for point in body["points"]:  # a later list comes first and wins
                group["points"].setdefault(_digest([point.get("axes"), point.get("strategy")]), point)
        return [group | {"points": list(group["points"].values())} for group in reversed(out.values())]

    def points(self, name: str | None = None) -> list[dict]:
        """The points of the sweep used last (of this name); empty where there is none."""
        found = [sweep for sweep in self.sweeps() if name in (None, sweep["name"])]
        return found[-1]["points"] if found else []

    # ---- merging ------------------------------------------------------------------------------

    def contents(self) -> dict[str, list[tuple]]:
        """Everything there is, rows checked one by one: ``problem``, ``part``, ``number``, ``sweep``.

        Raises:
            InputError: a row is damaged.
        """
        out = {
            "problem": self._all("SELECT identity, description FROM problem ORDER BY id"),
            "part": self._all(f"{_ROW} ORDER BY {KEY}"),
            "number": self._all("SELECT * FROM number ORDER BY identity, engine, seed, traces"),
            "sweep": self._all("SELECT * FROM sweep ORDER BY used, digest"),
        }
        for row in out["part"]:
            self._parse(row)
        for body in (row[-1] for name in ("problem", "number", "sweep") for row in out[name]):
            if body is not None:
                self._unpack(body)
        return out

    def take(self, contents: Sequence[dict[str, list[tuple]]]) -> int:
        """Add what :meth:`contents` gave for other stores, in one transaction; the number of new rows.

        Raises:
            InputError: rows for the same trials that differ. Nothing is added then.
        """
        new = 0
        with store_file.transaction(self._db, self.path):
            for other in contents:
                for identity, description in other["problem"]:
                    self._problem(identity, description)
                new += sum(self._insert(row) for row in other["part"])
                self._db.executemany("INSERT OR IGNORE INTO number VALUES (?, ?, ?, ?, ?)", other["number"])
                for digest, name, shared, _, body in other["sweep"]:
                    self._db.execute(
                        "INSERT OR IGNORE INTO sweep SELECT ?, ?, ?, coalesce(max(used), 0) + 1, ? FROM sweep",
                        (digest, name, shared, body),
                    )
        return new

    # ---- pieces -------------------------------------------------------------------------------

    def _all(self, query: str, values: tuple = ()) -> list[tuple]:
        with store_file.one_line(self.path):
            return self._db.execute(query, values).fetchall()

    def _problem(self, identity: str, description: bytes | None) -> None:
        self._db.execute("INSERT OR IGNORE INTO problem (identity) VALUES (?)", (identity,))
        if description is not None:
            self._db.execute(
                "UPDATE problem SET description = ? WHERE identity = ? AND description IS NULL", (description, identity)
            )

    def _insert(self, row: tuple) -> int:
        """1 for a new row, 0 for one that was there; inside a transaction."""
        self._problem(row[0], None)
        found = self._db.execute(f"{_ROW} WHERE ({KEY}) = (?, ?, ?, ?, ?)", row[:5]).fetchone()
        if found is not None:
            if found != row and not _same(self._parse(found), self._parse(row)):
                raise InputError(
                    f"{self.path}: trials {row[3]}..{row[4]} of seed {row[2]}, problem {row[0][:8]}, are there with"
                    " other counts: another version of ds3sim made them; use a store of its own for each version"
                )
            return 0
        self._db.execute(
            "INSERT INTO part SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM problem WHERE identity = ?",
            (*row[1:], row[0]),
        )
        return 1

    def _read(self, query: str, values: tuple) -> list[dict]:
        return [self._parse(row) for row in self._all(query, values)]

    def _parse(self, row: tuple) -> dict:
        try:
            return parse(row)
        except Damaged as error:
            raise InputError(
                f"{self.path}: is damaged: trials {row[3]}..{row[4]} of problem {str(row[0])[:8]}: {error}:"
                " take a copy of it that is whole"
            ) from None

    def _unpack(self, body: bytes):
        try:
            return json.loads(zlib.decompress(body))
        except (zlib.error, ValueError, TypeError) as error:
            raise InputError(f"{self.path}: is damaged: {error}: take a copy of it that is whole") from None


def parse(row: tuple) -> dict:
    """A row of ``part`` as a dictionary with its histograms.

    Raises:
        Damaged: it contradicts itself.
    """
    names = ("identity", "engine", "seed", "first", "end", "n", "shared", "stop", "feasible", "counts", "code")
    out: dict = dict(zip(names, row, strict=True))
    if checksum(*row[:-1]) != out["code"]:
        raise Damaged("its checksum is wrong")
    out["task_hits"], out["hits"], out["deaths"] = decode(out["counts"])
    return out


def _row_of(tally: Tally) -> tuple:
    require(
        len(tally.ranges) == 1 and tally.ranges[0][2] - tally.ranges[0][1] == tally.traces,
        f"a tally of {len(tally.ranges)} ranges of trials cannot be one row: add the tally of each range",
    )
    seed, first, end = map(int, tally.ranges[0])
    counts = encode(tally.task_hits, tally.hits, tally.deaths)
    flags = (int(tally.shared_feasibility), int(tally.stop_on_dead))
    row = (tally.identity, tally.engine, seed, first, end, int(tally.n), *flags, int(tally.feasible), counts)
    return (*row, checksum(*row))


def _same(a: dict, b: dict) -> bool:
    plain = all(a[key] == b[key] for key in ("n", "shared", "stop", "feasible"))
    return plain and all(np.array_equal(a[key], b[key]) for key in ("task_hits", "hits", "deaths"))


def _sum(a: dict, b: dict) -> dict:
    return a | {key: a[key] + b[key] for key in ("feasible", "task_hits", "hits", "deaths")}


def _tally(row: dict, ranges: tuple[tuple[int, int, int], ...]) -> Tally:
    traces = sum(end - first for _, first, end in ranges)
    return Tally(
        identity=row["identity"],
        engine=row["engine"],
        seed=row["seed"],
        n=row["n"],
        traces=traces,
        feasible=row["feasible"],
        task_hits=row["task_hits"],
        hits=row["hits"],
        deaths=row["deaths"],
        shared_feasibility=bool(row["shared"]),
        stop_on_dead=bool(row["stop"]),
        ranges=ranges,
        stopping=Stopping(traces=traces),
    )


def _pack(value) -> bytes:
    return zlib.compress(json.dumps(value, allow_nan=False, separators=(",", ":")).encode(), 6)


def _digest(value) -> str:
    text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
