"""The look that all figures share."""

import subprocess
import sys

import pytest

from ds3sim.core import figure


def test_axes_given_are_kept_and_new_ones_change_no_setting():
    code = """
import matplotlib
from ds3sim.core import figure
def drawn():
    made, axes = figure.new_figure((3, 2))
    assert figure.new_axes(axes[0, 0]) is axes[0, 0]
    figure.line(axes[0, 0], [1, 10, 100], [0.1, 0.5, 0.9], label="a")
    figure.magnitude(axes[0, 0], [1, 10, 100])
    figure.legend(axes[0, 0], where="above")
    return figure.render(made, "svg")
assert drawn() == drawn()
import sys
assert "matplotlib.pyplot" not in sys.modules
before = dict(dict.items(matplotlib.rcParams))
assert figure.new_axes().figure is not None
after = dict(dict.items(matplotlib.rcParams))
assert {k for k in before if before[k] != after[k]} <= {"backend"}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01, "0.01"), (200, "200"), (5000.0, "5,000"), (1e6, "$10^{6}$"), (2e-5, r"$2{\times}10^{-5}$")],
)
def test_ticks(value, text):
    assert figure.tick(value) == text


def test_magnitudes_are_logarithmic_where_they_span_much():
    _, axes = figure.new_figure((6, 2), 1, 2)
    figure.magnitude(axes[0, 0], [1, 5])
    figure.magnitude(axes[0, 1], [1, 50])
    assert [a.get_xscale() for a in axes.flat] == ["linear", "log"]
    figure.probability(axes[0, 0], [1e-6, 1e-3])
    figure.probability(axes[0, 1], [1e-6, 0.5])
    assert [a.get_yscale() for a in axes.flat] == ["log", "linear"]
