"""From learnt concepts to the skills of a trained model (docs/training.md (21)-(23)), and from its capability to the
step success of the chain (docs/theory.md (4), (5)); [NV], [DS3].
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import Numbers, fraction_array, number, numbers, one_of, positive, whole_array, whole_number
from ds3sim.core.errors import require
from ds3sim.theory.binomial import binomial_tails
from ds3sim.theory.cost import training_flops
from ds3sim.theory.peeling import VARIANTS, Peeling, peeling


def divergence(q: Numbers, unlearnt: Numbers) -> np.ndarray:
    """KL(q || 1 - unlearnt) between Bernoulli laws, in nats; infinite where it is.

    ``unlearnt`` is P_b in [0, 1], the complement of the second probability, so that it may be tiny.
    """
    from scipy.special import xlog1py, xlogy  # pyright: ignore  (it has no stubs)

    q, rest = np.broadcast_arrays(fraction_array("q", q), fraction_array("unlearnt", unlearnt))
    yes, no = xlogy(q, q) - xlog1py(q, -rest), xlog1py(1.0 - q, -q) - xlogy(1.0 - q, rest)
    return np.maximum(yes + no, 0.0)[()]


def sure_concepts(mean: Numbers, skills: Numbers, delta: ArrayLike = 1e-5) -> np.ndarray:
    """d of (21): concepts that all ``skills`` skills of a level have, but for a chance of about delta.

    d = max(0, 0.99 mu (1 - sqrt(2 ln(S/delta)/mu))).

    Args:
        mean: mu > 0 or 0, mean concepts of a skill.
        skills: S >= 1.
        delta: in (0, 1].
    """
    mu = numbers("mean", mean, low=0)
    log = np.log(positive("skills", skills) / numbers("delta", delta, above=0, high=1))
    return (0.99 * np.maximum(0.0, mu - np.sqrt(2.0 * np.maximum(log, 0.0) * mu)))[()]


def acquired(
    mean: Numbers, unlearnt: Numbers, skills: Numbers, needed: ArrayLike = 5.0, delta: ArrayLike = 1e-5
) -> np.ndarray:
    """g of (21), the probability that enough concepts of a skill are learnt, in the Chernoff form of the paper.

    0 if eta > d; 1 - exp(-d KL(eta/d || Pbar)) if eta/d < Pbar; else exp(-d KL)/sqrt(2 d). 1 where all concepts are
    learnt and eta <= d.

    Args:
        mean: mu = xi R/S, concepts of a skill.
        unlearnt: P_b = 1 - Pbar.
        skills: S.
        needed: eta > 0.
        delta: as :func:`sure_concepts`.
    """
    d, eta, rest = np.broadcast_arrays(
        sure_concepts(mean, skills, delta), positive("needed", needed), fraction_array("unlearnt", unlearnt)
    )
    enough = (d > 0) & (eta <= d)
    size = np.where(enough, d, eta)
    q = np.minimum(1.0, eta / size)
    exponent = np.where(rest == 0, np.inf, size * divergence(q, rest))
    # q < 1 - P_b, written without cancellation
    high = -np.expm1(-exponent)
    low = np.exp(-exponent) / np.sqrt(2.0 * size)
    value = np.where((1.0 - q > rest) | (rest == 0), high, np.minimum(1.0, low))
    return np.where(enough, value, 0.0)[()]


def acquired_exact(mean: Numbers, unlearnt: Numbers, concepts: Numbers, needed: ArrayLike = 5.0) -> np.ndarray:
    """Probability that at least eta of a skill's concepts are learnt, exactly; *ours*, docs/training.md (21.1).

    A skill draws on each of the R concepts with probability mu/R, and each is learnt with probability Pbar:
    P(Bin(R, mu Pbar/R) >= ceil(eta)).

    Args:
        mean, unlearnt, needed: as :func:`acquired`.
        concepts: R, rounded to a whole number, at least mu.
    """
    big_r = np.maximum(1.0, np.rint(positive("concepts", concepts)))
    mu, rest = numbers("mean", mean, low=0), fraction_array("unlearnt", unlearnt)
    require(bool(np.all(mu <= big_r)), "mean must not be above the number of concepts")
    eta = np.ceil(positive("needed", needed))
    return binomial_tails(eta, big_r, mu / big_r * (1.0 - rest))[0][()]


def giant(mean_degree: Numbers) -> np.ndarray:
    """gamma = 1 + W0(-c e^-c)/c, share of the giant component of G(S, c/S) for large S; (23). 0 for c <= 1.

    Newton steps on gamma = 1 - exp(-c gamma) restore the digits that W0 loses near its branch point.

    ``mean_degree`` is c >= 0.
    """
    from scipy.special import lambertw  # pyright: ignore

    c = numbers("mean_degree", mean_degree, low=0)
    some = c > 1
    at = np.where(some, c, 2.0)
    with np.errstate(under="ignore"):
        value = 1.0 + np.real(lambertw(-at * np.exp(-at))) / at
        t = at - 1.0
        value = np.where(t < 1e-3, 2.0 * t - 8.0 / 3.0 * t * t, value)
        for _ in range(4):
            rest = np.exp(-at * value)
            slope = 1.0 - at * rest
            step = (value + np.expm1(-at * value)) / np.where(slope > 0, slope, 1.0)
            value = np.clip(np.where(slope > 0, value - step, value), 0.0, 1.0)
    return np.where(some, value, 0.0)[()]


def skill_levels(g: Numbers, skills: Numbers, sigma: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """p_l and gamma_l of (22), (23): p_l = g_l gamma_(l-1)^sigma_l, gamma_0 = 1, c_l = p_l^2 S_l.

    Args:
        g: acquisition probabilities of (21), [..., L].
        skills: S_l, broadcast with g.
        sigma: prerequisites, [L].

    Returns:
        p, gamma: float64 [..., L].

    Raises:
        InputError: an argument outside its range, shapes that do not fit.
    """
    g = fraction_array("g", g)
    sigma = numbers("sigma", sigma, low=0)
    require(
        g.ndim >= 1 and sigma.shape == g.shape[-1:], f"g of shape {g.shape} and sigma of shape {sigma.shape} do not fit"
    )
    sizes = np.broadcast_to(positive("skills", skills), g.shape)
    p, share = np.empty(g.shape), np.empty(g.shape)
    below = np.ones(g.shape[:-1])
    for level in range(g.shape[-1]):
        p[..., level] = g[..., level] * below ** sigma[level]
        share[..., level] = below = giant(p[..., level] ** 2 * sizes[..., level])
    return p, share


@dataclass(frozen=True)
class Training:
    """Constants of the training side; the defaults are those of the AIME study of [DS3].

    Attributes:
        levels: L.
        skills_per_level: S_l, a number or one per level.
        text_degree: d_t, mean concepts of a text that can be learnt.
        parameters_per_concept: zeta.
        tokens_per_text: tau.
        tokens_per_parameter: kappa = D/N, used where training FLOPs are given.
        concepts_needed: eta.
        initially_unknown: eps.
        share_decay: xi_l = exp(-share_decay l/L).
        delta: of (21).
        finite_size: ``published`` or ``authors_code``, the variant of (20).
    """

    levels: int = 100
    skills_per_level: float | tuple[float, ...] = 1e4
    text_degree: float = 6.0
    parameters_per_concept: float = 2.5e3
    tokens_per_text: float = 1e4
    tokens_per_parameter: float = 20.0
    concepts_needed: float = 5.0
    initially_unknown: float = 0.5
    share_decay: float = 10.0
    delta: float = 1e-5
    finite_size: str = "published"

    def __post_init__(self) -> None:
        whole_number("levels", self.levels, 1, 10_000)
        for name in ("text_degree", "parameters_per_concept", "tokens_per_text", "tokens_per_parameter"):
            positive(name, getattr(self, name))
        positive("concepts_needed", self.concepts_needed)
        sizes = positive("skills_per_level", self.skills_per_level)
        require(
            sizes.ndim == 0 or sizes.shape == (self.levels,),
            f"skills_per_level has {sizes.size} entries: give one number, or one for each of the {self.levels} levels",
        )
        number("initially_unknown", self.initially_unknown, above=0, high=1)
        one_of("finite_size", self.finite_size, VARIANTS)

    @property
    def sizes(self) -> np.ndarray:
        """S_l, float64 [L]."""
        return np.broadcast_to(np.asarray(self.skills_per_level, dtype=np.float64), (self.levels,))

    @property
    def sigma(self) -> np.ndarray:
        """Prerequisites sigma_l = 0.5 ln l, float64 [L]; 0 for l = 1; [DS3]."""
        return 0.5 * np.log(np.arange(1.0, self.levels + 1))

    @property
    def shares(self) -> np.ndarray:
        """xi_l, float64 [L]: share of the concepts that skills of level l draw on; [DS3]."""
        return np.exp(-self.share_decay * np.arange(1.0, self.levels + 1) / self.levels)


@dataclass(frozen=True)
class Trained:
    """Models after training; leading axes are those of the arguments.

    Attributes:
        parameters, tokens: N, D.
        concepts, texts: R, T.
        peeling: threshold and finite-size law of each model.
        acquired: g_l of (21), [..., L].
        p: p_l of (22), [..., L].
        giant: gamma_l of (23), [..., L].
    """

    training: Training = field(repr=False)
    parameters: np.ndarray
    tokens: np.ndarray
    concepts: np.ndarray
    texts: np.ndarray
    peeling: Peeling
    acquired: np.ndarray
    p: np.ndarray
    giant: np.ndarray

    @property
    def flops(self) -> np.ndarray:
        """C_tr = 6 N D, (15)."""
        return training_flops(self.parameters, self.tokens)


def compute_optimal(training_flops: Numbers, tokens_per_parameter: ArrayLike = 20.0) -> tuple[np.ndarray, np.ndarray]:
    """N and D of a model with D = kappa N that is trained with C_tr = 6 N D.

    Raises:
        InputError: an argument that is not positive.
    """
    flops, kappa = positive("training_flops", training_flops), positive("tokens_per_parameter", tokens_per_parameter)
    parameters = np.sqrt(flops / (6.0 * kappa))
    return parameters, kappa * parameters


def train(parameters: Numbers, tokens: Numbers, training: Training | None = None) -> Trained:
    """Skills of models with N parameters trained on D tokens; (19)-(23).

    Args:
        parameters, tokens: N, D > 0; broadcast to [...].
        training: constants; None is the AIME study's.

    Raises:
        InputError: an argument outside its range; a model of fewer concepts than ``text_degree``.
    """
    training = training or Training()
    n, d = np.broadcast_arrays(positive("parameters", parameters), positive("tokens", tokens))
    concepts, texts = n / training.parameters_per_concept, d / training.tokens_per_text
    law = peeling(concepts, texts, training.text_degree, training.initially_unknown, training.finite_size)
    sizes = training.sizes
    mean = training.shares * concepts[..., None] / sizes
    unlearnt = np.asarray(law.unlearnt)[..., None]
    g = acquired(mean, unlearnt, sizes, training.concepts_needed, training.delta)
    p, share = skill_levels(g, sizes, training.sigma)
    return Trained(training, n, d, concepts, texts, law, np.asarray(g), p, share)


_SLACK = 1e-9
"""A product this close above a whole number, relatively, is that number: (1 + 0.1) * 10 is 11, not 12."""


def _ceiling(x: np.ndarray) -> np.ndarray:
    return np.ceil(x * (1.0 - _SLACK))


def relevant_skills(m: Numbers, beta: Numbers) -> np.ndarray:
    """M = ceil((1 + beta) m), the skills that compete for the m required ones; (4).

    Args:
        m: required skills, whole, >= 1.
        beta: relevant but not required skills per required one, >= 0.

    Returns:
        float64 whole numbers of the broadcast shape.
    """
    m = whole_array("m", m, 1)
    return np.maximum(_ceiling((1.0 + numbers("beta", beta, low=0)) * m), m)[()]


def search_weight(m: Numbers, beta: Numbers, rho: Numbers) -> np.ndarray:
    """rho/M + 1 - rho, the chance to look at the right skill, in (4); arguments as :func:`success_from_capability`."""
    rho = fraction_array("rho", rho)
    return rho / relevant_skills(m, beta) + 1.0 - rho


def success_from_capability(
    p: Numbers, m: Numbers, beta: ArrayLike = 5.0, rho: ArrayLike = 0.5, quality: ArrayLike | None = None
) -> np.ndarray:
    """r = p (rho/M + 1 - rho) q(p), docs/theory.md (4).

    Args:
        p: probability that the model connects a pair of skills, any shape.
        m: required skills, whole, >= 1.
        beta: as :func:`relevant_skills`.
        rho: in [0, 1]; 1 searches the relevant set blindly, 0 knows which skill is next.
        quality: q(p) as an array in [0, 1]; None means q(p) = p.
    """
    p = fraction_array("p", p)
    q = p if quality is None else fraction_array("quality", quality)
    return (p * q * search_weight(m, beta, rho))[()]


def skills_at_level(m: Numbers, level: Numbers, other: Numbers, sigma: Numbers) -> np.ndarray:
    """m', the skills of level l' that a task of m skills of level l needs; docs/theory.md (5).

    m' = m for l' = l; ceil(m prod_{k=l'+1..l} sigma_k) for l' < l; max(ceil(m / prod_{k=l+1..l'} sigma_k), 2)
    for l' > l.

    Args:
        m: skills of level l, whole, >= 1.
        level, other: l and l', whole, 1 <= l, l' <= L; broadcast with ``m``.
        sigma: prerequisites sigma_1..sigma_L, [L]; sigma_1 is never used, the others are positive.

    Returns:
        float64 whole numbers (they can exceed any integer type); infinite where they overflow.
    """
    sigma = np.asarray(sigma, dtype=np.float64)
    require(
        sigma.ndim == 1 and sigma.size >= 1 and bool(np.all(sigma[1:] > 0) and np.all(np.isfinite(sigma))),
        "sigma is not allowed: give one positive finite number per level",
    )
    m, level, other = np.broadcast_arrays(
        whole_array("m", m, 1), whole_array("level", level, 1), whole_array("other", other, 1)
    )
    top = int(max(level.max(), other.max())) if m.size else 1
    require(top <= sigma.size, f"level = {top} is above the {sigma.size} levels that sigma describes")
    log_product = np.concatenate([[0.0, 0.0], np.cumsum(np.log(sigma[1:]))])
    here, there = level.astype(np.int64), other.astype(np.int64)
    with np.errstate(over="ignore"):
        scaled = _ceiling(m * np.exp(log_product[here] - log_product[there]))
    return np.where(there == here, m, np.maximum(scaled, np.where(there > here, 2.0, 1.0)))[()]
