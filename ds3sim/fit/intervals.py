"""Intervals of fits: ends of a likelihood region (counts), propagation of correlated errors (curves)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy.optimize import minimize
from scipy.special import stdtrit

from ds3sim.fit import likelihood
from ds3sim.fit.likelihood import BOX, NAMES, Valued, bounds, counted, curve, gaussian, hessian, maximum, parameters
from ds3sim.stats.intervals import NORMAL_95

_GAP = 1e-3
"""How far in log-likelihood an end found may lie outside the region."""


def covariance(information: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Inverse of the information of the free parameters, zeros for the others; directions without information
    (eigenvalue below 1e-6) get a variance of 1e6."""
    out = np.zeros_like(information)
    if free.any():
        values, vectors = np.linalg.eigh(information[np.ix_(free, free)])
        out[np.ix_(free, free)] = (vectors / np.maximum(values, 1e-6)) @ vectors.T
    return out


class Region:
    """The parameters u whose log-likelihood lies within half the 95% quantile of t^2(dof) of its maximum.

    Args:
        u: the maximum, [3], within ``BOX``; function(u): the log-likelihood and its gradient.
        spread: covariance, for starting points; dof: degrees of freedom.
    """

    def __init__(self, u: np.ndarray, function: Valued, spread: np.ndarray, dof: int) -> None:
        self.u, self.function, width = u, function, BOX[:, 1] - BOX[:, 0]
        self.top, gradient = function(u)
        self.drop = 0.5 * float(stdtrit(dof, 0.975)) ** 2
        self.spread = spread.copy()
        for i in range(len(u)):  # a parameter at its bound: the scale at which the likelihood falls
            if self.spread[i, i] <= 0:
                slope = abs(gradient[i])
                self.spread[i, i] = min(self.drop / slope if slope > 1e-9 else width[i], 0.5 * width[i]) ** 2
        self.scale = np.clip(np.sqrt(np.diag(self.spread)), 1e-6, 0.5 * width)

    def coordinate(self, i: int) -> tuple[float, float]:
        """Interval of u_i."""
        unit = np.eye(len(self.u))[i]
        return self.ends(lambda u: (float(u[i]), unit))

    def curve(self, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Band of the population's (12) at N [K]: its smallest and largest value, [K] each."""

        found = [self.ends(lambda u, at=at: tuple(v[0] for v in curve(u, at))) for at in n.reshape(-1, 1)]
        low, high = np.clip(np.array(found).reshape(-1, 2), 0.0, 1.0).T
        return low, high

    def of(self, function: Callable[[float, float, float], float]) -> tuple[float, float]:
        """Interval of a NumPy function of (A, alpha, beta)."""

        def value(u: np.ndarray) -> tuple[float, np.ndarray]:
            def plain(v: np.ndarray) -> float:
                return float(function(*parameters(np.clip(v, BOX[:, 0], BOX[:, 1]))))

            here, step = plain(u), 1e-4 * self.scale
            slope = []
            for i, s in enumerate(step):
                move = np.eye(len(u))[i] * s
                up, down = np.minimum(u + move, BOX[:, 1]), np.maximum(u - move, BOX[:, 0])
                slope.append((plain(up) - plain(down)) / max((up - down)[i], 1e-300))
            return here, np.array(slope)

        return self.ends(value)

    def _likelihood(self, v: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = self.function(self.u + self.scale * v)
        return value - self.top + self.drop, gradient * self.scale

    def ends(self, value_and_gradient: Valued) -> tuple[float, float]:
        """Smallest and largest value within the region."""
        at, gradient = value_and_gradient(self.u)
        low, high = (list(self._end(value_and_gradient, gradient, sign)) for sign in (-1.0, 1.0))
        return min([at, *low]), max([at, *high])

    def _end(self, value_and_gradient: Valued, gradient: np.ndarray, sign: float) -> Iterator[float]:
        """Values of the function at the extremes that descents from a few starts find inside the region."""
        low, high = ((BOX - self.u[:, None]) / self.scale[:, None]).T
        direction = self.spread @ gradient / self.scale
        norm = math.sqrt(max(float(gradient @ self.spread @ gradient), 1e-300))
        size = max(norm, 1e-12)

        def objective(v: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = value_and_gradient(self.u + self.scale * np.clip(v, low, high))
            return -sign * value / size, -sign * slope * self.scale / size

        rule = {"type": "ineq", "fun": lambda v: self._likelihood(v)[0], "jac": lambda v: self._likelihood(v)[1]}
        for reach in (1.0, 0.3, 0.0):
            start = np.clip(sign * reach * direction / norm * math.sqrt(2.0 * self.drop), low, high)
            with np.errstate(all="ignore"):
                found = minimize(objective, start, jac=True, method="SLSQP", bounds=list(zip(low, high, strict=True)),
                                 constraints=[rule], options={"maxiter": 200, "ftol": 1e-7})  # fmt: skip
            v = np.clip(found.x, low, high)
            if np.isfinite(v).all() and self._likelihood(v)[0] >= -_GAP:
                yield float(value_and_gradient(self.u + self.scale * v)[0])
                if found.success:
                    return


class CountBand(Region):
    """Intervals from counts: the likelihood region of the zero-inflated beta-binomial about its maximum ``u``.

    Attributes:
        top: the log-likelihood at u, without its binomial coefficients.
        covariance: of u, from the observed information; zeros for parameters at their bounds.
        robust: sandwich covariance with problems as units.
    """

    def __init__(self, u: np.ndarray, n: np.ndarray, correct: np.ndarray) -> None:
        function, free = counted(n, correct), np.isin(NAMES, bounds(u), invert=True)
        self.covariance = covariance(-hessian(function, u), free)
        size, c, weight = likelihood.pairs_of(n, correct)
        slopes = likelihood.log_terms(u, size, c)[1] * free
        self.robust = self.covariance @ (slopes.T * weight @ slopes) @ self.covariance
        super().__init__(u, function, self.covariance, max(1, n.size - 3))


class CurveBand(Region):
    """Intervals from a curve: a Gaussian likelihood region whose covariance is that of a curve of P problems.

    The points' errors are V/P + s^2: V from the fitted (12) (see :mod:`ds3sim.fit.pass_at_n`), s the error of
    reading a point, from second differences of the residuals along log N. Where the fit is worse than these errors
    allow (the rates are not beta), both are enlarged until it is as good as expected.

    Args:
        u: the fitted parameters [3]; n, y: the points; problems: P.

    Attributes:
        covariance: of u, what least squares makes of such errors.
    """

    def __init__(self, u: np.ndarray, n: np.ndarray, y: np.ndarray, problems: int) -> None:
        order = np.argsort(n)
        self.fitted, self.n, self.y, self.problems = u, n[order], y[order], problems
        n, y, free = self.n, self.y, np.isin(NAMES, bounds(u), invert=True)
        value, slopes = curve(u, n)
        bends = np.diff(y - value, 2)
        self.reading = max(float(np.sqrt(np.mean(bends**2) / 6.0)) if n.size > 4 else 0.0, 5e-4)
        errors = self._shared(n, n) + self.reading**2 * np.eye(n.size)
        self.weights, white = np.linalg.inv(errors), np.linalg.inv(np.linalg.cholesky(errors))
        best = maximum(gaussian(n, y, white), [u])
        dof = max(1, n.size - u.size)
        self.inflation = max(1.0, -2.0 * gaussian(n, y, white)(best)[0] / dof)
        inner = free & (best < BOX[:, 1] - 1e-6) & (best > BOX[:, 0] + 1e-6)
        bend = white @ curve(best, n)[1]
        spread = covariance(bend.T @ bend / self.inflation, inner)
        super().__init__(best, gaussian(n, y, white, self.inflation), spread, dof)
        gain = np.zeros((u.size, n.size))
        gain[free] = np.linalg.pinv(slopes[:, free], rcond=1e-9)
        self.covariance = gain @ errors @ gain.T * self.inflation

    def _shared(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Covariance of a curve's values at N = a and N = b, [a, b]: all problems are in both."""
        q = curve(self.fitted, np.concatenate([a, b, (a[:, None] + b[None, :]).ravel()]))[0]
        first, second, both = q[: a.size, None], q[None, a.size : a.size + b.size], q[a.size + b.size :]
        return (first + second - both.reshape(a.size, b.size) - first * second) / self.problems

    def ends(self, value_and_gradient: Valued) -> tuple[float, float]:
        """As of any region, with the least-squares value in it."""
        (low, high), here = super().ends(value_and_gradient), float(value_and_gradient(self.fitted)[0])
        return min(low, here), max(high, here)

    def same_problems(self, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Band of what the same problems will show at N (and be read as): the curve continued.

        The parameters' region for the best linear prediction given the points, and its remaining error.
        """
        lows, highs = [], []
        for one in np.atleast_1d(n):
            at = np.array([one])
            shared = self._shared(at, self.n)[0]
            pull = self.weights @ shared

            def value(u: np.ndarray, at: np.ndarray = at, pull: np.ndarray = pull) -> tuple[float, np.ndarray]:
                (here, slope), (known, slopes) = curve(u, at), curve(u, self.n)
                return float(here[0] + pull @ (self.y - known)), slope[0] - pull @ slopes

            low, high = super().ends(value)
            middle = value(self.u)[0]
            rest = max(float(self._shared(at, at)[0, 0] - shared @ pull), 0.0) + self.reading**2
            half = NORMAL_95 * math.sqrt(rest * self.inflation)
            lows.append(middle - math.hypot(middle - low, half))
            highs.append(middle + math.hypot(high - middle, half))
        return np.clip(lows, 0.0, 1.0), np.clip(highs, 0.0, 1.0)
