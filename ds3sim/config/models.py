"""The [model] table: a language model by its training loss, or by its training on texts (the training side)."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from ds3sim.config import values as v
from ds3sim.core.errors import InputError
from ds3sim.theory.difficulty import Bridge
from ds3sim.theory.loss import loss
from ds3sim.theory.skills import Trained, Training, compute_optimal, train

AIME_FLOPS = 3.35e25


class LossModel(v.Table):
    """The model whose training loss decides step success, (24) and (25). An allocation chooses its size itself."""

    kind: Literal["loss"] = v.key("loss", "loss, or tripartite: the training side")
    loss: v.Positive | None = v.key(None, "L, training loss in nats per token")
    parameters: v.Positive | None = v.key(None, "N, for (24)")
    tokens: v.Positive | None = v.key(None, "D, training tokens, for (24)")
    constants: Literal["hoffmann", "hoffmann_source", "epoch"] = v.key("hoffmann", "of (24)")
    steepness: v.Positive = v.key(5.0, "b of (25)")
    scale: v.Positive = v.key(1.0, "a of (25)")
    offset: v.Number = v.key(0.0, "d of (25)")
    iota: v.Positive = v.key(1.0, "iota of (25), factor of the instruction tuning")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.loss is not None and (self.parameters is not None or self.tokens is not None):
            raise v.refuse("stands beside parameters or tokens: keep one of them", "loss")
        return self

    @property
    def bridge(self) -> Bridge:
        """(25)."""
        return Bridge(self.scale, self.offset, self.iota, self.steepness)

    @property
    def training_loss(self) -> float:
        """L: as given, or (24). InputError: neither is given."""
        if self.loss is not None:
            return self.loss
        if self.parameters is None or self.tokens is None:
            raise InputError("model needs loss, or parameters and tokens")
        return float(loss(self.parameters, self.tokens, self.constants))


def _sizes(value: Any) -> float | tuple[float, ...]:
    """A number, or a list of numbers."""
    if not isinstance(value, list | tuple):
        return v.number(value)
    if not value:
        raise v.refuse("is an empty list: give at least one number")
    return tuple(map(v.number, value))


class TripartiteModel(v.Table):
    """A model by its training: texts, concepts and skills. The defaults are those of the AIME study."""

    kind: Literal["tripartite"] = "tripartite"
    training_flops: v.Positive | None = v.key(None, "C_tr = 6 N D; D = kappa N")
    parameters: v.Positive | None = v.key(None, "N, non-embedding parameters")
    tokens: v.Positive | None = v.key(None, "D, training tokens; kappa N when left out")
    tokens_per_parameter: v.Positive = v.key(20.0, "kappa = D/N, where D is not given")
    levels: Annotated[v.Whole, Field(ge=1, le=10_000)] = v.key(100, "L, levels of skills")
    skills_per_level: Annotated[
        float | tuple[float, ...], BeforeValidator(_sizes, json_schema_input_type=float | list[float])
    ] = v.key(1e4, "S_l, a number or one for each level")
    text_degree: v.Positive = v.key(6.0, "d_t, mean concepts of a text")
    parameters_per_concept: v.Positive = v.key(2.5e3, "zeta: R = N/zeta concepts")
    tokens_per_text: v.Positive = v.key(1e4, "tau: T = D/tau texts")
    relevant_factor: v.NotNegative = v.key(5.0, "beta of (4)")
    search: v.Share = v.key(0.5, "rho of (4): 1 searches blindly, 0 knows the next skill")
    concepts_needed: v.Positive = v.key(5.0, "eta, learnt concepts that a skill needs")
    initially_unknown: Annotated[v.Number, Field(gt=0, le=1)] = v.key(
        0.5, "eps, fraction of concepts unknown at the start"
    )
    finite_size: Literal["published", "authors_code", "random_graph"] = v.key("published", "variant of (20)")
    round_steps: v.Truth = v.key(True, "false: K = C_inf/(2 N omega) as a real number (closed_form only)")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.training_flops is not None:
            for name in ("parameters", "tokens"):
                if getattr(self, name) is not None:
                    raise v.refuse(f"stands beside {name}: keep one of them", "training_flops")
        if self.tokens is not None:
            if self.parameters is None:
                raise v.refuse("needs parameters beside it", "tokens")
            if "tokens_per_parameter" in self.model_fields_set:
                raise v.refuse("has no effect beside tokens: remove one of them", "tokens_per_parameter")
        sizes = np.asarray(self.skills_per_level)
        if sizes.ndim and sizes.size != self.levels:
            raise v.refuse(f"needs one number, or {self.levels} of them, one for each level", "skills_per_level")
        if np.any(sizes < 1):
            raise v.refuse("must be at least 1", "skills_per_level")
        if self.concepts < self.text_degree:
            raise v.refuse(
                f"is above the {self.concepts:.4g} concepts of a model of {self.size[0]:.4g} parameters: lower it, or"
                " train a larger model",
                "text_degree",
            )
        return self

    @property
    def size(self) -> tuple[float, float]:
        """N and D."""
        if self.parameters is None:
            n, d = compute_optimal(self.training_flops or AIME_FLOPS, self.tokens_per_parameter)
            return float(n), float(d)
        return self.parameters, self.tokens if self.tokens is not None else self.tokens_per_parameter * self.parameters

    @property
    def concepts(self) -> float:
        """R = N/zeta."""
        return self.size[0] / self.parameters_per_concept

    @property
    def training(self) -> Training:
        """The constants as the formulas take them."""
        idle = {"kind", "training_flops", "parameters", "tokens", "relevant_factor", "search", "round_steps"}
        return Training(**self.model_dump(exclude=idle))

    @property
    def trained(self) -> Trained:
        """The model after training, by the formulas (19)-(23)."""
        return _train(*self.size, self.training)


@lru_cache(maxsize=256)
def _train(parameters: float, tokens: float, training: Training) -> Trained:
    return train(parameters, tokens, training)


LanguageModel = Annotated[LossModel | TripartiteModel, Field(discriminator="kind")]
MODELS = v.by_kind(LanguageModel)
