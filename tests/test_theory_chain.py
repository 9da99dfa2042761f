"""The chain's formulas against mpmath sums, brute-force propagation and exact rationals."""

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

from ds3sim.core.errors import InputError
from ds3sim.theory import chain
from ds3sim.theory.binomial import binomial_pmf, binomial_tails
from ds3sim.theory.skills import relevant_skills, skills_at_level, success_from_capability


def tails_by_sum(m: int, r: float, steps: int):
    """P(Bin(steps, r) >= m) and its complement in 50 digits: terms of the smaller tail, summed."""
    with mp.workdps(50):
        p = mp.mpf(r)
        upper = m > (steps + 1) * p
        i = m if upper else m - 1
        term = mp.binomial(steps, i) * p**i * (1 - p) ** (steps - i)
        total = mp.mpf(0)
        while 0 <= i <= steps and term > total * mp.mpf(10) ** -30:
            total += term
            term *= (steps - i) * p / ((i + 1) * (1 - p)) if upper else i * (1 - p) / ((steps - i + 1) * p)
            i += 1 if upper else -1
        return (total, 1 - total) if upper else (1 - total, total)


def propagate(m: int, r, q, steps: int):
    """Law of (state, alive) at t = 0..steps by stepping the chain: alive [steps+1], solved [steps+1]."""
    state = [r * 0 + 1] + [r * 0] * m
    alive, solved = [sum(state[:m])], [state[m]]
    for _ in range(steps):
        moved = [s * r for s in state[:m]]
        state = [s * (1 - r - q) for s in state[:m]] + [state[m]]
        for i, x in enumerate(moved):
            state[i + 1] += x
        alive.append(sum(state[:m]))
        solved.append(state[m])
    return alive, solved


CASES = [
    (1, 1e-9, 10**9),
    (1, 0.3, 1),
    (2, 1.16e-5, 309_537),  # betainc is off by 1.5e-12 here
    (10, 0.2, 50),
    (10, 0.2, 10),
    (20, 0.02, 200),
    (20, 3.158e-8, 637_369_735),  # betainc is off by 4e-9
    (50, 0.9, 51),
    (50, 1e-4, 1000),
    (200, 0.0251, 234),  # about 5e-280: betainc has no digits here
    (1000, 0.4813640, 1035),
    (1000, 0.99, 1011),
    (1000, 1e-3, 1_000_000),
]


@pytest.mark.parametrize("m, r, steps", CASES)
def test_success_has_its_digits(m, r, steps):
    """Absolute 2e-14 as promised; relative 1e-12 times |log|, because a rounding of the exponent
    -600 in exp() is 1e-13 of the value."""
    upper, lower = tails_by_sum(m, r, steps)
    assert abs(chain.success(m, r, steps) - upper) <= 5e-15
    assert abs(chain.success(m, r, steps) - upper) <= 1e-12 * upper
    assert abs(binomial_tails(m, steps, r)[1] - lower) <= 1e-12 * lower


def test_random_points_against_sums():
    rng = np.random.default_rng(1)
    m = rng.choice([1, 2, 3, 7, 20, 60], 300)
    steps = m + (10 ** rng.uniform(0, 8, 300)).astype(int) - 1
    r = np.clip(m / steps * 10 ** rng.uniform(-1.5, 0.5, 300), 1e-12, 1 - 1e-9)
    reference = np.array(
        [[float(x) for x in tails_by_sum(*(v.item() for v in p))] for p in zip(m, r, steps, strict=True)]
    )
    np.testing.assert_allclose(chain.success(m, r, steps), reference[:, 0], rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(chain.success(m, r, steps), reference[:, 0], rtol=0, atol=5e-15)
    np.testing.assert_allclose(binomial_tails(m, steps, r)[1], reference[:, 1], rtol=1e-12, atol=1e-300)


def test_corners_are_exact():
    assert chain.success(3, 0.0, 100) == 0 and chain.success(3, 1.0, 3) == 1 and chain.success(3, 1.0, 2) == 0
    assert chain.success(5, 0.99, 4) == 0 and chain.success(0, 0.0, 0) == 1 and chain.success(0, 0.3, 7) == 1
    assert chain.success(4, 0.5, 4) == 0.5**4
    assert binomial_tails(3, 100, 0.0)[1] == 1 and binomial_tails(3, 3, 1.0)[1] == 0
    assert chain.expected_steps(3, 0.0, 100) == 100 and chain.expected_steps(3, 1.0, 100) == 3
    assert chain.expected_steps(5, 0.9, 4) == 4 and chain.expected_steps(0, 0.2, 9) == 0
    assert chain.expected_steps(5, 0.9, 0) == 0 and chain.expected_steps(2, 5e-324, 10) == 10
    assert chain.expected_square_steps(3, 0.0, 100) == 10_000 and chain.expected_square_steps(3, 1.0, 100) == 9
    assert chain.expected_square_steps(5, 0.9, 4) == 16 and chain.expected_square_steps(0, 0.2, 9) == 0


def test_shapes_broadcast():
    m, r, steps = np.arange(1, 4)[:, None, None], np.array([0.1, 0.5])[:, None], np.arange(5)
    for function in (chain.success, chain.pmf, chain.expected_steps, chain.expected_square_steps):
        assert function(m, r, steps).shape == (3, 2, 5)
        assert function(m, r, steps)[2, 1, 4] == function(3, 0.5, 4)
        assert np.ndim(function(3, 0.5, 4)) == 0
    assert chain.success(m, r, np.zeros(0, int)).shape == (3, 2, 0)
    assert chain.expected_steps(m, r, np.zeros(0, int), 0.1, "stop").shape == (3, 2, 0)


@pytest.mark.parametrize("m, r", [(1, 0.3), (4, 0.25), (7, 0.9), (3, 1.0), (2, 0.0), (0, 0.4)])
def test_pmf_and_moments_against_exact_propagation(m, r):
    steps = 30
    alive, solved = propagate(m, Fraction(r), Fraction(0), steps)
    k = np.arange(steps + 1)
    np.testing.assert_allclose(chain.success(m, r, k), [float(x) for x in solved], rtol=1e-13, atol=1e-300)
    mass = [float(b - a) for a, b in zip([Fraction(0), *solved], solved, strict=False)]
    np.testing.assert_allclose(chain.pmf(m, r, k), mass, rtol=1e-13, atol=1e-300)
    mean = [float(sum(alive[:t], Fraction(0))) for t in k]
    np.testing.assert_allclose(chain.expected_steps(m, r, k), mean, rtol=1e-13)
    square = [float(sum(((2 * t + 1) * alive[t] for t in range(n)), Fraction(0))) for n in k]
    np.testing.assert_allclose(chain.expected_square_steps(m, r, k), square, rtol=2e-13)


@pytest.mark.parametrize("m, r, q", [(1, 0.3, 0.1), (4, 0.25, 0.01), (6, 0.5, 0.5), (3, 0.0, 0.2), (3, 0.0, 0.0)])
def test_death_against_exact_propagation(m, r, q):
    steps = 25
    alive, solved = propagate(m, Fraction(r), Fraction(q), steps)
    k = np.arange(steps + 1)
    want = [float(x) for x in solved]
    np.testing.assert_allclose(chain.success(m, r, k, q), want, rtol=1e-13, atol=1e-300)
    for on_dead, going in (("stop", alive), ("exhaust", [1 - x for x in solved])):
        mean = [float(sum(going[:t], Fraction(0))) for t in k]
        square = [float(sum(((2 * t + 1) * going[t] for t in range(n)), Fraction(0))) for n in k]
        np.testing.assert_allclose(chain.expected_steps(m, r, k, q, on_dead), mean, rtol=2e-13)
        np.testing.assert_allclose(chain.expected_square_steps(m, r, k, q, on_dead), square, rtol=4e-13)


def test_death_keeps_an_identity_at_large_sizes():
    """Expected live steps times q is the chance to be dead: a second way to (3.3), by two tails."""
    m, r, q, steps = 300, 0.02, 1e-5, np.array([5_000, 15_000, 40_000, 1_000_000])
    going = np.exp(steps * np.log1p(-q)) * binomial_tails(m, steps, r / (1 - q))[1]
    dead = 1 - going - chain.success(m, r, steps, q)
    live = chain.expected_steps(m, r, steps, q, "stop")
    np.testing.assert_allclose(live * q, dead, rtol=1e-11)  # dead comes from 1 - x, with 0.05 < dead


def test_no_death_is_the_plain_chain():
    m, r, steps = np.array([1, 5, 40])[:, None], 0.13, np.array([0, 1, 39, 40, 300, 5000])
    for on_dead in ("stop", "exhaust"):
        np.testing.assert_allclose(
            chain.expected_steps(m, r, steps, 0.0, on_dead), chain.expected_steps(m, r, steps), rtol=1e-13
        )
        np.testing.assert_allclose(
            chain.expected_square_steps(m, r, steps, 0.0, on_dead), chain.expected_square_steps(m, r, steps), rtol=1e-12
        )
    np.testing.assert_array_equal(chain.success(m, r, steps), binomial_tails(m, steps, r)[0])


def test_tot_on_the_chain():
    assert chain.branch_success(0.2, 1) == 0.2
    assert chain.branch_success(1.0, 3) == 1 and chain.branch_success(0.0, 3) == 0
    with mp.workdps(40):
        for r, b in ((1e-18, 5), (0.2, 4), (0.999, 64)):
            assert chain.branch_success(r, b) == pytest.approx(float(1 - (1 - mp.mpf(r)) ** b), rel=1e-15)


def test_approximations_of_the_mean():
    m, r, steps = 10, 0.2, np.array([10, 50, 100, 400])
    exact = chain.expected_steps(m, r, steps)
    np.testing.assert_array_equal(chain.expected_steps_min(m, r, steps), [10, 50, 50, 50])
    assert np.all(chain.expected_steps_min(m, r, steps) >= exact)
    # the largest gap is at K = m/r, there about sd/sqrt(2 pi) = 5.6 steps
    assert 5.3 < 50 - exact[1] < 5.9
    x = np.linspace(50 - 12 * 200**0.5, 50 + 12 * 200**0.5, 200_001)  # trapezoid rule for the normal
    density = np.exp(-((x - 50) ** 2) / 400) / np.sqrt(400 * np.pi)
    direct = [np.trapezoid(np.minimum(x, k) * density, x) for k in steps]
    np.testing.assert_allclose(chain.expected_steps_gaussian(m, r, steps), direct, rtol=1e-7)
    assert chain.expected_steps_gaussian(3, 1.0, 10) == 3 and chain.expected_steps_gaussian(3, 0.0, 10) == 10
    assert chain.expected_steps_min(0, 0.0, 10) == 0


def test_binomial_law():
    for n, p in ((30, 0.2), (1000, 0.731), (5, 1.0), (5, 0.0), (1, 0.5)):
        k = np.arange(-1, n + 2)
        exact = [
            float(mp.binomial(n, i) * mp.mpf(p) ** i * (1 - mp.mpf(p)) ** (n - i)) if 0 <= i <= n else 0.0
            for i in k.tolist()
        ]
        with mp.workdps(40):
            np.testing.assert_allclose(binomial_pmf(k, n, p), exact, rtol=1e-12, atol=1e-290)
    upper, lower = binomial_tails(np.arange(-1, 8), 5, 0.3)
    assert upper[0] == upper[1] == 1 and upper[-1] == 0 and lower[0] == 0 and lower[-1] == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        *((lambda m=m: chain.success(m, 0.5, 3), "m = .* is not") for m in (-1, 1.5, "a")),
        *((lambda r=r: chain.success(2, r, 3), "r = .* is not") for r in (1.5, float("nan"))),
        *((lambda k=k: chain.success(2, 0.5, k), "steps = .* is not") for k in (-1, np.inf)),
        (lambda: chain.success(3, 0.6, 10, 0.5), r"r \+ q"),
        (lambda: chain.expected_steps(3, 0.6, 10, 0.1, "wait"), "on_dead"),
        (lambda: chain.branch_success(0.5, 0), "b ="),
    ],
)
def test_bad_arguments(call, said):
    with pytest.raises(InputError, match=said):
        call()


def test_capability():
    assert relevant_skills(10, 0.1) == 11  # 11.000000000000002 in floating point
    assert relevant_skills(3, 5) == 18 and relevant_skills(7, 0) == 7 and relevant_skills(3, 0.5) == 5
    assert success_from_capability(0.8, 3, beta=5, rho=0) == pytest.approx(0.64, rel=1e-15)
    assert success_from_capability(0.8, 3, beta=5, rho=1) == pytest.approx(0.64 / 18, rel=1e-15)
    assert success_from_capability(0.8, 3, 5, 0.5, quality=1.0) == pytest.approx(0.8 * (0.5 / 18 + 0.5), rel=1e-15)
    with pytest.raises(InputError, match="beta"):
        relevant_skills(3, -1)


def test_skills_of_other_levels():
    sigma = [0.0, 2.0, 1.5, 3.0]
    assert skills_at_level(5, 3, 3, sigma) == 5
    assert skills_at_level(5, 3, 1, sigma) == 15  # 5 * 2 * 1.5
    assert skills_at_level(5, 3, 2, sigma) == 8  # ceil(7.5)
    assert skills_at_level(5, 3, 4, sigma) == 2  # max(ceil(5/3), 2)
    assert skills_at_level(10, 1, 4, sigma) == 2 and skills_at_level(10, 1, 2, sigma) == 5
    assert skills_at_level(1, 1, 2, sigma) == 2
    np.testing.assert_array_equal(skills_at_level([[1], [6]], 3, [1, 2, 3, 4], sigma), [[3, 2, 1, 2], [18, 9, 6, 2]])
    with pytest.raises(InputError, match="level = 5"):
        skills_at_level(1, 5, 1, sigma)
