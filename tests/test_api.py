"""Studies from Python, without a config: run, sweep, choose and validate return records."""

import numpy as np
import pytest

import ds3sim as ds

CHAIN = ds.SkillGraph.chain(skills=3, success=0.4)
TASK = ds.Task(CHAIN, ds.ToT(2), ds.BestOfN(2), steps=[8, 20])
STUDY = ds.Study(
    CHAIN,
    strategies={"tree": ds.ToT(3), "vote": ds.Majority(3), "both": ds.Strategy(ds.ToT(3), ds.Majority(3))},
    tokens=[300, 900],
    cost=ds.CostModel(parameters=1e9),
    traces=400,
)


def stop(*_):
    raise KeyboardInterrupt


def test_a_task_runs_as_it_is_simulated():
    result, tally = ds.run(TASK, traces=3000, seed=7), ds.simulate(TASK, 3000, 7)
    assert [row.success for row in result.rows] == tally.success([8, 20]).estimate.tolist()
    assert (result.engine, result.seed, result.traces, result.strategies) == ("traces", 7, 3000, (None,))
    assert [row.reference.success for row in result.rows] == pytest.approx(ds.closed_form(TASK).success([8, 20]))
    priced = ds.run(TASK, budgets=12, engine="exact", cost=ds.CostModel(parameters=1e9))
    assert [row.steps for row in priced.rows] == [12] and priced.rows[0].mean_flops > 0
    with pytest.raises(ds.InputError, match="traces has no effect"):
        ds.run(STUDY, traces=5)


def test_a_sweep_is_labelled_and_kept(tmp_path):
    axes = {"graph.success": [0.2, 0.4]}
    result = ds.sweep(STUDY, axes, store=tmp_path / "s.ds3")
    data = result.to_dataset()
    assert dict(data.sizes) == {"graph.success": 2, "strategy": 3, "budget": 2}
    wanted = {"success", "success_low", "success_high", "expected_steps", "expected_tokens", "expected_flops"}
    assert wanted <= set(data.data_vars) and data.expected_tokens.attrs["units"] == "tokens"
    told = []
    again = ds.sweep(STUDY, axes, store=tmp_path / "s.ds3", progress=lambda *done: told.append(done))
    assert again.rows == result.rows and sum(trials for trials, _ in told) == 0
    assert ds.sweep(STUDY, axes, seed=1).rows != result.rows
    base = ds.run(ds.Study(CHAIN, steps=9, engine="exact", axes={"graph.success": [0.1, 0.2]}))
    assert base.axes == () and base.rows[0].success == pytest.approx(
        float(ds.exact(ds.Task(CHAIN, steps=9)).success(9))
    )
    point = ds.sweep(STUDY)
    assert point.rows == ds.run(STUDY).rows and len(point.to_dict()["points"]) == 1
    assert ds.Result.from_dict(point.to_dict()).to_dict() == point.to_dict()


def test_ctrl_c_keeps_what_was_done():
    with pytest.raises(ds.Interrupted) as caught:
        ds.run(TASK, traces=10**12, progress=stop)
    result = caught.value.result
    assert result.interrupted and 0 < result.traces < 10**12
    assert result.to_dict()["stopping"]["interrupted"] is True
    with pytest.raises(ds.Interrupted) as caught:
        ds.validate(STUDY, progress=lambda name, number, of: stop() if number else None)
    assert caught.value.result.interrupted and caught.value.result.checks


def test_validate_takes_axes_and_distributions_of_tasks():
    tasks = {"skills": [1, 3], "success": [0.3, 0.5]}
    study = ds.Study(tasks=tasks, steps=[6, 20], traces=20_000, axes={"seed": [0, 1], "budget.steps": [6, 20]})
    found = ds.validate(study)
    assert found.passed and len({check.name for check in found.checks}) == 8  # four tasks, each at two budgets
    assert not ds.validate(study, perturb=0.2).passed
    many = ds.Study(CHAIN, steps=5, traces=50, axes={"graph.success": np.linspace(0.2, 0.7, 90).tolist()})
    assert len({check.name for check in ds.validate(many).checks}) == 64
