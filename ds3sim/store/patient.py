"""Writing to a store that others may hold: nothing that was simulated is lost while they do."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from ds3sim.core.errors import note
from ds3sim.store.file import Locked, Name

AnyStore = TypeVar("AnyStore")

LONGEST_PAUSE_S = 30.0
"""Between two tries, which begin after a second and are twice as long each time."""


class Patient(Generic[AnyStore]):
    """Writes to a store in their order. What another process does not let through is kept in memory and tried again.

    Args:
        store: where to; path: its name.

    Attributes:
        left: what is not written yet.
    """

    def __init__(self, store: AnyStore, path: Name) -> None:
        self.store, self.path = store, path
        self.left: deque[Callable[[AnyStore], object]] = deque()
        self._pause, self._next = 0.0, 0.0

    def do(self, write: Callable[[AnyStore], object]) -> None:
        """Write now if that can be, else later."""
        self.left.append(write)
        if time.monotonic() >= self._next:
            self.flush()

    def flush(self) -> bool:
        """Try to write everything; whether nothing is left."""
        try:
            while self.left:
                self.left[0](self.store)
                self.left.popleft()
        except Locked:
            if not self._pause:
                note(
                    f"{self.path}: another process holds it: what is simulated stays in memory, the work goes on,"
                    " and writing is tried again"
                )
            self._pause = min(max(1.0, 2 * self._pause), LONGEST_PAUSE_S)
            self._next = time.monotonic() + self._pause
            return False
        if self._pause:
            note(f"{self.path}: is free again, and everything is written")
        self._pause = self._next = 0.0
        return True

    def finish(self) -> None:
        """Wait until everything is written, however long another process holds the file."""
        told = False
        while not self.flush():
            if not told:
                note(f"{self.path}: the work is done; waiting for the process that holds the file")
                told = True
            time.sleep(min(1.0, self._pause))
