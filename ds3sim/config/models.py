"""The [model] table: a language model by its training loss, or by its training on texts (the training side)."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from ds3sim.config.values import NotNegative, Number, Positive, Share, Table, Truth, Whole, number, refuse
from ds3sim.core.errors import require
from ds3sim.theory.difficulty import Bridge
from ds3sim.theory.loss import loss
from ds3sim.theory.skills import Trained, Training, compute_optimal, train

AIME_FLOPS = 3.35e25


class LossModel(Table):
    """The model whose training loss decides step success, (24) and (25). An allocation chooses its size itself."""

    kind: Literal["loss"] = Field(default="loss", description="loss, or tripartite: the training side")
    loss: Positive | None = Field(default=None, description="L, training loss in nats per token")
    parameters: Positive | None = Field(default=None, description="N, for (24)")
    tokens: Positive | None = Field(default=None, description="D, training tokens, for (24)")
    constants: Literal["hoffmann", "hoffmann_source", "epoch"] = Field(default="hoffmann", description="of (24)")
    steepness: Positive = Field(default=5.0, description="b of (25)")
    scale: Positive = Field(default=1.0, description="a of (25)")
    offset: Number = Field(default=0.0, description="d of (25)")
    iota: Positive = Field(default=1.0, description="iota of (25), factor of the instruction tuning")

    @model_validator(mode="after")
    def _one_source(self):
        if self.loss is not None and (self.parameters is not None or self.tokens is not None):
            raise refuse("stands beside parameters or tokens: keep one of them", "loss")
        return self

    @property
    def bridge(self) -> Bridge:
        """(25)."""
        return Bridge(self.scale, self.offset, self.iota, self.steepness)

    @property
    def training_loss(self) -> float:
        """L: as given, or (24).

        Raises:
            InputError: neither is given.
        """
        if self.loss is not None:
            return self.loss
        require(self.parameters is not None and self.tokens is not None, "model needs loss, or parameters and tokens")
        assert self.parameters is not None and self.tokens is not None
        return float(loss(self.parameters, self.tokens, self.constants))


def _sizes(value: Any) -> float | tuple[float, ...]:
    """A number, or a list of numbers."""
    if not isinstance(value, list | tuple):
        return number(value)
    if not value:
        raise refuse("is an empty list: give at least one number")
    return tuple(number(v) for v in value)


class TripartiteModel(Table):
    """A model by its training: texts, concepts and skills. The defaults are those of the AIME study."""

    kind: Literal["tripartite"] = "tripartite"
    training_flops: Positive | None = Field(default=None, description="C_tr = 6 N D; D = kappa N")
    parameters: Positive | None = Field(default=None, description="N, non-embedding parameters")
    tokens: Positive | None = Field(default=None, description="D, training tokens; kappa N when left out")
    tokens_per_parameter: Positive = Field(default=20.0, description="kappa = D/N, where D is not given")
    levels: Annotated[Whole, Field(ge=1, le=10_000)] = Field(default=100, description="L, levels of skills")
    skills_per_level: Annotated[
        float | tuple[float, ...], BeforeValidator(_sizes, json_schema_input_type=float | list[float])
    ] = Field(default=1e4, description="S_l, a number or one for each level")
    text_degree: Positive = Field(default=6.0, description="d_t, mean concepts of a text")
    parameters_per_concept: Positive = Field(default=2.5e3, description="zeta: R = N/zeta concepts")
    tokens_per_text: Positive = Field(default=1e4, description="tau: T = D/tau texts")
    relevant_factor: NotNegative = Field(default=5.0, description="beta of (4)")
    search: Share = Field(default=0.5, description="rho of (4): 1 searches blindly, 0 knows the next skill")
    concepts_needed: Positive = Field(default=5.0, description="eta, learnt concepts that a skill needs")
    initially_unknown: Annotated[Number, Field(gt=0, le=1)] = Field(
        default=0.5, description="eps, fraction of concepts unknown at the start"
    )
    finite_size: Literal["published", "authors_code", "random_graph"] = Field(
        default="published", description="variant of (20)"
    )
    round_steps: Truth = Field(
        default=True, description="false: K = C_inf/(2 N omega) as a real number (closed_form only)"
    )

    @model_validator(mode="after")
    def _one_source(self):
        if self.training_flops is not None:
            for key in ("parameters", "tokens"):
                if getattr(self, key) is not None:
                    raise refuse(f"stands beside {key}: keep one of them", "training_flops")
        if self.tokens is not None:
            if self.parameters is None:
                raise refuse("needs parameters beside it", "tokens")
            if "tokens_per_parameter" in self.model_fields_set:
                raise refuse("has no effect beside tokens: remove one of them", "tokens_per_parameter")
        sizes = np.asarray(self.skills_per_level)
        if sizes.ndim and sizes.size != self.levels:
            raise refuse(f"needs one number, or {self.levels} of them, one for each level", "skills_per_level")
        if np.any(sizes < 1):
            raise refuse("must be at least 1", "skills_per_level")
        if self.concepts < self.text_degree:
            raise refuse(
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


MODELS: dict[str, type[Table]] = {"loss": LossModel, "tripartite": TripartiteModel}
LanguageModel = Annotated[LossModel | TripartiteModel, Field(discriminator="kind")]
