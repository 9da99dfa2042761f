"""Each kernel with and without jit, with arrays of the device and of the host; and traced once for all values."""

from functools import partial

import chex
import jax
import numpy as np
import pytest
from absl.testing import parameterized

from ds3sim import Beam, BestOfN, GeometricErrors, Majority, SkillGraph, Task, ToT, Verifier, simulate
from ds3sim.core import rng
from ds3sim.engine.limits import EngineOptions
from ds3sim.engine.traces.alias import lookup, row_tables
from ds3sim.engine.traces.outcome import outcome
from ds3sim.engine.traces.pack import Job, waves
from ds3sim.engine.traces.walk import NOT_REACHED, NUMBERS, Rows, stage_sizes, walk

TRIALS = 64
RANDOM = SkillGraph.random(9, 0.7, degree=3, death=0.03, seed=1, feasible=0.9)
CHAIN = SkillGraph.chain(4, 0.3, feasible=0.8)
LATENT = SkillGraph.latent(0.85, 0.5, 2.5)
GEOMETRIC = GeometricErrors(4, 0.5)
TASKS = {
    "walk": Task(RANDOM, steps=40),
    "walk of a tree": Task(RANDOM, ToT(2, 0.1), steps=40, on_dead="stop"),
    "long walk, compacted": Task(SkillGraph.chain(40, 0.4), aggregate=BestOfN(16), steps=16 * 300),
    "beam": Task(RANDOM, Beam(3, 2, 0.2), steps=12),
    "urn": Task(LATENT, aggregate=BestOfN(8), steps=8),
    "verified": Task(CHAIN, aggregate=BestOfN(4, Verifier(0.8, 0.25)), steps=80),
    "verified, abstains": Task(CHAIN, aggregate=BestOfN(4, Verifier(0.8, 0.25, "abstain")), steps=80),
    "vote": Task(CHAIN, aggregate=Majority(4, GEOMETRIC), steps=80),
    "vote, wrong ties": Task(CHAIN, aggregate=Majority(4, GEOMETRIC, ties="wrong"), steps=80),
}
"""Together these run every kernel, and every branch that is compiled apart."""


def launch(task: Task, seed: int, batch: int = 0):
    """The kernel of the first trials of a batch: (walking kernel, its arrays and static arguments, wave, marks)."""
    options = EngineOptions(traces=TRIALS, chunk=TRIALS * task.n)
    (wave,) = waves([Job.of(task, 0, options)], options.chunk, None)
    ready = next(iter(wave.ready))
    numbers = np.zeros((len(NUMBERS), 1), np.int32)
    group = task.n if task.feasibility == "per_task" else 1
    numbers[:, 0] = [TRIALS * task.n, group, 0, *ready.law, task.max_steps]
    keys = rng.batch_keys(seed, [task.identity], [batch])
    rows = Rows(keys, np.zeros((2, 1), np.uint32), ready.limit[None], numbers).checked()
    arrays = (rows, *ready.arrays)
    static = {**dict(wave.shape.static), "width": wave.width}
    if wave.shape.kernel is walk:
        static["stages"] = stage_sizes(wave.width, wave.shape.long)
    return wave.shape, arrays, static, tuple(mark[None] for mark in ready.marks)


def counted(values, size: int) -> np.ndarray:
    values = np.asarray(values).ravel()
    return np.bincount(values[values < size], minlength=size)


class TestKernels(chex.TestCase):
    @chex.variants(with_jit=True, with_device=True, without_device=True)
    @parameterized.parameters(*TASKS)
    def test_a_task(self, name):
        """Endings and task hitting times are those of ``simulate``."""
        task, seed = TASKS[name], 3
        shape, arrays, static, marks = launch(task, seed)
        tally = simulate(task, TRIALS, seed, chunk=TRIALS * task.n)
        top = task.max_steps
        ending = self.variant(partial(shape.kernel, **static))(*arrays)
        chex.assert_shape(ending, (1, static["width"]))
        chex.assert_type(ending, np.int32)
        endings = counted(np.asarray(ending)[:, : TRIALS * task.n], 2 * top + 4)
        np.testing.assert_array_equal(endings[2::2], tally.hits)
        np.testing.assert_array_equal(endings[3::2], tally.deaths)
        judge = self.variant(partial(outcome, n=task.n, kind=shape.outcome))
        times = judge(ending, arrays[0], marks)
        chex.assert_type(times, np.int32)
        assert set(np.asarray(times).ravel()[TRIALS:]) <= {NOT_REACHED}
        np.testing.assert_array_equal(counted(times, top + 1), tally.task_hits)

    @chex.variants(with_jit=True, with_device=True, without_device=True)
    def test_draws(self):
        key, lane = rng.batch_key(3, "ab" * 16, 5, rng.WALK), np.arange(100, dtype=np.uint32)
        found = self.variant(rng.draw)(key, lane, np.full_like(lane, 9))
        for word, lanes in zip(found, rng.draw(key, lane, np.full_like(lane, 9)), strict=True):
            chex.assert_type(word, np.uint32)
            np.testing.assert_array_equal(np.asarray(word), lanes)

    @chex.variants(with_jit=True, with_device=True, without_device=True)
    def test_lookups(self):
        """Words in even steps give each outcome as often as its chance says."""
        law = np.array([0.5, 0.0, 0.3, 0.2])
        threshold, codes, width = row_tables([law[None, None]])[0]
        word0, word1 = (w.ravel() for w in np.meshgrid(np.arange(width), np.arange(0, 2**32, 2**18), indexing="ij"))
        words = word0.astype(np.uint32), word1.astype(np.uint32)
        code = self.variant(lookup)(threshold, codes, np.int32(0), np.uint32(width - 1), *words)
        chex.assert_type(code, np.int32)
        np.testing.assert_allclose(np.bincount(np.asarray(code)) / word0.size, law, atol=2**-12)


@pytest.mark.parametrize("name", ["walk", "long walk, compacted", "beam", "urn", "vote"])
def test_a_kernel_is_traced_once_for_all_values(name):
    """Seeds, batches and probabilities are values: no kernel is compiled for them again."""
    chex.clear_trace_counter()
    task = TASKS[name]
    shape, _, static, _ = launch(task, 0)
    names = {"static_argnames": tuple(static)}
    walks = jax.jit(chex.assert_max_traces(shape.kernel, n=1), **names)
    judge = jax.jit(chex.assert_max_traces(outcome, n=1), static_argnames=("n", "kind"))
    for seed, batch in ((0, 0), (2**62, 0), (5, 2**33)):
        _, arrays, _, marks = launch(task, seed, batch)
        judge(walks(*arrays, **static), arrays[0], marks, n=task.n, kind=shape.outcome)
