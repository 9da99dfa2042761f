"""The loss (24) and the bridge (25): values, published optima, gradients, refusals."""

import jax
import mpmath
import numpy as np
import pytest

from ds3sim.core.errors import InputError
from ds3sim.theory.loss import CONSTANTS, LossConstants, constants_of, loss, loss_optimal, step_success

CHINCHILLA = 5.76e23


@pytest.mark.parametrize(("name", "kappa"), [("hoffmann", 92.6), ("hoffmann_source", 58.9), ("epoch", 18.4)])
def test_loss_optimal_tokens_per_parameter(name, kappa):
    n, d = loss_optimal(CHINCHILLA, name)
    assert float(d / n) == pytest.approx(kappa, abs=0.05)
    assert 6 * n * d == pytest.approx(CHINCHILLA, rel=1e-12)


@pytest.mark.parametrize("name", CONSTANTS)
def test_loss_optimal_against_a_grid(name):
    grid = np.linspace(np.log(1e8), np.log(1e13), 200_001)
    values = loss(np.exp(grid), CHINCHILLA / 6 / np.exp(grid), name)
    at = int(values.argmin())
    n, d = loss_optimal(CHINCHILLA, name)
    assert abs(np.log(n) - grid[at]) <= 2 * (grid[1] - grid[0])
    assert loss(n, d, name) <= values[at]


def test_values_against_high_precision():
    c = CONSTANTS["epoch"]
    with mpmath.workdps(40):
        for n, d in ((1e7, 1e9), (7e10, 1.4e12), (1e14, 1e7)):
            wanted = c.E + c.A * mpmath.mpf(n) ** -mpmath.mpf(c.alpha) + c.B * mpmath.mpf(d) ** -mpmath.mpf(c.beta)
            assert float(loss(n, d, c)) == pytest.approx(float(wanted), rel=1e-15)


def test_unlimited_data_and_parameters():
    c = CONSTANTS["hoffmann"]
    assert loss(1e9, np.inf) == pytest.approx(c.E + c.A * 1e9**-c.alpha, rel=1e-15)
    assert loss(np.inf, np.inf) == c.E
    assert loss(np.array([1e8, 1e9]), np.array([[1e9], [1e10], [np.inf]])).shape == (3, 2)


def test_step_success_keeps_the_digits_of_small_values():
    with mpmath.workdps(40):
        for level, ease, b in ((3.0, 0.1, 5.0), (9.0, 0.0, 20.0), (1.8, 1.7, 20.0)):
            wanted = 1 / (1 + mpmath.exp(-mpmath.mpf(b) * (mpmath.mpf(ease) - mpmath.mpf(level))))
            assert float(step_success(level, ease, b=b)) == pytest.approx(float(wanted), rel=1e-13)


def test_step_success_is_clipped_and_falls_with_the_loss():
    levels = np.linspace(1, 6, 50)
    r = step_success(levels, 3.0, a=1.5, d=-0.2, iota=1.1, b=3.0)
    assert r[0] == 1.0 and r[-1] == 0.0
    assert (np.diff(r) <= 0).all()
    assert step_success(2.0, 2.0, a=0.8, d=0.1, iota=0.5) == pytest.approx(0.5 * (0.8 * 0.5 + 0.1), rel=1e-15)


def test_jax_agrees_and_has_gradients():
    def chain(n, d, ease):
        return step_success(loss(n, d, "epoch"), ease, a=0.9, d=0.02, iota=0.8, b=4.0)

    point = (3e9, 7e10, 2.1)
    with jax.enable_x64(True):
        values = [jax.numpy.float64(v) for v in point]
        got = jax.jit(chain)(*values)
        slopes = jax.grad(chain, argnums=(0, 1, 2))(*values)
        assert got.dtype == np.float64
        assert float(got) == pytest.approx(float(chain(*point)), rel=1e-14)
        unlimited = jax.grad(lambda d: loss(1e9, d))(jax.numpy.float64(np.inf))
        assert float(unlimited) == 0.0
    for i, slope in enumerate(slopes):
        step = point[i] * 1e-6
        up, down = (chain(*(v + sign * step * (k == i) for k, v in enumerate(point))) for sign in (1, -1))
        assert float(slope) == pytest.approx(float(up - down) / (2 * step), rel=1e-7)
    assert not jax.config.jax_enable_x64


def test_own_constants():
    own = {"E": 0, "A": 10, "B": 20, "alpha": 0.5, "beta": 0.5}
    assert loss(100.0, 400.0, own) == pytest.approx(10 / 10 + 20 / 20)
    assert constants_of(LossConstants(1, 2, 3, 0.4, 0.5)).name == "user"


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: loss(1e9, 1e9, "hofmann"), "did you mean hoffmann"),
        (lambda: loss(0.0, 1e9), "parameters = 0"),
        (lambda: loss(1e9, float("nan")), "tokens = nan"),
        (lambda: loss("many", 1e9), "parameters = 'many' is not allowed: it must be a number"),
        (lambda: loss(1e9, 1e9, {"E": 1}), "constants.A is missing"),
        (
            lambda: constants_of({"E": 1, "A": 1, "B": 1, "alpha": 1, "beta": 1, "gamma": 2}),
            "unknown key constants.gamma",
        ),
        (lambda: LossConstants(1, 2, 3, -0.4, 0.5), "constants.alpha"),
        (lambda: step_success(float("nan"), 1.0), "L = nan"),
        (lambda: loss_optimal(-1.0), "compute = -1"),
    ],
)
def test_refusals(call, part):
    with pytest.raises(InputError, match=part) as caught:
        call()
    assert "\n" not in str(caught.value)
