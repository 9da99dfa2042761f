"""UMB, the unified Markov binary format that Storm and PRISM exchange: an archive of arrays with an index in JSON.

After the specification at https://pmc-tools.github.io/umb/ (format versions 0 and 1).
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import Any

import numpy as np

from ds3sim.core.errors import InputError, require, shown
from ds3sim.core.files import parsed
from ds3sim.core.text import short
from ds3sim.graph.found import Found

VERSION = 0
READ = (0, 1)
"""Format versions that are read: 1 is what 0 was when it was declared stable, and readers of 1 take 0 too."""


def write_umb(
    row: np.ndarray,
    column: np.ndarray,
    chance: np.ndarray,
    initial: np.ndarray,
    labels: dict[str, np.ndarray],
) -> bytes:
    """A DTMC as an archive, compressed with gzip; equal chains give equal bytes.

    Args:
        row, column, chance: the transitions, row by row, int64 and float64 [E].
        initial: bool [S]. labels: name -> bool [S].
    """
    size = initial.size
    first = np.searchsorted(row, np.arange(size + 1))
    keys = {name: f"label-{number}" for number, name in enumerate(labels)}
    aps = {
        keys[name]: {"alias": name, "applies-to": ["states"], "type": {"type": "bool", "size": 1}} for name in labels
    }
    counts = {"#states": size, "#initial-states": int(initial.sum()), "#choices": size, "#branches": int(row.size)}
    system = {"time": "discrete", "#players": 0, **counts}
    system |= {"#choice-actions": 0, "#branch-actions": 0, "#observations": 0}
    index = {
        "format-version": VERSION,
        "format-revision": 0,
        "file-data": {"tool": "ds3sim"},
        "transition-system": {**system, "branch-probability-type": {"type": "double", "size": 64}},
        "annotations": {"aps": aps},
    }
    files = {
        "index.json": json.dumps(index, indent=1).encode(),
        "state-is-initial.bin": _bits(initial),
        "state-to-choices.bin": np.arange(size + 1, dtype="<u8").tobytes(),
        "choice-to-branches.bin": first.astype("<u8").tobytes(),
        "branch-to-target.bin": column.astype("<u8").tobytes(),
        "branch-to-probability.bin": chance.astype("<f8").tobytes(),
    }
    files |= {f"annotations/aps/{keys[name]}/states/values.bin": _bits(mask) for name, mask in labels.items()}
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _bits(mask: np.ndarray) -> bytes:
    data = np.packbits(mask, bitorder="little").tobytes()
    return data + bytes(-len(data) % 8)


def read_umb(data: bytes, where: str) -> Found:
    """A DTMC with probabilities as doubles or rationals; atomic propositions are labels.

    Args:
        data, where: the archive, unpacked, and its name for messages.

    Raises:
        InputError: no archive, a file that is missing or has another size than the index says, or a model that is no
            DTMC.
    """
    files = _files(data, where)
    index = parsed(_needed(files, "index.json", where).decode("utf-8", "replace"), f"{where}, index.json")
    system = index.get("transition-system") if isinstance(index, dict) else None
    require(isinstance(system, dict), f"{where}, index.json: there is no transition-system")
    assert isinstance(system, dict)
    require(
        index.get("format-version") in READ,
        f"{where}: format version {shown(index.get('format-version'))} of UMB is not known: versions 0 and 1 are read",
    )
    kind = (system.get("time"), system.get("#players"))
    require(kind == ("discrete", 0), f"{where}: time {kind[0]}, {kind[1]} players: only a DTMC is a skill graph")
    size, branches = (_count(system, key, where) for key in ("#states", "#branches"))
    # Each state has a branch or an entry of choice-to-branches, of 8 bytes.
    require(8 * max(size, branches) <= len(data), f"{where}: the arrays are shorter than index.json says")
    require(_count(system, "#choices", where) == size, f"{where}: a DTMC has one choice for each state")
    choice = _numbers(files, "state-to-choices.bin", size + 1, where, np.arange(size + 1))
    require(bool(np.array_equal(choice, np.arange(size + 1))), f"{where}: a DTMC has one choice for each state")
    first = _numbers(files, "choice-to-branches.bin", size + 1, where, np.arange(size + 1, dtype=np.uint64))
    good = first[0] == 0 and first[-1] == branches and bool(np.all(first[1:] >= first[:-1]))
    require(good, f"{where}: choice-to-branches.bin does not count up to {branches} branches")
    target = _numbers(files, "branch-to-target.bin", branches, where, np.zeros(branches, dtype=np.uint64))
    require(branches == 0 or int(target.max()) < size, f"{where}: branch-to-target.bin names a state above {size - 1}")
    chance = _chances(files, system.get("branch-probability-type"), branches, where)
    source = np.repeat(np.arange(size), np.diff(first.astype(np.int64)))
    found = Found()
    # Several branches may lead from one state to another.
    edges = zip(source.tolist(), target.tolist(), chance.tolist(), strict=True)
    found.add_up(edges, [f"branch {i}" for i in range(branches)])
    for state in range(size):
        found.add_node(str(state), "the states")
    found.labels = _labels(files, index, size, where)
    initial = _mask(files, "state-is-initial.bin", size, where)
    found.labels["init"] = [str(i) for i in np.flatnonzero(initial)]
    return found


def _files(data: bytes, where: str) -> dict[str, bytes]:
    """The files of the archive that are read, by name; they are parts of ``data``, so bounded by it."""
    out: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                name = entry.name.removeprefix("./").lstrip("/")
                require(0 <= entry.size <= len(data), f"{where}: {short(name)} has an impossible size")
                content = archive.extractfile(entry) if entry.isreg() and name.endswith((".bin", ".json")) else None
                if content is not None:
                    out[name] = content.read()
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}: not a UMB archive ({short(error, 120)})") from None
    return out


def _needed(files: dict[str, bytes], name: str, where: str) -> bytes:
    require(name in files, f"{where}: {name} is missing: a UMB archive holds index.json and arrays")
    return files[name]


def _count(system: dict[str, Any], key: str, where: str) -> int:
    value = system.get(key)
    good = type(value) is int and value >= 0
    require(good, f"{where}, index.json: {key} is {shown(value)}: it must be a whole number")
    assert isinstance(value, int)
    return value


def _numbers(files: dict[str, bytes], name: str, size: int, where: str, default: np.ndarray) -> np.ndarray:
    if name not in files:
        return default
    require(len(files[name]) == 8 * size, f"{where}: {name} has {len(files[name])} bytes, not {8 * size}")
    return np.frombuffer(files[name], dtype="<u8")


def _mask(files: dict[str, bytes], name: str, size: int, where: str) -> np.ndarray:
    if name not in files:
        return np.zeros(size, dtype=bool)
    need = -(-size // 64) * 8
    require(len(files[name]) == need, f"{where}: {name} has {len(files[name])} bytes, not {need}")
    return np.unpackbits(np.frombuffer(files[name], dtype=np.uint8), bitorder="little")[:size].astype(bool)


def _chances(files: dict[str, bytes], kind: Any, size: int, where: str) -> np.ndarray:
    """float64 [size], of doubles or of rationals: a signed numerator and a denominator of equal length."""
    name, kind = "branch-to-probability.bin", kind if isinstance(kind, dict) else {}
    data = _needed(files, name, where)
    if kind.get("type") == "double":
        require(len(data) == 8 * size, f"{where}: {name} has {len(data)} bytes, not {8 * size}")
        return np.frombuffer(data, dtype="<f8")
    width = kind.get("size", 128)
    good = kind.get("type") == "rational" and type(width) is int and width > 0 and width % 128 == 0
    require(good, f"{where}: probabilities of type {shown(kind)} are not read: use double or rational")
    require(len(data) * 8 == width * size, f"{where}: {name} has {len(data)} bytes, not {width * size // 8}")
    half = width // 16
    out = np.zeros(size)
    for i in range(size):
        at = 2 * half * i
        below = int.from_bytes(data[at + half : at + 2 * half], "little")
        require(below > 0, f"{where}: branch {i} has the denominator 0")
        try:
            out[i] = int.from_bytes(data[at : at + half], "little", signed=True) / below
        except OverflowError:
            out[i] = np.inf
    return out


def _labels(files: dict[str, bytes], index: dict[str, Any], size: int, where: str) -> dict[str, list[Any]]:
    annotations = index.get("annotations")
    aps = annotations.get("aps") if isinstance(annotations, dict) else None
    out: dict[str, list[Any]] = {}
    for key, about in aps.items() if isinstance(aps, dict) else ():
        name = about.get("alias", key) if isinstance(about, dict) else key
        mask = _mask(files, f"annotations/aps/{key}/states/values.bin", size, where)
        out[str(name)] = [str(i) for i in np.flatnonzero(mask)]
    return out
