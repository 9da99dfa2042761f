from fractions import Fraction

import jax
import numpy as np
import pytest
from beartype.roar import BeartypeCallHintParamViolation
from jaxtyping import TypeCheckError

from ds3sim.core import rng
from ds3sim.theory.crossing import crossing
from ds3sim.theory.difficulty import Bridge


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers_of_random123(counter, key, expected):
    counters = [np.array([c], dtype=np.uint32) for c in counter]
    keys = [np.array([k], dtype=np.uint32) for k in key]
    found = rng.threefry2x32(*keys, *counters)
    assert [int(w[0]) for w in found] == list(expected)


def test_same_as_jax():
    key = jax.random.key(12345, impl="threefry2x32")
    data = np.asarray(jax.random.key_data(key))
    folded = np.asarray(jax.random.key_data(jax.random.fold_in(key, 77)))
    # JAX folds 77 in as the block (0, 77) under the key.
    ours = rng.threefry2x32(data[:1], data[1:], np.zeros(1, np.uint32), np.array([77], np.uint32))
    assert [int(w[0]) for w in ours] == folded.tolist()


def test_numpy_and_jax_give_the_same_words():
    lane = np.arange(1000, dtype=np.uint32)
    key = rng.batch_key(3, "ab" * 16, 5, rng.WALK)
    host = rng.draw(key, lane, np.full_like(lane, 9))
    device = jax.jit(rng.draw)(key, lane, np.uint32(9))
    for a, b in zip(host, device, strict=True):
        np.testing.assert_array_equal(a, np.asarray(b))


def test_keys_differ_in_every_argument():
    keys = {
        rng.batch_key(seed, identity * 16, batch, purpose).tobytes()
        for seed in (0, 1, 2**32, 2**62)
        for identity in ("00", "01", "f0")
        for batch in (0, 1, 2**33)
        for purpose in range(8)
    }
    assert len(keys) == 4 * 3 * 3 * 8


def test_keys_of_many_batches_are_those_of_each():
    names, batches = ["ab" * 16, "0f" * 16, "f" * 32], [0, 5, 2**33]
    keys = rng.batch_keys(2**63 - 1, names, batches)
    for i, (name, batch) in enumerate(zip(names, batches, strict=True)):
        for purpose in range(rng.SPARE + 1):
            assert np.array_equal(keys[i, purpose], rng.batch_key(2**63 - 1, name, batch, purpose))


def test_threshold_is_exact():
    chance = np.append(np.random.default_rng(0).random((6, 9)) ** np.arange(1, 10), [[0.0] * 9, [1.0] * 9], axis=0)
    words = [[divmod(min(2**64 - 1, int(Fraction(p) * 2**64)), 2**32) for p in row] for row in chance.tolist()]
    np.testing.assert_array_equal(rng.threshold(chance), words)


@pytest.mark.parametrize("p", [0.0, 1e-12, 0.3, 0.5, 1 - 1e-9, 1.0])
def test_threshold_holds_the_probability(p):
    high, low = rng.threshold(p)
    held = (int(high) * 2**32 + int(low)) / 2**64
    assert held == pytest.approx(p, rel=1e-15, abs=2**-63)


def test_below_compares_64_bits():
    limit = np.array([5, 7], dtype=np.uint32)
    words = [(4, 9), (5, 6), (5, 7), (5, 8), (6, 0)]
    found = [bool(rng.below(np.uint32(a), np.uint32(b), limit)) for a, b in words]
    assert found == [True, True, False, False, False]


def test_words_are_uniform_and_uncorrelated_over_lanes_and_draws():
    from scipy.stats import chi2

    key = rng.batch_key(0, "00" * 16, 0, rng.WALK)
    lane, number = (a.ravel().astype(np.uint32) for a in np.meshgrid(np.arange(2**12), np.arange(2**8)))
    for word in rng.draw(key, lane, number):
        for shift in (0, 8, 16, 24):
            byte = (word >> np.uint32(shift)) & np.uint32(255)
            pair = byte[:-1:2].astype(int) * 256 + byte[1::2]
            counts = np.bincount(pair, minlength=65536)
            mean = pair.size / 65536
            assert chi2.sf(float(((counts - mean) ** 2).sum() / mean), 65535) > 1e-10


@pytest.mark.parametrize(
    ("key", "lane", "number"),
    [(np.zeros(3, np.uint32), 4, 4), (np.zeros(2, np.int32), 4, 4), (np.zeros(2, np.uint32), 4, 5)],
    ids=["shape", "dtype", "two sizes"],
)
def test_signatures_are_held(key, lane, number):
    """The tests check shapes and dtypes of every call against the signature (conftest.py)."""
    with pytest.raises(TypeCheckError):
        rng.draw(key, np.zeros(lane, np.uint32), np.zeros(number, np.uint32))


@pytest.mark.parametrize("call", [lambda: crossing([0.0], [1.0], bool), lambda: Bridge(a="1")])
def test_types_are_held(call):
    """The same for the types of signatures without dimensions."""
    with pytest.raises(BeartypeCallHintParamViolation):
        call()
