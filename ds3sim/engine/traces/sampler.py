"""The traces engine: simulate traces one by one, millions at a time.

Trials are numbered. Trial t belongs to batch t // B, which has its own keys; what happens in it
depends on nothing else. So any split into launches, threads and devices gives the same tally.
"""

from __future__ import annotations

import numpy as np

from ds3sim.core import rng, runtime
from ds3sim.core.check import whole_number
from ds3sim.core.errors import StoppedEarly, require
from ds3sim.engine.limits import MOST_STEPS_PER_TRACE
from ds3sim.engine.tally import Tally
from ds3sim.engine.traces.alias import power_of_two, row_tables
from ds3sim.engine.traces.beam import PROPOSALS_PER_STEP, beam_kernel
from ds3sim.engine.traces.outcome import outcome_kernel, outcome_tables
from ds3sim.engine.traces.pack import Launch, launches
from ds3sim.engine.traces.tables import MacroTable, macro_table
from ds3sim.engine.traces.urn import urn_arguments, urn_kernel
from ds3sim.engine.traces.walk import NOT_REACHED, stage_sizes, walk_kernel
from ds3sim.task.scores import score_classes
from ds3sim.task.steps import Beam
from ds3sim.task.task import Task, shared_rate

FEWEST_LANES = 64
"""A smaller chunk saves no memory: a launch would only cost more than what it does."""

MOST_VOTE_COUNTS = 2**24
"""Counts of votes that one launch keeps, 4 bytes each."""


class Sampler:
    """Everything a launch needs, prepared once for a task.

    Args:
        task: the task.
        tensor: float64 [S, S], another transition tensor than the task's own (importance).
        macro: L, steps per draw; None chooses.
        lanes: walks per launch (the ``chunk``); None chooses by device.
        wanted: traces that will be simulated, so that small runs make small launches.
        identity: names the random stream; None takes the task's.
    """

    def __init__(
        self, task: Task, seed: int, *, tensor=None, start=None, macro=None, lanes=None, wanted=2**62, identity=None
    ):
        require(
            task.max_steps <= MOST_STEPS_PER_TRACE,
            f"steps = {task.max_steps} per trace is more than the traces engine keeps ({MOST_STEPS_PER_TRACE}):"
            " use engine closed_form, or lower the budget",
        )
        self.task, self.seed, self.identity = task, seed, identity or task.identity
        self.devices = runtime.devices()
        self._keys: tuple[int, np.ndarray] = (-1, np.empty(0))
        lanes = runtime.lanes_per_launch(self.devices[0]) if lanes is None else whole_number("chunk", lanes, 1, 2**26)
        lanes = min(max(lanes, FEWEST_LANES), max(1024, wanted * task.n))
        self.lanes = power_of_two(max(lanes, task.n))
        self.kind, tables = outcome_tables(task.aggregate)
        if self.kind[0] == "voted":  # a trial keeps a count for each wrong answer
            while self.lanes >= 2 * task.n and self.lanes // task.n * self.kind[2] > MOST_VOTE_COUNTS:
                self.lanes //= 2
        self.trials = self.lanes // task.n
        graph = task.graph
        self.is_beam = isinstance(task.step, Beam)
        self.is_urn = shared_rate(task) is not None
        if self.is_beam:
            arguments, self.static = _beam_arguments(task, self.lanes)
        elif self.is_urn:
            arguments, self.static = urn_arguments(task, self.lanes)
        else:
            law = (task.tensor if tensor is None else tensor, graph.start if start is None else start)
            table = macro_table(*law, graph.goal, graph.dead, max(1, task.max_steps), macro)
            arguments, self.static = _walk_arguments(table, task.max_steps, self.lanes)
        group = np.uint32(task.n if task.feasibility == "per_task" else 1)
        shared = (group, rng.threshold(graph.feasible), *arguments)
        self.on_device = [_put((shared, tables), device) for device in self.devices]

    def keys(self, batch: int) -> np.ndarray:
        """uint32 [purposes, 2], the keys of a batch; kept, since many launches share one."""
        kept = self._keys  # one read: threads may replace it meanwhile
        if batch != kept[0]:
            purposes = range(rng.SPARE + 1)
            made = [rng.batch_key(self.seed, self.identity, batch, purpose) for purpose in purposes]
            self._keys = kept = (batch, np.stack(made))
        return kept[1]

    def __call__(self, launch: Launch, device: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Run one launch: (counts of endings, counts of task hitting times, infeasible traces)."""
        import jax

        n, top = self.task.n, self.task.max_steps
        shared, tables = self.on_device[device]
        keys = jax.device_put(self.keys(launch.batch), self.devices[device])
        first_lane = np.uint32(launch.first * n)
        valid = launch.count * n
        kernel = beam_kernel() if self.is_beam else urn_kernel() if self.is_urn else walk_kernel()
        ending = kernel(keys, first_lane, np.int32(valid), *shared, **self.static)
        counts = _count(ending, 2 * top + 4)
        infeasible = int(counts[1]) - (self.lanes - valid)
        if self.kind == ("first",) and n == 1:
            return counts, counts[2 : 2 * top + 4 : 2], infeasible
        times = outcome_kernel()(
            ending, keys, first_lane, np.uint32(launch.first), tables, n=n, trials=self.trials, kind=self.kind
        )
        return counts, _count(times, top + 1), infeasible

    def run(self, first: int, traces: int, progress=None) -> Tally:
        """The tally of trials first .. first + traces - 1.

        Raises:
            StoppedEarly: on Ctrl-C, with the tally of the trials done until then, in order.
        """
        top = self.task.max_steps
        sums = {"endings": np.zeros(2 * top + 4, np.int64), "task_hits": np.zeros(top + 1, np.int64)}
        sums |= {"done": 0, "infeasible": 0}
        count = len(self.devices)
        threads = count * runtime.workers_per_device(self.devices[0], count)

        def take(args: tuple, found: tuple) -> None:
            (launch, _), (counts, hits, lost) = args, found
            sums["endings"] += counts
            sums["task_hits"] += hits
            sums["done"] += launch.count
            sums["infeasible"] += lost
            if progress is not None:
                progress(launch.count)

        parts = enumerate(launches(first, traces, self.task.n, self.trials))
        try:
            # In the order of trials, so that what is kept after Ctrl-C has no gaps.
            runtime.in_order(self, ((launch, number % count) for number, launch in parts), threads, take)
        except KeyboardInterrupt:
            raise StoppedEarly(self._tally(first, **sums)) from None
        return self._tally(first, **sums)

    def _tally(self, first, endings, task_hits, done, infeasible) -> Tally:
        task = self.task
        return Tally(
            identity=task.identity,
            engine="traces",
            seed=self.seed,
            n=task.n,
            traces=done,
            feasible=done * task.n - infeasible,
            task_hits=task_hits,
            hits=endings[2::2],
            deaths=endings[3::2],
            shared_feasibility=task.feasibility == "per_task",
            stop_on_dead=task.on_dead == "stop",
            ranges=((self.seed, first, first + done),) if done else (),
        )


def _walk_arguments(table: MacroTable, max_steps: int, lanes: int) -> tuple[tuple, dict]:
    rounds = -(-max(1, max_steps) // table.steps)
    mask = np.uint32(table.width - 1)
    numbers = (np.int32(table.transient), np.int32(table.steps), np.int32(rounds), np.int32(max_steps))
    return (table.threshold, table.outcome, mask, *numbers), {"stages": stage_sizes(lanes, rounds)}


def _beam_arguments(task: Task, lanes: int) -> tuple[tuple, dict]:
    step, graph = task.step, task.graph
    assert isinstance(step, Beam)
    require(
        step.proposals <= PROPOSALS_PER_STEP,
        f"width * branches = {step.proposals} is more than {PROPOSALS_PER_STEP} proposals a step: lower one of them",
    )
    most = 2**32 // PROPOSALS_PER_STEP - 1
    require(task.max_steps <= most, f"steps = {task.max_steps} per trace is more than a beam can do ({most})")
    law = np.vstack([graph.transition_tensor(), graph.start])
    threshold, outcome, width = row_tables(law)
    kind = np.where(graph.goal, 1, np.where(graph.dead, 2, 0)).astype(np.int32)
    rank = score_classes(graph, step.discount).astype(np.int32)
    arguments = (
        rng.threshold(step.evaluator_error),
        threshold,
        outcome,
        np.uint32(width - 1),
        np.int32(graph.size * width),
        rank,
        kind,
        np.int32(task.max_steps),
    )
    classes = max(1, int(rank.max()).bit_length())
    return arguments, {"lanes": lanes, "w": step.width, "b": step.branches, "classes": classes}


def _count(values, size: int) -> np.ndarray:
    """Counts of 0..size-1 in a device array, int64 [size]; larger values are left out."""
    import jax.numpy as jnp

    if next(iter(values.devices())).platform != "cpu" and size <= 2**20:
        kept = jnp.where(values == NOT_REACHED, size, values)
        return np.asarray(jnp.bincount(kept, length=power_of_two(size + 1))[:size]).astype(np.int64)
    host = np.asarray(values)
    host = host[host < size] if host.size and int(host.max()) >= size else host
    if size > 4 * host.size:
        out = np.zeros(size, np.int64)
        found, times = np.unique(host, return_counts=True)
        out[found] = times
        return out
    return np.bincount(host, minlength=size)


def _put(tree, device):
    import jax

    return jax.device_put(tree, device)
