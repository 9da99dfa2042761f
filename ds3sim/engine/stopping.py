"""When a simulation ends: the rule, and whether it was reached."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        fixed, out = None, []
        for part in (*(self.parts or (self,)), *(other.parts or (other,))):
            if part.traces is None:
                out.append(part)
            else:
                fixed = part if fixed is None else fixed._with(part)
        out = out if fixed is None else [fixed, *out]
        if len(out) == 1:
            return out[0]
        ended = {"reached": all(p.reached for p in out), "interrupted": any(p.interrupted for p in out)}
        return Stopping("several", **ended, parts=tuple(out))

    def _with(self, other: Stopping) -> Stopping:
        """Two rules ``traces`` as one."""
        assert self.traces is not None and other.traces is not None
        return replace(
            self,
            traces=self.traces + other.traces,
            reached=self.reached and other.reached,
            interrupted=self.interrupted or other.interrupted,
        )

    def to_dict(self) -> dict:
        """Plain values for JSON; what does not belong to the rule is left out."""
        out: dict = {"rule": self.rule}
        for name in ("traces", "relative_error", "max_traces"):
            if getattr(self, name) is not None:
                out[name] = getattr(self, name)
        if self.parts:
            out["parts"] = [part.to_dict() for part in self.parts]
        out["reached"] = self.reached
        return out | ({"interrupted": True} if self.interrupted else {})
