"""The answer of an allocation study in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ds3sim.allocate.allocation import Allocation
from ds3sim.allocate.solve import Optimum
from ds3sim.core.text import amount, count


def words(found: Allocation) -> tuple[str, ...]:
    """The answer in sentences: the optima, the exponents, against D = kappa N, and with other constants."""
    last = found.points[-1]
    constants = (
        f"Loss constants {found.constants.name}: training alone at {amount(last.compute)} FLOPs would want"
        f" {count(found.loss_optimal_kappa(found.constants))} tokens per parameter."
    )
    return (
        *(sentence(point, found.tasks) for point in found.points),
        *_exponents(found),
        *_comparison(found),
        constants,
        *_others(found),
        *_gradient(found),
    )


def sentence(point: Optimum, tasks: float) -> str:
    """One optimum in words."""
    if point.mode == "inference_optimal":
        text = f"at {amount(point.compute)} FLOPs for one task, data unlimited: N = {amount(point.parameters)}"
        text += f", {count(point.tokens_per_task or 0.0)} tokens"
    else:
        over = f" over {amount(tasks)} tasks" if tasks > 0 else " without any inference"
        text = f"at {amount(point.compute)} FLOPs{over}: N = {amount(point.parameters)}"
        text += f", D = {amount(point.training_tokens)} ({count(point.kappa)} tokens per parameter)"
        if point.tokens_per_task is not None:
            text += f", {count(point.tokens_per_task)} tokens a task"
        text += f"; {100 * point.inference_share:.2g}% of the compute goes to inference"
    if point.accuracy is not None:
        text += f"; expected accuracy {point.accuracy:.3g}"
    else:
        text += f"; loss {point.loss:.4g}"
    if point.bounds:
        text += f" (held back by the search box: {', '.join(point.bounds)})"
    if point.saturated:
        text += " (as good as it gets: more compute has no use here)"
    return text + "."


def _exponents(found: Allocation) -> Iterator[str]:
    slopes = found.exponents
    said = []
    for key, symbol in (("parameters", "N"), ("training_tokens", "D"), ("tokens_per_task", "tokens a task")):
        e = slopes[key]
        if e is not None:
            said.append(f"{symbol} as C^{e.value:.3f}" + (f" +- {e.error:.3f}" if e.error is not None else ""))
    if said:
        points = max(e.points for e in slopes.values() if e is not None)
        yield f"Over the {points} values of C that no bound holds back: {', '.join(said)}."


def _comparison(found: Allocation) -> Iterator[str]:
    for pair in found.comparison[-1:]:
        more = "within the search box it cannot be as accurate"
        if pair.extra_compute is not None:
            more = f"it needs {amount(pair.extra_compute)} times the compute to be as accurate"
        yield (
            f"With D = {found.kappa:g} N at {amount(pair.tied.compute)} FLOPs the accuracy is"
            f" {pair.tied.accuracy:.3g}, lower by {pair.gap:.2g}; {more}."
        )


def _others(found: Allocation) -> Iterator[str]:
    last = found.points[-1]
    for other in found.others:
        best = other.optimum
        start = f"With {other.constants.name} ({count(found.loss_optimal_kappa(other.constants))} by training alone): "
        if best is None:
            yield f"{start}{other.error}."
            continue
        change = f"N = {amount(best.parameters)} ({best.parameters / last.parameters:.2g} times)"
        if 0 < best.training_tokens < math.inf:
            times = best.training_tokens / last.training_tokens
            change += f", D = {amount(best.training_tokens)} ({times:.2g} times)"
        if best.tokens_per_task is not None:
            change += f", {count(best.tokens_per_task)} tokens a task"
        end = f"accuracy {best.accuracy:.3g}" if best.accuracy is not None else f"loss {best.loss:.4g}"
        yield f"{start}{change}; {end}."


def _gradient(found: Allocation) -> Iterator[str]:
    best = found.gradient
    if best is not None:
        yield (
            f"By gradients, with real K: N = {amount(best.parameters)}, K = {best.steps:.6g},"
            f" accuracy different by {found.gradient_difference:.1e}, gradient {best.gradient:.1e}."
        )
