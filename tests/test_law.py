"""What engines have in common: the protocols of laws, their mixture, the registry, options and stopping rules."""

from dataclasses import replace

import numpy as np
import pytest

from ds3sim.core.errors import InputError, StoppedEarly
from ds3sim.core.estimate import Estimate
from ds3sim.engine.closed_form import closed_forms
from ds3sim.engine.law import Counted, Law, Measured, Sampled, mixed
from ds3sim.engine.limits import ENGINES, EngineOptions, Stopping
from ds3sim.engine.simulate import closed_form, evaluate, exact, simulate
from ds3sim.engine.tally import measured
from ds3sim.graph.graph import SkillGraph
from ds3sim.stats.intervals import clopper_pearson
from ds3sim.task.aggregate import BestOfN
from ds3sim.task.task import Task

TASK = Task(SkillGraph.chain(3, 0.4, feasible=0.8), steps=[4, 9])
MAKERS = {
    "traces": lambda: simulate(TASK, 500),
    "population": lambda: simulate(TASK, 500, engine="population"),
    "importance": lambda: simulate(TASK, 500, engine="importance"),
    "exact": lambda: exact(TASK),
    "closed_form": lambda: closed_form(TASK),
    "known": lambda: closed_forms([TASK], [None])[0],
}


@pytest.mark.parametrize("name", MAKERS)
def test_every_law_has_the_protocol(name):
    law = MAKERS[name]()
    assert isinstance(law, Law)
    assert isinstance(law, Sampled) is (name in ("traces", "population", "importance"))
    assert isinstance(law, Counted) is (name in ("traces", "population"))
    assert law.engine == {"known": "closed_form"}.get(name, name)
    assert law.traces == (500 if isinstance(law, Sampled) else 0)
    for found in (law.success([4, 9]), law.expected_steps([4, 9])):
        assert found.shape == (2,) and np.all((found.low <= found.estimate) & (found.estimate <= found.high))
    assert law.expected_square_steps([4, 9]).shape == (2,)


def test_evaluate_gives_what_each_engine_gives_alone():
    tasks = [TASK, Task(SkillGraph.chain(2, 0.7), steps=[2, 3, 30])]
    for kind in ENGINES.values():
        options = EngineOptions.heeded(kind.name, traces=700, chunk=256)
        for task, law in zip(tasks, evaluate(tasks, None, options, 3), strict=True):
            alone = simulate(task, 700, 3, kind.name) if kind.random else evaluate([task], None, options)[0]
            for what in ("success", "expected_steps", "expected_square_steps"):
                assert np.array_equal(getattr(law, what)(task.budgets), getattr(alone, what)(task.budgets)), kind.name


def test_evaluate_until_an_error_is_reached():
    tasks = [TASK, Task(SkillGraph.chain(2, 0.01), steps=[20, 300])]
    options = EngineOptions(relative_error=0.02, max_traces=200_000)
    for task, law in zip(tasks, evaluate(tasks, None, options, 5), strict=True):
        alone = simulate(task, seed=5, relative_error=0.02, max_traces=200_000)
        assert isinstance(law, Counted)
        assert (law.traces, law.stopping) == (alone.traces, alone.stopping)
        assert np.array_equal(law.task_hits, alone.task_hits)


def test_mixture_weighs_its_parts():
    steps = np.array([4, 9])
    parts = measured([exact(Task(SkillGraph.chain(m, 0.4), steps=[4, 9])) for m in (1, 2, 3)], 3 * [steps])
    by_budget = [[0.2, 1.0], [0.3, 0.0], [0.5, 0.0]]
    for weights in ((0.2, 0.3, 0.5), by_budget):
        share = np.broadcast_to(np.array(weights).reshape(3, -1), (3, 2))
        mixture = Measured.mixed(parts, weights)
        for what in ("success", "expected_steps", "square"):
            each = np.array([np.asarray(getattr(part, what)) for part in parts])
            np.testing.assert_allclose(np.asarray(getattr(mixture, what)), (share * each).sum(axis=0), rtol=1e-14)
    sampled = [simulate(TASK, 800, seed) for seed in (1, 2)]
    mixture, found = Measured.mixed(measured(sampled, 2 * [steps]), (0.5, 0.5)), [law.success(steps) for law in sampled]
    half = np.sqrt(sum((0.5 * (one.high - one.estimate)) ** 2 for one in found))
    np.testing.assert_allclose(mixture.success.high - mixture.success.estimate, half, rtol=1e-12)


@pytest.mark.parametrize("how", [{}, {"aggregate": BestOfN(3)}, {"feasibility": "per_trace"}, {"on_dead": "stop"}])
def test_tallies_measured_together_are_those_measured_alone(how):
    graph = SkillGraph.from_edges([("a", "b", 0.4), ("a", "x", 0.1)], start="a", goal="b", dead="x", feasible=0.8)
    tasks = [Task(graph, steps=[30, 12], **how), TASK, Task(SkillGraph.latent(0.9, 0.5, 2.0), aggregate=BestOfN(4))]
    laws = [simulate(task, 300, seed) for task in tasks for seed in (1, 2)] + [exact(TASK)]
    budgets = [task.budgets for task in tasks for _ in (1, 2)] + [TASK.budgets]
    for law, steps, found in zip(laws, budgets, measured(laws, budgets), strict=True):
        for what in ("success", "expected_steps"):
            one, other = getattr(law, what)(steps), getattr(found, what)
            for end in ("estimate", "low", "high"):
                assert np.array_equal(getattr(one, end), getattr(other, end)), what
        assert np.array_equal(law.expected_square_steps(steps), found.square)
    with pytest.raises(InputError, match="a budget of 999 steps per trace was not simulated"):
        measured(laws[2:3], [np.array([999])])


def test_the_interval_of_a_mixture_covers():
    """Independent parts, small counts: 95% intervals hold the weighted mean, and not always."""
    rng = np.random.default_rng(8)
    weights = np.array([0.5, 0.3, 0.2])
    for truth in ([0.001, 0.002, 0.0], [0.3, 0.02, 0.9], [0.5, 0.5, 0.5]):
        p, trials = np.array(truth), 200
        hits = rng.binomial(trials, p, size=(20_000, 3))
        low, high = clopper_pearson(hits, trials)
        _, below, above = mixed([Estimate(hits[:, i] / trials, low[:, i], high[:, i]) for i in range(3)], weights)
        assert 0.93 < np.mean((below <= weights @ p) & (weights @ p <= above)) < 1


VALUES = {"relative_error": 0.1, "chunk": 64, "macro_steps": 7, "max_traces": 500}


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("option", VALUES)
def test_options_without_effect_are_refused(kind, option):
    given = {option: VALUES[option]} | ({"relative_error": 0.1} if option == "max_traces" else {})
    if given.keys() <= ENGINES[kind].options:
        assert getattr(EngineOptions(kind, **given), option) == VALUES[option]
        return
    with pytest.raises(InputError, match=rf"^\w+ = \S+ has no effect with engine = {kind}: remove it, or use engine ="):
        EngineOptions(kind, **given)
    if ENGINES[kind].random:
        with pytest.raises(InputError, match="has no effect with engine"):
            simulate(TASK, None, 1, kind, **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_traces": 500}, "max_traces = 500 has no effect without relative_error"),
        ({"traces": 500, "relative_error": 0.1}, "traces = 500 has no effect with relative_error"),
        ({"engine": "importance", "first": 5}, "first = 5 has no effect with engine = importance"),
        ({"engine": "exact"}, "engine = exact is not random: call ds3sim.exact"),
        ({"engine": "exactly"}, "engine = 'exactly' is not known"),
    ],
)
def test_arguments_of_simulate_without_effect(given, said):
    with pytest.raises(InputError, match=said):
        simulate(TASK, **given)


def test_options_for_engines_of_numbers():
    with pytest.raises(InputError, match="traces = 5 has no effect with engine = exact"):
        EngineOptions("exact", traces=5)
    assert EngineOptions.heeded("exact", traces=5, chunk=64) == EngineOptions("exact")
    with pytest.raises(InputError, match="first = 3 has no effect"):
        evaluate([TASK], None, EngineOptions("exact"), firsts=[3])


def test_sums_join_their_stopping_rules():
    first, more = simulate(TASK, 400, 3), simulate(TASK, 600, 3, first=400)
    assert (first + more).stopping == Stopping(traces=1000)
    until = simulate(TASK, seed=4, relative_error=0.05)
    both = first + until + more
    assert both.stopping.rule == "several" and both.stopping.reached
    assert both.stopping.parts == (Stopping(traces=1000), until.stopping)
    short = Stopping(traces=50, reached=False, interrupted=True)
    assert (first.stopping + short) == Stopping(traces=450, reached=False, interrupted=True)
    assert (until.stopping + short).to_dict() == {
        "rule": "several",
        "parts": [short.to_dict(), until.stopping.to_dict()],
        "reached": False,
        "interrupted": True,
    }


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "mixture"])
def test_laws_are_records(name, tmp_path):
    law = MAKERS[name]()
    again = type(law).load(law.save(tmp_path / "law.json"))
    assert again == law and type(again) is type(law)
    data = again.to_dataset()
    assert data.sizes.keys() == {"steps"} and {4, 9} <= set(data["steps"].to_numpy().tolist())
    at = data.sel(steps=[4, 9])
    for what, unit in (("success", "1"), ("expected_steps", "steps")):
        found = getattr(law, what)([4, 9])
        for end, values in (("", found.estimate), ("_low", found.low), ("_high", found.high)):
            assert np.array_equal(at[what + end], values) and at[what + end].attrs["units"] == unit
    if name == "traces":
        assert at["task_hits"].to_numpy().tolist() == np.cumsum(law.task_hits)[[4, 9]].tolist()
    assert len(law.to_frame()) == data.sizes["steps"]
    assert law.plot().get_ylabel() == "success"
    assert "<table>" in law._repr_html_() and "<img" in law._repr_html_()


def test_the_table_of_a_very_long_tally_is_short():
    tally = simulate(Task(SkillGraph.chain(2, 0.01), aggregate=BestOfN(2), steps=40_000), 50)
    assert len(tally.to_frame()) <= 512 and tally.to_frame()["steps"].max() == 40_000


@pytest.mark.parametrize("kind", [kind.name for kind in ENGINES.values() if kind.random])
def test_ctrl_c_keeps_what_was_done(kind):
    tasks, told = [TASK, Task(SkillGraph.chain(2, 0.5), steps=6)], []

    def stop(done):
        told.append(done)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(StoppedEarly) as stopped:
        evaluate(tasks, None, EngineOptions.heeded(kind, traces=2000, chunk=64), 3, progress=stop)
    found = stopped.value.partial
    assert len(found) == 2
    begun = [(task, law) for task, law in zip(tasks, found, strict=True) if law is not None]
    assert sum(law.traces for _, law in begun) == (0 if kind == "importance" else sum(told))
    for task, law in begun:
        assert law.stopping.interrupted or law.traces == 2000
        alone = simulate(task, law.traces, 3, kind)
        assert law.stopping != alone.stopping or law == alone
        assert np.array_equal(law.success(task.budgets), alone.success(task.budgets))


def test_ctrl_c_keeps_what_was_done_of_a_single_task():
    told = []

    def stop(done):
        told.append(done)
        if sum(told) >= 1000:
            raise KeyboardInterrupt

    with pytest.raises(StoppedEarly) as stopped:
        simulate(TASK, 50_000, 7, chunk=64, progress=stop)
    partial = stopped.value.partial
    assert 1000 <= partial.traces == sum(told) < 50_000 and partial.stopping.interrupted
    assert partial == replace(simulate(TASK, partial.traces, seed=7), stopping=partial.stopping)
