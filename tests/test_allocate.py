"""Allocation: each mode against brute force, its limits, its dual, gradients, the authors' exponents, the command."""

import jax
import numpy as np
import pytest
from scipy.special import betainc
from scipy.stats import linregress

from ds3sim.allocate.curves import compare, exponents, inference_map, steps_for
from ds3sim.allocate.solve import Problem, least_compute, solve
from ds3sim.core.errors import InputError
from ds3sim.stats.slopes import exponent
from ds3sim.theory import chain
from ds3sim.theory.difficulty import Bridge, Difficulty
from ds3sim.theory.loss import CONSTANTS, loss, loss_optimal, step_success
from ds3sim.theory.spending import Architecture, Box, best_training, cheapest_training, tied_training

TASKS = Difficulty.grid([1.0, 2.0, 3.5], [1, 2, 4, 7], np.arange(1.0, 13.0).reshape(3, 4))
ATTENTION = Architecture.of_aspect(64)


def problem(**changes) -> Problem:
    values = {"tasks": TASKS, "demand": 1e7, "box": Box((1e6, 1e13), (1e6, 1e14), 20_000)} | changes
    return Problem(**values)


def by_hand(p: Problem, n, d, k):
    """Accuracy and lifetime FLOPs of given N, D, K (arrays), task by task from theory.chain."""
    level = np.asarray(p.constants.E + p.constants.A * n**-p.constants.alpha + p.constants.B * d**-p.constants.beta)
    r = step_success(level[..., None], p.tasks.ease, b=p.tasks.bridge.b)
    m, w = p.tasks.skills, p.tasks.weights
    k = np.asarray(k)[..., None]
    omega, prompt = p.tokens_per_step, p.prompt_tokens
    one = omega * chain.expected_steps(m, r, k) @ w
    two = omega**2 * chain.expected_square_steps(m, r, k) @ w
    attention = 2 * p.shape.width(n) * (prompt**2 + one * prompt + (two - one) / 2)
    return chain.success(m, r, k) @ w, 6 * n * d + p.demand * (2 * n * one + attention)


def brute(p: Problem, compute: float, pairs) -> float:
    """Best accuracy over (N, D) pairs, with the largest K that each can pay for."""
    n, d = pairs
    low, high = np.zeros(n.shape), np.full(n.shape, float(p.box.steps))
    while (low < high).any():
        middle = np.ceil((low + high) / 2)
        fits = by_hand(p, n, d, middle)[1] <= compute
        low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
    accuracy, cost = by_hand(p, n, d, low)
    return float(accuracy[cost <= compute].max())


@pytest.mark.parametrize("dense", [True, False])
def test_moments_against_the_chain(dense):
    tasks = Difficulty.grid([0.0, 1.5, 2.0, 9.0], np.arange(1, 21), bridge=Bridge(b=40.0))
    assert tasks.dense
    if not dense:
        object.__setattr__(tasks, "dense", False)
    level, k = np.array([[1.7], [2.5]]), np.array([0, 1, 7, 20, 400, 10**6])
    got = tasks.moments(level, k)
    r = step_success(level[..., None], tasks.ease, b=40.0)
    for value, law in (
        (got.success, chain.success),
        (got.steps, chain.expected_steps),
        (got.square_steps, chain.expected_square_steps),
    ):
        np.testing.assert_allclose(value, law(tasks.skills, r, k[:, None]) @ tasks.weights, rtol=2e-12)


def test_moments_where_steps_never_or_always_succeed():
    never = Difficulty.grid([0.0], [1, 2, 3], bridge=Bridge(d=-0.5)).moments(3.0, [0, 5])
    np.testing.assert_allclose([never.success, never.steps, never.square_steps], [[0, 0], [0, 5], [0, 25]], rtol=1e-14)
    sure = Difficulty.grid([9.0], [1, 2, 3], bridge=Bridge(iota=2.0)).moments(1.0, [2, 5])
    np.testing.assert_allclose([sure.success, sure.steps], [[2 / 3, 1], [5 / 3, 2]], rtol=1e-14)


def test_weights_and_refusals_of_mixtures():
    twice = Difficulty(*map(np.array, ([1.0, 1.0, 2.0], [3, 3, 5], [1, 1, 2]))).moments(2.0, 30).success
    once = Difficulty(*map(np.array, ([1.0, 2.0], [3, 5], [2, 2]))).moments(2.0, 30).success
    assert twice == pytest.approx(float(once), rel=1e-14)
    for bad, said in (
        (([1.0], [0], [1]), "skills = 0"),
        (([1.0], [2], [-1]), "weights = -1"),
        (([np.nan], [2], [1]), "ease = nan"),
        (([1.0, 2.0], [2], [1]), "differ in length"),
        (([1.0], [2], [0]), "not all be 0"),
    ):
        with pytest.raises(InputError, match=said):
            Difficulty(*map(np.array, bad))
    with pytest.raises(InputError, match="b = -1"):
        Bridge(b=-1.0)


@pytest.mark.parametrize("shape", [Architecture(), ATTENTION, Architecture(2.0, 0.3)])
@pytest.mark.parametrize(
    "box", [Box((1e6, 1e14), (1e6, 1e15)), Box((1e9, 2e9), (1e6, 1e15)), Box((1e6, 1e14), (1e11, 2e11))]
)
def test_best_training_against_a_grid(shape, box):
    c = CONSTANTS["hoffmann"]
    for compute, tokens, price in ((1e22, 0.0, 0.0), (1e22, 1e11, 1e13), (1e22, 3e12, 1e15)):
        n = np.geomspace(*box.parameters, 40_001)
        d = (compute - 2 * n * tokens - shape.width(n) * price) / (6 * n)
        fine = d >= box.tokens[0]
        found = best_training(compute, tokens, price, c, box, shape)
        if not fine.any():
            assert np.isinf(found.loss)
            continue
        values = loss(n[fine], np.minimum(d[fine], box.tokens[1]), c)
        assert found.loss <= values.min() * (1 + 1e-14)
        assert found.loss == pytest.approx(values.min(), rel=1e-5)
        spent = (
            6 * found.parameters * found.tokens + 2 * found.parameters * tokens + shape.width(found.parameters) * price
        )
        assert spent <= compute * (1 + 1e-9)


@pytest.mark.parametrize("shape", [Architecture(), ATTENTION])
def test_cheapest_training_is_the_dual(shape):
    c, box = CONSTANTS["epoch"], Box()
    for tokens, price in ((0.0, 0.0), (1e11, 1e13), (3e13, 1e14)):
        found = best_training(1e23, tokens, price, c, box, shape)
        back, cost = cheapest_training(found.loss, tokens, price, c, box, shape)
        assert cost == pytest.approx(1e23, rel=1e-9)
        assert back.parameters == pytest.approx(float(found.parameters), rel=1e-5)


def test_architectures():
    shape = Architecture.of_aspect(128)
    layers = (1e10 / (12 * 128**2)) ** (1 / 3)
    assert shape.width(1e10) == pytest.approx(layers * layers * 128, rel=1e-12)
    table = [[n, (n / 12 / 128**2) ** (1 / 3), 128 * (n / 12 / 128**2) ** (1 / 3)] for n in (1e8, 1e9, 1e11)]
    fitted = Architecture.of_table(table)
    assert (fitted.power, fitted.scale) == pytest.approx((shape.power, shape.scale), rel=1e-9)
    with pytest.raises(InputError, match="different N"):
        Architecture.of_table([[1e9, 2, 3], [1e9, 4, 5]])


@pytest.mark.parametrize(
    ("compute", "shape"), [(3e16, ATTENTION), (1e18, Architecture()), (3e19, ATTENTION)], ids=["low", "middle", "high"]
)
def test_global_against_brute_force(compute, shape):
    p = problem(shape=shape, prompt_tokens=100.0)
    found = solve(p, compute)
    accuracy, cost = by_hand(p, found.parameters, found.training_tokens, found.steps)
    assert found.accuracy == pytest.approx(float(accuracy), rel=1e-10)
    assert cost == pytest.approx(compute, rel=1e-9)
    n, d = np.meshgrid(np.geomspace(1e6, 1e10, 61), np.geomspace(1e6, 1e13, 71))
    best = brute(p, compute, (n.ravel(), d.ravel()))
    # Around it, finer: a coarse grid alone falls short of the optimum by its mesh.
    n, d = np.meshgrid(
        found.parameters * np.geomspace(0.8, 1.25, 41), found.training_tokens * np.geomspace(0.8, 1.25, 41)
    )
    near = brute(p, compute, (n.ravel(), d.ravel()))
    assert found.accuracy >= max(best, near) * (1 - 1e-12)
    assert found.accuracy == pytest.approx(max(best, near), rel=5e-3)
    assert not found.bounds and not found.saturated


@pytest.mark.parametrize("compute", [3e16, 1e18, 3e19])
def test_chinchilla_against_brute_force(compute):
    p = problem()
    found = solve(p, compute, "chinchilla")
    n = np.geomspace(1e6, 1e10, 3001)
    best = brute(p, compute, (n, 20 * n))
    assert best * (1 - 1e-12) <= found.accuracy <= best * 1.02
    assert found.kappa == pytest.approx(20)
    assert solve(p, compute).accuracy >= found.accuracy


def test_fixed_tokens_against_brute_force():
    p = problem()
    found = solve(p, 1e18, "fixed_tokens", tokens_per_task=1010)
    assert found.steps == 40
    n, d = np.meshgrid(np.geomspace(1e6, 1e10, 201), np.geomspace(1e6, 1e13, 201))
    accuracy, cost = by_hand(p, n.ravel(), d.ravel(), 40)
    best = accuracy[cost <= 1e18].max()
    assert best <= found.accuracy <= best * 1.01
    assert found.accuracy <= solve(p, 1e18).accuracy
    at_best = solve(p, 1e18)
    again = solve(p, 1e18, "fixed_tokens", tokens_per_task=at_best.budget_tokens)
    assert again.accuracy == pytest.approx(at_best.accuracy, rel=1e-12)


def test_fixed_demand_against_a_grid_and_at_no_demand():
    p = problem()
    found = solve(p, 1e21, "fixed_demand", demand_tokens=3e11)
    n = np.geomspace(1e7, 1e11, 200_001)
    d = 1e21 / 6 / n - 1e11
    values = loss(n[d > 0], d[d > 0])
    assert found.loss == pytest.approx(values.min(), rel=1e-9)
    assert found.parameters == pytest.approx(n[d > 0][values.argmin()], rel=1e-3)
    steps = TASKS.moments(found.loss, np.array([found.steps, found.steps + 1])).steps
    assert 25 * steps[0] <= 3e11 / 1e7 < 25 * steps[1] or found.steps == p.box.steps
    none = solve(p, 1e21, "fixed_demand", demand_tokens=0.0)
    assert (none.parameters, none.training_tokens) == pytest.approx(tuple(map(float, loss_optimal(1e21))), rel=1e-6)


def test_inference_optimal_against_all_steps():
    p = problem(tasks=Difficulty.grid([2.5], [7], bridge=Bridge(b=20.0)))
    found = solve(p, 2e10, "inference_optimal")
    k = np.arange(1.0, 20_001.0)
    n = 2e10 / (2 * 25 * k)
    ok = n >= 1e6
    accuracy = chain.success(7, step_success(loss(n, np.inf), 2.5, b=20.0), k)[ok]
    assert found.steps == k[ok][accuracy.argmax()]
    assert found.accuracy == pytest.approx(accuracy.max(), rel=1e-12)
    assert found.inference_share == 1.0 and found.training_tokens == np.inf


def test_no_demand_is_loss_optimal():
    found = solve(problem(demand=0.0), 1e20)
    assert (found.parameters, found.training_tokens) == pytest.approx(tuple(map(float, loss_optimal(1e20))), rel=1e-6)
    assert found.inference_share == 0 and found.steps == 20_000


@pytest.mark.parametrize("mode", ["global", "chinchilla"])
def test_least_compute_is_the_dual(mode):
    for shape in (Architecture(), ATTENTION):
        p = problem(shape=shape)
        for compute in (1e17, 1e19):
            assert least_compute(p, solve(p, compute, mode).accuracy, mode) == pytest.approx(compute, rel=1e-9)


def test_more_compute_is_never_worse_and_comparisons_agree():
    p = problem()
    results = [solve(p, compute) for compute in np.geomspace(1e16, 1e19, 4)]
    assert (np.diff([r.accuracy for r in results]) > 0).all()
    found = compare(p, 1e18)
    assert found.gap > 0 and found.extra_compute is not None and found.extra_compute > 1
    tied = solve(p, 1e18 * found.extra_compute, "chinchilla")
    assert tied.accuracy == pytest.approx(found.best.accuracy, rel=1e-9)


def test_bounds_and_refusals():
    p = problem(box=Box((1e6, 1e7), (1e6, 1e14), 10))
    assert solve(p, 1e20).bounds == ("parameters <= 1e+07", "steps <= 10")
    small = problem(box=Box((1e8, 1e13), (1e6, 1e14), 10_000))
    assert "parameters >= 1e+08" in solve(small, 3e17).bounds
    with pytest.raises(InputError, match="pays for no model"):
        solve(small, 1e10)
    with pytest.raises(InputError, match="mode = 'best'"):
        solve(small, 1e20, "best")
    with pytest.raises(InputError, match="kappa = 1e-09"):
        tied_training(1e20, 0.0, 0.0, 1e-9, CONSTANTS["hoffmann"], Box(), Architecture())
    full = solve(problem(tasks=Difficulty.grid([4.0], [1])), 1e22)
    assert full.saturated


@pytest.mark.parametrize("shape", [Architecture(), ATTENTION], ids=["parameters", "attention"])
def test_gradients_against_differences_and_the_search(shape):
    from ds3sim.allocate.gradient import log_accuracy, maximise

    p = problem(shape=shape)
    found = solve(p, 1e18)
    x = np.log([found.parameters, found.steps])
    assert log_accuracy(p, 1e18, *x)[0] == pytest.approx(np.log(found.accuracy), abs=1e-10)
    for shift in ((0.0, 0.0), (0.3, -0.2), (-0.2, -0.5)):
        at = x + shift
        slope = log_accuracy(p, 1e18, *at)[1]
        for i, unit in enumerate(np.eye(2)):
            up, down = (log_accuracy(p, 1e18, *(at + s * 1e-5 * unit))[0] for s in (1, -1))
            assert slope[i] == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-7)
    best = maximise(p, 1e18)
    assert best.gradient < 1e-6
    # Real K can only be better than whole K, and only by its curvature within one step.
    assert found.accuracy * (1 - 1e-9) <= best.accuracy <= found.accuracy * 1.01
    assert abs(best.steps - found.steps) <= 1
    assert not jax.config.jax_enable_x64


def test_exponent_is_least_squares():
    x = np.geomspace(1, 1e6, 9)
    exact = exponent(x, 3 * x**0.4)
    assert (exact.value, exact.points) == (pytest.approx(0.4), 9) and exact.error == pytest.approx(0, abs=1e-12)
    y = 2 * x**0.7 * np.exp(0.3 * np.sin(np.arange(9.0)))
    reference = linregress(np.log(x), np.log(y))
    assert (exponent(x, y).value, exponent(x, y).error) == pytest.approx((reference.slope, reference.stderr), rel=1e-9)
    assert exponent([1.0], [2.0]) is None
    results = [solve(problem(), compute) for compute in (1e17, 1e18, 1e19)]
    found = exponents(results)
    reference = linregress(np.log([1e17, 1e18, 1e19]), np.log([r.parameters for r in results]))
    assert (found["parameters"].value, found["parameters"].error) == pytest.approx((reference.slope, reference.stderr))


def test_the_authors_inference_exponents():
    """Published for m = 1..100, L0 = 3.0..1.5: parameter slopes from about 0 to 1, mean near 0.37, tokens 0.64."""
    found = inference_map(np.arange(1, 101, 11), np.linspace(3.0, 1.5, 7), points=9)
    assert not found.bounded.any()
    assert found.parameters.min() == pytest.approx(0, abs=0.01) and found.parameters.max() == pytest.approx(1, abs=0.01)
    # A tenth of the map: the means over m = 1..100 and 16 L0 are 0.361 and 0.639 (docs/allocation.md).
    assert found.parameters.mean() == pytest.approx(0.37, abs=0.04)
    assert found.tokens.mean() == pytest.approx(0.64, abs=0.04)


def test_inference_map_against_brute_force():
    found = inference_map([5], [2.4], points=9)
    compute = np.geomspace(*found.compute[0, 0], 9)
    n = np.geomspace(1e5, 1e12, 40_001)
    r = step_success(loss(n, np.inf), 2.4, b=20.0)
    best = []
    for c in compute:
        b = c / (50 * n) - 4
        accuracy = np.where(b >= 1, betainc(5, np.maximum(b, 1), r), 0.0)
        best.append((accuracy.max(), n[accuracy.argmax()]))
    accuracy, size = np.array(best).T
    assert (accuracy[0], accuracy[-1]) == pytest.approx((0.01, 0.99), rel=5e-3)
    assert found.parameters[0, 0] == pytest.approx(exponent(compute, size).value, abs=0.01)


def test_steps_for_inverts_the_incomplete_beta_function():
    m, r, q = np.array([1, 50, 100, 10]), np.array([0.3, 0.99, 1e-5, 0.5]), np.array([0.5, 0.99, 0.01, 0.99])
    k = steps_for(m, r, q)
    np.testing.assert_allclose(betainc(m, k - m + 1, r), q, rtol=1e-9)
    assert steps_for(3, 0.99, 0.5) == 3 and steps_for(3, 0.0, 0.5) == np.inf


SMALL = """
[allocate]
compute = [1e18, 1e19]
tasks = 1e7
[tasks]
skills = {range = [1, 6]}
difficulty = [1.0, 3.0]
[box]
parameters = [1e6, 1e13]
tokens = [1e6, 1e14]
steps = 2000
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def test_command_json_and_words(small, cli):
    result = cli.json("allocate", small)
    assert [row["compute"] for row in result["results"]] == [1e18, 1e19]
    assert {row["constants"] for row in result["other_constants"]} == {"hoffmann_source", "epoch"}
    row = result["results"][-1]
    assert row["kappa"] == pytest.approx(row["training_tokens"] / row["parameters"])
    said = result["words"][1]
    assert said.startswith("at 1e19 FLOPs over 1e7 tasks: N = ") and "tokens per parameter" in said
    assert f"expected accuracy {row['accuracy']:.3g}." in said
    assert sum("epoch" in line for line in result["words"]) == 1
    assert said in cli("allocate", small)


@pytest.mark.parametrize(
    ("mode", "more"),
    [
        ("chinchilla", []),
        ("fixed_tokens", ["allocate.tokens_per_task=500"]),
        ("fixed_demand", ["allocate.demand_tokens=1e10"]),
        ("inference_optimal", ["allocate.compute=1e11"]),
        ("global", ["cost.aspect=64", "cost.prompt_tokens=100", "allocate.check=true", "allocate.compute=1e18"]),
    ],
)
def test_command_modes(small, cli, mode, more):
    result = cli.json("allocate", small, *(f"--set={key}" for key in (f"allocate.mode={mode}", *more)))
    assert result["mode"] == mode
    assert (result["gradient"] is not None) == ("allocate.check=true" in more)
