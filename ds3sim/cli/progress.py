"""The progress line of a command on stderr: how far it is, how fast, and how long it still takes.

On a terminal the line appears after ``AFTER_S`` seconds and is rewritten. Elsewhere only work above a minute is told
of: its estimate, then the line, each time after twice as long. A thread writes it, so that it does not wait for the
work.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ds3sim.core.progress import Board, Stage, listening
from ds3sim.core.text import count, duration

AFTER_S = 2.0
"""Seconds before the line is on a terminal."""
UNSEEN_S = 5.0
"""The same elsewhere, and only of work that takes longer than ``LONG_S``."""
LONG_S = 60.0
"""Longer work is announced."""
MEASURED_S = 2.0
"""Work that is measured at least before a time left is said."""
TICK_S = 0.25


class Line:
    """What is written of a board.

    Attributes:
        board: what is under way.
        live: a terminal reads it: the line is rewritten.
    """

    def __init__(self) -> None:
        self.board, self.live = Board(ended=self.erase), sys.stderr.isatty()
        self._begun = time.monotonic()
        self._whole: list[Stage] = []  # the outermost stage
        self._seen: list[tuple[float, float]] = []  # time, and share of the work that was done
        self._due = 2 * UNSEEN_S  # where no terminal is
        self._announced = self._shown = False
        self._writing, self._end = threading.RLock(), threading.Event()

    def watch(self) -> None:
        """Write until :meth:`end`."""
        while not self._end.wait(TICK_S):
            with self._writing:
                self.look(time.monotonic() - self._begun)

    def end(self) -> None:
        """No more lines."""
        self._end.set()
        self.erase()

    def erase(self) -> None:
        """Take the line off the terminal, for other words."""
        with self._writing:
            if self._shown:
                _write("\r\x1b[K")
            self._shown = False

    def look(self, spent: float) -> None:
        """Write what there is to say after so many seconds."""
        stages = [*self.board.stages]
        if stages[:1] != self._whole:
            self._whole, self._seen = stages[:1], []
        # A stage that ends is nothing for a moment, until the stage around it counts it.
        share = max([self.board.share, *(had for _, had in self._seen[-1:])])
        if share > 0 and (not self._seen or spent > 1.05 * self._seen[-1][0]):
            self._seen.append((spent, share))
        left = self._left(spent, share)
        long = spent > LONG_S / 2 if left is None else spent + left > LONG_S
        if not stages or spent < (AFTER_S if self.live else UNSEEN_S):
            return
        if left is not None and long and not self._announced:
            self.erase()
            _write(f"estimate: about {duration(spent + left)} in all: {_told(stages)}\n")
            self._announced = True
        if self.live:
            _write(f"\r\x1b[K{_line(stages, spent, share, left)[:150]}")
            self._shown = True
        elif spent >= self._due and long:
            _write(f"{_line(stages, spent, share, left)}\n")
            self._due = 2 * spent

    def _left(self, spent: float, share: float) -> float | None:
        """Seconds left, at the pace of the last three quarters of the time, without what came before the first unit
        was done: compilation, above all."""
        since, had = next((seen for seen in self._seen if seen[0] >= 0.25 * spent), (spent, share))
        if spent - since >= MEASURED_S and share > had:
            return (1.0 - share) * (spent - since) / (share - had)
        stuck = bool(self._seen) and spent - self._seen[0][0] >= UNSEEN_S
        return (1.0 - share) * spent / share if stuck else None


def _line(stages: list[Stage], spent: float, share: float, left: float | None) -> str:
    known = "time left not known yet" if left is None else f"{share:.0%}, about {duration(left)} left"
    return f"{_told(stages)}: {duration(spent)} so far, {known}"


def _told(stages: list[Stage]) -> str:
    """What is under way, and how fast its smallest units go."""
    parts = []
    for stage in stages:
        if not stage.what or stage.total == 1:
            continue
        of = "" if stage.total is None else f" of {_count(stage.total)}"
        parts.append(f"{_count(stage.done)}{of} {stage.what}" if stage.done or of else stage.what)
        if stage is stages[-1] and stage.done:
            parts[-1] += f" ({_count(stage.done / max(1e-3, time.monotonic() - stage.begun))} a second)"
    return ", ".join(parts) or "working"


def _count(value: float) -> str:
    return count(value) if value else "0"


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):  # nobody reads it any more
        pass


_current: Line | None = None


@contextmanager
def progress_line(quiet: bool) -> Iterator[None]:
    """A progress line for what is worked on inside; none if ``quiet``."""
    global _current
    if quiet:
        yield
        return
    line = _current = Line()
    threading.Thread(target=line.watch, daemon=True).start()
    try:
        with listening(line.board):
            yield
    finally:
        _current = None
        line.end()


def silence() -> None:
    """No more lines of this command."""
    if _current is not None:
        _current.end()


def make_way() -> None:
    """Take the line off the terminal before something else is written."""
    if _current is not None:
        _current.erase()
