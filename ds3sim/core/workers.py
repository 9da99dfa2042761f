"""Work for other processes, on this machine or others: calls are given to an executor, and each is answered once.

Workers die, hang, answer twice or in any order; schedulers restart. A call is a function of its argument alone, so that
it does not matter who answers it, nor how often it was asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

from ds3sim.core.check import number, whole_number
from ds3sim.core.errors import InputError, note, require, require_kind, shown
from ds3sim.core.executors import Opened, kind_of
from ds3sim.core.text import short

Call = TypeVar("Call")
Answer = TypeVar("Answer")

AnyExecutor: TypeAlias = "Workers | Executor | Callable[[], Executor] | str"
"""What an argument ``executor`` may be."""
TIMEOUT_S = 300.0
MOST_TRIES = 4
"""Times that one call may fail by itself."""
MOST_LOSSES = 5
"""Times in a row that an executor may break without an answer."""
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True)
class Workers:
    """Processes that compute for this one, which alone collects and stores. What is computed does not depend on them.

    Attributes:
        executor: any executor of :mod:`concurrent.futures` (it stays open), a function without arguments that opens
            one, or a name: ``processes`` of this machine, ``dask``, ``ray`` or ``slurm``; ``dask:ADDRESS`` and
            ``ray:ADDRESS`` of a cluster that runs. What is opened here is opened again where it breaks, and closed.
        count: workers that a name starts; None: one for each GPU, else for each CPU core.
        timeout: seconds without any answer after which all that is waited for is given out once more, each time after
            twice as long; None: 300, or a day for the queue of Slurm. The first answer counts.

    Raises:
        InputError: no such executor, or a value out of range.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> study = ds.Study(ds.SkillGraph.chain(3, 0.5), steps=10, traces=1000, axes={"graph.success": [0.25, 0.5]})
    >>> alone = ds.sweep(study)
    >>> with ThreadPoolExecutor(2) as pool:
    ...     ds.sweep(study, executor=ds.Workers(pool, timeout=60)).rows == alone.rows
    True
    """

    executor: Executor | Callable[[], Executor] | str
    count: int | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.executor, str):
            kind_of(self.executor)
        else:
            known = isinstance(self.executor, Executor) or callable(self.executor)
            told = "is no executor of concurrent.futures, nor a name: for Dask, give client.get_executor()"
            require(known, f"executor = {shown(self.executor)}: {told}")
            require(self.count is None, f"workers = {self.count} has no effect: this executor has its own number")
        if self.count is not None:
            object.__setattr__(self, "count", whole_number("workers", self.count, 1, 10**6))
        if self.timeout is not None:
            object.__setattr__(self, "timeout", number("timeout", self.timeout, low=0.01, high=1e9))

    @classmethod
    def of(cls, executor: AnyExecutor) -> Workers:
        """Workers of what an argument ``executor`` may be."""
        return executor if isinstance(executor, Workers) else cls(executor)

    @property
    def patience(self) -> float:
        """Seconds that are waited for an answer."""
        named = kind_of(self.executor)[0].timeout if isinstance(self.executor, str) else TIMEOUT_S
        return self.timeout or named

    def open(self) -> Opened | None:
        """The executor, opened; None for one that is given open."""
        if isinstance(self.executor, Executor):
            return None
        if isinstance(self.executor, str):
            kind, address = kind_of(self.executor)
            return kind.open(address, self.count)
        made = self.executor()
        require_kind(made, Executor, f"executor = {shown(made)}: the function did not return an executor")
        return Opened(made, lambda: made.shutdown(wait=False, cancel_futures=True))


@contextmanager
def crew_of(executor: AnyExecutor | None) -> Generator[Crew | None, None, None]:
    """The crew of an argument ``executor`` for a ``with``; None: none. What was opened is closed."""
    if executor is None:
        yield None
        return
    crew = Crew(Workers.of(executor))
    try:
        yield crew
    finally:
        crew.close()


class Crew:
    """Workers at work."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self._opened: Opened | None = None
        self._executor: Executor | None = workers.executor if isinstance(workers.executor, Executor) else None
        self._turn = 0  # how often another executor was taken
        self._losses = 0  # in a row, without an answer
        self._alone = False  # the executor is gone

    def close(self) -> None:
        """Close the executor, if it was opened here; its workers are not waited for."""
        if self._opened is not None:
            with suppress(Exception):
                self._opened.end()
            self._opened = self._executor = None

    def each(self, work: Callable[[Call], Answer], calls: Sequence[Call]) -> Iterator[tuple[int, Answer]]:
        """(number, ``work(call)``) of every call, as they come, each once.

        Args:
            work: a function at the top of its module; it depends on the call alone.
            calls: what can be pickled.

        Raises:
            InputError: from ``work``; a call that fails everywhere, or workers that die again and again.
        """
        left = dict.fromkeys(range(len(calls)), 0)  # failures so far
        answers: SimpleQueue[tuple[int, int, Future[Answer]]] = SimpleQueue()
        copies: dict[int, list[Future[Answer]]] = {}

        def give(numbers: Iterable[int]) -> None:
            self._give(work, calls, list(numbers), left, answers, copies)

        patience = self.workers.patience
        try:
            give(left)
            while left and not self._alone:
                try:
                    at, turn, future = answers.get(timeout=patience)
                except Empty:
                    patience *= 2
                    self._silence(len(left), patience)
                    give(left)
                    continue
                if at not in left:
                    continue  # another copy was quicker
                failure = _failure(future)
                if failure is None:
                    del left[at]
                    self._losses = 0
                    _cancel(copies.pop(at))
                    yield at, future.result()
                elif isinstance(failure, InputError):
                    raise failure
                elif turn == self._turn:  # else it was given out again
                    give(self._again(at, failure, left))
            for at in list(left):
                yield at, work(calls[at])
        finally:
            for futures in copies.values():
                _cancel(futures)

    def _give(
        self,
        work: Callable[[Call], Answer],
        calls: Sequence[Call],
        numbers: list[int],
        left: dict[int, int],
        answers: SimpleQueue[tuple[int, int, Future[Answer]]],
        copies: dict[int, list[Future[Answer]]],
    ) -> None:
        """Submit calls; where the executor fails, all that are left to another one."""
        if self._executor is None and not self._alone:
            self._open()
        begun = 0
        while not self._alone and begun < len(numbers):
            at, turn = numbers[begun], self._turn
            assert self._executor is not None
            try:
                future = self._executor.submit(work, calls[at])
                told = "is no executor of concurrent.futures: for Dask, give client.get_executor()"
                require_kind(future, Future, f"executor = {shown(self._executor)} {told}")
            except InputError:
                raise
            except Exception as failure:
                self._renew(failure)
                numbers, begun = list(left), 0
                continue
            copies.setdefault(at, []).append(future)
            future.add_done_callback(lambda done, at=at, turn=turn: answers.put((at, turn, done)))
            begun += 1

    def _again(self, at: int, failure: BaseException, left: dict[int, int]) -> list[int]:
        """The calls to be given out once more after a failure."""
        if isinstance(failure, BrokenExecutor | CancelledError):
            self._renew(failure)
            return list(left)
        left[at] += 1
        if left[at] >= MOST_TRIES:
            told = f"{type(failure).__name__}: {short(failure, 200)}"
            raise InputError(
                f"a part of the work failed {MOST_TRIES} times on the workers, the last time by {told}: run it without"
                " an executor to see why; a store keeps what is done"
            ) from failure
        return [at]

    def _silence(self, waiting: int, patience: float) -> None:
        """Nothing was heard for long: hanging workers are left behind, with their executor where it was opened here."""
        again = "they are given out once more, and the next wait is"
        note(f"no answer from the workers for {patience / 2:g} s, {waiting:,} parts wait: {again} {patience:g} s")
        if self._opened is not None:
            self._turn += 1
            self.close()

    def _renew(self, failure: BaseException) -> None:
        """Take another executor for one that broke; where there is none, this process does the rest."""
        self._turn += 1
        self._losses += 1
        told = f"{type(failure).__name__}: {short(failure, 200) or 'it says no more'}"
        if self._opened is None and isinstance(self.workers.executor, Executor):
            self._alone = True
            note(f"the executor broke ({told}): what is left is computed in this process")
            return
        require(
            self._losses < MOST_LOSSES,
            f"the workers were lost {MOST_LOSSES} times in a row ({told}): is there memory for all of them? Take fewer"
            " workers; a store keeps what is done",
        )
        note(f"workers were lost ({told}): they are started again, and what they had is given out once more")
        self.close()
        if self._losses > 1:
            time.sleep(min(LONGEST_PAUSE_S, 2.0 ** (self._losses - 2)))
        self._open()

    def _open(self) -> None:
        """Open the executor; a cluster that cannot be reached is tried again."""
        while self._executor is None:
            try:
                self._opened = self.workers.open()
                assert self._opened is not None
                self._executor = self._opened.executor
            except (InputError, ImportError):
                raise
            except Exception as failure:
                self._losses += 1
                told = f"{type(failure).__name__}: {short(failure, 200)}"
                require(self._losses < MOST_LOSSES, f"executor = {self.workers.executor} cannot be opened: {told}")
                time.sleep(min(LONGEST_PAUSE_S, 2.0 ** (self._losses - 1)))


def _failure(future: Future[Any]) -> BaseException | None:
    """Why a finished future has no result; None: it has one."""
    try:
        return future.exception(timeout=0)
    except CancelledError as cancelled:
        return cancelled


def _cancel(futures: Iterable[Future[Any]]) -> None:
    for future in futures:
        with suppress(Exception):
            future.cancel()
