"""Which engines there are, what each can do, and the options by which one is called."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Kind:
    """One engine.

    Attributes:
        name: as configs and arguments say it.
        random: it simulates; else it computes numbers without error.
        adds: tallies of disjoint trials add up, so a run can go on where another one ended.
        options: the fields of :class:`EngineOptions` that mean something to it, and ``first`` where it can go on.
        not_stored: why a store cannot keep what it computes; None where it can.
    """

    name: str
    random: bool
    adds: bool = False
    options: frozenset[str] = frozenset()
    not_stored: str | None = None


_COUNTS = ("traces", "relative_error", "max_traces", "first")
_NUMBERS = "it keeps counts of traces, and {} computes numbers at once"

ENGINES: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("traces", True, adds=True, options=frozenset((*_COUNTS, "chunk", "macro_steps"))),
        Kind("population", True, adds=True, options=frozenset(_COUNTS)),
        Kind(
            "importance",
            True,
            options=frozenset(("traces", "chunk")),
            not_stored="it keeps counts of traces, and importance weighs them for each budget",
        ),
        Kind("exact", False, not_stored=_NUMBERS.format("exact")),
        Kind("closed_form", False, not_stored=_NUMBERS.format("closed_form")),
    )
}
"""Every engine by name."""

RANDOM = tuple(name for name, kind in ENGINES.items() if kind.random)
NUMBERS = tuple(name for name, kind in ENGINES.items() if not kind.random)


def engine_kind(name: str) -> Kind:
    """The engine called ``name``.

    Raises:
        InputError: there is none.
    """
    if not isinstance(name, str) or name not in ENGINES:
        raise InputError(f"engine = {shown(name)} is not known: choose one of {', '.join(ENGINES)}")
    return ENGINES[name]


@dataclass(frozen=True)
class EngineOptions:
    """Which engine, and how long it runs; an option that the engine would not heed is refused.

    Attributes:
        kind: a name in ``ENGINES``.
        traces: trials of the whole task; not used with ``relative_error``, nor by engines of numbers.
        relative_error: go on, doubling the trials, until the standard error of success is at most this share of
            success at every budget where success is possible; None: do ``traces`` trials.
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
        """The options of an engine from values of which some may be meant for other engines: those are left out.

        Raises:
            InputError: an unknown engine, or a value out of range.
        """
        return cls(kind, **{name: value for name, value in values.items() if name in engine_kind(kind).options})

    @property
    def most(self) -> int:
        """The largest number of trials that a task may take."""
        return self.traces if self.relative_error is None else self.max_traces or 10**9


def refuse_idle(name: str, value: object, kind: Kind) -> None:
    """Refuse an option that the engine does not heed.

    Raises:
        InputError: naming the engines that do.
    """
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
