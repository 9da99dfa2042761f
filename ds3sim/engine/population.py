"""The population engine: how many traces are at each node, split by multinomials at every step.

Exact in law, at a cost that does not depend on the number of traces. Counts are int64 and the
splits NumPy's (binomials in float32 have a wrong variance above 10^6). Up to 2^53 every count is a
float64 too, as NumPy's binomials take it; docs/theory.md says how exact they are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3sim.core.errors import StoppedEarly, require
from ds3sim.core.progress import Stage, working
from ds3sim.engine.groups import check_groups, task_hits
from ds3sim.engine.limits import FIRST_ROUND, MOST_STEPS_PER_TRACE, MOST_TRACES, EngineOptions, Stopping
from ds3sim.engine.splits import RARE, binomial, multinomial
from ds3sim.engine.tally import Tally, enough
from ds3sim.graph.graph import SkillGraph
from ds3sim.graph.tensor import entries
from ds3sim.task.task import Task

if TYPE_CHECKING:
    from ds3sim.graph.tensor import Tensor

MOST_CELLS = 2**20
"""Cells of a table of laws that are all padded to the longest, beside four times the entries."""

BATCH = 10**12
"""Traces of each of the first batches; every batch is one walk and has a random stream of its own."""
BATCHES = (BATCH, 2 * BATCH, 3 * BATCH, MOST_TRACES)
"""Where the first batches end; later ones have ``MOST_TRACES`` each."""


def tallies(
    tasks: Sequence[Task],
    options: EngineOptions,
    seed: int,
    firsts: Sequence[int],
    progress: Callable[..., Any] | None = None,
) -> list[Tally]:
    """The tally of every task, one after the other, as :func:`ds3sim.engine.simulate.evaluate`; InputError: more
    than 64 traces a task, several of a latent graph, a beam, a budget above 2^24 steps, a first trace inside a batch.
    """
    out: list[Tally | None] = [None] * len(tasks)
    with working("tasks", len(tasks)) as stage:
        for i, (task, first) in enumerate(zip(tasks, firsts, strict=True)):
            try:
                for out[i] in _rounds(task, options, seed, first, progress):
                    pass
            except StoppedEarly as stop:
                # Each round simulates all of its traces anew: the larger one counts.
                best = max((tally for tally in (out[i], stop.partial) if tally is not None), key=lambda t: t.traces)
                ended = Stopping.of(options, reached=False, interrupted=True)
                out[i] = replace(best, stopping=ended) if best.traces else None
                raise StoppedEarly(out) from None
            stage.advance()
    return [tally for tally in out if tally is not None]


def _rounds(
    task: Task, options: EngineOptions, seed: int, first: int, progress: Callable[..., Any] | None
) -> Iterator[Tally]:
    """One tally, or with ``relative_error`` larger and larger ones (any number of traces costs the same)."""
    error, reached = options.relative_error, False
    goal = options.most if error is None else min(FIRST_ROUND, options.most)
    while not reached and goal < 2 * options.most:
        tally = _run(task, seed, first, min(goal, options.most), progress)
        reached = error is None or enough(task, tally, error)
        yield replace(tally, stopping=Stopping.of(options, reached=reached))
        goal *= 2


def _run(task: Task, seed: int, first: int, traces: int, progress: Callable[..., Any] | None) -> Tally:
    """``traces`` traces from number ``first`` on."""
    check_groups(task, traces, MOST_TRACES)
    parts = batches(first, first + traces)
    ends_of_batches = ", ".join(f"{end:.0e}" for end in BATCHES)
    require(
        first in (0, *BATCHES),
        f"engine population can only go on after whole batches, which end at {ends_of_batches} traces, not at {first}",
    )
    require(task.max_steps <= MOST_STEPS_PER_TRACE, f"steps = {task.max_steps} is more than {MOST_STEPS_PER_TRACE}")
    graph, tensor = task.graph, task.tensor
    ends, solved = np.zeros((2, task.max_steps + 1), np.int64), np.zeros(task.max_steps + 1, np.int64)
    n, together = task.n, task.feasibility == "per_task"
    done, feasible, stopped = 0, 0, False
    try:
        with working("traces", traces) as stage:
            for begin, end in parts:
                count = end - begin
                key = np.random.SeedSequence([seed, int(task.identity, 16), begin // BATCH])
                rng = np.random.Generator(np.random.Philox(key))
                able = binomial(rng, count if together else n * count, graph.feasible)
                able *= n if together else 1
                with working("steps", task.max_steps + 1, count) as walk:
                    found = _walk(rng, able, graph, tensor, task.max_steps, walk)
                solved += task_hits(rng, task, able // n if together else count, found[0])
                ends += found
                stage.advance(count)
                feasible, done = feasible + able, done + count
                if progress is not None:
                    progress(count)
    except KeyboardInterrupt:
        stopped = True
    tally = Tally.of(task, "population", seed, first, done, feasible, (*ends, solved), Stopping(traces=done))
    if stopped:
        raise StoppedEarly(tally)
    return tally


def batches(first: int, end: int) -> list[tuple[int, int]]:
    """The traces ``first`` .. ``end - 1``, cut where batches end."""
    cuts = [*BATCHES, *range(2 * MOST_TRACES, end, MOST_TRACES)]
    return list(pairwise([first, *(cut for cut in cuts if first < cut < end), end]))


def _walk(
    rng: np.random.Generator, traces: int, graph: SkillGraph, tensor: Tensor, max_steps: int, stage: Stage
) -> np.ndarray:
    """Hits and deaths by time, int64 [2, max_steps + 1], of one population."""
    out = np.zeros((2, max_steps + 1), np.int64)
    counts = multinomial(rng, traces, graph.start)
    split = _splits(tensor)
    for step in range(max_steps + 1):
        out[:, step] = counts[graph.goal].sum(), counts[graph.dead].sum()
        counts[graph.goal | graph.dead] = 0
        stage.advance()
        occupied = np.flatnonzero(counts)
        if not occupied.size or step == max_steps:
            break
        counts = split(rng, occupied, counts)
    return out


def _splits(tensor: Tensor) -> Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]:
    """(rng, nodes, int64 [S]) -> where the traces at the nodes are after a step, int64 [S]."""
    # Only possible successors, so that a rounded last probability cannot leak into an impossible one.
    row, column, chance = entries(tensor)
    size = tensor.shape[0]
    lengths = np.bincount(row, minlength=size)
    laws = chance / np.repeat([law.sum() for law in np.split(chance, np.cumsum(lengths)[:-1])], lengths)
    width = int(lengths.max(initial=1))
    if laws.min(initial=1.0) >= RARE and size * width <= MOST_CELLS + 4 * row.size:
        # Zeros before a law draw nothing, so one call is the same stream as one for each node.
        place = width - lengths[row] + np.arange(row.size) - (np.cumsum(lengths) - lengths)[row]
        chances, targets = np.zeros((size, width)), np.zeros((size, width), np.int64)
        chances[row, place], targets[row, place] = laws, column

        def together(rng: np.random.Generator, nodes: np.ndarray, counts: np.ndarray) -> np.ndarray:
            after = np.zeros_like(counts)
            np.add.at(after, targets[nodes], rng.multinomial(counts[nodes], chances[nodes]))
            return after

        return together
    bounds = np.cumsum(lengths)[:-1]
    moves = list(zip(np.split(column, bounds), np.split(laws, bounds), strict=True))

    def one_by_one(rng: np.random.Generator, nodes: np.ndarray, counts: np.ndarray) -> np.ndarray:
        after = np.zeros_like(counts)
        for s, count in zip(nodes.tolist(), counts[nodes].tolist(), strict=True):
            targets, law = moves[s]
            after[targets] += multinomial(rng, count, law)
        return after

    return one_by_one
