"""Writing to a store that others may hold: nothing that was simulated is lost while they do."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ds3sim.core.errors import note
from ds3sim.store.file import Locked

if TYPE_CHECKING:
    from ds3sim.store.store import Store

LONGEST_PAUSE_S = 30.0
"""Between two tries, which begin after a second and are twice as long each time."""


class Patient:
    """Writes to a store in their order. What another process does not let through is kept in memory and tried again.

    Args:
        store: where to.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._left: deque[Callable[[Store], object]] = deque()
        self._pause, self._next = 0.0, 0.0

    def do(self, write: Callable[[Store], object]) -> None:
        """Write now if that can be, else later."""
        self._left.append(write)
        if time.monotonic() >= self._next:
            self.flush()

    def flush(self) -> bool:
        """Try to write everything; whether nothing is left."""
        try:
            while self._left:
                self._left[0](self.store)
                self._left.popleft()
        except Locked:
            if not self._pause:
                note(
                    f"{self.store.path}: another process holds it: what is simulated stays in memory, the work goes on,"
                    " and writing is tried again"
                )
            self._pause = min(max(1.0, 2 * self._pause), LONGEST_PAUSE_S)
            self._next = time.monotonic() + self._pause
            return False
        if self._pause:
            note(f"{self.store.path}: is free again, and everything is written")
        self._pause = self._next = 0.0
        return True

    def finish(self) -> None:
        """Wait until everything is written, however long another process holds the file."""
        told = False
        while not self.flush():
            if not told:
                note(f"{self.store.path}: the work is done; waiting for the process that holds the file")
                told = True
            time.sleep(min(1.0, self._pause))

    def readable(self) -> Store:
        """The store with everything in it: itself, or a copy in memory where something could not be written."""
        if self.flush():
            return self.store
        note(
            f"{self.store.path}: is still held by another process: it lacks what was simulated last, which the numbers"
            " here contain"
        )
        copy = type(self.store).in_memory()
        copy.take([self.store.tables()])
        for write in self._left:
            write(copy)
        return copy
