"""The recurrence over all m at once, against mpmath and against the formulas one by one."""

import mpmath
import numpy as np
import pytest
from test_theory_chain import tails_by_sum

from ds3sim.core.errors import InputError
from ds3sim.theory import chain
from ds3sim.theory import chain_table as grid
from ds3sim.theory.chain_table import study_grid, success_all_skills


def exact_law(m: int, r: float, steps: int) -> tuple[float, float]:
    """(1) and (3) in 50 digits: sums of positive terms, independent of the recurrence."""
    if steps < m or r == 0:
        return 0.0, float(steps)
    (solved, failed), (later, _) = tails_by_sum(m, r, steps), tails_by_sum(m + 1, r, steps + 1)
    with mpmath.workdps(50):
        return float(solved), float(m / mpmath.mpf(r) * later + steps * failed)


def points():
    """(r, K) at random, then the corners."""
    rng = np.random.default_rng(5)
    for _ in range(150):
        steps = int(10 ** rng.uniform(0, 9))
        yield min(1.0, rng.uniform(0.2, 200) / steps) if rng.random() < 0.7 else rng.random(), steps
    for r in (0.0, 1e-12, 1e-6, 0.3, 0.999, 1 - 1e-8, 1 - 1e-13, 1.0):
        for steps in (0, 1, 2, 49, 50, 51, 60, 1000, 10**5):
            yield r, steps
    yield from ((50 / 1e8, 10**8), (1e-8, 10**8), (1e-9, 10**9), (2.5e-8, 10**9), (1e-10, 10**12), (4e-14, 10**15))
    yield 1e-200, 10**9


def test_all_skills_against_high_precision():
    r, steps = (np.array(v) for v in zip(*points(), strict=True))
    success, expected = success_all_skills(r, steps, 50)
    assert success.shape == expected.shape == (len(r), 50)
    compared = 0
    for i in range(len(r)):
        for m in (1, 2, 5, 20, 49, 50):
            solved, spent = exact_law(m, float(r[i]), int(steps[i]))
            assert expected[i, m - 1] == pytest.approx(spent, rel=1e-10), (m, r[i], steps[i])
            if solved > 1e-250:
                assert success[i, m - 1] == pytest.approx(solved, rel=1e-10, abs=0), (m, r[i], steps[i])
                compared += 1
            else:
                assert 0 <= success[i, m - 1] <= 1e-249
    assert compared > 600


def test_small_values_keep_their_digits():
    # 1 minus the sum of the others would leave 1e-4 of such values
    for m, r, steps in ((20, 0.1, 40), (30, 0.2, 60), (45, 0.01, 1000)):
        solved, _ = exact_law(m, r, steps)
        assert solved < 1e-6
        assert success_all_skills(r, steps, m)[0][-1] == pytest.approx(solved, rel=1e-11, abs=0)


def test_many_skills():
    # (1-r)^K is far below the smallest float64 here: the walk over m has to begin in the middle
    m = np.arange(1, 3001)
    for r, steps in ((0.5, 4000), (0.9, 3100), (1e-6, 2 * 10**9), (1 - 1e-9, 3000)):
        success, expected = success_all_skills(r, steps, 3000)
        right = chain.success(m, r, steps)
        np.testing.assert_allclose(success, right, rtol=1e-9, atol=1e-240)
        np.testing.assert_allclose(expected, chain.expected_steps(m, r, steps), rtol=1e-9)


def test_slices_and_scalars():
    rng = np.random.default_rng(1)
    r, steps = rng.random(2 * grid._LANES + 77), rng.integers(1, 300, 2 * grid._LANES + 77)
    success, expected = success_all_skills(r, steps, 3)
    np.testing.assert_allclose(success, chain.success(np.arange(1, 4), r[:, None], steps[:, None]), rtol=1e-11)
    np.testing.assert_allclose(expected, chain.expected_steps(np.arange(1, 4), r[:, None], steps[:, None]), rtol=1e-11)
    one, _ = success_all_skills(0.2, 50, 10)
    assert one.shape == (10,) and one[9] == pytest.approx(chain.success(10, 0.2, 50), rel=1e-12)
    assert success_all_skills(np.zeros((0, 3)), 5, 4)[0].shape == (0, 3, 4)


def test_study_grid_is_the_weighted_mean():
    rng = np.random.default_rng(2)
    r, steps = rng.random((5, 4, 3)) ** 3, np.array([0, 1, 7, 100, 10**6])
    r[0, 0, 0], r[0, 1, 2] = 0.0, 1.0
    weights = rng.random((3, 12))
    weights /= weights.sum()
    accuracy, expected = study_grid(r, steps, weights)
    assert accuracy.shape == expected.shape == (5, 4, 5)
    m = np.arange(1, 13)
    each, at = r[..., None, :, None], steps[:, None, None]
    np.testing.assert_allclose(accuracy, (chain.success(m, each, at) * weights).sum((-1, -2)), rtol=1e-11)
    np.testing.assert_allclose(expected, (chain.expected_steps(m, each, at) * weights).sum((-1, -2)), rtol=1e-11)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: success_all_skills(1.5, 10, 5), "r = 1.5"),
        (lambda: success_all_skills(0.5, 1.5, 5), "steps = 1.5"),
        (lambda: success_all_skills(0.5, 10, 0), "most_skills = 0"),
        (lambda: study_grid(np.ones((2, 3)), [5], np.ones((2, 4))), "do not fit"),
        (lambda: study_grid(np.ones((2, 3)), [5], -np.ones((3, 4))), "weights"),
    ],
)
def test_refusals(call, word):
    with pytest.raises(InputError, match=word):
        call()
