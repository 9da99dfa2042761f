"""Files opened as what they hold: gzip, bzip2, xz and zstd are told by their first bytes and unpacked on the way."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

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


@contextlib.contextmanager
def unpacked(path: Path, where: str) -> Iterator[BinaryIO]:
    """The bytes of a file as a stream, unpacked where it is compressed. OSError of opening it passes.

    Raises:
        InputError: compressed data that are damaged or cut off; zstd without its package.
    """
    with path.open("rb") as raw:
        head = raw.read(6)
        raw.seek(0)
        opener = next((found for mark, found in OPENERS.items() if head.startswith(mark)), None)
        if opener is None:
            yield raw
            return
        damage: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error, lzma.LZMAError)
        if head.startswith(b"\x28\xb5\x2f\xfd"):
            damage = (*damage, zstd_module(where).ZstdError)
        try:
            with opener(raw, where) as stream:
                yield stream
        except damage as error:
            raise InputError(f"{where}: damaged or cut off where it is compressed ({short(error, 120)})") from None
