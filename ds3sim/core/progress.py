"""How far a long piece of work is, for whoever listens: the progress line of the command line.

Whoever works says so where the work is done, at any depth, and nothing is handed down. Without a listener it costs
next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(eq=False)
class Stage:
    """A piece of work that is under way.

    Attributes:
        what: its units in the plural, as in "traces"; empty where they say nothing to a person.
        total: how many units there are; None where nobody knows, and then stages inside it say nothing of the whole.
        worth: units of the stage around it that it makes up.
        done: units done.
        begun: when, on the monotonic clock.
    """

    what: str
    total: float | None = None
    worth: float = 1.0
    done: float = 0.0
    begun: float = field(default_factory=time.monotonic)

    def advance(self, units: float = 1.0) -> None:
        """So many more units are done."""
        self.done += units


@dataclass(eq=False)
class Board:
    """The stages under way, the outermost first; ``ended`` is called when the last of them ends."""

    stages: list[Stage] = field(default_factory=list)
    ended: Callable[[], None] | None = None

    @property
    def share(self) -> float:
        """Share of the outermost stage that is done, from 0 to 1."""
        share, worth = 0.0, 0.0
        for stage in reversed(tuple(self.stages)):
            total = stage.total
            share = min(1.0, (stage.done + worth * share) / total) if total else 0.0
            worth = stage.worth
        return share


_board: ContextVar[Board | None] = ContextVar("board", default=None)


@contextmanager
def listening(board: Board) -> Iterator[Board]:
    """What is worked on inside is written on ``board``."""
    before = _board.set(board)
    try:
        yield board
    finally:
        _board.reset(before)


@contextmanager
def working(what: str, total: float | None = None, worth: float = 1.0) -> Iterator[Stage]:
    """A stage of work, to be advanced as its units are done; see :class:`Stage`."""
    stage, board = Stage(what, total, worth), _board.get()
    if board is None:
        yield stage
        return
    board.stages.append(stage)
    try:
        yield stage
    finally:
        if stage in board.stages:
            del board.stages[board.stages.index(stage) :]
        if not board.stages and board.ended is not None:
            board.ended()


def advance(what: str, units: float) -> None:
    """So many more units of the stage called ``what`` are done, where there is one: for whoever works far below it."""
    board = _board.get()
    for stage in reversed(board.stages if board is not None else ()):
        if stage.what == what:
            stage.advance(units)
            return
