"""What an allocation study found: the optima along compute, what they are compared with, and the answer in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ds3sim.allocate.curves import Comparison, exponents
from ds3sim.allocate.gradient import GradientOptimum
from ds3sim.allocate.solve import Optimum
from ds3sim.core.figure import new_axes
from ds3sim.core.plain import as_plain
from ds3sim.core.record import Record
from ds3sim.core.text import amount, count
from ds3sim.stats.slopes import Exponent
from ds3sim.theory.loss import LossConstants, loss_optimal

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes


UNITS = {
    "parameters": "1",
    "training_tokens": "token",
    "kappa": "token/parameter",
    "steps": "step",
    "tokens_per_task": "token",
    "budget_tokens": "token",
    "loss": "nat/token",
    "accuracy": "1",
    "training_flops": "FLOP",
    "inference_flops": "FLOP",
    "inference_share": "1",
}


@dataclass(frozen=True)
class Other:
    """The largest compute solved with other loss constants.

    Attributes:
        constants: those.
        optimum: the best allocation, None where there is none.
        error: why there is none.
    """

    constants: LossConstants
    optimum: Optimum | None
    error: str | None = None


@dataclass(frozen=True, eq=False)
class Allocation(Record):
    """What ``allocate`` returns.

    Attributes:
        name: of the study.
        mode: what was optimised; see :func:`ds3sim.allocate.solve.solve`.
        tasks: I, inference tasks over the lifetime.
        constants: of the loss (24).
        kappa: D/N of the Chinchilla rule.
        points: the optimum at every compute.
        comparison: beside D = kappa N at every compute (mode global); else empty.
        others: the largest compute with the other named loss constants.
        gradient: the largest compute solved by gradients, where asked for.
        words: the answer in sentences.
        environment: versions, device, threads, and ``wall_s``, seconds that it took.

    >>> from pathlib import Path
    >>> text = "[allocate]\\ncompute = [1e18, 1e19]\\ntasks = 1e7\\n[tasks]\\nskills = [2, 5]\\nL0 = [1.0, 3.0]\\n"
    >>> _ = Path("asked.toml").write_text(text)
    >>> found = ds.allocate("asked.toml")
    >>> [point.compute for point in found.points], found.points[0].accuracy < found.points[1].accuracy
    ([1e+18, 1e+19], True)
    """

    name: str
    mode: str
    tasks: float
    constants: LossConstants
    kappa: float
    points: tuple[Optimum, ...]
    comparison: tuple[Comparison, ...] = ()
    others: tuple[Other, ...] = ()
    gradient: GradientOptimum | None = None
    words: tuple[str, ...] = ()
    environment: Mapping[str, Any] | None = None

    @property
    def exponents(self) -> dict[str, Exponent | None]:
        """Exponents of N, D, tokens of a task and D/N in the compute."""
        return exponents(self.points)

    @property
    def gradient_difference(self) -> float | None:
        """Accuracy by gradients minus that of the search."""
        return None if self.gradient is None else self.gradient.accuracy - (self.points[-1].accuracy or 0.0)

    def loss_optimal_kappa(self, constants: LossConstants) -> float:
        """D/N of the lowest loss that training alone gives at the largest compute."""
        n, d = loss_optimal(self.points[-1].compute, constants)
        return float(d / n)

    def to_dict(self) -> dict[str, Any]:
        """As ``ds3sim allocate --json`` prints it."""
        compute, kappa = self.points[-1].compute, self.loss_optimal_kappa
        others = [
            {"constants": other.constants.name, "compute": compute, "loss_optimal_kappa": kappa(other.constants)}
            | ({"error": other.error} if other.optimum is None else other.optimum.to_dict())
            for other in self.others
        ]
        comparison = [
            {"compute": c.tied.compute, "chinchilla": c.tied, "accuracy_gap": c.gap, "extra_compute": c.extra_compute}
            for c in self.comparison
        ]
        return as_plain(
            {
                "name": self.name,
                "mode": self.mode,
                "tasks": self.tasks,
                "constants": {**vars(self.constants), "loss_optimal_kappa": kappa(self.constants)},
                "kappa": self.kappa,
                "results": self.points,
                "exponents": self.exponents,
                "comparison": comparison,
                "other_constants": others,
                "gradient": self.gradient and {**vars(self.gradient), "accuracy_difference": self.gradient_difference},
                "words": self.words,
                "environment": self.environment or {},
            }
        )

    def to_dataset(self) -> xarray.Dataset:
        """The optima along ``compute``, in FLOPs (of one task in the mode inference_optimal)."""
        import xarray

        def column(values: Iterable[float | None], unit: str) -> tuple[str, list[float], dict[str, str]]:
            return "compute", [math.nan if value is None else float(value) for value in values], {"units": unit}

        data = {name: column((getattr(p, name) for p in self.points), unit) for name, unit in UNITS.items()}
        if self.comparison:
            data["accuracy_gap"] = column((c.gap for c in self.comparison), "1")
            data["extra_compute"] = column((c.extra_compute for c in self.comparison), "1")
        compute = column((p.compute for p in self.points), "FLOP")
        return xarray.Dataset(data, {"compute": compute}, {"name": self.name, "mode": self.mode})

    def plot(self, ax: Axes | None = None) -> Axes:
        """N, D and tokens of a task against the compute."""
        axes = new_axes(ax)
        compute = [point.compute for point in self.points]
        for name, label in (
            ("parameters", "parameters N"),
            ("training_tokens", "training tokens D"),
            ("tokens_per_task", "tokens of a task"),
        ):
            values = [getattr(point, name) for point in self.points]
            if all(value is not None and 0 < value < float("inf") for value in values):
                axes.loglog(compute, values, marker="o", markersize=3, label=label)
        axes.set(xlabel="compute (FLOPs)")
        axes.legend(frameon=False)
        return axes


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
    said: list[str] = []
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
