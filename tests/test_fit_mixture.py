"""The difficulty mixture: pass@N against simulation, and a fit that gives its own curves back."""

import numpy as np
import pytest

from ds3sim.core.errors import InputError
from ds3sim.fit.difficulty import ModelCurve, fit_difficulty, predicted

LAW = ((1, 20), [0.8, 0.2], [0.5, 1.7], [0.3, 0.15], 1.0, 2.0, 0.0)


def test_prediction_against_simulation():
    rng, tasks, steps, loss, iota = np.random.default_rng(2), 200_000, 40, 1.9, 0.6
    hard = rng.random(tasks) < 0.2
    ease = np.where(hard, rng.normal(1.7, 0.15, tasks), rng.normal(0.5, 0.3, tasks))
    rate = iota / (1 + np.exp(-2.0 * (ease - loss)))
    moves = rng.binomial(steps, rate)
    one = moves >= np.where(hard, 20, 1)
    error = one.std() / np.sqrt(tasks)
    assert abs(predicted(1.0, loss, steps, iota, *LAW) - one.mean()) < 5 * error


def test_fit_gives_its_curves_back():
    n = np.geomspace(1, 1000, 20)
    curves = [
        ModelCurve(name, loss, steps, n, predicted(n, loss, steps, iota, *LAW))
        for name, loss, steps, iota in (("small", 2.1, 1, 0.3), ("middle", 1.95, 1, 0.5), ("large", 1.85, 2, 0.7))
    ]
    fit = fit_difficulty(curves, skills=(1, 20), a=1.0, d=0.0, b=2.0)
    assert fit.squared_error < 2e-4 and set(fit.iota) == {"small", "middle", "large"}
    assert fit.shares.sum() == pytest.approx(1.0)
    for curve in curves:
        again = fit.pass_at_n(curve.n, curve.loss, curve.steps, fit.iota[curve.name])
        assert np.sum((again - curve.success) ** 2) == pytest.approx(fit.errors[curve.name], rel=1e-9)


def test_too_little():
    n = np.array([1.0, 10.0])
    with pytest.raises(InputError, match="at least 2 models"):
        fit_difficulty([ModelCurve("a", 2.0, 1, n, n * 0 + 0.1)])
    with pytest.raises(InputError, match="fewer than"):
        fit_difficulty([ModelCurve(x, 2.0, 1, n, n * 0 + 0.1) for x in "ab"])
