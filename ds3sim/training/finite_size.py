"""Which finite-size law peeling follows: simulated shares of stuck runs, and the shift b and scale a that fit them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ds3sim.core.check import Numbers
from ds3sim.core.runtime import cores
from ds3sim.theory.peeling import peeling
from ds3sim.training.peeling import peel_counts, peel_graphs


@dataclass(frozen=True)
class Stuck:
    """Runs that got stuck high, at one number of concepts; arrays over T/R.

    Attributes:
        concepts: R.
        ratio: T/R, float64.
        stuck, runs: counts, int64.
    """

    concepts: int
    ratio: np.ndarray
    stuck: np.ndarray
    runs: np.ndarray

    @property
    def share(self) -> np.ndarray:
        return self.stuck / self.runs

    @property
    def error(self) -> np.ndarray:
        """Standard error of the share."""
        return np.sqrt(self.share * (1.0 - self.share) / self.runs)


def is_stuck(left: Numbers, concepts: int, texts: int, text_degree: float = 6.0) -> np.ndarray:
    """True where more than half of the unknown fraction at the threshold is left: the gap between the two outcomes."""
    law = peeling(concepts, texts, text_degree)
    return np.asarray(left) > 0.5 * float(law.gamma) / 0.5 * concepts


def simulate_stuck(concepts: int, ratios: Numbers, runs: int, by: str = "counts", seed: int = 0) -> Stuck:
    """Simulate at several T/R.

    Args:
        concepts: R.
        ratios: T/R; texts are rounded to whole numbers, and the ratios returned are those of the rounded texts.
        runs: at each ratio.
        by: ``counts`` (the Markov chain) or ``graphs`` (sampled graphs in JAX).
        seed: of the random numbers.
    """
    texts = np.rint(np.atleast_1d(ratios) * concepts).astype(np.int64)

    def one(number: int) -> int:
        if by == "graphs":
            left = peel_graphs(runs, concepts, number, seed=seed).left
        else:
            left = peel_counts(runs, concepts, number, seed=seed)
        return int(is_stuck(left, concepts, number).sum())

    with ThreadPoolExecutor(1 if by == "graphs" else cores()) as pool:  # graphs are peeled in threads of their own
        found = np.array(list(pool.map(one, texts.tolist())), dtype=np.int64)
    return Stuck(concepts, texts / concepts, found, np.full(len(texts), runs, dtype=np.int64))


def ratios_near(concepts: int, z: Numbers) -> np.ndarray:
    """T/R at which the published law, with its shift, has its argument at ``z``, by bisection; float64 [Z]."""
    z = np.atleast_1d(np.asarray(z, dtype=np.float64))
    low, high = np.full(z.shape, 2.0), np.full(z.shape, 12.0)
    for _ in range(60):
        middle = 0.5 * (low + high)
        law = peeling(concepts, middle * concepts)
        n_c = concepts / 0.5
        score = np.sqrt(n_c) * (law.eps_threshold - law.shift * n_c ** (-2.0 / 3.0) - 0.5) / law.scale
        low, high = np.where(score < z, middle, low), np.where(score < z, high, middle)
    return 0.5 * (low + high)


@dataclass(frozen=True)
class Fit:
    """Maximum-likelihood fit of P(stuck) = Q((eps_BP - b n_c^(-2/3) - eps) sqrt(n_c)/(k a)), a of ``published``.

    Attributes:
        shift, shift_error: b and its standard error.
        factor, factor_error: k and its standard error; 1 means that a is right. Error 0 where k was held.
        chi_square, dof: of the fit.
    """

    shift: float
    shift_error: float
    factor: float
    factor_error: float
    chi_square: float
    dof: int


def fit_law(data: list[Stuck], hold_scale: bool = False, variant: str = "published") -> Fit:
    """Fit b, and k unless ``hold_scale``, to all of ``data`` at once; errors from the Fisher information.

    With z = (x - b s)/k, x = sqrt(n_c) (eps_BP - eps)/a and s = n_c^(-1/6)/a, this is a probit regression on x and s.
    """
    from scipy.special import log_ndtr, ndtr

    x, s, hits, runs = [], [], [], []
    for d in data:
        law = peeling(d.concepts, d.ratio * d.concepts, variant=variant)
        n_c = d.concepts / 0.5
        x.append(np.sqrt(n_c) * (law.eps_threshold - 0.5) / law.scale)
        s.append(n_c ** (-1.0 / 6.0) / law.scale)
        hits.append(d.stuck)
        runs.append(d.runs)
    x, s, hits, runs = (np.concatenate(v) for v in (x, s, hits, runs))
    at, design = np.array([1.0, 0.57]), np.stack([-x, s])  # 1/k, b/k
    free = np.array([1] if hold_scale else [0, 1])
    for _ in range(60):
        z = -(at @ design)  # stuck with probability Phi(-z)
        density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        spread = np.exp(log_ndtr(z) + log_ndtr(-z))
        score = (design * density) @ ((hits - runs * ndtr(-z)) / spread)
        information = ((design * (runs * density**2 / spread)) @ design.T)[np.ix_(free, free)]
        change = np.linalg.solve(information, score[free])
        at[free] += change
        if np.max(np.abs(change)) < 1e-12:
            break
    cover = np.zeros((2, 2))
    cover[np.ix_(free, free)] = np.linalg.inv(information)
    factor, shift = 1.0 / at[0], at[1] / at[0]
    by_factor, by_shift = np.array([-(factor**2), 0.0]), np.array([-shift, 1.0]) * factor
    p = ndtr(at @ design)
    chi = float(((hits - runs * p) ** 2 / (runs * p * (1 - p))).sum())
    error, factor_error = (float(np.sqrt(by @ cover @ by)) for by in (by_shift, by_factor))
    return Fit(float(shift), error, float(factor), factor_error, chi, len(x) - free.size)
