"""The best use of a lifetime's compute: model size, training tokens, and tokens per task (docs/theory.md section 8).

Accuracy and expected steps depend on (N, D) through the loss alone. So a problem in (N, D, K) splits into
three of one dimension, each solved without a gradient and without a local optimum to get caught in:
the best training for a given inference demand (a unique root, :func:`best_training`); the least fixed point of
loss -> expected tokens -> affordable loss at a given K; and a search over whole K.
:mod:`ds3sim.allocate.gradient` solves the same problem by L-BFGS, for comparison.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from ds3sim.allocate.search import zoom
from ds3sim.core.check import Numbers, number
from ds3sim.core.errors import require
from ds3sim.task.budget import whole_steps
from ds3sim.theory import spending
from ds3sim.theory.cost import attention_flops, training_flops
from ds3sim.theory.crossing import crossing
from ds3sim.theory.difficulty import Difficulty, Moments
from ds3sim.theory.loss import CONSTANTS, LossConstants, constants_of, loss
from ds3sim.theory.spending import Architecture, Box, Training, lifetime_flops


def at(record: Any, index: int) -> Any:
    """The record of one point."""
    values = {field.name: np.asarray(getattr(record, field.name)).ravel()[index] for field in fields(record)}
    return type(record)(**values)


MODES = ("global", "chinchilla", "fixed_tokens", "fixed_demand", "inference_optimal")
_MOST_ROUNDS = 2000
_LOSS_TOLERANCE = 1e-14
"""Relative change of the loss at which the fixed point ends."""
_ACCURACY_TOLERANCE = 1e-13
"""The same of the loss that an accuracy needs."""
_SURE = 1e-12


@dataclass(frozen=True)
class Problem:
    """What is asked, apart from the compute.

    Attributes:
        tasks: phi over (L0, m) with the bridge (25).
        demand: I, inference tasks over the lifetime, >= 0.
        constants: of (24).
        kappa: D/N of the mode chinchilla.
        tokens_per_step: omega.
        prompt_tokens: omega_p; paid only where attention is (``shape``).
        shape: n_layer d_attn as a function of N; ``Architecture()`` is parameter-only accounting.
        box: where N, D and K are searched.
    """

    tasks: Difficulty
    demand: float = 1e9
    constants: LossConstants = field(default_factory=lambda: CONSTANTS["hoffmann"])
    kappa: float = 20.0
    tokens_per_step: float = 25.0
    prompt_tokens: float = 0.0
    shape: Architecture = field(default_factory=Architecture)
    box: Box = field(default_factory=Box)

    def __post_init__(self) -> None:
        object.__setattr__(self, "constants", constants_of(self.constants))
        number("demand", self.demand, low=0)
        for name in ("kappa", "tokens_per_step"):
            number(name, getattr(self, name), above=0)

    def spending(self, moments: Moments) -> tuple[np.ndarray, np.ndarray]:
        """(a, b) of docs/theory.md (26): lifetime tokens, and lifetime FLOPs per unit of W."""
        tokens = self.tokens_per_step * moments.steps
        return self.demand * tokens, self.price(tokens, self.tokens_per_step**2 * moments.square_steps)

    def price(self, tokens: Numbers, square_tokens: Numbers) -> Numbers:
        """b of (26) from mean and mean square of the tokens of a task."""
        return self.demand * (2.0 * self.prompt_tokens**2 + attention_flops(tokens, square_tokens, self.prompt_tokens))


@dataclass(frozen=True)
class Optimum:
    """One optimum.

    Attributes:
        mode, compute: what was asked; ``compute`` is per task in the mode inference_optimal.
        parameters, training_tokens: N and D (infinite for inference_optimal).
        steps: K, the budget of a task in steps; None where the mode has none.
        tokens_per_task: Omega = omega E[min(T, K)] (inference_optimal: omega K).
        budget_tokens: omega K.
        loss: (24).
        accuracy: expected, over the tasks; None where the mode has no K.
        training_flops, inference_flops: lifetime; their sum is below ``compute`` only at a bound.
        bounds: which sides of the search box hold it back, such as "tokens <= 1e+14".
        saturated: accuracy is as good as it can get, so the compute is not all of use.
    """

    mode: str
    compute: float
    parameters: float
    training_tokens: float
    steps: int | None
    tokens_per_task: float | None
    budget_tokens: float | None
    loss: float
    accuracy: float | None
    training_flops: float
    inference_flops: float
    bounds: tuple[str, ...] = ()
    saturated: bool = False

    @property
    def kappa(self) -> float:
        """D/N, training tokens per parameter."""
        return self.training_tokens / self.parameters

    @property
    def inference_share(self) -> float:
        """Inference FLOPs over all FLOPs spent."""
        total = self.training_flops + self.inference_flops
        return self.inference_flops / total if np.isfinite(total) and total > 0 else 1.0

    def to_dict(self) -> dict[Any, Any]:
        """The fields as ``ds3sim allocate --json`` prints them, with kappa and the inference share."""
        return {
            **asdict(self),
            "bounds": list(self.bounds),
            "kappa": self.kappa,
            "inference_share": self.inference_share,
        }


def solve(
    problem: Problem,
    compute: float,
    mode: str = "global",
    *,
    tokens_per_task: float | None = None,
    demand_tokens: float | None = None,
) -> Optimum:
    """The best allocation of ``compute`` FLOPs.

    Args:
        problem: tasks, demand, constants, box.
        compute: C over the lifetime (inference_optimal: of one task).
        mode: ``global``: max over N, D, K of the expected accuracy. ``chinchilla``: the same with
            D = kappa N. ``fixed_tokens``: the same with the budget K = floor(tokens_per_task / omega).
            ``fixed_demand``: N, D of the lowest loss at 6 N D + 2 N demand_tokens = C.
            ``inference_optimal``: data unlimited; max over N of the accuracy of the K = C/(2 N omega)
            steps that C pays for.
        tokens_per_task: of the mode fixed_tokens: omega K; its expected use is charged.
        demand_tokens: D_inf of the mode fixed_demand.

    Tolerance: the loss at a given K to 1e-14 relative; K the best whole number below about 1e6,
    above to 1e-6 relative. The best of several local optima over K is refined.

    Raises:
        InputError: an unknown mode, a missing argument, or compute that pays for no model in the box.
    """
    require(mode in MODES, f"mode = {mode!r}: choose {', '.join(MODES)}")
    compute = number("compute", compute, above=0)
    if mode == "fixed_demand":
        require(demand_tokens is not None and demand_tokens >= 0, "fixed_demand needs demand_tokens, at least 0")
        return _fixed_demand(problem, compute, float(demand_tokens or 0.0))
    if mode == "fixed_tokens":
        require(tokens_per_task is not None, "fixed_tokens needs tokens_per_task")
        steps = whole_steps(tokens_per_task or 0.0, problem.tokens_per_step)
        require(
            steps >= 1,
            f"tokens_per_task = {tokens_per_task:g} is less than one step of {problem.tokens_per_step:g} tokens",
        )
        candidates = np.array([float(steps)])
        best = _evaluate(problem, compute, candidates, mode)
        chosen = 0
    else:
        candidates, best, chosen = _search(problem, compute, mode)
    training, moments = best
    _require_affordable(training.loss[chosen], compute, mode)
    return _optimum(problem, compute, mode, candidates[chosen], at(training, chosen), at(moments, chosen))


def least_compute(problem: Problem, accuracy: float, mode: str = "global") -> float:
    """The least lifetime compute with which ``mode`` (global or chinchilla) reaches an expected accuracy.

    The dual of :func:`solve`, by its own way: at each K the loss that the accuracy needs, then the
    cheapest training that has it. Infinite where the box does not reach it.

    Raises:
        InputError: another mode, or an accuracy outside (0, 1).
    """
    require(mode in ("global", "chinchilla"), f"mode = {mode!r}: least_compute knows global and chinchilla")
    number("accuracy", accuracy, above=0, below=1)
    _, (cost,), chosen = zoom(lambda k: (_cost_of_accuracy(problem, accuracy, k, mode),), problem.box.steps, -1)
    return float(cost[chosen])


# ---- the pieces ------------------------------------------------------------------------------------


def _train(problem: Problem, compute: float, tokens: Numbers, price: Numbers, mode: str) -> Training:
    c, box, shape = problem.constants, problem.box, problem.shape
    if mode == "chinchilla":
        return spending.tied_training(compute, tokens, price, problem.kappa, c, box, shape)
    if mode == "inference_optimal":
        return spending.unlimited_data(compute, tokens, price, c, box, shape)
    return spending.best_training(compute, tokens, price, c, box, shape)


def _evaluate(problem: Problem, compute: float, steps: np.ndarray, mode: str) -> tuple[Training, Moments]:
    """The best training at each budget K [points], and what the tasks then use.

    The loss is the least fixed point of L -> (expected tokens at L and K) -> (lowest loss that the rest of
    the compute pays for). Both maps rise, and the start, the loss without any inference, is below every fixed
    point: so the iteration rises to the least one, which is the best. Infinite: K is too dear.
    """
    if mode == "inference_optimal":
        used = Moments(np.zeros(steps.shape), steps, steps**2)
        tokens, price = replace(problem, demand=1.0).spending(used)
        training = _train(problem, compute, tokens, price, mode)
        real = problem.tasks.moments(training.loss, steps)
        return training, Moments(np.where(np.isfinite(training.loss), real.success, -1.0), steps, steps**2)
    training = _train(problem, compute, np.zeros(steps.shape), np.zeros(steps.shape), mode)
    n, d, level = (np.array(v) for v in (training.parameters, training.tokens, training.loss))
    ahead, last, gap = level.copy(), np.full(level.shape, -np.inf), np.full(level.shape, np.nan)
    going = np.arange(steps.size)
    for _ in range(_MOST_ROUNDS):
        at_, leapt = ahead[going], ahead[going] > level[going]
        new = _train(problem, compute, *problem.spending(problem.tasks.moments(at_, steps[going])), mode)
        with np.errstate(invalid="ignore", divide="ignore"):
            rise = new.loss - at_
            kept = ~leapt | (np.isfinite(new.loss) & (rise >= 0))  # else past the fixed point: back to the plain step
            secant = at_ - rise * (at_ - last[going]) / (rise - gap[going])
        good, some = going[kept], kept & (rise > _LOSS_TOLERANCE * at_) & np.isfinite(new.loss)
        n[good], d[good], level[good] = new.parameters[kept], new.tokens[kept], new.loss[kept]
        last[good], gap[good] = at_[kept], rise[kept]
        ahead[going] = np.where(kept & np.isfinite(secant), np.maximum(level[going], secant), level[going])
        going = going[some | ~kept]
        if going.size == 0:
            break
    moments = problem.tasks.moments(level, steps)
    success = np.where(np.isfinite(level), moments.success, -1.0)
    return Training(n, d, level), Moments(success, moments.steps, moments.square_steps)


def _search(problem: Problem, compute: float, mode: str) -> tuple[np.ndarray, tuple[Training, Moments], int]:
    def evaluate(steps: np.ndarray) -> tuple[np.ndarray, Training, Moments]:
        training, moments = _evaluate(problem, compute, steps, mode)
        return moments.success, training, moments

    steps, (success, training, moments), chosen = zoom(evaluate, problem.box.steps, 1)
    if problem.demand == 0 and mode != "inference_optimal":
        return steps, (training, moments), int(steps.argmax())  # steps are free
    best = success.max()
    if best > 1 - _SURE:  # among equals the one that uses least
        chosen = int(np.flatnonzero(success >= best - _SURE).min())
    return steps, (training, moments), chosen


def _cost_of_accuracy(problem: Problem, accuracy: float, steps: np.ndarray, mode: str) -> np.ndarray:
    """Least compute for the accuracy at each K: the loss that it needs, then the cheapest training."""
    box, c = problem.box, problem.constants

    def short(level: np.ndarray) -> np.ndarray:
        done = problem.tasks.success(level, steps)
        with np.errstate(divide="ignore"):  # by the logits, which the loss changes more evenly
            return math.log(accuracy / (1.0 - accuracy)) - np.log(done / np.maximum(1.0 - done, 1e-16))

    low, high = (np.full(steps.shape, float(loss(box.parameters[i], box.tokens[i], c))) for i in (1, 0))
    level = crossing(low, high, short, _ACCURACY_TOLERANCE)
    tokens, price = problem.spending(problem.tasks.moments(level, steps))
    if mode == "global":
        cost = spending.cheapest_training(level, tokens, price, c, box, problem.shape)[1]
    else:
        cost = spending.cheapest_tied(level, tokens, price, problem.kappa, c, box, problem.shape)
    return np.where(short(low) > 0, np.inf, cost)


def _fixed_demand(problem: Problem, compute: float, demand_tokens: float) -> Optimum:
    omega = problem.tokens_per_step
    per_task = demand_tokens / problem.demand if problem.demand > 0 else None
    price = 0.0
    if problem.shape.scale > 0:
        require(per_task is not None, "fixed_demand with attention needs the number of tasks: set demand above 0")
        price = problem.price(per_task or 0.0, (per_task or 0.0) ** 2)
    training = at(_train(problem, compute, demand_tokens, price, "global"), 0)
    _require_affordable(training.loss, compute, "fixed_demand")
    steps, moments = None, None
    if per_task is not None:  # the largest K whose expected tokens the demand allows
        low, high = 0, problem.box.steps
        while low < high:
            middle = (low + high + 1) // 2
            fits = omega * float(problem.tasks.moments(training.loss, middle).steps) <= per_task * (1 + 1e-12)
            low, high = (middle, high) if fits else (low, middle - 1)
        steps, moments = low, problem.tasks.moments(training.loss, low)
    n, d = float(training.parameters), float(training.tokens)
    return Optimum(
        "fixed_demand",
        compute,
        n,
        d,
        steps,
        per_task,
        None if steps is None else omega * steps,
        float(training.loss),
        None if moments is None else float(moments.success),
        training_flops(n, d),
        float(lifetime_flops(n, 0.0, demand_tokens, price, problem.shape)),
        _bounds(problem, training, None),
    )


def _require_affordable(level: float | np.ndarray, compute: float, mode: str) -> None:
    require(
        bool(np.isfinite(level)),
        f"compute = {compute:g} pays for no model in the box with mode = {mode}: "
        "raise it, lower the demand, or widen box.parameters and box.tokens",
    )


def _optimum(
    problem: Problem, compute: float, mode: str, steps: float, training: Training, moments: Moments
) -> Optimum:
    n, d = float(training.parameters), float(training.tokens)
    per_task = mode == "inference_optimal"
    spender = replace(problem, demand=1.0) if per_task else problem
    return Optimum(
        mode,
        compute,
        n,
        d,
        int(steps),
        float(problem.tokens_per_step * moments.steps),
        float(problem.tokens_per_step * steps),
        float(training.loss),
        float(moments.success),
        0.0 if per_task else training_flops(n, d),
        float(lifetime_flops(n, 0.0, *spender.spending(moments), problem.shape)),
        _bounds(problem, training, None if mode == "fixed_tokens" else int(steps)),
        bool(moments.success > 1 - _SURE),
    )


def _bounds(problem: Problem, training: Training, steps: int | None) -> tuple[str, ...]:
    out = []
    for name, value in (("parameters", training.parameters), ("tokens", training.tokens)):
        low, high = getattr(problem.box, name)
        if np.isfinite(value) and value <= low * (1 + 1e-9):
            out.append(f"{name} >= {low:g}")
        if np.isfinite(value) and value >= high * (1 - 1e-9):
            out.append(f"{name} <= {high:g}")
    if steps is not None and steps >= problem.box.steps:
        out.append(f"steps <= {problem.box.steps:g}")
    return tuple(out)
