"""The traces engine: the law it samples, and what must not change it."""

import itertools
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from statistics_budget import LEVEL, agrees

from ds3sim.core.errors import InputError
from ds3sim.engine.limits import EngineOptions
from ds3sim.engine.simulate import exact, simulate
from ds3sim.engine.traces.pack import BATCH, MOST_VOTE_COUNTS, Job, batch_trials, packed, waves
from ds3sim.engine.traces.walk import traced
from ds3sim.graph.graph import SkillGraph
from ds3sim.stats.tests import goodness_of_fit
from ds3sim.task.aggregate import BestOfN, Majority, Verifier
from ds3sim.task.scores import score_classes
from ds3sim.task.steps import Beam, CoT, ToT
from ds3sim.task.task import Task
from ds3sim.task.wrong_answers import GeometricErrors

SMALL = SkillGraph.random(9, 0.7, degree=3, death=0.03, seed=1)
TASKS = {
    "chain": Task(SkillGraph.chain(6, 0.3), steps=60),
    "graph": Task(SMALL, ToT(2, 0.1), steps=40, on_dead="stop"),
    "majority": Task(SkillGraph.chain(4, 0.3, feasible=0.7), CoT(), Majority(5), steps=90),
    "verifier": Task(SMALL, CoT(), BestOfN(3, Verifier(0.7, 0.2)), steps=90, feasibility="per_trace"),
    "beam": Task(SMALL, Beam(2, 2, 0.1), steps=12),
}


def same(a, b) -> bool:
    return a == replace(b, stopping=a.stopping)


def wave_of(task, lanes=2**17, first=0, traces=10**6):
    job = Job.of(task, first, EngineOptions(traces=traces))
    (wave,) = waves([job], lanes, None)
    return wave


def test_many_answers_and_tiny_chunks_make_launches_of_a_fair_size():
    task = Task(SkillGraph.chain(4, 0.3), CoT(), Majority(2, GeometricErrors(4096)), steps=20)
    for lanes in (2**17, 2**20):
        assert wave_of(task, lanes).trials * 4095 <= MOST_VOTE_COUNTS
    jobs = [Job.of(Task(SkillGraph.chain(m, 0.3), task.step, task.aggregate, 20), 0, EngineOptions()) for m in (1, 2)]
    assert all(wave.rows * wave.trials * 4095 <= MOST_VOTE_COUNTS for wave in waves(jobs, 2**20, None))
    assert wave_of(TASKS["chain"], 1).width == 64
    assert wave_of(TASKS["chain"]).width == wave_of(TASKS["chain"], traces=10**9).width <= 2**21
    wide = Task(SkillGraph.chain(4, 0.3), CoT(), Majority(2**16, GeometricErrors(4096)), steps=20)
    assert wave_of(wide).trials == 2


@pytest.mark.parametrize("name", TASKS)
def test_trials_add_up(name):
    whole = simulate(TASKS[name], 5000, seed=7)
    parts = [simulate(TASKS[name], n, seed=7, first=f) for f, n in ((0, 1), (1, 1700), (1701, 3299))]
    assert same(whole, parts[2] + parts[0] + parts[1])
    with pytest.raises(InputError, match="count twice"):
        parts[1] + whole


def test_seeds_and_tasks_have_streams_of_their_own():
    task = TASKS["chain"]
    first = simulate(task, 5000, seed=0)
    assert not same(first, replace(simulate(task, 5000, seed=1), seed=0))
    other = simulate(replace(task, steps=61), 5000, seed=0)
    assert not np.array_equal(first.hits, other.hits[:61])


@pytest.mark.parametrize("macro_steps", [1, 4, 32, 256])
def test_law_for_any_steps_per_draw(macro_steps):
    task = Task(SMALL, steps=40)
    tally = simulate(task, 100_000, seed=3, macro_steps=macro_steps)
    numbers = exact(task)
    for counts, law in ((tally.hits, numbers.pmf), (tally.deaths, numbers.death_pmf)):
        beyond = tally.traces - counts.sum()
        p = goodness_of_fit(np.append(counts, beyond), np.append(law, 1 - law.sum()))[2]
        assert p > LEVEL


def test_compiles_once_per_shape():
    # Tasks of one shape: many sizes of graph, budgets, probabilities, seeds and numbers of traces.
    for _ in range(2):
        before = sum(traced.values())
        for m, r, k in ((3, 0.2, 40), (5, 0.6, 64), (9, 0.31, 100), (20, 0.9, 250)):
            for b, seed in ((1, 0), (3, 5)):
                simulate(Task(SkillGraph.chain(m, r), ToT(b), steps=k), 40_000, seed=seed, chunk=2**14)
        compiled = sum(traced.values()) - before
        assert compiled <= 1
    assert compiled == 0


def test_launches_cover_every_trial_once():
    for first, traces, n, trials in ((0, 10, 1, 3), (BATCH - 5, 20, 1, 7), (3, 5, 5000, 2)):
        size = batch_trials(n)
        assert size * n <= 2**32
        ready = wave_of(Task(SkillGraph.chain(2, 0.5), aggregate=BestOfN(n), steps=n), 64, first, traces).ready
        seen = []
        for row in (row for launch in packed(ready, trials, 2) for row in launch):
            assert row.first + row.count <= size and row.count <= trials
            seen += range(row.batch * size + row.first, row.batch * size + row.first + row.count)
        assert seen == list(range(first, first + traces))


def test_relative_error_goes_on_until_reached():
    task = Task(SkillGraph.chain(6, 0.3), steps=[5, 10, 40])
    tally = simulate(task, relative_error=0.01, max_traces=2**22)
    estimate = np.asarray(tally.success([10, 40]))
    assert np.all(np.sqrt((1 - estimate) / (estimate * tally.traces)) <= 0.01)
    assert tally.stopping.to_dict() == {
        "rule": "relative_error",
        "relative_error": 0.01,
        "max_traces": 2**22,
        "reached": True,
    }
    short = simulate(task, relative_error=1e-4, max_traces=70_000)
    assert short.traces == 70_000 and not short.stopping.reached
    never = simulate(Task(SkillGraph.chain(6, 0.3), steps=5), relative_error=0.01)
    assert never.traces <= 2**16 and never.success(5).estimate == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("seed", seed) for seed in (-1, 2**63, 0.5, "a", True)),
        *(("traces", traces) for traces in (0, 1.5)),
        ("chunk", 0),
        ("relative_error", 0),
        ("relative_error", float("nan")),
        ("macro_steps", 0),
    ],
)
def test_bad_arguments(name, value):
    traces = {} if name in ("traces", "relative_error") else {"traces": 10}
    with pytest.raises(InputError, match=f"{name} = {value!r} is not"):
        simulate(TASKS["chain"], **traces, **{name: value})


UNSURE = SkillGraph.chain(4, 0.3, feasible=0.6)
JUDGED = (BestOfN(3, Verifier(0.2, 0.6)), Majority(5, GeometricErrors(3, 0.4), "wrong"), Majority(4))


@pytest.mark.parametrize(
    ("task", "traces"),
    [
        *((Task(UNSURE, CoT(), how, [5, 20, 45, 90], "per_task"), 100_000) for how in JUDGED),
        *((Task(UNSURE, CoT(), how, [5, 20, 45, 90], "per_trace"), 100_000) for how in JUDGED),
        (Task(SkillGraph.chain(1, 0.02), CoT(), Majority(1000, GeometricErrors(3, 0.9)), 1000 * 20), 4000),
    ],
)
def test_aggregators_against_exact(task, traces):
    tally, known = simulate(task, traces, seed=5), exact(task)
    expected = np.asarray(known.success(task.budgets))
    assert 0.01 < expected[-1] < 0.99
    assert agrees(tally.success(task.budgets).estimate, expected, np.sqrt(expected * (1 - expected) / traces))
    steps = tally.expected_steps(task.budgets)
    assert agrees(steps.estimate, np.asarray(known.expected_steps(task.budgets)), (steps.high - steps.low) / 3.92)


def product_chain(graph, w, b, error, steps):
    """P(T <= k) of a beam by enumerating all states of its w particles and all w*b proposals."""
    tensor, rank = graph.transition_tensor(), score_classes(graph, 0.99)

    def best(proposals, chance):
        """Laws of the kept multiset, ties split evenly over all orders."""
        out = defaultdict(float)
        orders = list(itertools.permutations(range(len(proposals))))
        for order in orders:
            kept = sorted(order, key=lambda i: rank[proposals[i]])[:w]  # stable: ties by the order
            out[tuple(sorted(proposals[i] for i in kept))] += (1 - error) * chance / len(orders)
            out[tuple(sorted(proposals[i] for i in order[:w]))] += error * chance / len(orders)
        return out

    now = {tuple([int(np.argmax(graph.start))] * w): 1.0}
    done, curve = 0.0, []
    for _ in range(steps):
        after = defaultdict(float)
        for beam, p in now.items():
            parents = [s for s in beam for _ in range(b)]
            options = [[(t, tensor[s, t]) for t in np.flatnonzero(tensor[s])] for s in parents]
            for choice in itertools.product(*options):
                chance = p * np.prod([c for _, c in choice])
                for kept, q in best([t for t, _ in choice], chance).items():
                    if any(graph.goal[s] for s in kept):
                        done += q
                    elif not all(graph.dead[s] for s in kept):
                        after[kept] += q
        now = after
        curve.append(done)
    return np.array(curve)


@pytest.mark.parametrize(("w", "b", "error"), [(2, 1, 0.0), (2, 2, 0.0), (2, 1, 0.5), (1, 3, 0.2)])
def test_beam_against_the_product_chain(w, b, error):
    graph = SkillGraph.from_edges(
        [("a", "b", 0.4), ("b", "z", 0.3), ("a", "x", 0.2), ("b", "x", 0.1), ("b", "a", 0.2)],
        start="a",
        goal="z",
        dead="x",
    )
    task = Task(graph, Beam(w, b, error), steps=6)
    tally = simulate(task, 60_000, seed=1)
    expected = product_chain(graph, w, b, error, 6)
    found = np.asarray(tally.success(range(1, 7)))
    assert agrees(found, expected, np.sqrt(expected * (1 - expected) / 60_000) + 1e-12)


def test_wide_beams_use_the_sort_and_agree_with_narrow_keys():
    # On one skill a beam of width w with b branches moves on when any of w*b proposals does.
    graph = SkillGraph.chain(1, 0.01)
    for w, b in ((20, 2), (40, 1)):
        tally = simulate(Task(graph, Beam(w, b), steps=3), 40_000, seed=4)
        expected = 1 - 0.99 ** (40 * np.arange(1, 4))
        assert agrees(tally.success([1, 2, 3]).estimate, expected, np.sqrt(expected * (1 - expected) / 40_000))
