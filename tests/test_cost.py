"""Costs against sums over tokens, exact rationals and the equations solved in 50 digits."""

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

from ds3sim.core.errors import InputError
from ds3sim.task.budget import budget_rows, whole_steps
from ds3sim.theory.cost import CostModel, dollars, flops_monkeys

BIG = CostModel(25, 1e10, prompt_tokens=200, layers=96, attention_width=12288)
WIDE = CostModel(25, 1e6, prompt_tokens=100, layers=10, attention_width=4096)
SMALL = CostModel(25, 7e9, prompt_tokens=1000, layers=32, attention_width=4096, attention=False)


def by_tokens(cost: CostModel, tokens: int, b: int, n: int) -> Fraction:
    """(16), (17) token by token: 2 N, and 2 n_layer d_attn times the tokens before it, for each branch."""
    width = cost.layers * int(cost.attention_width) if cost.attention else 0
    prompt = int(cost.prompt_tokens)
    one = sum(Fraction(2 * int(cost.parameters)) + 2 * width * (prompt + j) for j in range(tokens)) * b
    if cost.attention and b > 1:
        one += b * tokens + Fraction(tokens, int(cost.tokens_per_step)) * (b - 1)
    return 2 * width * prompt**2 * (1 if cost.shared_prefill else n) + n * one


@pytest.mark.parametrize("cost", [BIG, WIDE, SMALL, CostModel(25, 1e6, 30, 4, 64, shared_prefill=False)])
def test_flops_token_by_token(cost):
    for tokens, b, n in ((0, 1, 1), (1, 1, 1), (500, 1, 1), (500, 4, 1), (500, 1, 8), (75, 3, 5)):
        want = float(by_tokens(cost, tokens, b, n))
        assert cost.flops(tokens, b, n) == pytest.approx(want, rel=4e-15)
        assert cost.generation(tokens, b) * n + cost.prefill() * (1 if cost.shared_prefill else n) == pytest.approx(
            want, rel=4e-15
        )


def test_the_formulas_as_printed():
    """(16) and (17) written out once more for one set of numbers."""
    n, layers, d, prompt, tokens, b, omega = 1e10, 96, 12288, 200, 1000, 4, 25
    cot = 2 * n * tokens + 2 * layers * d * (prompt**2 + tokens * prompt + tokens * (tokens - 1) / 2)
    assert BIG.flops(tokens) == pytest.approx(cot, rel=1e-15)
    tot = 2 * n * b * tokens + (b * tokens + tokens / omega * (b - 1))
    tot += 2 * layers * d * (prompt**2 + b * tokens * prompt + b * tokens * (tokens - 1) / 2)
    assert BIG.flops(tokens, b) == pytest.approx(tot, rel=1e-15)
    assert BIG.flops_training(1e12) == 6e22
    assert SMALL.flops(1000, 3, 2) == 2 * 7e9 * 1000 * 6 and SMALL.prefill() == 0


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("cost", [BIG, WIDE, SMALL])
def test_equal_cost_is_equal(cost, shared):
    cost = CostModel(25, cost.parameters, cost.prompt_tokens, cost.layers, cost.attention_width, cost.attention, shared)
    tokens = np.array([1e3, 1e4, 1e6])[:, None, None]
    b, n = np.array([1, 2, 7])[:, None], np.array([1, 3, 10])
    x = cost.equal_cost_tokens(tokens, b, n)
    assert x.shape == (3, 3, 3)
    paid = x > 0
    assert paid.sum() >= 24  # ten unshared prompts can cost more than 1000 tokens: then 0
    want = np.broadcast_to(cost.flops(tokens), x.shape)
    np.testing.assert_allclose(cost.flops(x, b, n)[paid], want[paid], rtol=1e-14)
    assert np.all(cost.flops(0, b, n)[None].repeat(3, 0)[~paid] >= want[~paid])
    assert x[1, 0, 0] == 1e4


def test_equation_18_as_printed():
    with mp.workdps(50):
        for tokens, b in ((1000, 4), (50_000, 16)):
            width = BIG.layers * BIG.attention_width
            k = 2 * BIG.prompt_tokens - 1 + 2 * mp.mpf(10) ** 10 / width
            scoring = b + mp.mpf(b - 1) / 25
            line, constant = b * k + scoring / width, tokens**2 + k * tokens
            root = (-line + mp.sqrt(line**2 + 4 * b * constant)) / (2 * b)
            assert BIG.equal_cost_tokens(tokens, b) == pytest.approx(float(root), rel=4e-15)


def test_limits_of_equal_cost():
    """Parameters dominate: Omega/(n b). Attention dominates: Omega/sqrt(n b)."""
    assert SMALL.equal_cost_tokens(6000.0, 3, 2) == pytest.approx(1000, rel=1e-15)
    heavy = CostModel(25, 1, 0, 100, 1e4)
    assert heavy.equal_cost_tokens(1e9, 4, 4) == pytest.approx(1e9 / 4, rel=1e-6)
    assert CostModel(25, 1e15, 0, 1, 1).equal_cost_tokens(1e4, 4) == pytest.approx(2500, rel=1e-6)


@pytest.mark.parametrize("cost", [BIG, WIDE, SMALL, CostModel(25, 1e6, 50, 8, 512, shared_prefill=False)])
def test_max_steps_inverts_flops(cost):
    for k in (0, 1, 2, 17, 1000, 123_457, 10**9):
        for b, n in ((1, 1), (4, 1), (1, 6), (3, 5)):
            price = float(cost.flops(cost.tokens_per_step * k, b, n))
            assert cost.max_steps(price, b, n) == k
            assert cost.max_steps(price * (1 + 1e-12), b, n) in (k, int(k * (1 + 1e-11)))
            if k:
                assert cost.max_steps(price * (1 - 1e-12), b, n) == k - 1 or k > 1e8
    steps = cost.max_steps(np.array([0.0, 1e18]), 2, 3)
    assert steps.dtype == np.int64 and steps[0] == 0 and steps[1] > 0
    assert isinstance(cost.max_steps(1e18), int)


def test_max_steps_is_the_largest():
    rng = np.random.default_rng(0)
    for budget in 10 ** rng.uniform(10, 24, 50):
        k = BIG.max_steps(budget, 2, 3)
        assert BIG.flops(25 * (k + 1), 2, 3) > budget and (k == 0 or BIG.flops(25 * k, 2, 3) <= budget)
    assert SMALL.max_steps(1e300) == 2**53


def test_mean_flops_of_random_lengths():
    """Against the mean of the costs over a law of lengths, and the gap to the cost of the mean."""
    tokens, chance = np.array([100.0, 400.0, 2000.0]), np.array([0.5, 0.3, 0.2])
    mean, square = tokens @ chance, tokens**2 @ chance
    for cost, b, n in ((BIG, 1, 1), (BIG, 4, 3), (WIDE, 2, 8), (SMALL, 2, 2)):
        want = cost.flops(tokens, b, n) @ chance
        assert cost.mean_flops(mean, square, b, n) == pytest.approx(want, rel=1e-14)
        width = cost.layers * cost.attention_width if cost.attention else 0
        gap = cost.mean_flops(mean, square, b, n) - cost.flops(mean, b, n)
        assert gap == pytest.approx(n * b * width * (square - mean**2), rel=1e-9, abs=1e-15 * want)
        assert cost.mean_flops(mean, mean**2, b, n) == pytest.approx(cost.flops(mean, b, n), rel=1e-15)


def test_large_language_monkeys():
    parameters, layers, width, prompt, output, n = 8_000, 4, 16, 7, 5, 3
    token = lambda t: 2 * (parameters + 2 * layers * width * t)  # noqa: E731
    want = sum(token(t) for t in range(1, prompt + 1))
    want += n * sum(token(t) for t in range(prompt + 1, prompt + output + 1))
    assert flops_monkeys(parameters, layers, width, prompt, output, n) == want
    assert flops_monkeys(parameters, layers, width, prompt, np.array([0, 5]), n).shape == (2,)


def test_dollars():
    assert dollars(1_000_000, 500_000, 3.0, 15.0) == 10.5
    np.testing.assert_array_equal(dollars([0, 10], 0, 1.0, 2.0), [0, 1e-5])


def test_tokens_and_no_parameters():
    cost = CostModel()
    assert not cost.has_flops and BIG.has_flops
    np.testing.assert_array_equal(cost.tokens([0, 2, 2.5]), [0, 50, 62.5])
    for call in (
        lambda: cost.flops(10),
        lambda: cost.prefill(),
        lambda: cost.max_steps(1e9),
        lambda: cost.flops_training(1),
    ):
        with pytest.raises(InputError, match="parameters"):
            call()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("tokens_per_step", value) for value in (0, float("inf"))),
        *(("parameters", value) for value in (-1, "7B", True, [1e9])),
        *(("prompt_tokens", value) for value in (-3, 1e200)),
        *(("layers", value) for value in (10**400, 1.5)),
        *(("attention_width", float("nan")), ("attention", 1), ("shared_prefill", "no")),
    ],
)
def test_bad_models(name, value):
    with pytest.raises(InputError, match=name):
        CostModel(**{"parameters": 1e9, name: value})


def test_bad_arguments():
    for call in (
        lambda: BIG.flops(-1),
        lambda: BIG.flops(10, 0),
        lambda: BIG.flops(10, 1, 1.5),
        lambda: BIG.flops([1, float("nan")]),
        lambda: BIG.mean_flops(10, 99),
        lambda: BIG.max_steps(-1.0),
        lambda: flops_monkeys(1, 1, 1, 1, 1, 0),
        lambda: dollars(1, 1, -1, 1),
    ):
        with pytest.raises(InputError, match=r"not|below"):
            call()


@pytest.mark.parametrize(
    ("tokens", "omega", "steps"), [(33, 1.1, 30), (3, 0.1, 30), (100, 25, 4), (124, 25.0, 4), (0, 7, 0)]
)
def test_tokens_become_steps_in_one_way(tokens, omega, steps):
    """Decimal digits as typed: in binary 33/1.1 is below 30."""
    (row,) = budget_rows("tokens", [tokens], n=1, proposals=1, tokens_per_step=omega)
    (real,) = budget_rows("tokens", [tokens], n=1, proposals=1, tokens_per_step=omega, whole=False)
    assert (row.steps, row.steps_per_trace, row.tokens) == (steps, steps, tokens)
    assert whole_steps(tokens, omega) == steps and steps <= real.steps_per_trace < steps + 1


def test_budgets_are_shared_by_traces_and_proposals():
    for unit, amount, whole, expected in [
        ("steps", 20, True, (20, 6)),
        ("steps", 20, False, (20, 20 / 3)),
        ("steps_per_trace", 7, True, (21, 7)),
        ("tokens", 1000, True, (20, 6)),
    ]:
        (row,) = budget_rows(unit, [amount], n=3, proposals=2, tokens_per_step=25, whole=whole)
        assert (row.steps, row.steps_per_trace) == pytest.approx(expected, rel=1e-15)
    cost = CostModel(25, 1e9, prompt_tokens=100, layers=24, attention_width=2048)
    (real,) = budget_rows("flops", [3e13], n=3, proposals=2, tokens_per_step=25, cost=cost, whole=False)
    assert float(cost.flops(25 * real.steps_per_trace, 2, 3)) == pytest.approx(3e13, rel=1e-12)
    (row,) = budget_rows("flops", [3e13], n=3, proposals=2, tokens_per_step=25, cost=cost)
    assert row.steps == 3 * int(real.steps_per_trace)
