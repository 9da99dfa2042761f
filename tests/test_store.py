"""The store: rows that add up, collected in any order and in any pieces."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refused import refusal

from ds3sim.core.errors import InputError, StoppedEarly
from ds3sim.engine.limits import ENGINES, EngineOptions
from ds3sim.engine.simulate import simulate
from ds3sim.graph.graph import SkillGraph
from ds3sim.store import collect as collect_module
from ds3sim.store.collect import collect, piece_trials
from ds3sim.store.ranges import Damaged, cover, decode, encode, gaps
from ds3sim.store.store import Store
from ds3sim.task.aggregate import BestOfN
from ds3sim.task.task import Task
from tests.store_fixture import counts, gather, items, tasks, toy, toy_engine


@pytest.fixture
def asked(monkeypatch):
    """The toy engine in place of the real one; what it is asked for, as (number of tasks, traces, firsts)."""
    out = []

    def recording(todo, forms, options, seed=0, *, firsts=None, progress=None):
        out.append((len(todo), options.traces, sorted(set(firsts))))
        return toy_engine(todo, forms, options, seed, firsts=firsts, progress=progress)

    monkeypatch.setattr(collect_module, "evaluate", recording)
    return out


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=40), st.integers(0, 200), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_histograms_survive_packing(values, zeros, seed):
    rng = np.random.default_rng(seed)
    hits = np.array(values + [0] * zeros, np.int64)
    rng.shuffle(hits)
    deaths = np.roll(hits, 1)
    for task_hits in (hits, deaths, np.zeros_like(hits)):
        back = decode(encode(task_hits, hits, deaths))
        assert all(np.array_equal(a, b) for a, b in zip(back, (task_hits, hits, deaths), strict=True))


def test_a_long_sparse_histogram_is_small():
    hits = np.zeros(2**20, np.int64)
    hits[[5, 1000, 2**20 - 1]] = [1, 10**9, 7]
    blob = encode(hits, hits, np.zeros_like(hits))
    assert len(blob) < 100
    assert np.array_equal(decode(blob)[1], hits)


@pytest.mark.parametrize("blob", [b"", b"D", b"Dxxxxxxxxrubbish", encode(*[np.arange(5)] * 3)[:-3]])
def test_a_damaged_histogram_is_refused(blob):
    with pytest.raises(Damaged):
        decode(blob)


RANGES = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)).map(lambda p: (p[0], p[0] + p[1])), max_size=7)


@given(RANGES, st.integers(0, 6), st.integers(6, 18))
@settings(max_examples=300, deadline=None)
def test_the_cover_is_disjoint_and_the_largest(ranges, first, end):
    def size(choice):
        return sum(b - a for a, b in choice)

    def disjoint(choice):
        return all(a[1] <= b[0] for a, b in itertools.pairwise(sorted(choice)))

    inside = sorted({r for r in ranges if first <= r[0] and r[1] <= end})
    subsets = itertools.chain.from_iterable(itertools.combinations(inside, k) for k in range(len(inside) + 1))
    best = max(size(choice) for choice in subsets if disjoint(choice))
    found = cover(ranges, first, end)
    assert disjoint(found) and set(found) <= set(inside) and size(found) == best
    assert found == sorted(found) == cover(reversed(ranges), first, end)
    left = gaps(found, first, end)
    ends = [at for piece in sorted(found + left) for at in piece]
    assert ends[1:-1:2] == ends[2::2] and [*ends[:1], *ends[-1:]] == ([first, end] if first < end else [])


def test_tallies_come_back(tmp_path):
    task, other = tasks(2)
    with Store.open(tmp_path / "s.db") as store:
        store.put_problems([(task.identity, {"what": "a chain"}), (task.identity, {"what": "something else"})])
        store.add(toy(task, 300, 1))
        store.add(toy(task, 700, 1, first=300))
        store.add(toy(task, 50, 2))
        store.add(toy(other, 10, 1))
    with Store.open(tmp_path / "s.db", readonly=True) as store:
        assert counts(store.tally(task.identity, "traces", 1)) == counts(toy(task, 1000, 1))
        assert counts(store.tally(task.identity, "traces", 1, end=300)) == counts(toy(task, 300, 1))
        assert counts(store.tally(task.identity, "traces")) == counts(toy(task, 1000, 1) + toy(task, 50, 2))
        assert store.tally(task.identity, "population") is None
        assert store.tally(task.identity, "traces", 9) is None
        assert store.missing(task.identity, "traces", 1, 100, 1200) == [(100, 300), (1000, 1200)]
        one, two = store.contents().problems
        assert (one.identity, one.description, one.rows, one.trials) == (task.identity, {"what": "a chain"}, 3, 1050)
        assert (two.identity, two.description, two.rows, two.trials) == (other.identity, {}, 1, 10)


@pytest.mark.parametrize(
    ("engine", "aggregate", "rounds"),
    [
        ("traces", None, [{"traces": 1000}, {"traces": 2500}]),
        ("traces", BestOfN(3), [{"traces": 70}, {"traces": 2500}]),
        # A population is never continued inside a batch.
        ("population", None, [{"traces": 1000}, {"traces": 1500}, {"traces": 10**12 + 5}, {"traces": 1200}]),
        # Rounds of doubling size go on where an earlier one ended, also one of another rule.
        ("traces", None, [{"traces": 1000}, {"relative_error": 0.02}, {"relative_error": 0.004}]),
        ("traces", BestOfN(3), [{"relative_error": 0.001, "max_traces": 150_000}]),
        ("population", None, [{"relative_error": 0.01}, {"relative_error": 1e-3}]),
    ],
)
def test_the_real_engine_comes_back_bit_for_bit(tmp_path, engine, aggregate, rounds):
    more = {} if aggregate is None else {"aggregate": aggregate}
    task = Task(SkillGraph.chain(3, 0.1), steps=30 * (3 if more else 1), **more)
    for how in rounds:
        with Store.open(tmp_path / "s.db") as store:
            (found,) = collect([(task, {})], store, EngineOptions(engine, **how), seed=5)
        expected = simulate(task, seed=5, engine=engine, **how)
        assert counts(found) == counts(expected)
        assert found.stopping == expected.stopping
        assert (found.shared_feasibility, found.stop_on_dead) == (expected.shared_feasibility, expected.stop_on_dead)


def test_rounds_end_for_each_task_by_itself(tmp_path, monkeypatch):
    easy, hard = Task(SkillGraph.chain(2, 0.9), steps=10), Task(SkillGraph.chain(6, 0.2), steps=10)
    with Store.open(tmp_path / "s.db") as store:
        options = EngineOptions(relative_error=0.02)
        found = collect([(easy, {}), (hard, {})], store, options, seed=1)
        assert found[0].traces < found[1].traces and all(tally.stopping.reached for tally in found)
        assert [store.tally(t.identity, "traces").traces for t in (easy, hard)] == [t.traces for t in found]

        def stopped(*args, **options):
            raise StoppedEarly([None])

        monkeypatch.setattr(collect_module, "evaluate", stopped)
        with pytest.raises(StoppedEarly) as stop:
            collect([(easy, {}), (hard, {})], store, EngineOptions(relative_error=0.01), seed=1)
        assert [tally.traces for tally in stop.value.partial] == [tally.traces for tally in found]
        assert stop.value.partial[1].stopping.interrupted and not stop.value.partial[1].stopping.reached


@pytest.mark.parametrize("kind", [kind for kind in ENGINES.values() if kind.not_stored])
def test_an_engine_that_no_store_keeps_says_why(kind):
    with Store.in_memory() as store:
        said = refusal(collect, items(1), store, EngineOptions(kind.name))
    assert kind.not_stored in said and "use engine traces or population" in said


def test_another_random_stream_is_refused():
    with Store.in_memory() as store, pytest.raises(InputError, match="macro_steps = 3"):
        collect(items(1), store, EngineOptions(macro_steps=3))


def test_a_row_is_added_once_and_never_changed(tmp_path):
    task = tasks(1)[0]
    with Store.open(tmp_path / "s.db") as store:
        assert store.add_all([toy(task, 100, 1)]) == 1
        assert store.add_all([toy(task, 100, 1)]) == 0
        wrong = replace(toy(task, 100, 1), feasible=1)
        with pytest.raises(InputError, match=r"s\.db: trials 0\.\.100 of seed 1.*other counts"):
            store.add_all([toy(task, 50, 2), wrong])
        assert store.seeds(task.identity, "traces") == [1]  # the good one of the pair is not added either
        with pytest.raises(InputError, match="2 ranges"):
            store.add(toy(task, 10, 1) + toy(task, 10, 1, first=20))


def test_overlapping_rows_never_count_twice(tmp_path, asked):
    task = tasks(1)[0]
    with Store.open(tmp_path / "s.db") as store:
        store.add(toy(task, 1000, 3))
        store.add(toy(task, 1000, 3, first=500))
        tally = store.tally(task.identity, "traces", 3)
        assert tally.traces == 1000
        (found,) = collect([(task, {})], store, EngineOptions(traces=1500), seed=3)
        assert asked == [(1, 500, [1000])]
        assert counts(found) == counts(toy(task, 1500, 3))


@given(RANGES, st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_whatever_is_stored_the_result_is_the_same(ranges, wanted):
    task = tasks(1)[0]
    with Store.in_memory() as store:
        store.add_all(toy(task, b - a, 3, first=a) for a, b in ranges)
        real, collect_module.evaluate = collect_module.evaluate, toy_engine
        try:
            (found,) = collect([(task, {})], store, EngineOptions(traces=wanted), seed=3)
        finally:
            collect_module.evaluate = real
        assert counts(found) == counts(toy(task, wanted, 3))
        assert store.missing(task.identity, "traces", 3, 0, wanted) == []


def test_more_traces_later_extend_what_is_there(tmp_path, asked):
    with Store.open(tmp_path / "s.db") as store:
        for traces, expected in (
            (1000, [(4, 1000, [0])]),
            (1000, []),
            (400, [(4, 400, [0])]),
            (1700, [(4, 700, [1000])]),
        ):
            asked.clear()
            found = collect(items(4), store, EngineOptions(traces=traces), seed=3)
            assert asked == expected
            assert [counts(t) for t in found] == [counts(toy(t, traces, 3)) for t, _ in items(4)]


def test_long_ranges_are_cut_at_fixed_places(monkeypatch):
    short, long = tasks(1, 40)[0], tasks(1, 2**20)[0]
    assert (piece_trials(short), piece_trials(long)) == (2**24, 2**18)
    asked = []

    def empty(todo, forms, options, seed=0, *, firsts=None, progress=None):
        asked.extend((f, options.traces) for f in firsts)
        one = toy(short, 1, seed)
        return [replace(one, traces=options.traces, ranges=((seed, f, f + options.traces),)) for f in firsts]

    monkeypatch.setattr(collect_module, "evaluate", empty)
    with Store.in_memory() as store:
        store.add(replace(toy(short, 1, 0), traces=5, ranges=((0, 0, 5),)))
        collect([(short, {})], store, EngineOptions(traces=2**25 + 7))
    assert sorted(asked) == [(5, 2**24 - 5), (2**24, 2**24), (2**25, 7)]


def test_a_task_that_occurs_twice_is_simulated_once(asked):
    one, two = tasks(2)
    with Store.in_memory() as store:
        found = collect([(one, {}), (two, {}), (one, {})], store, EngineOptions(traces=500), seed=1)
    assert [counts(t) for t in found] == [counts(toy(t, 500, 1)) for t in (one, two, one)]
    assert asked == [(2, 500, [0])]


def test_an_engine_that_returns_other_trials_is_caught(monkeypatch):
    def wrong(todo, forms, options, seed=0, *, firsts=None, progress=None):
        return toy_engine(todo, forms, options, seed, firsts=[f + 1 for f in firsts])

    monkeypatch.setattr(collect_module, "evaluate", wrong)
    with Store.in_memory() as store, pytest.raises(InputError, match="other trials"):
        collect(items(1), store, EngineOptions(traces=10))


def test_progress_counts_what_is_simulated(tmp_path):
    seen = []
    gather(tmp_path / "s.db", 5, 1000, progress=seen.append)
    assert sum(seen) == 5000
    gather(tmp_path / "s.db", 5, 1500, progress=seen.append)
    assert sum(seen) == 5 * 1500


def test_ctrl_c_keeps_what_was_done(tmp_path, monkeypatch):
    monkeypatch.setattr(collect_module, "FIRST_GROUP", 1.0)
    calls = []

    def interrupted(*args, **options):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return toy_engine(*args, **options)

    monkeypatch.setattr(collect_module, "evaluate", interrupted)
    with Store.open(tmp_path / "s.db") as store, pytest.raises(StoppedEarly) as stop:
        collect(items(6), store, EngineOptions(traces=100), seed=3)
    assert len(calls) == 4  # nothing is begun after it
    assert sum(t is not None for t in stop.value.partial) == 3
    assert [counts(t) for t in gather(tmp_path / "s.db", 6, 100)] == [counts(toy(t, 100, 3)) for t, _ in items(6)]
