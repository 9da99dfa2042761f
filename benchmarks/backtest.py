"""Backtest of the fits: hide the larger N, predict them, compare with what was hidden and with simpler forecasts.

``python -m benchmarks.backtest --data FOLDER --simulated 100`` prints the tables of docs/forecasting.md. FOLDER holds
curves of pass@N (two columns); without it only simulated logs are used.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ds3sim.core.errors import InputError
from ds3sim.fit.estimates.subsets import chance_of_any
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.read import read_log
from ds3sim.fit.pass_at_n import fit_pass_at_n
from ds3sim.theory import latent

CUTS = (10, 20, 50, 100, 200, 500, 1000)
"""Points with N up to the cut are shown, those with N at least twice the cut are hidden."""
LEAST = 5
TRUTHS: dict[str, Callable] = {
    "beta (0.4, 3)": lambda rng, p: rng.beta(0.4, 3.0, p),
    "0.9 beta (0.4, 3)": lambda rng, p: np.where(rng.random(p) < 0.9, rng.beta(0.4, 3.0, p), 0.0),
    "0.7 beta (0.8, 8)": lambda rng, p: np.where(rng.random(p) < 0.7, rng.beta(0.8, 8.0, p), 0.0),
    "beta (0.4, 0.5)": lambda rng, p: rng.beta(0.4, 0.5, p),
    "logit normal (-3, 2)": lambda rng, p: 1.0 / (1.0 + np.exp(3.0 - 2.0 * rng.normal(size=p))),
}
"""Laws of the success rates of simulated benchmarks; the last one is not of the fitted family."""


# ---- baselines: fit the points that are shown, return a function of N --------------------------


def two_parameters(n, y):
    """(12) with A = 1, least squares."""
    from scipy.optimize import least_squares

    found = least_squares(lambda z: latent.some_success(n, *np.exp(z)) - y, [-1.0, 1.0], bounds=(-9, 14))
    return lambda k: latent.pass_at_n(k, 1.0, *np.exp(found.x))


def log_power(n, y):
    """-log pass@k = a k^-b, a straight line through the logarithms."""
    used = (y > 0) & (y < 1)
    slope, intercept = np.polyfit(np.log(n[used]), np.log(-np.log(y[used])), 1)
    return lambda k: np.exp(-np.exp(intercept + slope * np.log(k)))


def exponentiated(n, y):
    """coverage = exp(a k^b): the same curve, by least squares of the coverage."""
    from scipy.optimize import least_squares

    found = least_squares(lambda z: np.exp(-np.exp(z[0] + z[1] * np.log(n))) - y, [0.5, -0.3])
    return lambda k: np.exp(-np.exp(found.x[0] + found.x[1] * np.log(k)))


BASELINES = {"two parameters, A = 1": two_parameters, "power law of -log": log_power, "exp(a k^b)": exponentiated}
OURS = "zero-inflated beta"


# ---- tests -------------------------------------------------------------------------------------


class Scores:
    """Errors and coverage by method."""

    def __init__(self):
        self.errors, self.last = defaultdict(list), defaultdict(list)
        self.inside, self.widths = defaultdict(list), defaultdict(list)

    def add(self, method, predicted, truth) -> None:
        miss = np.asarray(predicted) - truth
        self.errors[method].append(float(np.sqrt(np.mean(miss**2))))
        self.last[method].append(float(miss[-1]))

    def band(self, name, low, high, truth) -> None:
        self.inside[name].append(float(np.mean((low <= truth) & (truth <= high))))
        self.widths[name].append(float(np.mean(high - low)))


def try_curve(n, y, cut: float, scores: Scores, problems: int | None = None) -> bool:
    """Show the points up to ``cut``, score the others; False where there are too few."""
    shown, hidden = n <= cut, n >= 2 * cut
    if np.unique(n[shown]).size < LEAST or hidden.sum() < 2:
        return False
    order = np.argsort(n[hidden])
    ahead, truth = n[hidden][order], y[hidden][order]
    fit = fit_pass_at_n(Log.from_curve(n[shown], y[shown]), problems=problems)
    scores.add(OURS, fit.predict(ahead).estimate, truth)
    same = fit.same_problems(ahead)
    scores.band("same problems", same.low, same.high, truth)
    for name, method in BASELINES.items():
        scores.add(name, method(n[shown], y[shown])(ahead), truth)
    return True


def try_counts(truth: Callable, rng, problems: int, samples: int, ahead, scores: Scores) -> None:
    """Fit the counts of a simulated log, score pass@N of its population and of its problems."""
    rates = truth(rng, problems)
    correct = rng.binomial(samples, rates)
    many = truth(np.random.default_rng(0), 400_000)
    population = np.array([float(np.mean(-np.expm1(k * np.log1p(-many)))) for k in ahead])
    try:
        fit = fit_pass_at_n((samples, correct))
    except InputError:
        return
    found = fit.predict(ahead)
    scores.add(OURS, found.estimate, population)
    scores.band("population", found.low, found.high, population)
    k = np.unique(np.rint(np.geomspace(1, samples, 12)).astype(int))
    y = chance_of_any(samples, correct[:, None], k[None]).mean(0)
    if not 0 < y[0] < 1:
        return
    for name, method in BASELINES.items():
        scores.add(name, method(k.astype(float), y)(ahead), population)


def simulated_curve(truth: Callable, rng, problems: int):
    """A curve as a figure shows it: exact for its problems, read with an error of 0.003."""
    rates = truth(rng, problems)
    n = np.geomspace(1, 10_000, 40)
    with np.errstate(divide="ignore"):
        y = np.array([np.mean(-np.expm1(k * np.log1p(-rates))) for k in n])
    return n, np.clip(y + 0.003 * rng.normal(size=n.size), 0.0, 1.0)


# ---- tables ------------------------------------------------------------------------------------


def table(scores: Scores, title: str, out) -> None:
    """Markdown."""
    tests = len(scores.errors[OURS])
    print(f"\n### {title} ({tests} forecasts)\n", file=out)
    print("| forecast | root mean square error | median | mean error at the largest N |", file=out)
    print("|---|---|---|---|", file=out)
    for name in (OURS, *BASELINES):
        e, last = np.array(scores.errors[name]), np.array(scores.last[name])
        print(f"| {name} | {np.sqrt(np.mean(e**2)):.4f} | {np.median(e):.4f} | {last.mean():+.4f} |", file=out)
    for name, inside in scores.inside.items():
        print(
            f"\n95% band ({name}): covers {np.mean(inside):.1%} of the hidden values, all of them in"
            f" {np.mean(np.array(inside) == 1):.1%} of the forecasts; mean width {np.mean(scores.widths[name]):.3f}.",
            file=out,
        )


def main(argv=None, out=None) -> int:
    """Print the tables."""
    out = out or sys.stdout
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backtest", allow_abbrev=False)
    parser.add_argument("--data", type=Path, help="folder of curves, N and pass@N")
    parser.add_argument(
        "--curves", default="llama8BpassN,gemma2B,pythia28B,llama38Binstruct_oracle,llama370Binstruct_oracle"
    )
    parser.add_argument("--simulated", type=int, default=100, help="logs of each simulated kind")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    try:
        if args.data is not None:
            together = Scores()
            for name in args.curves.split(","):
                points = read_log(args.data / f"{name}.csv", "curve").curve
                assert points is not None
                one = Scores()
                for cut in CUTS:
                    if try_curve(points.n, points.success, cut, one):
                        try_curve(points.n, points.success, cut, together)
                table(one, f"Published curve {name}", out)
            table(together, "All published curves", out)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rng = np.random.default_rng(args.seed)
    for name, truth in TRUTHS.items():
        scores = Scores()
        for i in range(args.simulated):
            n, y = simulated_curve(truth, rng, 128)
            try_curve(n, y, CUTS[1 + i % (len(CUTS) - 1)], scores, 128)
        table(scores, f"Simulated curves of 128 problems, rates {name}", out)
    for name, truth in TRUTHS.items():
        scores = Scores()
        for i in range(args.simulated):
            samples = (20, 50, 100)[i % 3]
            try_counts(truth, rng, 128, samples, samples * np.array([2.0, 5.0, 20.0, 100.0]), scores)
        table(scores, f"Simulated counts of 128 problems, 20 to 100 samples, rates {name}", out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
