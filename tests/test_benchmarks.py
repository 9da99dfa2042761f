"""The peers of the benchmark sample the right law: what is compared does the same job."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.cases import Case, Law, cases
from benchmarks.measure import Absent, Row, Worker
from benchmarks.peers import MACRO, contender, numpy_lockstep
from benchmarks.tables import Tables, alias
from ds3sim.graph.graph import SkillGraph
from ds3sim.stats.tests import goodness_of_fit, holm

TRACES = 2**16


def small_cases():
    with_death = [
        ("a", "b", 0.3),
        ("a", "x", 0.02),
        ("b", "a", 0.1),
        ("b", "c", 0.4),
        ("b", "y", 0.05),
        ("c", "z", 0.5),
    ]
    return [
        Case("chain", SkillGraph.chain(4, 0.3), 30),
        Case("random", SkillGraph.random(16, 0.9, degree=5, seed=3), 61),  # K is no multiple of the macro step
        Case("death", SkillGraph.from_edges(with_death, start="a", goal="z", dead=["x", "y"]), 19),
        Case("certain", SkillGraph.chain(3, 1.0), 5),
        Case("short", SkillGraph.chain(3, 0.5), 2),  # the goal is out of reach of the budget
    ]


def brute_force_law(case):
    """Dense propagation written another way: distribution over (node, time first absorbed)."""
    tensor = case.graph.transition_tensor()
    ended = case.graph.goal | case.graph.dead
    powers = [case.graph.start]
    for _ in range(case.steps):
        powers.append(powers[-1] @ tensor)
    powers = np.array(powers)
    goal = np.diff(powers[:, case.graph.goal].sum(axis=1), prepend=0.0)
    dead = np.diff(powers[:, case.graph.dead].sum(axis=1), prepend=0.0)
    alive = powers[:, ~ended].sum(axis=1)
    return np.concatenate([goal, dead, alive[-1:]]), alive[:-1].sum()


@pytest.mark.parametrize("case", small_cases() + cases(), ids=lambda case: case.name)
def test_the_law_of_a_case(case):
    bins, live_steps = brute_force_law(case)
    assert np.abs(case.law.bins - bins).max() < 1e-12
    assert case.law.live_steps == pytest.approx(live_steps, rel=1e-12)
    assert case.law.bins.sum() == pytest.approx(1.0, abs=1e-12)
    times = np.arange(case.steps + 1)
    by_bins = case.law.bins @ np.concatenate([times, times, [case.steps]])
    assert case.law.live_steps == pytest.approx(by_bins, rel=1e-9)


@pytest.mark.parametrize("stride", [1, 2, MACRO])
def test_tables_hold_the_law(stride):
    """Reads the packed words back into row laws and compares with powers of the transition tensor."""
    for case in small_cases():
        tables = Tables.of(case.graph, stride)
        n = tables.transient
        words = tables.words.reshape(n, tables.width)
        unit = tables.width if tables.scaled else 1
        keep = (words >> np.uint64(32)).astype(np.float64) / 2**32
        own = (words & np.uint64(0xFFFF)).astype(int) // unit
        other = (words >> np.uint64(16) & np.uint64(0xFFFF)).astype(int) // unit
        law = np.zeros((n, n + 2 * stride))
        rows = np.arange(n)[:, None]
        np.add.at(law, (rows, own), keep / tables.width)
        np.add.at(law, (rows, other), (1 - keep) / tables.width)
        power = np.linalg.matrix_power(case.graph.transition_tensor(), stride)[case.graph.transient]
        assert np.abs(law[:, :n] - power[:, case.graph.transient]).max() < 1e-9
        assert np.abs(law[:, n : n + stride].sum(axis=1) - power[:, case.graph.goal].sum(axis=1)).max() < 1e-9
        assert np.abs(law[:, n + stride :].sum(axis=1) - power[:, case.graph.dead].sum(axis=1)).max() < 1e-9


def test_alias_tables_give_back_the_weights():
    rng = np.random.default_rng(5)
    for size in (1, 2, 9, 64):
        weights = rng.dirichlet(np.full(size, 0.3))
        keep, other = alias(weights)
        back = keep / size
        np.add.at(back, other, (1 - keep) / size)
        assert back == pytest.approx(weights, abs=1e-14)


@pytest.mark.parametrize("name", ["numpy", "numba", "numba-4", "numba-macro"])
def test_a_peer_samples_the_law(name):
    """Chi-square of the whole histogram, deaths included; Holm over the cases, family-wise error 1e-4."""
    if name.startswith("numba"):
        pytest.importorskip("numba", reason="numba is not installed: pip install 'ds3sim[bench]'")
    p_values = []
    for seed, case in enumerate(small_cases()):
        counts = contender(name, case)(TRACES, seed)
        assert counts.shape == case.law.bins.shape and counts.sum() == TRACES
        p_values.append(goodness_of_fit(counts, case.law.bins)[2])
    assert holm(p_values).min() > 1e-4, p_values


def test_the_check_has_power():
    """A success rate that is 5% off is seen with as many traces."""
    right, wrong = (Case("chain", SkillGraph.chain(4, r), 30) for r in (0.3, 0.315))
    assert goodness_of_fit(numpy_lockstep(wrong, TRACES, 1), right.law.bins)[2] < 1e-6


def test_numba_loops_use_their_seed_and_keep_every_trace():
    pytest.importorskip("numba", reason="numba is not installed: pip install 'ds3sim[bench]'")
    case = small_cases()[0]
    for name in ("numba", "numba-4"):
        sample = contender(name, case)
        assert np.array_equal(sample(TRACES, 1), sample(TRACES, 1))
        assert not np.array_equal(sample(TRACES, 1), sample(TRACES, 2))
        for traces in (256, 320, 64 * 37):  # each thread ends with four, five, 37 traces
            assert sample(traces, 1).sum() == traces


def test_large_tables_are_not_scaled():
    pytest.importorskip("numba", reason="numba is not installed: pip install 'ds3sim[bench]'")
    case = Case("wide", SkillGraph.random(300, 0.9, degree=8, seed=2), 50)
    assert not Tables.of(case.graph, MACRO).scaled and Tables.of(case.graph, 1).scaled
    assert goodness_of_fit(contender("numba-macro", case)(TRACES, 4), case.law.bins)[2] > 1e-4


def test_a_worker_measures_and_an_unknown_one_is_reported():
    case = cases()[0]
    worker = Worker("numpy", case)
    answer = worker.run(4096, 1)
    worker.close()
    assert answer["p"] > 1e-6 and answer["wall_s"] > 0 and answer["peak_bytes"] > 10 * 2**20
    with pytest.raises(Absent, match="nonsense"):
        Worker("nonsense", case)


def test_ratios_and_the_table():
    from benchmarks.__main__ import markdown, shared, suspects
    from benchmarks.machine import describe

    def row(name, wall, p=0.5):
        return Row(
            name, "c", traces=10**6, walls_s=[wall, 2 * wall, 3 * wall], cpu_s=[wall] * 3, p_values=[p], live_steps=50.0
        )

    rows = {
        "ds3sim": row("ds3sim", 0.1),
        "numba": row("numba", 0.4, p=1e-9),
        "numpy": Row("numpy", "c", absent="no NumPy"),
    }
    summaries = [r.summary(rows) for r in rows.values()]
    assert summaries[0]["million_live_steps_per_s"] == pytest.approx(250)
    assert summaries[0]["ratio_to"] == {"numba": pytest.approx(4.0)}
    result = {"date": "2025-01-01", "machine": describe(), "repetitions": 3, "seconds_per_run": 1.0, "rows": summaries}
    result["cases"] = [{"name": "c", "nodes": 2, "steps": 9, "live_steps": 50.0}]
    result["machine"]["usable_cores"] = 2
    assert shared(result) == ["numba on c had 0.5 of 2 cores"]
    result = json.loads(json.dumps(result))  # everything is plain JSON
    text = markdown(result)
    assert "| ds3sim | 250 (167 to 500) | 5e+06 | 4.00 |" in text and "not run: no NumPy" in text
    assert suspects(result) == ["numba on c"] and "do NOT fit" in markdown(result)


def test_law_of_a_start_at_the_goal():
    graph = SkillGraph.from_edges([("a", "b", 0.5)], start={"a": 0.25, "b": 0.75}, goal="b")
    law = Law.of(graph, 1)
    assert law.bins == pytest.approx([0.75, 0.125, 0, 0, 0.125]) and law.live_steps == pytest.approx(0.25)
    assert goodness_of_fit(numpy_lockstep(Case("at goal", graph, 1), 10_000, 0), law.bins)[2] > 1e-4
