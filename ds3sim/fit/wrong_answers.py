"""Which wrong answers a model gives: the weights c_j of docs/theory.md (11), from answers or from vote curves.

From answers: by the patterns in which wrong samples of a problem agree (:mod:`ds3sim.fit.agreement`), a composite
likelihood that needs no names of answers; kinds are compared on held-out problems (five folds), intervals are by the
bootstrap over problems. From a vote curve: least squares of the exact (13), kinds compared by AIC.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import one_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.progress import Stage, working
from ds3sim.fit import agreement as patterns
from ds3sim.task.wrong_answers import GeometricErrors, WeightErrors
from ds3sim.theory import latent
from ds3sim.theory.votes import LARGEST, geometric_weights, zipf_weights

KINDS = ("geometric", "uniform", "zipf", "weights")
"""Error models: c_j ~ decay^(j-1), (11); all alike; c_j ~ j^-exponent; free weights."""
TOP = {"geometric": 1.0, "uniform": 1.0, "zipf": 6.0}
"""Largest value of a kind's parameter (decay or exponent)."""
MOST_CATEGORIES = 61
FOLDS = 5
RESAMPLES = 200
_GRID = {
    "geometric": np.concatenate([[1e-4], np.linspace(0.005, 0.995, 199), [1.0]]),
    "uniform": np.ones(1),
    "zipf": np.linspace(0.0, TOP["zipf"], 201),
}
_FREE = (2, 3, 4, 6, 8)
_CURVE_CATEGORIES = (11, 2, 3, 4, 6, 8, 16, 30)
_FAR = 1024


@dataclass(frozen=True, eq=False)
class ErrorFit:
    """A fitted error model.

    Attributes:
        kind: one of ``KINDS``.
        weights: float64 [M-1], c_j, largest first.
        decay: lambda of (11), 1 for ``uniform``, else None.
        exponent: of ``zipf``, c_j ~ j^-exponent, else None.
        scores: kind -> held-out log score a pattern (answers; larger is better) or AIC (curves; smaller is better).
        criterion: ``held_out`` or ``aic``.
        squared_error: of a vote curve, else None.
        low, high: weights at the ends of the interval of c*.
        warnings: a sentence each.
    """

    kind: str
    weights: np.ndarray
    decay: float | None
    exponent: float | None
    scores: dict[str, float]
    criterion: str
    squared_error: float | None
    low: np.ndarray
    high: np.ndarray
    warnings: tuple[str, ...] = ()

    @property
    def categories(self) -> int:
        """M, the correct answer included."""
        return len(self.weights) + 1

    @property
    def c_star(self) -> float:
        """The largest weight."""
        return float(self.weights[0])

    @property
    def c_star_interval(self) -> tuple[float, float]:
        """95% interval of the largest weight."""
        return float(min(self.low[0], self.weights[0])), float(max(self.high[0], self.weights[0]))

    @property
    def model(self) -> GeometricErrors | WeightErrors:
        """The error model for the vote of a task: ``Majority(n, errors=fit.errors.model)``."""
        if self.decay is not None:
            return GeometricErrors(self.categories, self.decay)
        return WeightErrors(tuple((self.weights / self.weights.sum()).tolist()))

    @property
    def words(self) -> str:
        """The model in words."""
        more = {"geometric": f", decay {self.decay}", "zipf": f", exponent {self.exponent}"}
        return f"{self.kind}, {self.categories} categories{more.get(self.kind, '')}"


def weights_of(kind: str, categories: int, parameter: float) -> np.ndarray:
    """c_j [M-1] of a kind with one parameter (decay or exponent; unused for ``uniform``)."""
    if kind == "zipf":
        return zipf_weights(categories, parameter)
    return geometric_weights(categories, 1.0 if kind == "uniform" else min(max(parameter, 0.0), 1.0))


def _fitted(
    kind: str,
    weights: np.ndarray,
    parameter: float,
    ends: Sequence[np.ndarray],
    scores: dict[str, float],
    notes: Sequence[str],
    error: float | None = None,
) -> ErrorFit:
    """``ends``: fitted weights with c* ascending, whose 2.5% ends are the interval of c*."""
    decay, exponent = {"geometric": parameter, "uniform": 1.0}.get(kind), parameter if kind == "zipf" else None
    ends = sorted(ends, key=lambda w: w[0])
    low, high = ends[int(0.025 * len(ends))], ends[min(len(ends) - 1, int(0.975 * len(ends)))]
    criterion = "held_out" if error is None else "aic"
    return ErrorFit(kind, weights, decay, exponent, scores, criterion, error, low, high, tuple(notes))


# ---- from answers ------------------------------------------------------------------------------


@functools.cache
def _table(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Parameters [G] and log chances [(M-1) x G, states]."""
    j, grid = np.arange(MOST_CATEGORIES - 1.0), _GRID[kind]
    raw = (j + 1.0) ** -grid[:, None] if kind == "zipf" else grid[:, None] ** j
    with np.errstate(divide="ignore"):
        return grid, np.maximum(np.log(patterns.chance_table(raw)), -1e4).reshape(-1, len(patterns.partitions()))


def _best(kind: str, seen: np.ndarray) -> tuple[int, float]:
    """(M, parameter) of the best composite likelihood, to the grid's step."""
    grid, table = _table(kind)
    at = int(np.argmax(table @ seen))
    return at // grid.size + 2, float(grid[at % grid.size])


def _free_weights(seen: np.ndarray, size: int) -> np.ndarray:
    from scipy.optimize import minimize

    def weights(z: np.ndarray) -> np.ndarray:
        raw = np.exp(-np.concatenate([[0.0], np.cumsum(np.exp(np.clip(z, -12.0, 4.0)))]))
        return raw / raw.sum()

    total = float(seen.sum())
    miss, start = lambda z: -_score(weights(z), seen) / total, np.full(size - 1, -1.0)
    options = {"ftol": 1e-11, "gtol": 1e-7, "maxiter": 100}
    found = minimize(miss, start, method="L-BFGS-B", bounds=[(-12.0, 4.0)] * (size - 1), options=options)
    return weights(found.x)


def _score(weights: np.ndarray, seen: np.ndarray) -> float:
    return float(np.log(np.maximum(patterns.chances(weights), 1e-300)) @ seen)


def _fit_kind(kind: str, seen: np.ndarray, categories: int | None = None) -> np.ndarray:
    if kind == "weights":
        return _free_weights(seen, categories or _FREE[-1])
    return weights_of(kind, *_best(kind, seen))


def fit_answers(wrong: Sequence[np.ndarray], kind: str | None = None, seed: int = 0) -> ErrorFit:
    """The error model from how often each wrong answer was given.

    Args:
        wrong: for each problem, the counts of its wrong answers (``Log.wrong``).
        kind: one of ``KINDS``; None takes ``geometric`` unless another kind is better on held-out problems by more
            than two standard errors.
        seed: of the folds and the bootstrap.

    Raises:
        InputError: an unknown kind; fewer than 2 problems with 2 wrong samples.
    """
    one_of("errors", kind, (*KINDS, None))
    seen = np.zeros((len(wrong), len(patterns.partitions())))
    with working("problems", len(wrong)) as stage:
        for row, counts in zip(seen, wrong, strict=True):
            row[:] = patterns.observed(counts)
            stage.advance()
    seen = seen[seen.sum(1) > 0]
    require(
        len(seen) >= 2,
        "the log has fewer than 2 problems with at least 2 wrong answers: which wrong answers agree cannot be told",
    )
    rng = np.random.default_rng(seed)
    fold = rng.permutation(len(seen)) % min(FOLDS, len(seen))
    held = {}
    with working("kinds of wrong answers", len(KINDS)) as stage:
        for name in KINDS:
            held[name] = _held_out(name, seen, fold)
            stage.advance()
    scores = {name: float(values.sum() / seen.sum()) for name, values in held.items()}
    chosen = kind or _better(held, scores)
    total = seen.sum(0)
    size = _free_size(seen, fold) if chosen == "weights" else None
    weights = _fit_kind(chosen, total, size)
    count, parameter = (len(weights) + 1, 0.0) if chosen == "weights" else _best(chosen, total)
    draws = rng.multinomial(len(seen), np.full(len(seen), 1.0 / len(seen)), RESAMPLES) @ seen
    fits = [_fit_kind(chosen, d, size) for d in draws[: 40 if chosen == "weights" else RESAMPLES]]
    notes = []
    if chosen != "weights" and count == MOST_CATEGORIES:
        notes.append(f"the number of categories is at its bound {MOST_CATEGORIES}: only a lower limit is known")
    if len(seen) < 20:
        notes.append(f"only {len(seen)} problems have two wrong answers or more: intervals are rough")
    return _fitted(chosen, weights, parameter, fits, scores, notes)


def _better(held: dict[str, np.ndarray], scores: dict[str, float]) -> str:
    """``geometric``, or the best other kind that is better by more than two standard errors."""
    for other in sorted(KINDS, key=lambda name: -scores[name]):
        gap = held[other] - held["geometric"]
        if gap.sum() > 2.0 * gap.std() * np.sqrt(gap.size) > 0:
            return other
    return "geometric"


def _held_out(kind: str, seen: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Log score of each problem under the fit to the other folds, [P]."""
    out = np.zeros(len(seen))
    size = _free_size(seen, fold) if kind == "weights" else None
    for f in np.unique(fold):
        weights = _fit_kind(kind, seen[fold != f].sum(0), size)
        out[fold == f] = np.maximum(np.log(np.maximum(patterns.chances(weights), 1e-300)), -1e4) @ seen[fold == f].T
    return out


def _free_size(seen: np.ndarray, fold: np.ndarray) -> int:
    """How many free weights: the best on the first fold held out."""
    train, test = seen[fold != 0].sum(0), seen[fold == 0].sum(0)
    return max(_FREE, key=lambda size: _score(_free_weights(train, size), test))


# ---- from a vote curve -------------------------------------------------------------------------


def whole_votes(n: ArrayLike, success: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Whole N >= 1 (digitized ones are rounded; those that meet are averaged) and successes."""
    whole = np.maximum(1, np.rint(np.asarray(n, dtype=np.float64))).astype(np.int64)
    values, back = np.unique(whole, return_inverse=True)
    return values, np.bincount(back, np.asarray(success, dtype=np.float64)) / np.bincount(back)


class _Votes(NamedTuple):
    """(13) at the N of a curve, for many weights; above ``_FAR`` continued to the plateau as N^(-1/2), quickly."""

    n: np.ndarray
    y: np.ndarray
    parameters: tuple[float, float, float]

    def thinned(self, most: int) -> _Votes:
        """At most ``most`` of the points, evenly by rank."""
        at = np.unique(np.linspace(0, self.n.size - 1, min(most, self.n.size)).astype(int))
        return _Votes(self.n[at], self.y[at], self.parameters)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        near = np.unique(np.minimum(self.n, _FAR)).tolist()
        known = {k: latent.vote_at_n(k, *self.parameters, weights, quick=True) for k in near}
        far = float(latent.plateau(*self.parameters, np.max(weights)))
        return np.array(
            [known[k] if k <= _FAR else far + (known[_FAR] - far) * (_FAR / k) ** 0.5 for k in self.n.tolist()]
        )

    def error(self, weights: np.ndarray) -> float:
        return float(np.sum((self(weights) - self.y) ** 2))


def fit_vote_curve(
    n: ArrayLike, success: ArrayLike, parameters: tuple[float, float, float], kind: str | None = None
) -> ErrorFit:
    """(M, lambda) by least squares of (13) on a vote curve, given (A, alpha, beta).

    M is searched over a few values (two to forty): the curve tells c* well and M hardly.

    Raises:
        InputError: fewer than 3 different N, kind ``weights`` (a curve cannot tell them), N above 2^20.
    """
    one_of("errors", kind, (*KINDS, None))
    if kind == "weights":
        raise InputError("errors = weights needs answers: a vote curve tells no more than two numbers")
    votes, y = whole_votes(n, success)
    require(votes.size >= 3, f"a vote curve of {votes.size} different N: the error model needs at least 3")
    most = int(votes.max())
    require(most <= LARGEST, f"a vote curve can reach N = {LARGEST}, not {most}")
    curve, points = _Votes(votes, y, parameters), votes.size
    kinds = (kind,) if kind else tuple(TOP)
    with working("error models", len(kinds) * (len(_CURVE_CATEGORIES) + 1)) as stage:
        found = {name: _least_squares(name, curve, stage) for name in kinds}
    aic = {name: points * float(np.log(max(error, 1e-300) / points)) for name, (error, _, _) in found.items()}
    scores = {name: value + 2.0 * (1 if name == "uniform" else 2) for name, value in aic.items()}
    chosen = kind or min(found, key=lambda name: scores[name] - (2.0 if name == "geometric" else 0.0))
    error, count, parameter = found[chosen]
    ends = _curve_interval(chosen, count, parameter, error, curve)
    notes = ("a vote curve tells c* well and the number of categories hardly",)
    return _fitted(chosen, weights_of(chosen, count, parameter), parameter, ends, scores, notes, error)


def _least_squares(kind: str, votes: _Votes, stage: Stage) -> tuple[float, int, float]:
    """(squared error, M, parameter): M on few of the points, then the parameter on all."""
    few, best = votes.thinned(9), (np.inf, 2, 1.0)
    for count in _CURVE_CATEGORIES:
        found = _parameter(kind, count, few, best)
        if found[0] < best[0] * (1 - 1e-3):
            best = found
        stage.advance()
    whole = _parameter(kind, best[1], votes, best)
    stage.advance()
    return whole


def _parameter(kind: str, count: int, votes: _Votes, best: tuple[float, int, float]) -> tuple[float, int, float]:
    """The best parameter for M = ``count``; near c* of the best fit so far, which is well known."""
    from scipy.optimize import brentq, minimize_scalar

    top = TOP[kind]
    if kind == "uniform" or count == 2:
        return votes.error(weights_of(kind, count, 1.0)), count, 1.0
    low, high = 0.0, top
    if np.isfinite(best[0]):
        star = weights_of(kind, best[1], best[2])[0]
        for side, aim in ((0, 0.9 * star), (1, min(1.1 * star, 0.999))):

            def off(p: float, aim: float = aim) -> float:
                return weights_of(kind, count, p)[0] - aim

            if off(0.0) * off(top) < 0:
                end = float(brentq(off, 0.0, top, xtol=1e-6))  # pyright: ignore[reportArgumentType]
                low, high = (low, end) if (side == 0) == (kind == "geometric") else (end, high)
    options = {"xatol": 1e-3 * (high - low) + 1e-5, "maxiter": 20}
    miss = lambda p: votes.error(weights_of(kind, count, p))  # noqa: E731
    found = minimize_scalar(miss, bounds=(low, high), method="bounded", options=options)
    return float(found.fun), count, float(found.x)


def _curve_interval(kind: str, count: int, parameter: float, error: float, votes: _Votes) -> list[np.ndarray]:
    """Weights where the squared error has grown by its 95% share, on either side of the parameter."""
    limit = error * (1.0 + 3.84 / max(1, votes.n.size - 2)) + 1e-12
    ends = []
    for far in (0.0, TOP[kind]):
        inside = parameter
        outside = parameter if kind == "uniform" or count == 2 else parameter + 0.2 * (far - parameter)
        for _ in range(8 if outside != parameter else 0):
            middle = 0.5 * (inside + outside)
            fits = votes.error(weights_of(kind, count, middle)) < limit
            inside, outside = (middle, outside) if fits else (inside, middle)
        ends.append(weights_of(kind, count, inside))
    return ends


def rates_of_votes(n: np.ndarray, success: np.ndarray) -> tuple[float, float]:
    """alpha and beta with A = 1, and lambda at M = 11, by least squares on a vote curve alone."""
    from scipy.optimize import least_squares

    n, y = whole_votes(n, success)
    require(n.size >= 4, f"a vote curve of {n.size} different N: without pass@N at least 4 are needed")
    few = np.unique(np.linspace(0, n.size - 1, min(10, n.size)).astype(int))
    n, y = np.minimum(n[few], 2048), y[few]

    tries = 25  # a gradient takes three curves more

    def miss(z: np.ndarray) -> np.ndarray:
        stage.advance()
        alpha, beta, decay = math.exp(z[0]), math.exp(z[1]), 1.0 / (1.0 + math.exp(-z[2]))
        weights = weights_of("geometric", 11, decay)
        return np.array([latent.vote_at_n(int(k), 1.0, alpha, beta, weights, quick=True) for k in n]) - y

    mean = min(max(float(y[0]), 1e-3), 0.999)
    start = [math.log(0.4), math.log(0.4 * (1 - mean) / mean), 1.0]
    with working("vote curves", 4 * tries) as stage:
        found = least_squares(miss, start, bounds=([-6, -6, -4], [4, 8, 6]), max_nfev=tries)
    return math.exp(found.x[0]), math.exp(found.x[1])
