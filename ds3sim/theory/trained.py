"""A trained model: from training FLOPs, or N and D, to the levels of its skills (docs/training.md)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import Numbers, number, one_of, positive, whole_number
from ds3sim.core.errors import require
from ds3sim.theory.cost import training_flops
from ds3sim.theory.peeling import VARIANTS, Peeling, peeling
from ds3sim.theory.skills import acquired, concept_shares, prerequisites, skill_levels


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
        """sigma_l, float64 [L]."""
        return prerequisites(self.levels)

    @property
    def shares(self) -> np.ndarray:
        """xi_l, float64 [L]."""
        return concept_shares(self.levels, self.share_decay)


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
