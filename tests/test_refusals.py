"""What a caller may get wrong from Python: always an InputError of one printable line, never another error."""

from fractions import Fraction

import numpy as np
import pytest

from ds3sim.core.check import fraction, whole_number
from ds3sim.core.errors import InputError, shown
from ds3sim.engine.simulate import closed_form, exact, simulate
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.aggregate import BestOfN, Majority, Single, Verifier
from ds3sim.task.task import Task
from ds3sim.task.wrong_answers import GeometricErrors, WeightErrors

CHAIN = SkillGraph.chain(3, 0.5)
HUGE = [10**400, -(10**400), 16**10_000, Fraction(10**400, 3), float("inf"), float("nan")]


@pytest.mark.parametrize("value", [*HUGE, True, "3", None, 2.5, [3], 3 + 0j], ids=lambda v: shown(v, 20))
def test_numbers_that_are_none(value):
    for check in (
        lambda: whole_number("x", value, 0, 9),
        lambda: whole_number("x", value, 0) if value not in HUGE[:1] + HUGE[2:3] else whole_number("x", value, 0, 1),
        lambda: fraction("x", value),
    ):
        with pytest.raises(InputError, match=r"^x = .{1,60} is not allowed"):
            check()


def test_whole_numbers_keep_every_digit():
    # float64 has 53 bits: a NumPy seed above that must not be rounded.
    for value in (2**62 + 1, np.int64(2**62 + 1), np.uint64(2**62 + 1)):
        assert whole_number("seed", value, 0, 2**63 - 1) == 2**62 + 1
    assert whole_number("x", 50.0, 0) == 50 and type(whole_number("x", np.float32(50), 0)) is int


def test_messages_are_one_printable_line():
    text = str(InputError("a\nb\t\x1b[31mred \udcff é中"))
    assert text == "a b \\x1b[31mred \\udcff é中"
    assert text.isprintable()


@pytest.mark.parametrize(
    "steps", ["abc", "5", None, [], 10**400, float("inf"), float("nan"), -1, 5.5, True, 5 + 0j, 21]
)
def test_budgets_of_results(steps):
    task = Task(CHAIN, steps=20)
    for law in (simulate(task, 64), exact(task), closed_form(task)):
        for ask in (law.success, law.expected_steps, law.expected_square_steps):
            with pytest.raises(InputError, match=r"steps"):
                ask(steps)


def test_what_is_no_task():
    for compute in (simulate, exact, closed_form):
        with pytest.raises(InputError, match="is not a task"):
            compute(CHAIN)
    for make in (
        lambda: BestOfN(2, 0.5),
        lambda: Majority(2, (0.5, 0.5)),
        lambda: WeightErrors(0.5),
        lambda: WeightErrors("1"),
        lambda: WeightErrors(()),
        lambda: Single(2),
    ):
        with pytest.raises(InputError):
            make()


@pytest.mark.parametrize("name", ["\ud800", 10**5000], ids=["half a pair", "huge"])
def test_names_that_no_file_can_hold(name):
    with pytest.raises(InputError, match="cannot name a node"):
        SkillGraph.from_edges([(name, "z", 0.5)], start="z", goal="z")


def test_the_type_of_a_number_is_not_part_of_a_task():
    def identity(aggregate):
        return Task(CHAIN, aggregate=aggregate, steps=20).identity

    assert identity(BestOfN(2)) == identity(BestOfN(np.int64(2), Verifier(1, np.float64(0.0))))
    assert identity(Majority(3, GeometricErrors(5, 1.0))) == identity(Majority(3.0, GeometricErrors(5.0, 1)))
    assert identity(Majority(3, WeightErrors((1.0,)))) == identity(Majority(3, WeightErrors(np.ones(1))))
    assert identity(Single()) == identity(Single(1.0))


def test_probabilities_do_not_pass_1():
    # Sums over a thousand votes end at 1 + 6e-13 before they are cut.
    task = Task(SkillGraph.chain(1, 0.5), aggregate=Majority(1000), steps=3000)
    assert float(exact(task).success(3000)) <= 1.0
