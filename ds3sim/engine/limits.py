"""Which engines there are, what each can do, the options by which one is called, and when it ends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ds3sim.core.check import number, whole_number
from ds3sim.core.errors import InputError, require, shown

MOST_TRACES = 10**15
MOST_STEPS_PER_TRACE = 2**24
"""Largest histogram of hitting times, in steps."""
MOST_VOTES = 2000
"""Most votes that engines of numbers evaluate."""
MOST_TOGETHER = 2000
"""Most traces with a shared success rate that an engine holds together."""
MOST_LANES = 2**26
DEFAULT_TRACES = 1_000_000
FIRST_ROUND = 2**16
"""Trials of the first round with ``relative_error``; each later round doubles them."""


@dataclass(frozen=True)
class Kind:
    """One engine.

    Attributes:
        name: as configs and arguments say it.
        random: it simulates; else it computes numbers without error.
        adds: tallies of disjoint trials add up, so a run can go on where another one ended.
        options: the fields of :class:`EngineOptions` that it heeds, and ``first`` where it can go on.
        not_stored: why a store cannot keep what it computes; None where it can.
    """

    name: str
    random: bool
    adds: bool = False
    options: frozenset[str] = frozenset()
    not_stored: str | None = None


_STOPS = ("traces", "relative_error", "max_traces")
_WEIGHS = "it keeps counts of traces, and importance weighs them for each budget"
_NUMBERS = "it keeps counts of traces, and {} computes numbers at once"

ENGINES: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("traces", True, adds=True, options=frozenset((*_STOPS, "first", "chunk", "macro_steps"))),
        Kind("population", True, adds=True, options=frozenset((*_STOPS, "first"))),
        Kind("importance", True, options=frozenset((*_STOPS, "chunk")), not_stored=_WEIGHS),
        Kind("exact", False, not_stored=_NUMBERS.format("exact")),
        Kind("closed_form", False, not_stored=_NUMBERS.format("closed_form")),
    )
}
"""Every engine by name."""

RANDOM = tuple(name for name, kind in ENGINES.items() if kind.random)
NUMBERS = tuple(name for name, kind in ENGINES.items() if not kind.random)


def engine_kind(name: str) -> Kind:
    """The engine called ``name``; InputError where there is none."""
    if not isinstance(name, str) or name not in ENGINES:
        raise InputError(f"engine = {shown(name)} is not known: choose one of {', '.join(ENGINES)}")
    return ENGINES[name]


@dataclass(frozen=True)
class EngineOptions:
    """Which engine, and how long it runs; an option that the engine would not heed is refused.

    Attributes:
        kind: a name in ``ENGINES``.
        traces: trials of the whole task (of each of its budgets with ``importance``); not used with
            ``relative_error``, nor by engines of numbers.
        relative_error: go on, doubling the trials, until the standard error of success is at most this share of
            success at every budget where success is possible (with ``importance`` each budget ends for itself); None:
            do ``traces`` trials.
        max_traces: end here although ``relative_error`` is not reached; None: 10^9.
        chunk: walks in one kernel launch; None fits the device. Never changes a result.
        macro_steps: steps per draw, 1 to 1024; None chooses. It is part of the random stream.

    Raises:
        InputError: a value out of range, or one that has no effect with this engine.
    """

    kind: str = "traces"
    traces: int = DEFAULT_TRACES
    relative_error: float | None = None
    max_traces: int | None = None
    chunk: int | None = None
    macro_steps: int | None = None

    def __post_init__(self) -> None:
        kind = engine_kind(self.kind)
        bounds = {"traces": MOST_TRACES, "max_traces": MOST_TRACES, "chunk": MOST_LANES, "macro_steps": 1024}
        for name, most in bounds.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, whole_number(name, value, 1, most))
        if self.relative_error is not None:
            object.__setattr__(self, "relative_error", _share(self.relative_error))
        for name in ("relative_error", *bounds):
            if getattr(self, name) != getattr(EngineOptions, name):
                refuse_idle(name, getattr(self, name), kind)
        require(
            self.max_traces is None or self.relative_error is not None,
            f"max_traces = {self.max_traces} has no effect without relative_error: remove it, or add relative_error",
        )

    @classmethod
    def heeded(cls, kind: str, **values: Any) -> EngineOptions:
        """The options of an engine from values of which those that are meant for other engines are left out; InputError
        for an unknown engine, or a value out of range."""
        return cls(kind, **{name: value for name, value in values.items() if name in engine_kind(kind).options})

    @property
    def most(self) -> int:
        """The largest number of trials that a task may take."""
        return self.traces if self.relative_error is None else self.max_traces or 10**9


def refuse_idle(name: str, value: object, kind: Kind) -> None:
    """InputError, naming the engines that do, for an option that the engine does not heed."""
    if name not in kind.options:
        able = ", ".join(other.name for other in ENGINES.values() if name in other.options)
        raise InputError(
            f"{name} = {shown(value)} has no effect with engine = {kind.name}: remove it, or use engine = {able}"
        )


def _share(value: object) -> float:
    with suppress(InputError):
        found = number("relative_error", value)
        if 1e-6 <= found < 1:
            return found
    raise InputError(f"relative_error = {shown(value)} is not allowed: it must be at least 1e-6 and below 1")


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
