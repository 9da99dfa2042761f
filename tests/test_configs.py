"""Every config that is shipped runs, and its simulation agrees with its reference."""

import re
from pathlib import Path

import pytest
from statistics_budget import MOST_Z

from ds3sim import read_config, run
from ds3sim.stats.intervals import NORMAL_95
from ds3sim.stats.tests import binomial_z

FOLDER = Path(__file__).resolve().parents[1] / "configs"
OTHERS = ("sweep-", "allocate", "aime", "train")
"""Configs of other commands, which have tests of their own."""
CONFIGS = sorted(path for path in FOLDER.glob("*.toml") if not path.stem.startswith(OTHERS))
WANTED = ("quickstart", "tot-vs-cot", "best-of-n", "majority-vote", "from-file")


def test_the_configs_that_the_readme_names_are_there():
    assert set(WANTED) <= {path.stem for path in CONFIGS}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_config_agrees_with_its_reference(path):
    result = run(read_config(path, ["engine.traces=20000", "seed=12345"]))
    assert len(result.rows) == len(result.strategies) * len(result.of(result.strategies[0]))
    for row in result.rows:
        known = row.reference
        assert known is not None, f"{row.strategy} at {row.steps} steps has no reference"
        assert row.traces == 20_000 and row.success_low <= row.success <= row.success_high
        assert abs(binomial_z(round(row.success * row.traces), row.traces, known.success)) <= MOST_Z, row
        error = (row.expected_steps_high - row.expected_steps_low) / (2 * NORMAL_95)
        assert abs(row.expected_steps - known.expected_steps) <= MOST_Z * error + 1e-12 * known.expected_steps, row


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_exact_agrees_with_the_reference(path):
    for row in run(read_config(path, ["engine.kind=exact"])).rows:
        assert row.reference is not None
        assert row.success == pytest.approx(row.reference.success, abs=1e-10)
        assert row.expected_steps == pytest.approx(row.reference.expected_steps, rel=1e-9)


def test_the_lessons_hold():
    """What the comments in the configs say, by the exact engine."""

    def success(name, *sets):
        result = run(read_config(FOLDER / f"{name}.toml", ("engine.kind=exact", *sets)))
        return {s: {r.flops or r.steps_per_trace: r.success for r in result.of(s)} for s in result.strategies}

    both = success("tot-vs-cot")
    assert both["tree, b = 4"][2.5e14] > both["chain"][2.5e14] > both["tree, b = 16"][2.5e14]
    assert both["tree, b = 4"][1.6e14] < both["chain"][1.6e14]
    plain = success("tot-vs-cot", "cost.attention=false")
    for flops in (1.4e14, 1.8e14, 2.25e14):
        assert plain["chain"][flops] > plain["tree, b = 4"][flops] > plain["tree, b = 16"][flops]
    small = success("tot-vs-cot", "cost.parameters=1e8", "budget.flops=[4e12, 6e12, 8e12, 1e13, 1.6e13]")
    for flops in (6e12, 8e12, 1e13):
        assert small["tree, b = 16"][flops] > small["tree, b = 4"][flops] > small["chain"][flops]
    assert small["tree, b = 16"][4e12] < small["tree, b = 4"][4e12]

    best = success("best-of-n")
    levels = [round(best[name][max(best[name])], 2) for name in best]
    assert levels == [0.31, 0.77, 1.0, 0.8]

    votes = success("majority-vote")
    assert votes["majority of 25"][20] < votes["majority of 5"][20] < votes["one trace"][20]
    assert votes["majority of 25"][28] > votes["majority of 5"][28] > votes["one trace"][28]

    roots = success("from-file")
    assert roots["one trace"][80] < roots["majority of 5"][80] < roots["tree, b = 4"][80]


def test_the_readme_example_runs(capsys):
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    exec(compile(example.replace("1_000_000", "10_000"), "README", "exec"), {})
    assert "0.4580" in capsys.readouterr().out
