"""Random numbers: Threefry-2x32, addressed by counter, nothing to carry.

A draw is a pure function of (seed, task, batch, purpose, lane, number of the draw). Keys are made
here and nowhere else: ``batch_key`` folds (seed, task, batch, purpose) into 64 bits on the host,
``draw`` gives 64 bits for each lane. So a result does not depend on how lanes are grouped into
chunks, on the device, or on the version of JAX: there are only 32-bit integer operations.

Threefry-2x32 with 20 rounds: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
1, 2, 3" (SC 2011); the generator that ``jax.random`` uses. Passes BigCrush. The tests compare it
with the authors' known answers and with JAX's own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core import arrays

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA

WALK, FEASIBLE, VOTE, TIE, VERIFIER, PRIORITY, KEEP, SPARE = range(8)
"""Purposes: each has a key of its own, so draws for different uses never coincide."""


def threefry2x32(
    key0: arrays.UInt32[arrays.Array, "*#words"],
    key1: arrays.UInt32[arrays.Array, "*#words"],
    counter0: arrays.UInt32[arrays.Array, "*#words"],
    counter1: arrays.UInt32[arrays.Array, "*#words"],
) -> tuple[arrays.UInt32[arrays.Array, "*_"], arrays.UInt32[arrays.Array, "*_"]]:
    """The block function: two uint32 keys and counters to two uint32 words, elementwise.

    Works on NumPy and JAX arrays alike (only +, ^, <<, >>, | on uint32).
    """
    keys = (key0, key1, key0 ^ key1 ^ np.uint32(PARITY))
    x0, x1 = counter0 + keys[0], counter1 + keys[1]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = ((x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation))) ^ x0
        x0 = x0 + keys[(group + 1) % 3]
        x1 = x1 + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1


def _fold_in(key: tuple, data: int) -> tuple:
    """A new key from ``key`` and a 64-bit number."""
    words = np.array([data & 0xFFFFFFFF, data >> 32 & 0xFFFFFFFF], dtype=np.uint32)
    with np.errstate(over="ignore"):
        return threefry2x32(key[0], key[1], words[0], words[1])


def batch_key(seed: int, identity: str, batch: int, purpose: int) -> arrays.UInt32[np.ndarray, " 2"]:
    """The key of one batch of trials for one purpose, uint32 [2].

    Args:
        seed: any int in [0, 2^63).
        identity: hex digest of the task (``Task.identity``).
        batch: number of the batch.
        purpose: ``WALK``, ``FEASIBLE``, ...
    """
    key = (np.uint32(0), np.uint32(0))
    for data in (seed, int(identity[:16], 16), int(identity[16:32], 16), batch, purpose):
        key = _fold_in(key, data)
    return np.array(key, dtype=np.uint32)


def draw(
    key: arrays.UInt32[arrays.Array, " 2"],
    lane: arrays.UInt32[arrays.Array, "*#lanes"],
    number: arrays.UInt32[arrays.Array, "*#lanes"],
) -> tuple[arrays.UInt32[arrays.Array, "*_"], arrays.UInt32[arrays.Array, "*_"]]:
    """64 random bits as two uint32 words for each lane.

    Args:
        key: uint32 [2].
        lane: uint32, which trace (or trial) of the batch.
        number: uint32, which draw of that lane; broadcast against ``lane``.
    """
    return threefry2x32(key[0], key[1], lane, number)


def threshold(probability: ArrayLike) -> arrays.UInt32[np.ndarray, "... 2"]:
    """A probability as a 64-bit threshold in two uint32 words, uint32 [..., 2] (high, low).

    ``below`` is then true with this probability, to 2^-53 relative; 1 is exact through
    saturation plus one unit in 2^64.
    """
    from fractions import Fraction

    flat = [min(2**64 - 1, int(Fraction(float(p)) * 2**64)) for p in np.ravel(probability)]
    words = np.array([[v >> 32, v & 0xFFFFFFFF] for v in flat], dtype=np.uint32)
    return words.reshape(*np.shape(probability), 2)


def below(
    word0: arrays.UInt32[arrays.Array, "*#words"],
    word1: arrays.UInt32[arrays.Array, "*#words"],
    limit: arrays.UInt32[arrays.Array, "... 2"],
) -> arrays.Bool[arrays.Array, "*_"]:
    """True where the 64-bit number (word0, word1) is below ``limit`` = (high, low)."""
    high, low = limit[..., 0], limit[..., 1]
    return (word0 < high) | ((word0 == high) & (word1 < low))
