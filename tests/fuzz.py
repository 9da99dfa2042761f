"""Fuzzing: valid inputs are damaged by a seeded generator, and read; every mistake has to be one line that says it.

``tests/test_fuzz.py`` does a few hundred, ``scripts/fuzz`` as many as it is told.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import ds3sim as ds
from ds3sim.cli.main import main
from ds3sim.core.errors import InputError

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
    pyarrow.parquet.write_table(table.set_column(at, table.column_names[at], new), out)
    return out.getvalue()


BYTES = (cut, flipped, flipped, absurd, absurd, doubled, removed)
TEXT = (cut, flipped, doubled, removed, recoded, retyped, retyped, retyped, retyped)
WAYS: dict[str, tuple[Callable, ...]] = {
    ".json": (*TEXT, *[restructured] * 8),
    ".jsonl": (*TEXT, *[restructured] * 8),
    ".parquet": (*BYTES, columns, columns),
    **dict.fromkeys((".eval", ".gz", ".xz", ".ds3"), BYTES),
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
        given = {"start": "b", "goal": "z"} if path.suffix == ".csv" else {}
        ds.load_graph(path, **given)
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
        ends = 'start = "b"\ngoal = "z"\n' if path.suffix == ".csv" else ""
        config.write_text(f'[graph]\npath = "{path.name}"\n{ends}[budget]\nsteps = [5]\n[engine]\nkind = "exact"\n')
        return [["run", str(config)]]
    if kind == "log":
        return [["fit", "pass-at-n", file], ["fit", "votes", file], ["plan", file, "--tokens", "1000"]]
    if kind == "store":
        return [["report", file, "--out", f"{out}.csv"], ["merge", file, "--out", f"{out}.ds3"]]
    return [["report", file, "--out", f"{out}.csv"]]


def fault(name: str, path: Path) -> str | None:
    """What is wrong with how a file is read: None where it was read, or refused in one line that names it."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            read(name, path)
    except InputError as error:
        return _line(str(error), path)
    except Exception as error:
        return _traced(error)
    return None


def unforeseen(name: str, path: Path) -> str | None:
    """An exception that came from our own code and was caught at the edge of the reader, None if there was none."""
    try:
        read(name, path)
    except InputError as error:
        cause = error.__cause__
        if cause is not None and "/ds3sim/" in traceback.extract_tb(cause.__traceback__)[-1].filename:
            return _traced(cause)
    return None


def fault_of_command(argv: list[str], path: Path) -> str | None:
    """What is wrong with how a command ends."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(argv)
    except Exception as error:
        return f"{argv[0]}: {_traced(error)}"
    said = err.getvalue()
    if code == 2:
        last = said.splitlines()[-1] if said.strip() else ""
        return None if last.startswith("error: ") else f"{argv[0]}: exit 2 and {said!r}"
    return None if code in (0, 130) and "Traceback" not in said else f"{argv[0]}: exit {code} and {said!r}"


def _line(message: str, path: Path) -> str | None:
    if "\n" in message or not message.strip():
        return f"not one line: {message!r}"
    return None if path.name in message else f"does not name the file: {message}"


def _traced(error: BaseException) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:150]} ({Path(place.filename).name}, line {place.lineno})"
