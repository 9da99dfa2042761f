"""Files, read safely (kind, size, encoding, lines with their numbers, JSON) and written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ds3sim.core.errors import InputError, require, shown
from ds3sim.core.memory import require_memory
from ds3sim.core.packed import ENDINGS, text_of, unpacked, wide_encoding
from ds3sim.core.progress import advance
from ds3sim.core.text import short

LONGEST_LINE = 256 * 2**20
"""Longest line of a text file, in bytes. Files of lines are streamed, so they may have any size."""

LARGEST_WHOLE = 2**30
"""Largest file that has to be read as a whole (JSON, one YAML file), in bytes."""

READ = "MiB read"
"""The stage of work that reading files is."""

HELD = 8.0
"""Memory that a JSON document takes while it is read, in bytes for each of its own, about."""


def as_path(path: Any) -> tuple[Path, str]:
    """``path`` as a Path that exists, and its name for messages. InputError: not a path, missing, not readable, neither
    a file nor a folder.
    """
    ok = isinstance(path, str | bytes | os.PathLike)
    require(ok, f"path = {short(repr(path))} is not a path: give the name of a log file or folder")
    path = Path(os.fsdecode(path))
    where = short(path, 300)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise _cannot(where, error) from None
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise InputError(f"{where}: is neither a file nor a folder: save the log to a file first")
    return path, where


def _cannot(where: str, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{where}: there is no such file (working folder {os.getcwd()}): check the path")
    if isinstance(error, PermissionError):
        return InputError(f"{where}: no permission to read it: change its mode or choose another file")
    return InputError(f"{where}: cannot be read ({getattr(error, 'strerror', None) or error}): check the path")


def head_of(path: Path, where: str, size: int = 65536) -> bytes:
    """The first bytes, of text as UTF-8; an InputError for a file that is empty or cannot be read."""
    try:
        with unpacked(path, where) as stream:
            head = stream.read(size)
        if wide_encoding(head) is not None:
            with text_of(path, where) as stream:
                head = stream.read(size)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise _cannot(where, error) from None
    require(head.strip() != b"", f"{where}: the file is empty: it needs at least one row")
    return head


def lines_of(path: Path, where: str) -> Iterator[tuple[int, str]]:
    """(line, text) of a text file, streamed, without a byte order mark; the text has its end of line.

    Raises:
        InputError: what cannot be read; a line that is too long, not UTF-8 (or not what its byte order mark says), or
            has a NUL byte.
    """
    try:
        with text_of(path, where) as stream:
            number = 0
            while line := stream.readline(LONGEST_LINE + 1):
                number += 1
                if b"\0" in line[:4096]:
                    raise InputError(f"{where}, line {number}: a NUL byte: this is not a text file: save it as UTF-8")
                require(
                    len(line) <= LONGEST_LINE,
                    f"{where}, line {number}: the line is longer than {LONGEST_LINE // 2**20} MiB: is this a log?",
                )
                advance(READ, len(line) / 2**20)
                yield number, decoded(line, where, number)
    except OSError as error:
        raise _cannot(where, error) from None


def decoded(data: bytes, where: str, line: int = 1) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = line + data.count(b"\n", 0, error.start)
        raise InputError(
            f"{where}, line {at}: wrong encoding: byte 0x{data[error.start]:02x} is not UTF-8 ({error.reason}): save"
            " the file as UTF-8"
        ) from None


def read_text(
    path: str | bytes | os.PathLike[str],
    where: str | None = None,
    *,
    most: int = LARGEST_WHOLE,
    advice: str = "give a smaller file",
    endings: Mapping[str, str] | None = None,
) -> str:
    """A text file as one string, without a byte order mark. Kind and size are looked at before a byte is read.

    Arguments and errors as :func:`read_bytes` and :func:`as_text`.
    """
    data = read_bytes(path, where, most=most, advice=advice, endings=endings)
    return as_text(data, short(os.fsdecode(path), 300) if where is None else where)


def as_text(data: bytes, where: str) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 under a byte order mark.

    Raises:
        InputError: another encoding, or a NUL byte.
    """
    encoding = wide_encoding(data)
    if encoding is not None:
        try:
            data = data.decode(encoding).encode()
        except UnicodeError:
            raise InputError(f"{where}: wrong encoding: not the {encoding.upper()} it begins as") from None
    zero = data.find(b"\0")
    if zero >= 0:
        at = data.count(b"\n", 0, zero) + 1
        raise InputError(f"{where}, line {at}: a NUL byte: this is not a text file: save it as UTF-8")
    return decoded(data.removeprefix(b"\xef\xbb\xbf"), where)


def read_bytes(
    path: str | bytes | os.PathLike[str],
    where: str | None = None,
    *,
    most: int = LARGEST_WHOLE,
    advice: str = "give a smaller file",
    endings: Mapping[str, str] | None = None,
) -> bytes:
    """A file as bytes, unpacked where it is compressed. Kind and size are looked at before a byte is read.

    Args:
        path: the file.
        where: its name in messages; None is the path.
        most: largest size, in bytes.
        advice: what a message about the size ends with.
        endings: the endings that are allowed, with what they stand for; None allows all.

    Raises:
        InputError: one line: a path that is none, a file that is missing, no regular file, of another kind, too large,
            not readable.
    """
    ok = isinstance(path, str | bytes | os.PathLike)
    require(ok, f"path = {shown(path)} is not a path: give the name of a file")
    path = Path(os.fsdecode(path))
    where = short(str(path), 300) if where is None else where
    try:
        found = path.stat()
        require(not stat.S_ISDIR(found.st_mode), f"{where}: is a folder: name the file in it")
        require(stat.S_ISREG(found.st_mode), f"{where}: is not a regular file: save it to a file first")
        if endings is not None and ending_of(path) not in endings:
            known = ", ".join(f"{ending} ({kind})" for ending, kind in endings.items())
            raise InputError(f"{where}: unknown kind of file {path.suffix or '(no ending)'}: use {known}")
        large = (
            f"{where}: the file has {found.st_size / 2**20:,.0f} MiB, more than the {most / 2**20:,.0f} MiB that are"
        )
        require(found.st_size <= most, f"{large} read: {advice}")
        with unpacked(path, where) as stream:
            data = stream.read(most + 1)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise _cannot(where, error) from None
    require(len(data) <= most, f"{where}: more than {most / 2**20:,.0f} MiB when it is read or unpacked: {advice}")
    return data


def ending_of(path: Path) -> str:
    """The ending that says what a file holds, in lower case: that of ``graph.csv.gz`` is .csv."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while len(suffixes) > 1 and suffixes[-1] in ENDINGS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def parsed(text: str, place: str) -> Any:
    """JSON; an InputError names the place. NaN and Infinity are read, as most writers emit them."""
    require_memory(HELD * len(text), f"{place}: a JSON document of {len(text) / 2**20:,.0f} MiB", "give JSON lines")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        cut = " (the file may be cut off)" if error.pos >= len(text.rstrip()) else ""
        inside = f", line {error.lineno}" if error.lineno > 1 else ""
        raise InputError(f"{place}{inside}: not valid JSON: {error.msg} at column {error.colno}{cut}") from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else "a number is too long"
        raise InputError(f"{place}: not usable JSON: {reason}") from None


def json_rows(path: Path, where: str) -> Iterator[tuple[int, dict[Any, Any]]]:
    """(line, object) of a file of JSON lines; blank lines are skipped."""
    for number, line in lines_of(path, where):
        if not line.strip():
            continue
        row = parsed(line, f"{where}, line {number}")
        if not isinstance(row, dict):
            raise InputError(f"{where}, line {number}: {short(line)} is not a JSON object: one object a line is needed")
        yield number, row


def needed(row: dict[Any, Any], key: str, place: str) -> Any:
    """``row[key]``; an InputError names the field that is missing and those that are there."""
    if key not in row:
        have = ", ".join(list(row)[:12])
        raise InputError(f"{place}: the field {key!r} is missing (there are {short(have, 200)})")
    return row[key]


def parquet_rows(path: Path, where: str, batch: int = 4096) -> tuple[list[str], Iterator[tuple[int, dict[Any, Any]]]]:
    """Columns, and (row, object), of a Parquet file, ``batch`` rows at a time. Rows count from 1."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(f"{where}: reading Parquet needs pyarrow: pip install pyarrow") from None
    try:
        file = pyarrow.parquet.ParquetFile(path)
        names = list(file.schema_arrow.names)
        groups = [file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups)]
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{where}: not a readable Parquet file ({short(error, 120)})") from None

    size = path.stat().st_size / 2**20
    require_memory(2.0 * max(groups, default=0), f"{where}: its largest row group", "write it in smaller row groups")

    def rows() -> Iterator[tuple[int, dict[Any, Any]]]:
        number = 0
        try:
            for part in file.iter_batches(batch_size=batch):
                for row in part.to_pylist():
                    number += 1
                    yield number, row
                advance(READ, size * part.num_rows / max(1, file.metadata.num_rows))
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
            raise InputError(f"{where}, after row {number}: cannot be read ({short(error, 120)})") from None

    return names, rows()


# ---- writing: whole or not at all -----------------------------------------------------------------


def check_file(out: str | os.PathLike[str], folder_with: str | None = None) -> Path:
    """A file that can be written, looked at before any work; a folder that holds ``folder_with`` counts (Zarr's).
    InputError: no name, a folder, no regular file, or a place that cannot be written.
    """
    require(str(out).strip() != "", "--out is empty: name the file to write")
    path = Path(out)
    try:
        is_folder, is_other = path.is_dir(), path.exists() and not path.is_file()
        has_parent, allowed = path.parent.is_dir(), os.access(path.parent, os.W_OK | os.X_OK)
        ours = folder_with is not None and (path / folder_with).is_file()
    except (OSError, ValueError) as error:
        raise InputError(f"{out}: cannot be used: {getattr(error, 'strerror', None) or error}") from None
    require(not is_folder or ours, f"{out}: is a folder: name a file")
    require(is_folder or not is_other, f"{out}: is not a regular file: name another file")
    require(has_parent, f"{out}: there is no folder {path.parent}: make it first")
    require(allowed, f"{out}: no permission to write in {path.parent}: name another file")
    return path


def write_file(out: str | os.PathLike[str], content: str | bytes | Callable[[Path], object]) -> Path:
    """Write a file (or a folder in its place), whole or not at all: text, bytes, or what a function writes to the path
    it is given. InputError: it cannot be written.
    """
    path = Path(out)
    try:
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".tmp"))
        try:
            new = folder / f"new{path.suffix.lower()}"
            if callable(content):
                content(new)
            else:
                new.write_bytes(content.encode(errors="replace") if isinstance(content, str) else content)
            with undisturbed():
                _replace(new, path, folder / "old")
        finally:
            with undisturbed():
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from None
    return path


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C, and signals that the program handles, wait until the block is done: for blocks that are short."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    names = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    before = {number: signal.getsignal(number) for number in names if number is not None}
    handled = {number: handler for number, handler in before.items() if callable(handler)}
    for number in handled:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
        for number in dict.fromkeys(came):
            signal.raise_signal(number)


def _replace(new: Path, path: Path, old: Path) -> None:
    """Put ``new`` at ``path``; a folder there is moved to ``old`` first, and back where that fails."""
    if not path.is_dir():
        os.replace(new, path)
        return
    os.rename(path, old)
    try:
        os.rename(new, path)
    except BaseException:
        os.rename(old, path)
        raise
