"""What a caller may get wrong from Python: always an InputError of one printable line, never another error."""

from fractions import Fraction

import numpy as np
import pytest
from refused import refusal

from ds3sim.core.check import fraction, fraction_array, number, numbers, one_of, whole_number
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
    for make, word in (
        (lambda: BestOfN(2, 0.5), "verifier"),
        (lambda: Majority(2, (0.5, 0.5)), "errors"),
        (lambda: WeightErrors(0.5), "weights"),
        (lambda: WeightErrors("1"), "weights"),
        (lambda: WeightErrors(()), "weights"),
        (lambda: Single(2), "n = 2"),
    ):
        with pytest.raises(InputError, match=word):
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


def test_numbers_of_numpy_and_jax_are_numbers():
    import jax.numpy as jnp

    for half in (np.float32(0.5), np.array(0.5), jnp.float32(0.5), jnp.array(0.5), jnp.bfloat16(0.5), Fraction(1, 2)):
        assert fraction("x", half) == number("x", half) == 0.5
        assert SkillGraph.chain(3, half) == CHAIN
    for three in (np.int8(3), np.array(3), np.array(3.0), jnp.int32(3), jnp.array(3.0)):
        assert whole_number("x", three) == 3 and type(whole_number("x", three)) is int
    for none in (np.array([0.5]), np.bool_(True), jnp.array(True), np.array("0.5")):
        with pytest.raises(InputError, match=r"x = .* is not allowed"):
            fraction("x", none)


def test_values_that_jax_traces_are_refused():
    import jax

    for check in (fraction, fraction_array, whole_number):
        with pytest.raises(InputError, match=r"x is a value that JAX traces: .* outside of jit, vmap and grad"):
            jax.jit(lambda x, check=check: check("x", x))(0.5)
    for check in (fraction, fraction_array):  # the gradient would silently be 0
        with pytest.raises(InputError, match="traces"):
            jax.grad(lambda x, check=check: float(check("x", x)))(0.5)


@pytest.mark.parametrize(
    ("bounds", "good", "bad", "said"),
    [
        ({"low": 0}, [0, 1e300], [-1, -1e-300], "a number, at least 0"),
        ({"above": 0}, [1e-300], [0, -0.0], "a number above 0"),
        ({"low": 0, "high": 1}, [0, 1], [1.0000001], "a number between 0 and 1"),
        ({"above": 0, "below": 1}, [0.5], [0, 1], "a number above 0 and below 1"),
        ({"above": 0, "high": 1}, [1], [0, 2], "a number above 0 and at most 1"),
        ({}, [-5.5], [float("nan"), float("inf")], "a number"),
    ],
)
def test_bounds(bounds, good, bad, said):
    assert numbers("x", good, **bounds).tolist() == good
    for value in bad:
        for check in (number, numbers):
            assert refusal(check, "x", value, **bounds) == f"x = {value:g} is not allowed: it must be {said}"
        with pytest.raises(InputError, match=f"x = {value:g} is"):
            numbers("x", [*good, value], **bounds)
    for none in ("a", [1, [2]], None, [True]):
        with pytest.raises(InputError, match="or an array of such"):
            numbers("x", none, **bounds)
    assert numbers("x", float("inf"), infinite=True) == float("inf")


def test_choices():
    one_of("x", "a", ("a", "b"))
    one_of("x", None, (None, "a"))
    for value in ("c", 3, ["a"], None):
        with pytest.raises(InputError, match=r"x = .* is not known: choose a or b"):
            one_of("x", value, ("a", "b"))
