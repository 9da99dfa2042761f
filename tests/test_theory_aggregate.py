"""Best of n against enumeration of every accept pattern and against 60 digits."""

import re
from fractions import Fraction
from math import comb
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

from ds3sim.core.errors import InputError
from ds3sim.theory.aggregate import best_of_n, best_of_n_verified


def enumerate_verified(p1: float, n: int, t: float, f: float, fallback: str) -> float:
    """Over the numbers of (accepted right, accepted wrong, rejected right, rejected wrong) traces."""
    p, t, f = Fraction(p1), Fraction(t), Fraction(f)
    kinds = (p * t, (1 - p) * f, p * (1 - t), (1 - p) * (1 - f))
    total = Fraction(0)
    for a in range(n + 1):
        for c in range(n - a + 1):
            for m in range(n - a - c + 1):
                rest = n - a - c - m
                ways = comb(n, a) * comb(n - a, c) * comb(n - a - c, m)
                chance = ways * kinds[0] ** a * kinds[1] ** c * kinds[2] ** m * kinds[3] ** rest
                if a + c:
                    total += chance * Fraction(a, a + c)
                elif fallback == "random":
                    total += chance * Fraction(m, n)
    return float(total)


GRID = [0.0, 1e-12, 0.25, 0.5, 0.9, 1.0]


@pytest.mark.parametrize("fallback", ["random", "abstain"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_verified_against_enumeration(n, fallback):
    p1, t, f = np.meshgrid(GRID, GRID, GRID, indexing="ij")
    got = best_of_n_verified(p1, n, t, f, fallback)
    want = [
        enumerate_verified(*map(float, (x,)), n, float(y), float(z), fallback)
        for x, y, z in zip(p1.ravel(), t.ravel(), f.ravel(), strict=True)
    ]
    # a dozen roundings; 1 - p1 is rounded, which d^n can enlarge n times
    np.testing.assert_allclose(got.ravel(), want, rtol=5e-15, atol=0)


def test_verified_keeps_digits_far_out():
    """Against (8) in 60 digits, where a + c is tiny, near 1, and n is large."""
    cases = [
        (1e-15, 10**6, 0.9, 1e-12),
        (0.3, 1000, 1e-10, 1e-10),
        (0.999999, 50, 1.0, 1.0),
        (0.5, 60_000, 1e-3, 1e-4),
        (1e-300, 3, 0.5, 0.5),
        (0.2, 10, 1.0, 1 - 1e-15),
    ]
    for p1, n, t, f in cases:
        with mp.workdps(60):
            p, tt, ff = mp.mpf(p1), mp.mpf(t), mp.mpf(f)
            a, c = p * tt, (1 - p) * ff
            d = 1 - a - c
            last = d ** (n - 1) * p * (1 - tt)
            want = float(a / (a + c) * (1 - d**n) + last), float(a / (a + c) * (1 - d**n))
        # d^n multiplies the rounding of a + c by n (a + c) / d at most, where it still matters
        assert best_of_n_verified(p1, n, t, f) == pytest.approx(want[0], rel=1e-13)
        assert best_of_n_verified(p1, n, t, f, "abstain") == pytest.approx(want[1], rel=1e-13)


def test_corners():
    assert best_of_n_verified(0.3, 4, 0.0, 0.0) == pytest.approx(0.3, rel=1e-15)  # accepts none: a random trace
    assert best_of_n_verified(0.3, 4, 0.0, 0.0, "abstain") == 0
    assert best_of_n_verified(0.3, 4, 1.0, 1.0) == pytest.approx(0.3, rel=1e-15)  # accepts all: a random trace
    assert best_of_n_verified(0.3, 1, 0.7, 0.2) == pytest.approx(0.3, rel=1e-15)  # one trace: it is given anyway
    assert best_of_n_verified(0.3, 1, 0.7, 0.2, "abstain") == pytest.approx(0.21, rel=1e-15)
    assert best_of_n_verified(0.0, 9, 0.7, 0.2) == 0 and best_of_n_verified(1.0, 9, 0.7, 0.2) == 1
    assert best_of_n_verified(1.0, 9, 0.0, 1.0) == 1 and best_of_n_verified(1.0, 9, 0.0, 1.0, "abstain") == 0
    assert best_of_n_verified(0.3, 4, 0.0, 1.0) == pytest.approx(0.3**4, rel=1e-14)  # right only if all are
    assert best_of_n_verified(0.5, 3, 0.0, 1.0) == 0.5**3


def test_best_of_n():
    p1 = np.array([0.0, 1e-18, 1e-5, 0.5, 1.0])
    for n in (1, 2, 30, 65_536):
        with mp.workdps(60):
            want = [float(1 - (1 - mp.mpf(p)) ** n) for p in p1.tolist()]
        np.testing.assert_allclose(best_of_n(p1, n), want, rtol=4e-16 * 4)
        np.testing.assert_allclose(best_of_n_verified(p1, n, 1.0, 0.0), want, rtol=1e-15)
    assert best_of_n(p1[:, None], [1, 2, 3]).shape == (5, 3)
    assert np.ndim(best_of_n(0.5, 2)) == 0


def test_bad_arguments():
    for call in (
        lambda: best_of_n(1.1, 2),
        lambda: best_of_n(0.1, 0),
        lambda: best_of_n(0.1, 2.5),
        lambda: best_of_n_verified(0.1, 2, 1.5, 0),
        lambda: best_of_n_verified(0.1, 2, 0.5, 0, "guess"),
    ):
        with pytest.raises(InputError, match="not"):
            call()


def test_the_table_of_gaps_in_the_docs(capsys):
    """The Python block of docs/theory.md prints the text block after it."""
    page = (Path(__file__).parent.parent / "docs" / "theory.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```\s*```text\n(.*?)```", page, re.DOTALL)
    assert found
    exec(compile(found[1], "docs/theory.md", "exec"), {})
    assert capsys.readouterr().out == found[2]
