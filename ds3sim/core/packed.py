"""Files opened as what they hold: gzip, bzip2, xz and zstd are told by their first bytes and unpacked on the way, text
in UTF-16 and UTF-32 by its byte order mark and read as UTF-8.
"""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from ds3sim.core.errors import InputError
from ds3sim.core.text import short

OPENERS: dict[bytes, Callable[[Any, str], Any]] = {
    b"\x1f\x8b": lambda raw, place: gzip.GzipFile(fileobj=raw),
    b"BZh": lambda raw, place: bz2.BZ2File(raw),
    b"\xfd7zXZ\0": lambda raw, place: lzma.LZMAFile(raw),  # noqa: SIM115
    b"\x28\xb5\x2f\xfd": lambda raw, place: zstd_module(place).ZstdFile(raw),
}
"""First bytes, and what opens the rest."""

ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zstd")
"""Last part of the names of such files."""

WIDE = {
    codecs.BOM_UTF32_LE: "utf-32",  # begins as the mark of UTF-16 does, so it goes first
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks and their encodings."""

UNSUSPECTED = 2 * 2**30
MOST_RATIO = 200
"""Bytes that may be unpacked whatever the file's size, and how many for one of its own beyond them."""


def zstd_module(place: str) -> Any:
    """The zstd module of Python 3.14, or its backport.

    Raises:
        InputError: there is neither; ``place`` is what needs it.
    """
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # pyright: ignore[reportMissingImports]
        else:
            from backports import zstd
    except ImportError:
        raise InputError(
            f"{place}: compressed with zstd, which this Python cannot read: pip install backports.zstd"
        ) from None
    return zstd


class _Bounded(io.RawIOBase):
    """An unpacking stream that refuses what unpacks to absurdly more than the file has."""

    def __init__(self, stream: BinaryIO, raw: BinaryIO, where: str) -> None:
        self._stream, self._raw, self._where, self._total = stream, raw, where, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._stream.read(len(buffer))
        self._total += len(found)
        if self._total > UNSUSPECTED and self._total > MOST_RATIO * self._raw.tell():
            raise InputError(
                f"{self._where}: unpacks to more than {MOST_RATIO} times its size and {UNSUSPECTED / 2**30:g} GiB: is"
                " it a log? Unpack it and give the file"
            )
        buffer[: len(found)] = found
        return len(found)


def _opener(head: bytes) -> Callable[[Any, str], Any] | None:
    return next((opener for mark, opener in OPENERS.items() if head.startswith(mark)), None)


def packed(path: Path) -> bool:
    """Whether a file is compressed, by its first bytes."""
    with path.open("rb") as raw:
        return _opener(raw.read(6)) is not None


@contextlib.contextmanager
def unpacked(path: Path, where: str) -> Iterator[BinaryIO]:
    """The bytes of a file as a stream, unpacked where it is compressed. OSError of opening it passes.

    Raises:
        InputError: compressed data that are damaged or cut off; zstd without its package.
    """
    with path.open("rb") as raw:
        head = raw.read(6)
        raw.seek(0)
        opener = _opener(head)
        if opener is None:
            yield raw
            return
        damage: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error, lzma.LZMAError)
        if head.startswith(b"\x28\xb5\x2f\xfd"):
            damage = (*damage, zstd_module(where).ZstdError)
        try:
            with opener(raw, where) as stream:
                yield cast(BinaryIO, io.BufferedReader(_Bounded(stream, raw, where), 2**18))
        except damage as error:
            raise InputError(f"{where}: damaged or cut off where it is compressed ({short(error, 120)})") from None


class _Recoded(io.RawIOBase):
    """A stream of text in another encoding, or whose lines end otherwise, as UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str, newline: str | None, where: str) -> None:
        self._text, self._encoding, self._where = io.TextIOWrapper(stream, encoding, newline=newline), encoding, where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            found = self._text.read(len(buffer) // 4).encode()  # a character has at most four bytes
        except UnicodeError:
            raise InputError(f"{self._where}: wrong encoding: not the {self._encoding.upper()} it begins as") from None
        buffer[: len(found)] = found
        return len(found)


def wide_encoding(head: bytes) -> str | None:
    """The encoding that a byte order mark of UTF-16 or UTF-32 tells; None without one."""
    return next((encoding for mark, encoding in WIDE.items() if head.startswith(mark)), None)


@contextlib.contextmanager
def text_of(path: Path, where: str) -> Iterator[BinaryIO]:
    """The text of a file as a stream of UTF-8, without a byte order mark. OSError of opening it passes.

    Lines that end in a carriage return alone (Excel for Macintosh) end in a line feed.

    Raises:
        InputError: as :func:`unpacked`; text that is not in the encoding of its byte order mark.
    """
    with unpacked(path, where) as stream:
        head = cast(io.BufferedReader, stream).peek(4)
        encoding = wide_encoding(head)
        returns = encoding is None and b"\r" in head and not {0, 10} & set(head)
        if encoding is None and not returns:
            stream.read(3 if head.startswith(codecs.BOM_UTF8) else 0)
            yield stream
            return
        recoded = _Recoded(stream, encoding or "utf-8-sig", None if returns else "", where)
        yield cast(BinaryIO, io.BufferedReader(recoded, 2**18))
