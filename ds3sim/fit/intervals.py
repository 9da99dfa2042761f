"""Intervals of fits: ends of a likelihood region (counts), propagation of correlated errors (curves)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ds3sim.fit import optimise as descent

_Z = 1.959963984540054
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

    Calling it with N [K] gives the smallest and largest of the curve there, [K] each.

    Args:
        u: the maximum, [D]; function(u): the log-likelihood and its gradient.
        spread: covariance, for starting points.
        box: float64 [D, 2], limits of u.
        curve: function(u, n), NumPy.
    """

    def __init__(self, u, function, spread, dof, box, curve):
        from scipy.stats import t

        self.u, self.function, self.box, self.curve = u, function, box, curve
        self.top, gradient = function(u)
        self.drop = 0.5 * float(t.ppf(0.975, dof)) ** 2
        self.spread = spread.copy()
        for i in range(len(u)):  # a parameter at its bound: the scale at which the likelihood falls
            if self.spread[i, i] <= 0:
                slope = abs(gradient[i])
                width = box[i, 1] - box[i, 0]
                self.spread[i, i] = min(self.drop / slope if slope > 1e-9 else width, 0.5 * width) ** 2
        self.scale = np.clip(np.sqrt(np.diag(self.spread)), 1e-6, 0.5 * (box[:, 1] - box[:, 0]))

    def coordinate(self, i: int) -> tuple[float, float]:
        """Interval of u_i."""
        unit = np.eye(len(self.u))[i]
        return self._ends(lambda u: (float(u[i]), unit))

    def __call__(self, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        def ends(one):
            at = np.array([one])
            return self._ends(
                lambda u: (float(self.curve(u, at)[0]), descent.jacobian(lambda v: self.curve(v, at), u)[0])
            )

        found = np.array([ends(x) for x in n.ravel()]).reshape(-1, 2)
        return np.clip(found[:, 0], 0.0, 1.0), np.clip(found[:, 1], 0.0, 1.0)

    def of(self, function: Callable) -> tuple[float, float]:
        """Interval of a NumPy function of (A, alpha, beta)."""

        def value(u):
            def plain(v):
                v = np.clip(v, self.box[:, 0], self.box[:, 1])
                return float(function(v[0], math.exp(v[1]), math.exp(v[2])))

            here, step = plain(u), 1e-4 * self.scale
            slope = []
            for i, s in enumerate(step):
                move = np.eye(len(u))[i] * s
                up, down = np.minimum(u + move, self.box[:, 1]), np.maximum(u - move, self.box[:, 0])
                slope.append((plain(up) - plain(down)) / max((up - down)[i], 1e-300))
            return here, np.array(slope)

        return self._ends(value)

    def _likelihood(self, v):
        value, gradient = self.function(self.u + self.scale * v)
        return value - self.top + self.drop, gradient * self.scale

    def _ends(self, value_and_gradient) -> tuple[float, float]:
        at, gradient = value_and_gradient(self.u)
        low = min([at, *self._end(value_and_gradient, gradient, -1.0)])
        high = max([at, *self._end(value_and_gradient, gradient, 1.0)])
        return low, high

    def _end(self, value_and_gradient, gradient, sign: float):
        """Values of the function at the extremes that descents from a few starts find inside the region."""
        from scipy.optimize import minimize

        low, high = ((self.box - self.u[:, None]) / self.scale[:, None]).T
        direction = self.spread @ gradient / self.scale
        norm = math.sqrt(max(float(gradient @ self.spread @ gradient), 1e-300))
        size = max(norm, 1e-12)

        def objective(v):
            value, slope = value_and_gradient(self.u + self.scale * np.clip(v, low, high))
            return -sign * value / size, -sign * slope * self.scale / size

        rule = {"type": "ineq", "fun": lambda v: self._likelihood(v)[0], "jac": lambda v: self._likelihood(v)[1]}
        for reach in (1.0, 0.3, 0.0):
            start = np.clip(sign * reach * direction / norm * math.sqrt(2.0 * self.drop), low, high)
            with np.errstate(all="ignore"):
                found = minimize(
                    objective,
                    start,
                    jac=True,
                    method="SLSQP",
                    bounds=list(zip(low, high, strict=True)),
                    constraints=[rule],
                    options={"maxiter": 200, "ftol": 1e-7},
                )
            v = np.clip(found.x, low, high)
            if np.isfinite(v).all() and self._likelihood(v)[0] >= -_GAP:
                yield float(value_and_gradient(self.u + self.scale * v)[0])
                if found.success:
                    return


class CurveBand:
    """Intervals from a curve: a Gaussian likelihood region whose covariance is that of a curve of P problems.

    The points' errors are V/P + s^2: V from the fitted (12) (see :mod:`ds3sim.fit.pass_at_n`), s the error of
    reading a point, from second differences of the residuals along log N. Where the fit is worse than these errors
    allow (the rates are not beta), both are enlarged until it is as good as expected.

    Args:
        u: the fitted parameters [D]; n, y: the points; free: bool [D]; problems: P.
        curve: function(u, n), NumPy. box: limits of u.
    """

    def __init__(self, u, n, y, free, problems, curve, box):
        from scipy.linalg import cholesky
        from scipy.optimize import least_squares

        order = np.argsort(n)
        self.u, self.n, self.y, self.problems, self.curve, self.box = u, n[order], y[order], problems, curve, box
        n, y = self.n, self.y
        residual = y - curve(u, n)
        dof = max(1, n.size - len(u))
        bends = np.diff(residual, 2)
        self.reading = max(float(np.sqrt(np.mean(bends**2) / 6.0)) if n.size > 4 else 0.0, 5e-4)
        self.errors = self._shared(n, n) + self.reading**2 * np.eye(n.size)
        root = cholesky(self.errors, lower=True)

        def white(v):
            return np.linalg.solve(root, y - curve(v, n))

        inside = np.clip(u, box[:, 0] + 1e-9, box[:, 1] - 1e-9)
        best = least_squares(white, inside, bounds=(box[:, 0], box[:, 1])).x
        self.inflation = max(1.0, float(white(best) @ white(best)) / dof)

        def likelihood(v):
            slope = np.linalg.solve(root, descent.jacobian(lambda w: curve(w, n), v))
            rest = white(v)
            return -0.5 * float(rest @ rest) / self.inflation, slope.T @ rest / self.inflation

        slope = np.linalg.solve(root, descent.jacobian(lambda w: curve(w, n), best))
        self.best = best
        self.weights = np.linalg.inv(self.errors)
        inner = free & (best < box[:, 1] - 1e-6) & (best > box[:, 0] + 1e-6)
        spread = covariance(slope.T @ slope / self.inflation, inner)
        self.region = Region(best, likelihood, spread, dof, box, curve)
        # what least squares makes of such errors
        gain = np.zeros((len(u), n.size))
        gain[free] = np.linalg.pinv(descent.jacobian(lambda w: curve(w, n), u)[:, free], rcond=1e-9)
        self.covariance = gain @ self.errors @ gain.T * self.inflation

    def _shared(self, a, b) -> np.ndarray:
        """Covariance of a curve's values at N = a and N = b, [a, b]: all problems are in both."""
        q = self.curve(self.u, np.concatenate([a, b, (a[:, None] + b[None, :]).ravel()]))
        first, second, both = q[: a.size, None], q[None, a.size : a.size + b.size], q[a.size + b.size :]
        return (first + second - both.reshape(a.size, b.size) - first * second) / self.problems

    def coordinate(self, i: int) -> tuple[float, float]:
        """Interval of u_i, with the least-squares value in it."""
        low, high = self.region.coordinate(i)
        return min(low, float(self.u[i])), max(high, float(self.u[i]))

    def __call__(self, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Band of the population's pass@N."""
        low, high = self.region(n)
        here = self.curve(self.u, n)
        return np.minimum(low, here), np.maximum(high, here)

    def same_problems(self, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Band of what the same problems will show at N (and be read as): the curve continued.

        The parameters' region for the best linear prediction given the points, and its remaining error.
        """
        lows, highs = [], []
        for one in np.atleast_1d(n):
            at = np.array([one])
            shared = self._shared(at, self.n)[0]
            pull = self.weights @ shared

            def value(v, at=at, pull=pull):
                return float(self.curve(v, at)[0] + pull @ (self.y - self.curve(v, self.n)))

            def with_slope(v, value=value):
                return value(v), descent.jacobian(lambda w: np.array([value(w)]), v)[0]

            low, high = self.region._ends(with_slope)
            middle = value(self.region.u)
            rest = max(float(self._shared(at, at)[0, 0] - shared @ pull), 0.0) + self.reading**2
            half = _Z * math.sqrt(rest * self.inflation)
            lows.append(middle - math.hypot(middle - low, half))
            highs.append(middle + math.hypot(high - middle, half))
        return np.clip(lows, 0.0, 1.0), np.clip(highs, 0.0, 1.0)

    def of(self, function: Callable) -> tuple[float, float]:
        """95% interval of a NumPy function of (A, alpha, beta)."""
        low, high = self.region.of(function)
        here = float(function(self.u[0], math.exp(self.u[1]), math.exp(self.u[2])))
        return min(low, here), max(high, here)
