"""Random numbers: Threefry-2x32, addressed by counter, nothing to carry.

A draw is a pure function of (seed, task, batch, purpose, lane, number of the draw). Keys are made
here and nowhere else: ``batch_keys`` folds (seed, task, batch, purpose) into 64 bits on the host,
``draw`` gives 64 bits for each lane. So a result does not depend on how lanes are grouped into
chunks, on the device, or on the version of JAX: there are only 32-bit integer operations.

Threefry-2x32 with 20 rounds: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
1, 2, 3" (SC 2011); the generator that ``jax.random`` uses. Passes BigCrush. The tests compare it
with the authors' known answers and with JAX's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core import arrays

STREAM = 1
"""Version of the random stream: raised by every change after which a seed gives other tallies."""

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


def batch_keys(
    seed: int, identities: Sequence[str], batches: Sequence[int], purposes: Sequence[int] = range(SPARE + 1)
) -> arrays.UInt32[np.ndarray, "names purposes 2"]:
    """The keys of several batches of trials, uint32 [len(identities), len(purposes), 2].

    The seed is any int in [0, 2^63), identities are hex digests (``Task.identity``), each with the number of its batch.
    """
    shape = len(identities), len(purposes)
    key = (np.zeros(shape, np.uint32), np.zeros(shape, np.uint32))
    numbers = [(int(name[:16], 16), int(name[16:32], 16), int(b)) for name, b in zip(identities, batches, strict=True)]
    columns = np.array(numbers, dtype=np.uint64).reshape(-1, 3, 1)
    for data in (np.uint64(seed), *(columns[:, j] for j in range(3)), np.array(purposes, dtype=np.uint64)):
        words = np.broadcast_to(data, shape)  # 64 bits, folded into the key
        key = threefry2x32(*key, words.astype(np.uint32), (words >> np.uint64(32)).astype(np.uint32))
    return np.stack(key, axis=-1)


def batch_key(seed: int, identity: str, batch: int, purpose: int) -> arrays.UInt32[np.ndarray, " 2"]:
    """The key of one batch for one purpose, uint32 [2]; arguments as :func:`batch_keys`."""
    return batch_keys(seed, [identity], [batch], [purpose])[0, 0]


def draw(
    key: arrays.UInt32[arrays.Array, " 2"],
    lane: arrays.UInt32[arrays.Array, "*#lanes"],
    number: arrays.UInt32[arrays.Array, "*#lanes"],
) -> tuple[arrays.UInt32[arrays.Array, "*_"], arrays.UInt32[arrays.Array, "*_"]]:
    """64 random bits as two uint32 words for each lane, the ``number``-th draw of it; key uint32 [2]."""
    return threefry2x32(key[0], key[1], lane, number)


def threshold(probability: ArrayLike, words: int = 2) -> arrays.UInt32[np.ndarray, "... words"]:
    """A probability as a threshold of 32-bit ``words``, uint32 [..., words], the highest first.

    A uniform number of so many words is then below it with this probability, to 2^-53 relatively and one unit
    absolutely; 1 is exact through saturation plus one unit.
    """
    left: np.ndarray[Any, np.dtype[np.float64]] = np.asarray(probability, dtype=np.float64)
    digits: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    for _ in range(words):  # exact: floats are fractions of 2^k
        scaled = left * 2.0**32
        digits.append(np.floor(scaled))
        left = scaled - digits[-1]
    whole = digits[0][..., None] < 2.0**32
    return np.where(whole, np.stack(digits, axis=-1), 2.0**32 - 1).astype(np.uint32)


def below(
    word0: arrays.UInt32[arrays.Array, "*#words"],
    word1: arrays.UInt32[arrays.Array, "*#words"],
    limit: arrays.UInt32[arrays.Array, "... 2"],
) -> arrays.Bool[arrays.Array, "*_"]:
    """True where the 64-bit number (word0, word1) is below ``limit`` = (high, low)."""
    high, low = limit[..., 0], limit[..., 1]
    return (word0 < high) | ((word0 == high) & (word1 < low))
