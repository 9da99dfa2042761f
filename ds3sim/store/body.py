"""Descriptions and tables of contents as a store keeps them: packed plain data, named by digests."""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any

from ds3sim.core.errors import InputError
from ds3sim.store.file import Name

LARGEST = 2**30
"""Bytes of one of them at most."""


def pack(value: Any) -> bytes:
    """Plain data as bytes."""
    return zlib.compress(json.dumps(value, allow_nan=False, separators=(",", ":")).encode(), 6)


def unpack(body: bytes, path: Name) -> Any:
    """What :func:`pack` packed.

    Raises:
        InputError: it is damaged, or unpacks to more than ``LARGEST``; the line names the store at ``path``.
    """
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(body, LARGEST)
        if unpacking.unconsumed_tail:
            raise ValueError(f"a text of more than {LARGEST / 2**20:,.0f} MiB")
        return json.loads(text)
    except (zlib.error, ValueError, TypeError) as error:
        raise InputError(f"{path}: is damaged: {error}: take a copy of it that is whole") from None


def digest_of(value: Any) -> str:
    """A name of plain data."""
    text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
