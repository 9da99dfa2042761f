"""Members of a zip file, deflated or zstd (method 93), of bounded size."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import HELD
from ds3sim.core.guard import guard
from ds3sim.core.memory import require_memory
from ds3sim.core.packed import zstd_module
from ds3sim.core.text import short

ZSTD = 93
"""Compression method of zstd in zip files (PKWARE APPNOTE 6.3.8, 4.4.5)."""

LARGEST_MEMBER = 2**30
"""Largest member that is read, uncompressed, in bytes."""


class Zip:
    """An open zip file; use as a context. Raises InputError for what is no usable zip file."""

    def __init__(self, path: Path, where: str) -> None:
        self.where = where
        with guard(where, "zip file"):
            try:
                self._file = zipfile.ZipFile(path)
            except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
                raise InputError(
                    f"{where}: not a readable zip file ({short(error)}): an .eval file that was cut off? Ask the tool"
                    " that wrote it to recover it"
                ) from None
        # A name that is there twice was written again: the last one counts, as zipfile has it.
        self.names = list(dict.fromkeys(self._file.namelist()))

    def __enter__(self) -> Zip:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def size(self, name: str) -> int:
        return self._file.getinfo(name).file_size

    def read(self, name: str) -> bytes:
        """The content of a member.

        Raises:
            InputError: larger than ``LARGEST_MEMBER``, damaged, encrypted, or compressed in another way.
        """
        info = self._file.getinfo(name)
        place = f"{self.where}, {short(name, 200)}"
        size, most = info.file_size, LARGEST_MEMBER // 2**20
        require(
            size <= LARGEST_MEMBER, f"{place}: has {size / 2**20:,.0f} MiB when unpacked, more than the {most} read"
        )
        require_memory(HELD * size, f"{place} of {size / 2**20:,.0f} MiB", "leave out long answers, or split the log")
        with guard(place, "member of a zip file"):
            try:
                if info.compress_type == ZSTD:
                    data = self._zstd(info, place)
                else:
                    with self._file.open(info) as stream:
                        data = stream.read(size + 1)
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
                raise InputError(f"{place}: damaged or not readable ({short(error)})") from None
        require(len(data) == size, f"{place}: damaged: it does not unpack to {size:,} bytes, as it should")
        return data

    def _zstd(self, info: zipfile.ZipInfo, place: str) -> bytes:
        zstd = zstd_module(place)
        raw = _Stored(self._file, info).data()
        # ZstdFile goes on over several frames, as newer writers emit them for large members.
        try:
            with zstd.ZstdFile(io.BytesIO(raw)) as stream:
                data = stream.read(info.file_size + 1)
        except (zstd.ZstdError, EOFError) as error:
            raise InputError(f"{place}: damaged zstd data ({short(error)})") from None
        if zlib.crc32(data) != info.CRC:
            raise InputError(f"{place}: damaged: its checksum is wrong")
        return data


class _Stored:
    """The compressed bytes of a member, read without the decompressor."""

    def __init__(self, file: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._stream = cast(BinaryIO, file.fp)
        self._info = info

    def data(self) -> bytes:
        self._stream.seek(self._info.header_offset)
        header = self._stream.read(30)
        if len(header) < 30 or header[:4] != b"PK\3\4":
            raise zipfile.BadZipFile("no local header")
        if self._info.flag_bits & 1:
            raise RuntimeError("encrypted")
        skip = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        self._stream.seek(skip, 1)
        data = self._stream.read(self._info.compress_size)
        if len(data) < self._info.compress_size:
            raise EOFError("cut off")
        return data
