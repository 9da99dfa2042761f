"""Fuzzing: valid inputs are damaged by a seeded generator, and read; every mistake has to be one line that says it.

``tests/test_fuzz.py`` does a few hundred, ``scripts/fuzz`` as many as it is told.
"""

from __future__ import annotations

import contextlib
import copy
import gzip
import io
import json
import lzma
import re
import sqlite3
import tarfile
import tempfile
import tomllib
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import ds3sim as ds
from ds3sim.cli.main import main
from ds3sim.core.errors import InputError, Note

NUMBERS = ["NaN", "Infinity", "-1", "0", "1e999", "-0.0", "1e-320", "9" * 30, "9" * 5000, "2147483648", "1.5", "0x10"]
WORDS = ["null", "true", '""', "[]", "{}", '"\\u0000"', '"é"', '"\\ud800"', "[[[[]]]]", '{"a": [1]}', "2020-01-01"]
VALUES: list[Any] = [None, True, False, 0, -1, 1.5, 10**400, 2**63, -(2**63) - 1, float("nan"), float("inf")]
VALUES += ["", "\0", "\ud800", "text", "1", "C", "NaN", "2020-01-01", "x" * 5000]
VALUES += [[], {}, [[]], [None], ["C"], [1, "a", {}], {"": None}, {"a": {"b": []}}]
DEEP = 2000


def cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def flipped(data: bytes, random: Random) -> bytes:
    out = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 8])):
        out[random.randrange(len(out))] = random.randrange(256)
    return bytes(out)


def absurd(data: bytes, random: Random) -> bytes:
    """Four or eight bytes that say a huge or negative size or offset."""
    at, size = random.randrange(len(data)), random.choice([2, 4, 8])
    return data[:at] + random.choice([b"\xff", b"\x7f", b"\0"]) * size + data[at + size :]


def doubled(data: bytes, random: Random) -> bytes:
    a, b = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:b] + data[a:b] * random.choice([1, 2, 30]) + data[b:]


def removed(data: bytes, random: Random) -> bytes:
    a, b = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:a] + data[min(b, a + 40) :]


def recoded(data: bytes, random: Random) -> bytes:
    text = data.decode("utf-8", errors="replace")
    kind = random.choice(["utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "cp037", "utf-7"])
    return text.replace("a", "ä", 3).encode(kind, errors="replace")


def retyped(data: bytes, random: Random) -> bytes:
    """A number, a word or a quoted text of a text file becomes something else."""
    text = data.decode("utf-8", errors="surrogateescape")
    found = [*re.finditer(r'"[^"\n]*"|[\w.+-]+', text)]
    if not found:
        return flipped(data, random)
    token = random.choice(found)
    new = random.choice(NUMBERS + WORDS + ["[" * DEEP, '{"a":' * DEEP, "!!timestamp 'x'", "!!bool maybe", "&a [*a]"])
    return (text[: token.start()] + new + text[token.end() :]).encode("utf-8", errors="surrogateescape")


def restructured(data: bytes, random: Random) -> bytes:
    """A value somewhere in a JSON document, or in one of JSON lines, becomes something else; a key gets lost."""
    try:
        text = data.decode()
        lines = text.splitlines() if data.count(b"\n") > 1 and data.startswith(b'{"') else [text]
        at = random.randrange(len(lines))
        document = json.loads(lines[at])
    except (ValueError, RecursionError):  # damaged before
        return retyped(data, random)
    lines[at] = json.dumps(_changed(copy.deepcopy(document), random))
    return "\n".join(lines).encode("utf-8", errors="surrogatepass")


def _changed(value: Any, random: Random) -> Any:
    inner = value if isinstance(value, dict | list) else ()
    if not inner or random.random() < 0.1:
        return random.choice(VALUES)
    key = random.choice([*value] if isinstance(value, dict) else range(len(value)))
    if random.random() < 0.1:
        del value[key]
    else:
        value[key] = _changed(value[key], random)
    return value


def columns(data: bytes, random: Random) -> bytes:
    """A column of a Parquet file has values of another type."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(io.BytesIO(data))
        names = table.column_names
    except (pyarrow.ArrowException, OSError, ValueError):  # damaged before
        return flipped(data, random)
    rows = table.num_rows
    new = random.choice(
        [
            pyarrow.array([None] * rows),
            pyarrow.array([random.choice([2**31 - 1, -(2**31), 0])] * rows, pyarrow.date32()),
            pyarrow.array([random.choice([2**63 - 1, -(2**63)])] * rows, pyarrow.timestamp("us")),
            pyarrow.array([2**63 - 1] * rows, pyarrow.duration("s")),
            pyarrow.array([2**64 - 1] * rows, pyarrow.uint64()),
            pyarrow.array([float("nan")] * rows),
            pyarrow.array([b"\xff\xfe"] * rows, pyarrow.binary()),
            pyarrow.array(["maybe"] * rows),
            pyarrow.array([[1, None]] * rows),
            pyarrow.array([{"a": 1}] * rows),
            pyarrow.array([True] * rows),
        ]
    )
    at = random.randrange(table.num_columns)
    out = io.BytesIO()
    pyarrow.parquet.write_table(table.set_column(at, names[at], new), out)
    return out.getvalue()


def retabled(data: bytes, random: Random) -> bytes:
    """A value of a TOML file becomes another one of its type, mostly an extreme one."""
    import tomli_w

    try:
        tables = tomllib.loads(data.decode())
    except (ValueError, RecursionError):  # damaged before
        return retyped(data, random)
    home: Any = tables
    while True:
        key = random.choice([*home] if isinstance(home, dict) else range(len(home)))
        if not isinstance(home[key], dict | list) or not home[key]:
            break
        home = home[key]
    old = home[key]
    if isinstance(old, bool) or not isinstance(old, int | float):
        home[key] = random.choice([not old if isinstance(old, bool) else f"{old} ", 0, ["a"], {}])
    else:
        home[key] = random.choice(
            [0, 1, 2, 7, -1, 10**6, 2**31, 2**63, 1e-300, 1e300, 0.5, 1 - 1e-12, [1, 2], old * 10]
        )
    try:
        return tomli_w.dumps(tables).encode()
    except (TypeError, ValueError):
        return retyped(data, random)


def inside(data: bytes, random: Random) -> bytes:
    """What an archive holds is damaged, and packed again."""
    if data.startswith(b"PK"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as file:
                members = {name: file.read(name) for name in file.namelist()}
        except Exception:  # damaged before
            return absurd(data, random)
        name, out = random.choice([*members]), io.BytesIO()
        with zipfile.ZipFile(out, "w") as file:
            for other, content in members.items():
                file.writestr(other, restructured(content, random) if other == name and content else content)
        return out.getvalue()
    pack, unpack = (gzip.compress, gzip.decompress) if data.startswith(b"\x1f") else (lzma.compress, lzma.decompress)
    try:
        return pack(retyped(unpack(data), random))
    except Exception:  # damaged before
        return absurd(data, random)


def bombed(data: bytes, random: Random) -> bytes:
    """A YAML value stands for 9^9 others by aliases of aliases, or for itself."""
    text = data.decode("utf-8", errors="surrogateescape")
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
    found = [*re.finditer(r"(?<=: ).+$", text, re.MULTILINE)]
    if not found:
        return bomb.encode()
    place, new = random.choice(found), random.choice(["*a9", "&a [*a, *a]", "&a {b: *a}", "[*a9]"])
    text = f"{bomb if 'a9' in new else ''}{text[: place.start()]}{new}{text[place.end() :]}"
    return text.encode("utf-8", errors="surrogateescape")


def entities(data: bytes, random: Random) -> bytes:
    """An XML document declares entities: ones that grow, a file, one that is used often."""
    grow = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    kinds = [f'<!ENTITY e0 "x">{grow}', '<!ENTITY e9 SYSTEM "file:///etc/hostname">', f'<!ENTITY e9 "{"x" * 2**16}">']
    text = data.decode("utf-8", errors="surrogateescape")
    body = re.sub(r"^<\?xml.*?\?>", "", text)
    body = body.replace('"a"', '"&e9;"', 1) if random.random() < 0.5 else body.replace("</", "&e9;</", 1)
    return f"<!DOCTYPE x [{random.choice(kinds)}]>{body}".encode("utf-8", errors="surrogateescape")


def widened(data: bytes, random: Random) -> bytes:
    """The header of a table, or one of its fields, gets absurdly long."""
    mark = random.choice([b",", b";", b"\t", b"\0", b'"', b"x", b"[", b"x,", b"\n", b" "])
    at = random.choice([0, data.find(b"\n") % len(data), random.randrange(len(data))])
    return data[:at] + mark * random.choice([5000, 300_000]) + data[at:]


def stored(data: bytes, random: Random) -> bytes:
    """A value of a store gets another type, or the store a trigger or a view."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.ds3"
        path.write_bytes(data)
        try:
            with contextlib.closing(sqlite3.connect(path)) as db, db:
                names = [
                    (t, row[1]) for t in ("problem", "part", "sweep") for row in db.execute(f"PRAGMA table_info({t})")
                ]
                table, column = random.choice(names)
                value = random.choice(
                    [None, "x", "\0", b"", b"\xff\xfe", -1, 2**62, 1.5, "[]", "9" * 5000, zlib.compress(b"{}")]
                )
                extra = f"CREATE TRIGGER g AFTER INSERT ON {table} BEGIN DELETE FROM {table}; END"
                if random.random() < 0.1:
                    db.execute(extra)
                else:
                    db.execute(f"UPDATE {table} SET {column} = ?", (value,))
        except (sqlite3.Error, IndexError, UnicodeError):  # damaged before, or a value that the table does not take
            return flipped(data, random)
        return path.read_bytes()


def repacked(data: bytes, random: Random) -> bytes:
    """A member of a tar file is damaged, or is a link or a device, and packed again."""
    out = io.BytesIO()
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w:gz") as new:
            members = old.getmembers()
            chosen = random.choice(members)
            for member in members:
                content = file.read() if (file := old.extractfile(member)) else b""
                if member is chosen and random.random() < 0.2:
                    member.type, member.linkname = random.choice([b"1", b"2", b"3", b"5", b"6"]), "/dev/zero"
                    member.name = random.choice([member.name, f"/{member.name}", f"../{member.name}"])
                    content = b""
                elif member is chosen and content:
                    way = restructured if member.name.endswith(".json") else random.choice(BYTES)
                    content = way(content, random)
                member.size = len(content)
                new.addfile(member, io.BytesIO(content))
    except Exception:  # damaged before
        return absurd(data, random)
    return out.getvalue()


ENDS: dict[str, dict[str, Any]] = {
    "csv": {"start": "b", "goal": "z"},
    "tsv": {"start": "b", "goal": "z"},
    "tra": {"start": "0", "goal": "2"},
}
"""Start and goal of graphs whose format says none."""

BYTES = (cut, flipped, flipped, absurd, absurd, doubled, removed)
TEXT = (cut, flipped, doubled, removed, recoded, retyped, retyped, retyped, retyped)
WAYS: dict[str, tuple[Callable, ...]] = {
    ".json": (*TEXT, *[restructured] * 8),
    ".jsonl": (*TEXT, *[restructured] * 8),
    ".parquet": (*BYTES, columns, columns),
    ".toml": (*TEXT, *[retabled] * 20),
    ".ds3": (*BYTES, *[stored] * 7),
    ".umb": (*BYTES, *[repacked] * 14),
    ".csv": (*TEXT, widened, widened),
    ".tsv": (*TEXT, widened, widened),
    ".yaml": (*TEXT, *[bombed] * 3),
    **dict.fromkeys((".graphml", ".gexf"), (*TEXT, *[entities] * 3)),
    **dict.fromkeys((".eval", ".gz", ".xz"), (*BYTES, *[inside] * 7)),
}


def damaged(name: str, data: bytes, random: Random) -> bytes:
    """``data`` with one to three mutations that suit its format."""
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        if data:
            data = random.choice(WAYS.get(Path(name).suffix, TEXT))(data, random)
    return data


# ---- what is done with it -------------------------------------------------------------------------


def read(name: str, path: Path) -> None:
    """Read a file as what its name says that it is."""
    kind = name.partition("-")[0]
    if kind == "config":
        config = ds.read_config(path)
        if config.kind == "study":
            for number, _ in enumerate(ds.Study.of(config).entries()):
                if number > 10:
                    break
    elif kind == "graph":
        ds.load_graph(path, **ENDS.get(name.partition(".")[2].partition(".")[0], {}))
    elif kind == "log":
        ds.read_log(path)
    elif kind == "store":
        with ds.Store.open(path) as store:
            store.contents()
            store.result()
            store.tables()
    else:
        ds.Result.load(path)


def commands(name: str, path: Path) -> list[list[str]]:
    """Commands that take such a file."""
    kind, file, out = name.partition("-")[0], str(path), str(path.parent / "out")
    if kind == "config":
        named = {"allocation": ["allocate", file], "training": ["train", file]}.get(path.stem.partition("-")[2])
        small = ["--set", "engine.kind=closed_form"]
        sweeps = [["run", file, *small], ["sweep", file, *small], ["choose", file, *small], ["run", file, "--json"]]
        return [named] if named else [*sweeps, ["export", file, "--format", "drn", "--out", out]]
    if kind == "graph":
        config = path.parent / "graph.toml"
        given = ENDS.get(path.name.partition(".")[2].partition(".")[0], {})
        ends = "".join(f'{role} = "{node}"\n' for role, node in given.items())
        config.write_text(f'[graph]\npath = "{path.name}"\n{ends}[budget]\nsteps = [5]\n[engine]\nkind = "exact"\n')
        return [["run", str(config)]]
    if kind == "log":
        return [["fit", "pass-at-n", file], ["fit", "votes", file], ["plan", file, "--tokens", "1000"]]
    if kind == "store":
        return [["report", file, "--out", f"{out}.csv"], ["merge", file, "--out", f"{out}.ds3"]]
    return [["report", file, "--out", f"{out}.csv"]]


def outcome(name: str, path: Path) -> tuple[str, str]:
    """What becomes of reading a file: ``read``, ``refused`` in one line that names it, or ``fault``; and what was said.

    An exception of our own code that only the guard at the edge of the reader caught is told with the refusal.
    """
    try:
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", Note)
            read(name, path)
    except InputError as error:
        said = str(error)
        good = "\n" not in said and path.name in said
        return "refused" if good else "fault", f"{said} {_unforeseen(error)}"
    except Exception as error:
        return "fault", _traced(error)
    return "read", ""


def _unforeseen(error: InputError) -> str:
    cause = error.__cause__
    ours = cause is not None and "/ds3sim/" in traceback.extract_tb(cause.__traceback__)[-1].filename
    return f"[{_traced(cause)}]" if ours and cause is not None else ""


def outcome_of_command(argv: list[str]) -> tuple[str, str]:
    """The same of a command."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(argv)
    except Exception as error:
        return "fault", f"{' '.join(argv)}: {_traced(error)}"
    said = err.getvalue()
    last = said.strip().rpartition("\n")[2]
    if code == 0 and "Traceback" not in said:
        return "read", last
    refused = code == 2 and last.startswith("error: ")
    return "refused" if refused else "fault", f"{' '.join(argv)}: exit {code}: {last}"


def _traced(error: BaseException) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:150]} ({Path(place.filename).name}, line {place.lineno})"
