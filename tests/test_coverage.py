"""Intervals cover as they say: where the traces of a task share a success rate, and where a run ends at an error."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from statistics_budget import MOST_Z

import ds3sim as ds
from ds3sim.engine.limits import EngineOptions
from ds3sim.engine.simulate import evaluate

SCRIPT = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "coverage"), run_name="coverage")
LATENT = ds.SkillGraph.latent(0.85, 0.4, 1.5)
RUNS = 400


def lowest(level: float, runs: int) -> float:
    """The share of runs that an interval of this level covers at least, by the error budget of the suite."""
    return level - MOST_Z * (level * (1 - level) / runs) ** 0.5


@pytest.mark.parametrize(
    "aggregate",
    [ds.BestOfN(100), ds.BestOfN(8, ds.Verifier(0.9, 0.2)), ds.Majority(9)],
    ids=["best of 100", "verifier", "majority of 9"],
)
def test_intervals_cover_where_traces_share_a_rate(aggregate):
    task = ds.Task(LATENT, aggregate=aggregate, steps=10 * aggregate.n)
    assert min(SCRIPT["of_steps"](task, 2000, RUNS)) > lowest(0.95, RUNS)


def test_their_variance_is_that_of_trials():
    """The interval's variance against that of the runs' own means; that of independent traces is 4 times too small."""
    task, trials = ds.Task(LATENT, aggregate=ds.BestOfN(16), steps=160), 500
    options = EngineOptions(traces=trials)
    found = evaluate([task] * RUNS, None, options, 3, firsts=[trials * i for i in range(RUNS)])
    means = np.array([float(tally.expected_steps(160).estimate) for tally in found])
    whole = found[0]
    for tally in found[1:]:
        whole += tally
    spread = float(whole.expected_steps(160).high - whole.expected_steps(160).low) / 2
    guard = 160 * np.log(40) / whole.traces
    variance = ((spread - guard) / 1.959964) ** 2 * whole.traces
    assert whole.squares == sum(tally.squares for tally in found)
    ratio = means.var(ddof=1) * trials / variance
    assert abs(ratio - 1) < MOST_Z * np.sqrt(2 / (RUNS - 1))
    independent = ds.Tally(**{**vars(whole), "squares": None}).expected_steps(160)
    assert independent.high - independent.low < spread


def test_other_tasks_keep_no_squares():
    for task in (ds.Task(LATENT, steps=3), ds.Task(ds.SkillGraph.chain(3, 0.5), aggregate=ds.BestOfN(4), steps=40)):
        assert ds.simulate(task, 100).squares is None


def test_a_mixture_with_the_task_as_unit():
    """Sums of tallies, chunks and budgets without steps leave the sum of squares what it is."""
    task = ds.Task(LATENT, aggregate=ds.BestOfN(8), steps=[0, 8, 80])
    one = ds.simulate(task, 3000, seed=2)
    parts = ds.simulate(task, 1000, seed=2, chunk=64) + ds.simulate(task, 2000, seed=2, first=1000, chunk=100)
    assert one.squares == parts.squares > one.hits.sum()
    nothing = one.expected_steps(0)
    assert (nothing.low, nothing.high) == (0, 0)
    all_at_once = one.expected_steps(8)
    assert all_at_once.low <= 8 <= all_at_once.high


@pytest.mark.parametrize("error", [0.1, 0.02])
def test_the_bias_of_a_relative_error_is_as_stated(error):
    bias, _, coverage = SCRIPT["worst_stopping"](error, 20_000)
    assert 0.1 < bias < 0.3 and coverage > 0.93


def test_the_page_has_what_the_script_makes():
    text = (Path(__file__).parents[1] / "docs" / "trust.md").read_text()
    assert "| 30 | " + " | ".join(f"{SCRIPT['of_success'](30, p):.1%}" for p in SCRIPT["CHANCES"]) in text
