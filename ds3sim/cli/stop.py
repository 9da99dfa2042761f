"""How a command is asked to end: Ctrl-C, and the signals of a closed terminal or a batch system."""

from __future__ import annotations

import inspect
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

SIGNALS = {name: getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}
TOGETHER_S = 1.0
"""Signals closer than this are one: ``timeout -s INT`` and some terminals send it twice in a row."""


@dataclass
class Stop:
    """What was heard of one command.

    Attributes:
        first: the first signal; None while there was none.
        times: how often one was heard.
        finishing: the work is done and is being written: only a second signal ends that.
        told: how often the user was told.
        imports: imports that were under way when the command began.
    """

    first: int | None = None
    times: int = 0
    last: float = -math.inf
    finishing: bool = False
    told: int = 0
    imports: int = 0

    def code(self, done: int) -> int:
        """The exit code of a command that would end with ``done``."""
        return 128 + self.first if self.first is not None and done in (0, 130) else done

    def hear(self, number: int, frame: FrameType | None) -> None:
        """The handler of the signals: say so at once, then end what is under way."""
        now = time.monotonic()
        if now - self.last < TOGETHER_S:
            return
        self.last, self.times = now, self.times + 1
        self.first = number if self.first is None else self.first
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        again = "ending at once" if self.times > 1 else "ending; what was computed is kept"
        if self.told < self.times:
            self.told += 1
            with suppress(OSError):  # the terminal may be gone; not sys.stderr, which may be in the middle of a line
                clear = "\r\x1b[K" if os.isatty(2) else ""  # of the progress line
                os.write(2, f"{clear}{name}: {again}\n".encode())
        if self.finishing and self.times == 1:
            return
        if _imports(frame) > self.imports:  # compiled modules abort the process where their import is interrupted
            self._again(number, 0.05)
            return
        raise KeyboardInterrupt

    def dropped(self, report: Any, unraisable: Any) -> None:
        """An interrupt that struck in a callback of the garbage collector, where Python drops it, is sent again."""
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            report(unraisable)
            return
        self._again(self.first or signal.SIGINT, 0.01)

    def _again(self, number: int, after: float) -> None:
        """Send the signal that was heard last once more: by the system, so that a wait for a lock ends too."""
        self.last, self.times = -math.inf, self.times - 1
        main = threading.main_thread().ident or 0
        timer = threading.Timer(after, signal.pthread_kill, (main, number))
        timer.daemon = True
        timer.start()


def _imports(frame: FrameType | None) -> int:
    """How many frames are of an import under way."""
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename.startswith("<frozen importlib")
        frame = frame.f_back
    return count


stop = Stop()
"""Of the command that runs."""


@contextmanager
def one_interrupt() -> Iterator[Stop]:
    """Signals are told to the user, and counted; none is lost. What the caller handles or ignores is left alone."""
    vars(stop).update(vars(Stop(imports=_imports(inspect.currentframe()))))
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in SIGNALS.values()}
    ours = [number for number, handler in before.items() if handler in usual]
    report = sys.unraisablehook
    for number in ours:
        signal.signal(number, stop.hear)
    if ours and hasattr(signal, "pthread_kill"):
        sys.unraisablehook = lambda unraisable: stop.dropped(report, unraisable)
    try:
        yield stop
    finally:
        for number in ours:
            signal.signal(number, before[number])
        sys.unraisablehook = report
