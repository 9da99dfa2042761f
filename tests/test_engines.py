"""Population and importance engines, tallies, and validate."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from scipy.stats import hypergeom, kstest
from statistics_budget import LEVEL, MOST_Z, agrees

from ds3sim.core.errors import InputError
from ds3sim.engine import population
from ds3sim.engine.groups import arrived
from ds3sim.engine.limits import MOST_TRACES
from ds3sim.engine.simulate import exact, simulate
from ds3sim.engine.tilt import tilt
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.aggregate import BestOfN, Majority, Verifier, WeightErrors
from ds3sim.task.steps import ToT
from ds3sim.task.task import Task
from ds3sim.validate.suite import suite
from ds3sim.validate.validate import validate

validating = import_module("ds3sim.validate.validate")

GRAPH = SkillGraph.random(8, 0.6, degree=3, death=0.05, seed=9)


@pytest.mark.parametrize("traces", [10**12, 10**15])
def test_population_means_and_variances(traces):
    # Standard deviations of counts of so many traces, over 400 seeds: a binomial in float32 fails here.
    task = Task(SkillGraph.chain(3, 0.2, feasible=0.9), steps=[5, 12])
    expected = np.asarray(exact(task).success([5, 12]))
    runs = 400
    found = np.array([np.asarray(simulate(task, traces, s, "population").success([5, 12])) for s in range(runs)])
    error = np.sqrt(expected * (1 - expected) / traces)
    z = (found - expected) / error
    assert agrees(z.mean(axis=0), 0, 1 / np.sqrt(runs))
    assert agrees(z.var(axis=0), 1, np.sqrt(2 / runs))


def test_population_is_additive_by_whole_batches():
    task = Task(GRAPH, steps=20, on_dead="stop")
    whole = simulate(task, 2 * 10**12, 1, "population")
    parts = simulate(task, 10**12, 1, "population", first=10**12) + simulate(task, 10**12, 1, "population")
    assert np.array_equal(whole.hits, parts.hits) and np.array_equal(whole.deaths, parts.deaths)
    most = simulate(task, 10**15, 1, "population")
    rest = simulate(task, 10**15 - 3 * 10**12, 1, "population", first=3 * 10**12)
    start = simulate(task, 3 * 10**12, 1, "population")
    assert np.array_equal(most.hits, (start + rest).hits) and most.ranges == (start + rest).ranges == ((1, 0, 10**15),)
    with pytest.raises(InputError, match="whole batches"):
        simulate(task, 10, 1, "population", first=5)
    with pytest.raises(InputError, match="at most 64 traces, not n = 65"):
        simulate(Task(GRAPH, aggregate=BestOfN(65), steps=65), 10, 1, "population")
    with pytest.raises(InputError, match="are more than the 1e"):
        simulate(Task(GRAPH, aggregate=BestOfN(2), steps=20), 10**15, 1, "population")
    with pytest.raises(InputError, match="share a success rate"):
        simulate(Task(SkillGraph.latent(0.9, 0.4, 2), aggregate=BestOfN(2), steps=20), 10, 1, "population")


ERRS = WeightErrors((0.5, 0.3, 0.2))
GROUPS = [
    (BestOfN(3), "per_task"),
    (BestOfN(3), "per_trace"),
    (BestOfN(4, Verifier(0.7, 0.2)), "per_task"),
    (BestOfN(1, Verifier(0.6, 0.1, "abstain")), "per_task"),
    (Majority(5, ERRS), "per_task"),
    (Majority(4, ERRS, ties="wrong"), "per_trace"),
]


@pytest.mark.parametrize(("aggregate", "feasibility"), GROUPS)
@pytest.mark.parametrize("trials", [40, 10**12])
def test_groups_of_a_population_have_the_law_of_their_aggregator(aggregate, feasibility, trials):
    """Means and variances over many seeds, few traces and very many."""
    n = aggregate.n
    graph = SkillGraph.random(6, 0.4, degree=3, death=0.05, seed=9, feasible=0.8)
    task = Task(graph, aggregate=aggregate, steps=[2 * n, 5 * n], feasibility=feasibility, on_dead="stop")
    p = np.asarray(exact(task).success(task.budgets))
    runs = 40
    tallies = [simulate(task, trials, seed, "population") for seed in range(runs)]
    z = np.array([np.asarray(t.success(task.budgets)) - p for t in tallies]) / np.sqrt(p * (1 - p) / trials)
    assert agrees(z.mean(axis=0), 0, 1 / np.sqrt(runs))
    assert agrees(z.var(axis=0), 1, np.sqrt((2 + 1 / (trials * p * (1 - p))) / runs))
    joint = (z[:, 0] * z[:, 1]).mean()  # success at both budgets is success at the smaller one
    rho = np.sqrt(p[0] * (1 - p[1]) / (p[1] * (1 - p[0])))
    assert agrees(joint, rho, np.sqrt((1 + rho**2 + 1 / (trials * p[0] * (1 - p[1]))) / runs))
    steps = np.mean([np.asarray(t.expected_steps(task.budgets)) for t in tallies], axis=0)
    spread = [(t.expected_steps(task.budgets).high - t.expected_steps(task.budgets).low) / 3.9 for t in tallies]
    assert agrees(steps, np.asarray(exact(task).expected_steps(task.budgets)), np.mean(spread, axis=0) / np.sqrt(runs))
    for tally in tallies:
        assert tally.task_hits.sum() <= trials and tally.hits.sum() + tally.deaths.sum() <= tally.feasible <= n * trials


@pytest.mark.parametrize(("count", "groups"), [(7, 3), (9, 3), (40, 30), (60, 30)])
def test_arrivals_fall_on_open_places_uniformly(count, groups):
    """Occupancy of groups of three: how many got 0, 1, 2 and 3 of the arrivals, against the hypergeometric means."""
    rng, never = np.random.Generator(np.random.Philox(4)), np.zeros(4)
    state = np.zeros((2, 4), np.int64)
    state[0, 0] = groups
    runs = 2000
    found = np.array([arrived(rng, state, count, never)[0] for _ in range(runs)])
    assert np.all(found.sum(axis=1) == groups) and np.all(found @ np.arange(4) == count)
    mean = groups * hypergeom(3 * groups, 3, count).pmf(np.arange(4))
    error = np.sqrt(np.maximum(mean, 1 / runs) / runs)
    assert agrees(found.mean(axis=0), mean, error)


def test_a_population_takes_four_walks_at_most():
    for traces, walks in ((1, 1), (10**12, 1), (2 * 10**12 + 5, 3), (4 * 10**12, 4), (10**15, 4)):
        told = []
        simulate(Task(GRAPH, steps=5), traces, 1, "population", progress=told.append)
        assert len(told) == walks and sum(told) == traces


@pytest.mark.parametrize("traces", [10**9, 10**12, 10**15])
def test_binomials_of_very_many_traces(traces):
    """Mean, variance and the whole law of NumPy's binomials, for common chances and rare ones."""
    assert MOST_TRACES < 2**53
    rng, draws = np.random.Generator(np.random.Philox(8)), 3000
    for chance in (0.5, 0.3, 1e-3, 1 - 1e-6, 1e-8, 3e-12):
        found = np.array([population.binomial(rng, traces, chance) for _ in range(draws)])
        deviation = np.sqrt(traces * chance * (1 - chance))
        z = (found - traces * chance) / deviation
        assert agrees(z.mean(), 0, 1 / np.sqrt(draws))
        fourth = 3 + (1 - 6 * chance * (1 - chance)) / deviation**2
        assert agrees(z.var(), 1, np.sqrt((fourth - 1) / draws))
        if deviation > 1000:
            assert kstest(z, "norm").pvalue > LEVEL


def test_splits_are_one_stream_however_they_are_drawn(monkeypatch):
    """Laws padded to one length draw what each law alone draws."""
    for graph in (GRAPH, SkillGraph.layered(4, 5, 0.3), SkillGraph.chain(7, 0.4)):
        together = simulate(Task(graph, steps=30), 10**10, 3, "population")
        with monkeypatch.context() as patch:
            patch.setattr(population, "MOST_CELLS", -(10**9))
            alone = simulate(Task(graph, steps=30), 10**10, 3, "population")
        assert np.array_equal(together.hits, alone.hits) and np.array_equal(together.deaths, alone.deaths)


def test_population_goes_on_until_the_error_is_reached():
    task = Task(GRAPH, steps=[4, 20])
    tally = simulate(task, seed=3, engine="population", relative_error=1e-3)
    assert tally.stopping.reached and tally.traces > 2**16
    whole = simulate(task, tally.traces, 3, "population")
    assert np.array_equal(tally.hits, whole.hits)
    p = np.asarray(exact(task).success([4, 20]))
    assert agrees(np.asarray(tally.success([4, 20])), p, np.sqrt(p * (1 - p) / tally.traces))
    short = simulate(task, seed=3, engine="population", relative_error=1e-6, max_traces=10**6)
    assert short.traces == 10**6 and not short.stopping.reached


def test_tilted_chain_is_the_chain_of_rate_m_over_k():
    graph, m, r, k = SkillGraph.chain(20, 0.05), 20, 0.05, 100
    found = tilt(graph.transition_tensor(), graph.start, graph.goal, k)
    np.testing.assert_allclose(found.tensor, SkillGraph.chain(m, m / k).transition_tensor(), atol=1e-9)
    assert found.theta == pytest.approx((1 - m / k) / (1 - r), rel=1e-9)
    np.testing.assert_allclose(found.tensor.sum(axis=1), 1.0, atol=1e-14)


@pytest.mark.parametrize(
    "task",
    [
        Task(SkillGraph.chain(20, 0.02, feasible=0.5), steps=[20, 21, 60, 200, 3000]),
        Task(GRAPH, steps=[1, 2, 5, 60]),
        Task(GRAPH, ToT(2, 0.2), steps=[3, 60]),
    ],
)
def test_importance_is_right_where_plain_simulation_sees_nothing(task):
    tally = simulate(task, 50_000, 3, "importance")
    expected, found = np.asarray(exact(task).success(task.budgets)), tally.success(task.budgets)
    error = (found.high - found.estimate) / 1.96
    assert agrees(found.estimate, expected, error * 1.01 + 1e-9 * expected)
    rare = (expected > 0) & (expected < 1e-6)
    assert np.all(error[rare] < 0.03 * expected[rare])
    steps = tally.expected_steps(task.budgets)
    assert agrees(steps.estimate, np.asarray(exact(task).expected_steps(task.budgets)), (steps.high - steps.low) / 3.9)


def test_weights_say_how_much_their_traces_know():
    task = Task(SkillGraph.chain(20, 0.05), steps=[10, 60, 400])
    tally = simulate(task, 30_000, 2, "importance")
    found, success = tally.weights([10, 60, 400]), tally.success([10, 60, 400])
    for i, k in enumerate((60, 400), start=1):
        tilted, part = tally.parts[k]
        time = np.repeat(np.arange(k + 1), part.hits[: k + 1])
        weight = np.exp(tilted.log_h - time * np.log(tilted.theta))
        whole = np.concatenate([weight, np.zeros(part.traces - time.size)])
        np.testing.assert_allclose(found.effective[i], weight.sum() ** 2 / (weight**2).sum())
        np.testing.assert_allclose(found.largest[i], weight.max() / weight.sum())
        np.testing.assert_allclose(found.relative_error[i], whole.std() / np.sqrt(whole.size) / whole.mean())
        np.testing.assert_allclose(success.estimate[i], whole.mean())
    assert (found.effective[0], found.largest[0], found.relative_error[0]) == (0.0, 0.0, 0.0)


def test_importance_goes_on_until_the_error_is_reached():
    task = Task(SkillGraph.chain(20, 0.05), steps=[10, 60, 400])
    tally = simulate(task, seed=3, engine="importance", relative_error=4e-3)
    assert tally.stopping.reached and tally.stopping.rule == "relative_error"
    traces = {k: part and part.traces for k, (_, part) in tally.parts.items()}
    assert traces[10] is None and traces[60] > traces[400] >= 2**16 and tally.traces == traces[60]
    assert np.all(tally.weights([60, 400]).relative_error <= 4e-3)
    whole = simulate(task, traces[60], 3, "importance")  # the same traces as with their number given
    assert np.array_equal(whole.parts[60][1].hits, tally.parts[60][1].hits)
    short = simulate(task, seed=3, engine="importance", relative_error=1e-6, max_traces=70_000)
    assert short.traces == 70_000 and not short.stopping.reached


def test_importance_refusals():
    with pytest.raises(InputError, match="single traces"):
        simulate(Task(GRAPH, aggregate=BestOfN(2), steps=20), 10, 1, "importance")
    with pytest.raises(InputError, match="on_dead"):
        simulate(Task(GRAPH, steps=20, on_dead="stop"), 10, 1, "importance")
    with pytest.raises(InputError, match="knows only the budgets"):
        simulate(Task(GRAPH, steps=20), 10, 1, "importance").success(19)


def test_tally_intervals_hold_what_they_say():
    task = Task(SkillGraph.chain(4, 0.2, feasible=0.8), aggregate=BestOfN(2), steps=[20, 40])
    expected = np.asarray(exact(task).success([20, 40]))
    steps = np.asarray(exact(task).expected_steps([20, 40]))
    runs, inside = 400, np.zeros((2, 2))
    for seed in range(runs):
        tally = simulate(task, 1000, seed)
        for row, (estimate, truth) in enumerate(((tally.success, expected), (tally.expected_steps, steps))):
            found = estimate([20, 40])
            inside[row] += (found.low <= truth) & (truth <= found.high)
    # At least 95%, less what chance takes from 400 runs; those of success are not much too wide.
    assert np.all(inside / runs >= 0.95 - MOST_Z * np.sqrt(0.95 * 0.05 / runs))
    assert np.all(inside[0] / runs < 1.0)


def test_no_event_seen_still_has_an_interval():
    tally = simulate(Task(SkillGraph.chain(5, 1e-6), steps=10), 1000)
    assert tally.success(10).low == 0 < tally.success(10).high < 0.01
    assert tally.expected_steps(10).low < 10 == tally.expected_steps(10).high


def test_suite_is_large_and_varied():
    cases = suite()
    assert len(cases) >= 60 and len({c.name for c in cases}) == len(cases)
    assert {c.engine for c in cases} == {"traces", "population", "importance"}


@pytest.fixture(scope="module")
def some_cases():
    names = ("chain m=10 r=0.2", "ToT b=4", "best of 4", "majority of 5", "procedure", "population, chain")
    return [replace(c, traces=c.traces if c.engine == "population" else 200_000) for c in suite() if c.name in names]


@pytest.mark.parametrize(("perturb", "passed"), [(0.0, True), (0.02, False), (-0.02, False)])
def test_validate_has_power(perturb, passed, some_cases, monkeypatch):
    monkeypatch.setattr(validating, "suite", lambda: some_cases)
    # The training side has a test of its power of its own.
    monkeypatch.setattr(validating, "training_checks", lambda perturb, seed: [])
    result = validate(perturb=perturb)
    assert result.passed is passed
    assert result.family_wise_error == 1e-3
    assert all(check.passed == (check.p_adjusted > 1e-3) for check in result.checks)
    if perturb:
        failed = {check.name for check in result.checks if not check.passed}
        assert failed == {c.name for c in some_cases}


def test_importance_refuses_what_no_number_holds():
    with pytest.raises(InputError, match="success within 1000 steps is below the smallest number"):
        simulate(Task(SkillGraph.chain(300, 0.01), steps=1000), traces=100, engine="importance")


def walled(rare):
    """A walk that falls back four times before it gets on once, and then meets a wall."""
    edges = [(i, i + 1, 0.1) for i in range(80)] + [(i, i - 1, 0.4) for i in range(1, 80)]
    return SkillGraph.from_edges([*edges, (80, "end", rare)], start=0, goal="end")


@pytest.mark.parametrize(
    ("graph", "steps"),
    [
        (SkillGraph.chain(400, 0.2), [400, 1200, 1700, 1900]),  # h(start) has 1000 zeros at the best theta
        (SkillGraph.chain(500, 0.05, feasible=0.5), [7241]),
        (SkillGraph.layered(20, 10, 0.1), [21, 60, 150]),
        (SkillGraph.random(300, 0.3, degree=4, death=0.1, seed=3), [3, 6, 200]),
        (walled(0.5), [500, 20_000]),
        (walled(1e-12), [500, 20_000]),
        (SkillGraph.from_edges([("b", "e", 1e-300), ("b", "c", 0.25), ("c", "b", 1e-20)], start="b", goal="e"), [5]),
    ],
    ids=["chain", "long chain", "layers", "random", "drift", "wall", "return"],
)
def test_importance_of_graphs_that_solves_of_h_do_not_settle_on(graph, steps):
    """The iterative tilts; every budget has one of its own."""
    task = Task(graph, steps=steps)
    tally = simulate(task, 20_000, 5, "importance")
    found, expected = tally.success(steps), np.asarray(exact(task).success(steps))
    error = (found.high - found.low) / 3.9
    assert np.all(np.abs(found.estimate - expected) <= MOST_Z * error + 1e-9 * expected)
    assert np.all(error <= 0.05 * expected)
    for tilted in (part[0] for part in tally.parts.values() if part[0] is not None):
        assert np.abs(np.asarray(tilted.tensor.sum(axis=1)) - 1).max() < 1e-12


def test_importance_of_hardly_any_chance():
    found = simulate(Task(SkillGraph.chain(2, 5e-324), steps=3), traces=100, engine="importance").success(3)
    assert 0.0 <= found.low <= found.estimate <= found.high < 0.1  # no number is none


def test_importance_gives_no_chance_above_1():
    graph = SkillGraph.random(5, 0.2, degree=1, seed=7)
    found = simulate(Task(graph, steps=[50, 3]), traces=1, seed=7022980760218141420, engine="importance")
    assert all(np.asarray(v).max() <= 1.0 for v in found.success([50, 3]))
