"""What the commands ``fit`` and ``plan`` report: fits, predictions and their cost as plain tables."""

from __future__ import annotations

import math

import numpy as np

from ds3sim.core.errors import InputError, require
from ds3sim.fit.estimates.curve import largest_k, pass_curve, vote_curve
from ds3sim.fit.logs.records import Log
from ds3sim.fit.pass_at_n import LatentFit, fit_log
from ds3sim.fit.votes import VoteFit, fit_votes
from ds3sim.theory import latent
from ds3sim.theory.cost import CostModel

MOST_AHEAD = 10**12


class Prices:
    """What a sample costs: tokens from the log or as given, FLOPs by a cost model that knows the parameters."""

    def __init__(self, log: Log, tokens: float | None = None, cost: CostModel | None = None):
        known = None if log.counts is None else log.counts.tokens_mean
        if tokens is None and known is not None and np.isfinite(known).any():
            tokens = float(np.nanmean(known))
        self.per_sample, self.cost = tokens, cost

    def tokens(self, n: float) -> float | None:
        """Generated tokens of n samples."""
        return None if self.per_sample is None else float(n) * self.per_sample

    def flops(self, n: float) -> float | None:
        """FLOPs of n samples of one prompt."""
        if self.per_sample is None or self.cost is None or not self.cost.has_flops:
            return None
        return float(self.cost.flops(self.per_sample, n=max(1, round(n))))

    def row(self, n: float) -> dict:
        return {"tokens": self.tokens(n), "flops": self.flops(n)}

    def affordable(self, tokens: float | None, flops: float | None) -> int:
        """Most samples within a budget.

        Raises:
            InputError: the tokens of a sample, or the model's parameters, are not known.
        """
        if self.per_sample is None:
            raise InputError("the log does not say how many tokens a sample has: give --tokens-per-sample")
        if tokens is not None:
            return int(tokens / self.per_sample)
        if flops is None or self.cost is None or not self.cost.has_flops:
            raise InputError("a budget in FLOPs needs the model's size: give --parameters")
        low, high = 0, 1
        while high < MOST_AHEAD and (self.flops(high) or 0.0) <= flops:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if (self.flops(middle) or 0.0) <= flops else (low, middle)
        return low


def default_ahead(log: Log) -> list[int]:
    """1, 10, ... to ten times the largest number of samples."""
    most = float(log.points.n.max()) if log.points is not None else float(log.counts.n.max())  # type: ignore[union-attr]
    top = max(2, math.ceil(math.log10(max(most, 1.0)) - 1e-9) + 1)
    return [10**i for i in range(top + 1)]


def _rows(n, values, prices: Prices) -> list[dict]:
    return [
        {"n": k, "estimate": float(e), "low": float(low), "high": float(high)} | prices.row(k)
        for k, e, low, high in zip(n, values.estimate, values.low, values.high, strict=True)
    ]


def _seen(log: Log, what=pass_curve) -> list[dict]:
    """What the log itself shows: unbiased estimates up to its smallest n, or the points of the curve."""
    if log.points is not None:
        return [{"n": float(n), "estimate": float(y)} for n, y in zip(log.points.n, log.points.success, strict=True)]
    counts = log.need_counts()
    most = largest_k(counts)
    k = np.unique(np.rint(np.geomspace(1, most, 12)).astype(int))
    curve = what(counts, k)
    return [
        {"n": int(n), "estimate": float(e), "low": float(low), "high": float(high)}
        for n, e, low, high in zip(curve.k, curve.success.estimate, curve.success.low, curve.success.high, strict=True)
    ]


def pass_at_n(
    log: Log, at=None, problems: int | None = None, prices: Prices | None = None, curve: bool = False
) -> dict:
    """``ds3sim fit pass-at-n``: parameters, quality, predictions at the N of ``at``; for a figure, a whole ``curve``.

    Raises:
        InputError: see :func:`ds3sim.fit.pass_at_n.fit_log`.
    """
    fit = fit_log(log, problems)
    prices, at = prices or Prices(log), list(at or default_ahead(log))
    out = _rates(fit) | {"source": log.source, "format": log.format}
    out["observed"] = _seen(log)
    out["predictions"] = _rows(at, fit.predict(np.array(at, dtype=np.float64)), prices)
    if curve:
        grid = np.geomspace(min(at), max(max(at), 10), 25)
        out["curve"] = _rows(grid.tolist(), fit.predict(grid), Prices(log))
    if fit.kind == "least_squares":
        low, high = fit._band.same_problems(np.array(at, dtype=np.float64))  # type: ignore[attr-defined]
        for row, a, b in zip(out["predictions"], low, high, strict=True):
            row["same_problems"] = {"low": float(min(a, row["estimate"])), "high": float(max(b, row["estimate"]))}
    return out


def _rates(fit: LatentFit) -> dict:
    counted = fit.kind == "likelihood"
    return {
        "kind": fit.kind,
        "solvable": fit.solvable,
        "alpha": fit.alpha,
        "beta": fit.beta,
        "standard_errors": fit.standard_errors,
        "robust_standard_errors": fit.robust_errors,
        "intervals": {name: list(limits) for name, limits in fit.intervals.items()},
        ("log_likelihood" if counted else "squared_error"): fit.quality,
        ("problems" if counted else "points"): fit.units,
        "at_bound": list(fit.at_bound),
        "band": "population of problems, 95%: "
        + ("profile likelihood" if counted else "Gaussian likelihood of correlated points"),
        "warnings": list(fit.warnings),
    }


def votes(
    log: Log, at=None, kind=None, parameters=None, rates=None, prices: Prices | None = None, curve: bool = False
) -> dict:
    """``ds3sim fit votes``: error model, c*, plateau, predictions at the N of ``at``; for a figure, a ``curve``."""
    fit = fit_votes(log, kind, parameters, rates)
    prices, at = prices or Prices(log), [int(k) for k in (at or default_ahead(log))]
    errors, plateau = fit.errors, fit.plateau()
    a, alpha, beta = fit.parameters
    grid = np.unique(np.rint(np.geomspace(min(at), max(max(at), 10), 14)).astype(np.int64)).tolist()
    return ({"curve": _rows(grid, fit.predict(grid), Prices(log))} if curve else {}) | {
        "source": log.source,
        "format": log.format,
        "errors": {
            "kind": errors.kind,
            "categories": errors.categories,
            "decay": errors.decay,
            "exponent": errors.exponent,
            "weights": [float(w) for w in errors.weights],
            "scores": errors.scores,
            "criterion": errors.criterion,
            "squared_error": errors.squared_error,
        },
        "c_star": errors.c_star,
        "c_star_interval": list(errors.c_star_interval),
        "plateau": float(plateau.estimate),
        "plateau_interval": [float(plateau.low), float(plateau.high)],
        "latent": _rates(fit.rates) if fit.rates else {"solvable": a, "alpha": alpha, "beta": beta},
        "observed": _seen(log, vote_curve),
        "predictions": _rows(at, fit.predict(at), prices),
        "warnings": list(fit.warnings),
    }


# ---- plans -------------------------------------------------------------------------------------


def plan(
    log: Log,
    *,
    target: float | None = None,
    tokens: float | None = None,
    flops: float | None = None,
    prices: Prices | None = None,
    problems: int | None = None,
    kind: str | None = None,
) -> dict:
    """Which strategy, and how many samples: best of n with a perfect verifier, and votes where the log has answers.

    Raises:
        InputError: not exactly one of ``target``, ``tokens`` and ``flops``; a budget that no sample fits in.
    """
    given = [name for name, v in (("--target", target), ("--tokens", tokens), ("--flops", flops)) if v is not None]
    require(len(given) == 1, f"plan needs one of --target, --tokens and --flops, not {' and '.join(given) or 'none'}")
    prices = prices or Prices(log)
    rates = fit_log(log, problems)
    voted = None
    if log.counts is not None and log.counts.wrong is not None:
        try:
            voted = fit_votes(log, kind, rates=rates)
        except InputError:
            voted = None
    most = None
    if target is None:
        most = prices.affordable(tokens, flops)
        require(most >= 1, f"the budget is below one sample ({prices.per_sample:g} tokens): raise it")
        found = _within(most, rates, voted)
    else:
        require(0.0 < target < 1.0, f"--target {target:g} is not allowed: it must lie between 0 and 1")
        found = _reach(target, rates, voted)
    rows = []
    for name, n, success, limit in found:
        cost = prices.row(n) if n is not None else {"tokens": None, "flops": None}
        rows.append({"strategy": name, "n": n, "success": success, "largest": limit} | cost)
    usable = [r for r in rows if r["n"] is not None]
    best = None
    if usable:
        best = (
            min(usable, key=lambda r: r["n"])
            if target is not None
            else max(usable, key=lambda r: r["success"]["estimate"])
        )
    notes = ["best_of_n takes a verifier that never errs: without one, compare the votes"]
    return {
        "source": log.source,
        "target": target,
        "budget": {"tokens": tokens, "flops": flops, "samples": most},
        "recommended": None if best is None else {"strategy": best["strategy"], "n": best["n"]},
        "strategies": rows,
        "latent": _rates(rates),
        "warnings": [*notes, *(voted.warnings if voted else rates.warnings)],
    }


def _estimate(values) -> dict:
    flat = [float(np.ravel(v)[0]) for v in (values.estimate, values.low, values.high)]
    return dict(zip(("estimate", "low", "high"), flat, strict=True))


def _within(most: int, rates: LatentFit, voted: VoteFit | None):
    one = _estimate(rates.predict(np.array([1.0])))
    yield "single", 1, one, rates.solvable
    yield "best_of_n", most, _estimate(rates.predict(np.array([float(most)]))), rates.solvable
    if voted is not None:
        yield "majority", most, _estimate(voted.predict([most])), float(voted.plateau())


def _reach(target: float, rates: LatentFit, voted: VoteFit | None):
    one = _estimate(rates.predict(np.array([1.0])))
    yield "single", 1 if one["estimate"] >= target else None, one, one["estimate"]
    n = _smallest(lambda k: float(latent.pass_at_n(float(k), *rates.parameters)), target, MOST_AHEAD)
    success = None if n is None else _estimate(rates.predict(np.array([float(n)])))
    yield "best_of_n", n, success, rates.solvable
    if voted is not None:
        weights = voted.errors.weights
        n = _smallest(lambda k: latent.vote_at_n(k, *voted.parameters, weights), target, 2**20)
        yield "majority", n, None if n is None else _estimate(voted.predict([n])), float(voted.plateau())


def _smallest(success, target: float, most: int) -> int | None:
    """The smallest n of a rising success that reaches the target, or None up to ``most``."""
    high = 1
    while success(high) < target:
        if high >= most:
            return None
        high = min(2 * high, most)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if success(middle) >= target else (middle, high)
    return high
