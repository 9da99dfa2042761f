"""How far a long command is: what the work writes, the line on stderr, and refusals for want of memory."""

from __future__ import annotations

import pytest

import ds3sim as ds
from ds3sim.allocate.solve import Problem, solve
from ds3sim.cli.main import main
from ds3sim.cli.progress import LONG_S, Line
from ds3sim.core import memory
from ds3sim.core.errors import InputError
from ds3sim.core.progress import Board, listening, working
from ds3sim.core.text import duration
from ds3sim.engine.limits import EngineOptions
from ds3sim.engine.traces.pack import MOST_PROPOSALS, Job, waves
from ds3sim.theory.difficulty import Difficulty


@pytest.fixture(autouse=True)
def patient():
    """What other tests are spared is tested here."""


SMALL = "[graph]\nskills = 3\nsuccess = 0.5\n[budget]\nsteps = [1, 2]\n"


def test_the_share_of_nested_stages():
    with listening(Board()) as board, working("points", 4) as outer:
        outer.advance()
        with working("traces", 100, worth=2) as inner:
            inner.advance(50)
            assert board.share == pytest.approx((1 + 2 * 0.5) / 4)
        assert board.share == pytest.approx(1 / 4)
        with working("what nobody counts"), working("parts", 2) as parts:
            parts.advance()
            assert board.share == pytest.approx(1 / 4)  # an unknown total says nothing of the whole
    assert board.stages == []


def test_a_stage_ends_with_an_exception_and_without_a_listener():
    with pytest.raises(KeyboardInterrupt), listening(Board()) as board, working("points", 2):
        raise KeyboardInterrupt
    assert board.stages == []
    with working("points", 2) as stage:
        stage.advance()
    assert stage.done == 1


def told(capsys, live: bool, seconds: float, rate: float, total: float) -> str:
    """What the line says of work at ``rate`` units a second, looked at four times a second."""
    line = Line()
    line.live = live
    with listening(line.board), working("units", total) as stage:
        for tick in range(1, int(4 * seconds) + 1):
            stage.done = rate * tick / 4
            line.look(tick / 4)
    line.end()
    return capsys.readouterr().err


def test_work_above_a_minute_is_announced_and_told_of(capsys):
    err = told(capsys, False, 50.0, 1.0, 200.0)
    lines = err.splitlines()
    assert lines[0].startswith("estimate: about 3.3 min in all: 5 of 200 units")
    assert [line.split(":")[0].split(" (")[0] for line in lines[1:]] == [f"{n} of 200 units" for n in (10, 20, 40)]
    assert "40.0 s so far, 20%, about 2.7 min left" in lines[3]


def test_short_work_is_told_of_on_a_terminal_alone(capsys):
    assert told(capsys, False, 20.0, 1.0, LONG_S - 10) == ""
    err = told(capsys, True, 20.0, 1.0, LONG_S - 10)
    assert "estimate" not in err and "20 of 50 units" in err and "20.0 s so far, 40%, about 30.0 s left" in err
    assert err.endswith("\r\x1b[K")  # the line is gone when the work is done


def test_what_comes_before_the_first_unit_does_not_count(capsys):
    line = Line()
    with listening(line.board), working("units", 100) as stage:
        for tick in range(1, 61):  # compiled for ten seconds, then ten units a second
            stage.done = 10 * max(0, tick / 4 - 10)
            line.look(tick / 4)
    assert "estimate" not in capsys.readouterr().err


def test_an_allocation_counts_its_budgets():
    problem, shares = Problem(Difficulty.grid([1.0, 2.0], [1, 5]), demand=1e7), []

    class Stages(list):
        def append(self, stage):
            shares.append(stage)
            super().append(stage)

    with listening(Board(stages=Stages())):
        solve(problem, 1e20)
    (budgets,) = [stage for stage in shares if stage.what == "budgets K"]
    assert budgets.done == budgets.total
    assert all(stage.done <= stage.total for stage in shares)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.5, "500 ms"), (90, "90.0 s"), (300, "5.0 min"), (9000, "2.5 h"), (4e5, "4.6 days"), (1e9, "31.7 years")],
)
def test_durations(seconds, said):
    assert duration(seconds) == said


def test_work_that_does_not_fit_is_refused_before_it_is_begun(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 2.0**30)
    with pytest.raises(InputError, match="the table needs about 2 GiB of memory, and 1 GiB are free: take less"):
        memory.require_memory(2.0**31, "the table", "take less")
    memory.require_memory(2.0**29, "the table", "take less")
    path = tmp_path / "x.toml"
    tasks = "skills = {range = [1, 20]}\nsuccess = {linear = [0.1, 0.9, 20]}"
    path.write_text(f"[tasks]\n{tasks}\n[budget]\nsteps = 10_000_000\n")
    assert main(["run", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {path}: 400 tasks with their budgets at one point needs about 89.4 GiB of memory")
    path.write_text(f"{SMALL}[sweep.axes]\nseed = {{range = [1, 900000]}}\n")
    assert main(["sweep", str(path)]) == 2
    assert "a result of 1,800,000 rows needs about 1.68 GiB of memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [MemoryError("Unable to allocate 74.6 GiB"), RuntimeError("RESOURCE_EXHAUSTED: Unable to allocate 74.6 GiB")],
    ids=["NumPy", "XLA"],
)
def test_memory_that_runs_out_is_one_line(error, tmp_path, capsys, monkeypatch):
    def grasping(*_, **__):
        raise error

    path = tmp_path / "x.toml"
    path.write_text(SMALL)
    monkeypatch.setattr(ds, "run", grasping)
    assert main(["run", str(path)]) == 2
    assert capsys.readouterr().err == f"error: out of memory ({error}): ask for less at once\n"


@pytest.mark.parametrize(
    ("steps", "beam", "most"),
    [(1000, None, 2**17), (2**20, None, 2**14), (2**24, None, 2**10), (60, (3, 2), 2**17), (60, (32, 32), 2**13)],
)
def test_a_launch_is_bounded_in_work_and_memory(steps, beam, most):
    """Ctrl-C waits for a launch, and a launch holds all proposals of its lanes."""
    step = ds.CoT() if beam is None else ds.Beam(*beam)
    task = ds.Task(ds.SkillGraph.chain(3, 0.5), step=step, steps=steps)
    (wave,) = waves([Job.of(task, 0, EngineOptions(traces=10**7))], 2**17, None)
    assert wave.width * wave.rows == most
    assert beam is None or most * step.proposals <= MOST_PROPOSALS


def test_the_table_of_a_long_choice_is_cut(tmp_path, cli):
    path = tmp_path / "x.toml"
    both = '[strategies.a]\n[strategies.b]\naggregate = "best_of_n"\nn = 2\n'
    budget = '[budget]\ntokens = {linear = [100, 50_000, 250]}\n[engine]\nkind = "closed_form"\n'
    path.write_text(f"[graph]\nskills = 3\nsuccess = 0.1\n{both}{budget}")
    out = cli("choose", path)
    assert "... and 50 more budgets: --out FILE.csv or --json has them all." in out
    assert len(out.splitlines()) < 2 * 200
