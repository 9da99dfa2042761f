"""The latent difficulty of a benchmark, (A, alpha, beta) of docs/theory.md (12), from counts or from a curve.

Counts: maximum likelihood of the zero-inflated beta-binomial; problems are the units. Intervals of parameters and of
predictions are the ends of the region where twice the log-likelihood lies within the 95% quantile of its maximum
(profile intervals; the quantile is that of t^2 with the problems less 3 degrees of freedom). They are about the
population of problems that the log's problems are drawn from.

A curve: least squares over its points, as the paper does. The points of one curve come from the same problems, so
their errors are correlated: the model gives their covariance, Cov(N, N') = [q(N) + q(N') - q(N+N') - q(N) q(N')]/P
for P problems with q of (12), beside an error of reading each point. Intervals are those of a Gaussian likelihood
with this covariance (:class:`ds3sim.fit.intervals.CurveBand`); the least-squares values are put into them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.core.estimate import Estimate
from ds3sim.fit import intervals as region
from ds3sim.fit import optimise as descent
from ds3sim.theory import latent

LOWEST, ALPHA_MOST, BETA_MOST = 1e-4, 1e5, 1e7
"""The box of the fit: alpha and beta lie above ``LOWEST`` and below ``ALPHA_MOST`` and ``BETA_MOST``."""
NAMES = ("solvable", "alpha", "beta")
DEFAULT_PROBLEMS = 128
_AT_BOUND = 1e-3
_LARGER = 1e3
"""Scale of the squared errors while they are minimized."""
_RANGE = np.log([[LOWEST, ALPHA_MOST], [LOWEST, BETA_MOST]])
_STARTS = [(a, p, b) for a in (0.5, 0.9) for p in (0.15, 0.5, 2.0) for b in (0.5, 4.0, 40.0)]


@dataclass(frozen=True, eq=False)
class LatentFit:
    """A fitted (12).

    Attributes:
        solvable, alpha, beta: the parameters.
        kind: ``likelihood`` (counts) or ``least_squares`` (a curve).
        quality: the log-likelihood (with its binomial coefficients), or the sum of squared errors.
        units: problems or points.
        standard_errors: from the observed information (counts) or propagated (curve). With a parameter at its
            bound: half the width of the interval over 1.96 (for that parameter: its distance to the end).
        robust_errors: sandwich standard errors with problems as units (counts only), right also where the law of
            the rates is not beta.
        intervals: 95% intervals of the parameters.
        at_bound: names of parameters at the end of their range: no interior optimum exists.
        warnings: what the data cannot tell, a sentence each.
    """

    solvable: float
    alpha: float
    beta: float
    kind: str
    quality: float
    units: int
    standard_errors: dict[str, float]
    robust_errors: dict[str, float] | None
    intervals: dict[str, tuple[float, float]]
    at_bound: tuple[str, ...]
    warnings: tuple[str, ...]
    _band: object = field(repr=False, default=None)

    @property
    def parameters(self) -> tuple[float, float, float]:
        return self.solvable, self.alpha, self.beta

    def predict(self, n) -> Estimate:
        """pass@N with 95% intervals at ``n`` (> 0, need not be whole), any N."""
        n = np.asarray(n, dtype=np.float64)
        require(bool(np.all(np.isfinite(n) & (n > 0))), "numbers of samples to predict at must be finite and above 0")
        value = latent.pass_at_n(n, *self.parameters)
        low, high = self._band(np.atleast_1d(n))  # type: ignore[operator]
        return Estimate(value, np.minimum(low.reshape(n.shape), value), np.maximum(high.reshape(n.shape), value))

    def interval_of(self, function) -> tuple[float, float]:
        """95% interval of a smooth function of (A, alpha, beta), given as a NumPy function of three numbers."""
        return self._band.of(function)  # type: ignore[attr-defined]


# ---- coordinates -------------------------------------------------------------------------------


def _natural(z):
    """(A, alpha, beta) of z [4]: three unconstrained numbers and a flag, A = 1 where it is above 0."""
    import jax
    import jax.numpy as jnp

    low, high = jnp.asarray(_RANGE[:, 0]), jnp.asarray(_RANGE[:, 1])
    logs = low + (high - low) * jax.nn.sigmoid(z[1:3])
    solvable = jnp.where(z[3] > 0, 1.0, jax.nn.sigmoid(z[0]))
    return solvable, jnp.exp(logs[0]), jnp.exp(logs[1])


def _unconstrained(solvable, alpha, beta) -> np.ndarray:
    share = (np.log([alpha, beta]) - _RANGE[:, 0]) / (_RANGE[:, 1] - _RANGE[:, 0])
    share = np.clip(np.append(solvable, share), 1e-9, 1 - 1e-9)
    return np.log(share / (1 - share))


def _negative_likelihood(z, n, c, weight):
    """Per problem, in unconstrained coordinates."""
    import jax.numpy as jnp

    return -jnp.sum(weight * _log_terms(_natural(z), n, c)) / jnp.sum(weight)


def _log_terms(parameters, n, c):
    """log of the zero-inflated beta-binomial chance of each (n, c), without log C(n, c); NumPy or JAX."""
    solvable, alpha, beta = parameters
    xp = latent.module(solvable, alpha, beta)
    mixed = latent.log_probability(c, n, alpha, beta)
    none = c == 0
    # log(1 - A + A e^mixed) without loss for A near 1: 1 - A (1 - e^mixed)
    at_zero = xp.log1p(solvable * xp.expm1(xp.where(none, xp.minimum(mixed, -1e-300), -1.0)))
    return xp.where(none, at_zero, xp.log(xp.maximum(solvable, 1e-300)) + mixed)


def _likelihood_at(u, n, c, weight):
    """Log-likelihood at u = (A, log alpha, log beta), in JAX."""
    import jax.numpy as jnp

    return jnp.sum(weight * _log_terms((u[0], jnp.exp(u[1]), jnp.exp(u[2])), n, c))


def _squares(z, n, y, weight):
    import jax.numpy as jnp

    error = latent.pass_at_n(n, *_natural(z)) - y
    return jnp.sum(weight * error * error) * _LARGER


def curve_at(u, n) -> np.ndarray:
    """(12) at u = (A, log alpha, log beta); A may step a little beyond [0, 1]."""
    return -u[0] * np.expm1(-latent.log_ratio(math.exp(u[1]), math.exp(u[2]), np.asarray(n, dtype=np.float64)))


def _search(loss, *arguments) -> tuple[np.ndarray, float]:
    """Best (A, log alpha, log beta) and its loss. A = 1 is chosen where freeing A gains nothing."""
    import jax

    inner = np.array([_unconstrained(*s) for s in _STARTS])
    flag = np.repeat([0.0, 1.0], len(inner))
    z, value = descent.minimize(loss, np.column_stack([np.tile(inner, (2, 1)), flag]), *arguments)
    require(math.isfinite(value[0]), "the fit found no finite optimum: look at the data")
    on_edge = z[:, 3] > 0
    best = int(np.argmax(on_edge)) if value[on_edge][0] <= value[0] + 1e-9 * (1 + abs(value[0])) else 0
    with jax.enable_x64(True):
        natural = [float(v) for v in _natural(z[best])]
    return np.array([natural[0], *np.log(natural[1:])]), float(value[best])


# ---- counts ------------------------------------------------------------------------------------


def fit_counts(n, correct) -> LatentFit:
    """Maximum likelihood from ``correct`` of ``n`` samples for each problem, int arrays [P].

    Raises:
        InputError: fewer than 2 problems; one sample a problem (the mean is all it shows); none or all samples
            correct (no parameter can be told).
    """
    n, c = np.asarray(n, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    require(n.ndim == 1 and n.shape == c.shape and n.size >= 2, "a fit needs counts of at least 2 problems")
    require(bool(((c >= 0) & (c <= n) & (n >= 1)).all()), "counts must have 0 <= correct <= n and n >= 1")
    require(
        bool(n.max() > 1),
        "one sample a problem shows only the mean: A, alpha and beta cannot be told; take several samples a problem",
    )
    require(bool(c.any()), "no sample of any problem is correct: nothing can be fitted; take more samples")
    require(bool((c < n).any()), "every sample of every problem is correct: nothing can be fitted")
    pairs, weight = np.unique(np.stack([n, c]), axis=1, return_counts=True)
    data = _padded(pairs[0], pairs[1], weight.astype(np.float64))
    u, _ = _search(_negative_likelihood, *data)
    at_bound = _bounds(u)
    top, _ = descent.value_and_gradient(_likelihood_at, u, *data)
    information = -descent.hessian(_likelihood_at, u, *data)
    free = np.array([name not in at_bound for name in NAMES])
    covariance = region.covariance(information, free)
    scores = descent.jacobian(lambda v: _log_terms((v[0], math.exp(v[1]), math.exp(v[2])), *pairs), u)
    scores[:, ~free] = 0.0
    meat = np.einsum("i,ij,ik->jk", weight.astype(np.float64), scores, scores)
    robust = covariance @ meat @ covariance
    band = region.Region(
        u,
        lambda v: descent.value_and_gradient(_likelihood_at, v, *data),
        covariance,
        dof=max(1, n.size - 3),
        box=_box(),
        curve=curve_at,
    )
    intervals = _intervals(band)
    errors = _errors(u, covariance, intervals, free)
    constant = float(weight @ -(np.log1p(pairs[0]) + _log_beta(pairs)))
    return LatentFit(
        *_parameters(u),
        kind="likelihood",
        quality=top + constant,
        units=int(n.size),
        standard_errors=errors,
        robust_errors=_errors(u, robust, intervals, free),
        intervals=intervals,
        at_bound=at_bound,
        warnings=tuple(_warnings(at_bound, intervals, n, c)),
        _band=band,
    )


def _log_beta(pairs):
    from scipy.special import betaln

    return betaln(pairs[1] + 1.0, pairs[0] - pairs[1] + 1.0)


def _padded(n, c, weight) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Filled up to a power of two with weight 0, so that few shapes are compiled."""
    more = 2 ** max(7, int(n.size - 1).bit_length()) - n.size
    return (
        np.append(n, np.ones(more)),
        np.append(c, np.ones(more)),
        np.append(weight, np.zeros(more)),
    )


def _box() -> np.ndarray:
    return np.vstack([[0.0, 1.0], _RANGE])


def _parameters(u) -> tuple[float, float, float]:
    return float(u[0]), math.exp(u[1]), math.exp(u[2])


def _bounds(u) -> tuple[str, ...]:
    found = ["solvable"] if u[0] >= 1.0 - 1e-9 else []
    for name, value, (low, high) in zip(NAMES[1:], u[1:], _RANGE, strict=True):
        if value < low + _AT_BOUND * (high - low) or value > high - _AT_BOUND * (high - low):
            found.append(name)
    return tuple(found)


def _intervals(band) -> dict[str, tuple[float, float]]:
    limits = [band.coordinate(i) for i in range(3)]
    rest = [(math.exp(low), math.exp(high)) for low, high in limits[1:]]
    return dict(zip(NAMES, (limits[0], *rest), strict=True))


def _errors(u, covariance, intervals, free) -> dict[str, float]:
    """Standard errors; where a parameter is at its bound, the intervals over 2 x 1.96 (1.96 for that parameter)."""
    scale = np.array([1.0, math.exp(u[1]), math.exp(u[2])])
    out = {}
    for i, name in enumerate(NAMES):
        value = _parameters(u)[i]
        if free.all():
            out[name] = float(scale[i] * math.sqrt(max(covariance[i, i], 0.0)))
        else:
            low, high = intervals[name]
            half = (high - low) / 2.0 if free[i] else max(value - low, high - value, 0.0)
            out[name] = half / 1.959964
    return out


def _warnings(at_bound, intervals, n, c):
    if "solvable" in at_bound:
        yield "solvable is at its bound 1: no sign of tasks that are never solved"
    if "beta" in at_bound or intervals["beta"][1] > 0.5 * BETA_MOST:
        yield (
            "beta has no upper limit in these data (the rates are small: only alpha/beta is known);"
            " predictions far beyond the largest number of samples rest on the model"
        )
    if "alpha" in at_bound and intervals["alpha"][0] < 2 * LOWEST:
        yield "alpha is at its lower bound: nearly all rates are 0 or 1"
    if intervals["solvable"][1] - intervals["solvable"][0] > 0.5:
        yield "solvable is hardly known: tasks that are never solved cannot be told from very hard ones"
    if n is not None:
        if not (c == 0).any():
            yield "every problem was solved at least once: nothing tells how many are never solved"
        if n.size < 20:
            yield f"only {n.size} problems: intervals are rough"
        if n.max() <= 3:
            yield f"at most {int(n.max())} samples a problem: the three parameters are hardly told apart"


# ---- curves ------------------------------------------------------------------------------------


def fit_curve(n, success, problems: int | None = None) -> LatentFit:
    """Least squares from points (N, pass@N), float64 [points], N > 0 (need not be whole).

    Args:
        problems: how many problems the curve averages over; None assumes ``DEFAULT_PROBLEMS``. It scales the
            intervals, not the fit.

    Raises:
        InputError: fewer than 4 points at different N; a curve that is 0 or 1 everywhere.
    """
    n, y = np.asarray(n, dtype=np.float64), np.asarray(success, dtype=np.float64)
    require(n.ndim == 1 and n.shape == y.shape, "a curve needs as many N as successes")
    require(np.unique(n).size >= 4, f"a curve of {np.unique(n).size} different N: three parameters need at least 4")
    require(bool((np.isfinite(n) & (n > 0)).all()), "a curve's N must be finite and above 0")
    require(bool(((y >= 0) & (y <= 1)).all()), "a curve's successes must lie between 0 and 1")
    require(bool((y > 0).any() and (y < 1).any()), "the curve is 0 everywhere or 1 everywhere: nothing can be fitted")
    u, best = _search(_squares, *_padded(n, y, np.ones(n.size)))
    at_bound = _bounds(u)
    free = np.array([name not in at_bound for name in NAMES])
    squared = best / _LARGER
    band = region.CurveBand(u, n, y, free, problems or DEFAULT_PROBLEMS, curve_at, _box())
    intervals = _intervals(band)
    notes = list(_warnings(at_bound, intervals, None, None))
    if problems is None:
        notes.append(
            f"the curve does not say over how many problems it averages: intervals assume {DEFAULT_PROBLEMS}"
            " (--problems)"
        )
    return LatentFit(
        *_parameters(u),
        kind="least_squares",
        quality=squared,
        units=int(n.size),
        standard_errors=_errors(u, band.covariance, intervals, free),
        robust_errors=None,
        intervals=intervals,
        at_bound=at_bound,
        warnings=tuple(notes),
        _band=band,
    )


def fit_log(log, problems: int | None = None) -> LatentFit:
    """The fit of what :func:`ds3sim.fit.logs.load.load_log` read; InputError names its source."""
    try:
        if log.points is not None:
            return fit_curve(log.points.n, log.points.success, problems)
        counts = log.need_counts()
        return fit_counts(counts.n, counts.correct)
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(log.source)) else f"{log.source}: {text}") from None
