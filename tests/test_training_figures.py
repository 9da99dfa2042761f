"""The figures of the training side: quick ones, their numbers and their findings."""

import csv
import io

import pytest

from ds3sim.reproduce.drawing import Options
from ds3sim.reproduce.registry import FIGURES

NAMES = ("aime", "emergence", "training-ratio", "skill-levels")


@pytest.mark.parametrize("name", NAMES)
def test_quick_figure(name):
    drawing = FIGURES[name].make(Options(quick=True))
    assert drawing.found
    assert all("nan" not in sentence for sentence in drawing.found)
    rows = list(csv.DictReader(io.StringIO(drawing.csv())))
    assert len(rows) > 50
    assert all(abs(z) < 6.5 for z in drawing.z)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["peeling", "disorder"])
def test_quick_simulated_figure(name):
    drawing = FIGURES[name].make(Options(quick=True))
    assert drawing.found
    assert all("nan" not in sentence for sentence in drawing.found)


def test_aime_figure_has_the_numbers_of_the_authors_code():
    found = "\n".join(FIGURES["aime"].make(Options(quick=True)).found)
    for number in ("0.164936 (their code 0.164936)", "7.62076e+15 (7.62076e+15)", "7.21731e+16 (7.21731e+16)"):
        assert number in found
