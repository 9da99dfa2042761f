"""When a simulation ends: the rule, and whether it was reached."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ds3sim.engine.limits import EngineOptions

FIRST_ROUND = 2**16
"""Trials of the first round with rule ``relative_error``; each later round doubles them."""


@dataclass(frozen=True)
class Stopping:
    """The rule by which a run ended.

    Attributes:
        rule: ``traces`` (so many trials), ``relative_error``, or ``several`` (a sum of runs with different rules).
        traces: trials asked for, with rule ``traces``.
        relative_error, max_traces: with rule ``relative_error``.
        reached: every run did what its rule asks for.
        interrupted: a run was ended by Ctrl-C.
        parts: the rules of the runs, with rule ``several``.
    """

    rule: str = "traces"
    traces: int | None = None
    relative_error: float | None = None
    max_traces: int | None = None
    reached: bool = True
    interrupted: bool = False
    parts: tuple[Stopping, ...] = ()

    @classmethod
    def of(cls, options: EngineOptions, *, reached: bool = True, interrupted: bool = False) -> Stopping:
        """The rule of a run with these options."""
        if options.relative_error is None:
            return cls("traces", options.traces, reached=reached, interrupted=interrupted)
        return cls("relative_error", None, options.relative_error, options.most, reached, interrupted)

    def __add__(self, other: Stopping) -> Stopping:
        """The rule of a sum: numbers of trials add up, other rules are listed."""
        parts = (*(self.parts or (self,)), *(other.parts or (other,)))
        fixed = [part for part in parts if part.traces is not None]
        out = [part for part in parts if part.traces is None]
        if fixed:
            out.insert(0, replace(fixed[0], traces=sum(p.traces or 0 for p in fixed), **_ended(fixed)))
        return out[0] if len(out) == 1 else Stopping("several", **_ended(out), parts=tuple(out))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what does not belong to the rule is left out."""
        given = {name: getattr(self, name) for name in ("rule", "traces", "relative_error", "max_traces")}
        out = {name: value for name, value in given.items() if value is not None}
        out |= {"parts": [part.to_dict() for part in self.parts]} if self.parts else {}
        return out | {"reached": self.reached} | ({"interrupted": True} if self.interrupted else {})


def _ended(runs: list[Stopping]) -> dict[str, bool]:
    return {"reached": all(run.reached for run in runs), "interrupted": any(run.interrupted for run in runs)}
