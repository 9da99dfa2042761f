"""The store's file: opening it, its transactions, and what to say when the disk or the file refuses.

SQLite with a rollback journal: after ``kill -9`` or a power cut the file holds what was committed
before, and the next program that opens it undoes the unfinished rest. One file, nothing beside it
between two commits.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from ds3sim.core.errors import InputError, require
from ds3sim.core.guard import reads

Name = str | os.PathLike[str]

APPLICATION = 0x64733373  # "ds3s"
SCHEMA = 3
"""Format of the file; one with a larger number was written by a newer ds3sim. Format 1 has one table more, unused;
rows of formats 1 and 2 lack ``squares`` and ``version``, which opening for writing adds."""

_TABLES = """
CREATE TABLE problem (id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, description BLOB);
CREATE TABLE part (problem INTEGER NOT NULL REFERENCES problem, engine TEXT NOT NULL, seed INTEGER NOT NULL,
  first INTEGER NOT NULL, end INTEGER NOT NULL, n INTEGER NOT NULL, shared INTEGER NOT NULL, stop INTEGER NOT NULL,
  feasible INTEGER NOT NULL, counts BLOB NOT NULL, code INTEGER NOT NULL,
  squares INTEGER, version TEXT,
  UNIQUE (problem, engine, seed, first, end));
CREATE TABLE sweep (digest TEXT PRIMARY KEY, name TEXT NOT NULL, common TEXT NOT NULL, used INTEGER NOT NULL,
  body BLOB NOT NULL);
"""

_TYPES = {
    "problem": {"id": "('integer')", "identity": "('text')", "description": "('blob', 'null')"},
    "part": {
        "engine": "('text')",
        **dict.fromkeys(("problem", "seed", "first", "end", "n", "shared", "stop", "feasible", "code"), "('integer')"),
        "counts": "('blob')",
        "squares": "('integer', 'null')",
        "version": "('text', 'null')",
    },
    "sweep": {**dict.fromkeys(("digest", "name", "common"), "('text')"), "used": "('integer')", "body": "('blob')"},
}
"""Types of the values in each column."""

_SAID = {
    sqlite3.SQLITE_BUSY: "is locked by another process: wait until that ends, or write to another store and merge",
    sqlite3.SQLITE_LOCKED: "is locked by another process: wait until that ends, or write to another store and merge",
    sqlite3.SQLITE_FULL: "cannot be written, the disk is full: make room and start again; what was stored is kept",
    sqlite3.SQLITE_IOERR: "cannot be read or written ({}): look at the disk and its space; what was stored is kept",
    sqlite3.SQLITE_CORRUPT: "is damaged or cut short ({}): take a copy of it that is whole; nothing was changed",
    sqlite3.SQLITE_NOTADB: "is not a ds3sim store: name a file that ds3sim sweep --store wrote, or a new one",
    sqlite3.SQLITE_READONLY: "may only be read: change its permissions or its folder's, or copy it elsewhere",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: look at its permissions and those of its folder",
    sqlite3.SQLITE_TOOBIG: "cannot hold a row this large ({}): lower the budget",
}


class Locked(InputError):
    """Another process holds the file."""


@contextmanager
def one_line(path: Name) -> Iterator[None]:
    """Turn SQLite's errors into an InputError that names the file, the cause and the fix."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        said = _SAID.get(code, "cannot be used ({}): take another file")
        kind = Locked if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) else InputError
        raise kind(f"{path}: {said.format(error)}") from None


@reads("store")
def connect(path: Name, *, create: bool, readonly: bool, wait: float) -> sqlite3.Connection:
    """A connection to a store that was looked through; ``readonly`` still plays back a journal left by a crash,
    ``wait`` is in seconds. InputError: missing, no file, no store, of a newer format, damaged, or locked.
    """
    _look_at(path, create and not readonly)
    mode = "rwc" if create and not readonly else "rw"
    with one_line(path):
        # "rw" opens a file that may only be read for reading.
        name = f"file:{quote(os.path.abspath(path))}?mode={mode}"
        db = sqlite3.connect(name, uri=True, timeout=wait, isolation_level=None)
    try:
        with one_line(path):
            db.execute("PRAGMA synchronous = EXTRA")
            if readonly:
                db.execute("PRAGMA query_only = ON")
            _accept(db, path, readonly)
    except BaseException:
        db.close()
        raise
    return db


def connect_memory() -> sqlite3.Connection:
    """The same tables without a file."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    _make(db)
    return db


@contextmanager
def transaction(db: sqlite3.Connection, path: Name) -> Iterator[None]:
    """All of it or nothing. Another writer is waited for before the work, not after it."""
    with one_line(path):
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                if db.in_transaction:
                    db.execute("ROLLBACK")
            raise


def _look_at(path: Name, create: bool) -> None:
    """What can be said without opening the file."""
    require(str(path).strip() != "", "the name of the store is empty: name a file")
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        require(create, f"{path}: no such store: give a file that ds3sim sweep --store wrote")
        parent = Path(path).parent
        require(parent.is_dir(), f"{path}: there is no folder {parent}: make it first")
        return
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be used: {getattr(error, 'strerror', None) or error}") from None
    require(not stat.S_ISDIR(mode), f"{path}: is a folder: name a file")
    require(stat.S_ISREG(mode), f"{path}: is not a regular file: name a file")


def _accept(db: sqlite3.Connection, path: Name, readonly: bool) -> None:
    """Refuse what is not a whole store of a format we know; make the tables of an empty file."""
    if _is_empty(db):
        require(not readonly, f"{path}: is empty, not a ds3sim store")
        with transaction(db, path):
            if _is_empty(db):  # another process may have been faster
                _make(db)
    application, version = (db.execute(f"PRAGMA {key}").fetchone()[0] for key in ("application_id", "user_version"))
    require(application == APPLICATION, f"{path}: {_SAID[sqlite3.SQLITE_NOTADB]}")
    require(
        version <= SCHEMA,
        f"{path}: was written by a newer ds3sim (format {version}; this one reads up to {SCHEMA}): update ds3sim",
    )
    damaged = f"{path}: {_SAID[sqlite3.SQLITE_CORRUPT]}"
    db.execute("BEGIN")  # nobody writes between the two looks at the size
    db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    pages, size = (db.execute(f"PRAGMA {key}").fetchone()[0] for key in ("page_count", "page_size"))
    whole = os.path.getsize(path) >= pages * size  # SQLite reads a last page that is cut as if zeros followed
    db.execute("COMMIT")
    require(whole, damaged.format("its last page is cut"))
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    require(found == "ok", damaged.format(" ".join(found.split())))
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    missing = {"problem", "part", "sweep"} - tables
    require(not missing, damaged.format("tables are missing"))
    require(not _foreign(db), damaged.format(_foreign(db)))
    if version < SCHEMA and not readonly:
        with transaction(db, path):
            if not has_versions(db):  # another process may have been faster
                db.execute("ALTER TABLE part ADD COLUMN squares INTEGER")
                db.execute("ALTER TABLE part ADD COLUMN version TEXT")
            db.execute(f"PRAGMA user_version = {SCHEMA}")


def _foreign(db: sqlite3.Connection) -> str:
    """What no store of ours has, empty where there is nothing: SQLite runs others' triggers, and any column takes any
    type."""
    other = "SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index') LIMIT 1"
    for kind, name in db.execute(other):
        return f"it has the {kind} {name}"
    for table, columns in _TYPES.items():
        known = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
        wrong = " OR ".join(f"typeof({name}) NOT IN {types}" for name, types in columns.items() if name in known)
        if db.execute(f"SELECT 1 FROM {table} WHERE {wrong} LIMIT 1").fetchone():
            return f"a row of the table {table} has a value of another type"
    if db.execute("SELECT 1 FROM part WHERE seed < 0 OR first < 0 OR end < first LIMIT 1").fetchone():
        return "a row of the table part has trials that there cannot be"
    return ""


def has_versions(db: sqlite3.Connection) -> bool:
    """Whether rows have the columns of format 3."""
    return "version" in {row[1] for row in db.execute("PRAGMA table_info(part)")}


def _is_empty(db: sqlite3.Connection) -> bool:
    pragmas = [db.execute(f"PRAGMA {key}").fetchone()[0] for key in ("application_id", "user_version")]
    return pragmas == [0, 0] and db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0


def _make(db: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";\n"):
        if statement.strip():
            db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {SCHEMA}")
