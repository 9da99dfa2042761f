"""The exact engine against rational arithmetic and brute force."""

import itertools
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array

from ds3sim.core.errors import InputError, NoClosedForm
from ds3sim.engine.exact import propagate
from ds3sim.engine.simulate import closed_form, exact
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.aggregate import BestOfN, Majority, Single, Verifier
from ds3sim.task.steps import Beam, CoT, ToT
from ds3sim.task.task import Task
from ds3sim.task.wrong_answers import GeometricErrors, WeightErrors
from ds3sim.validate.suite import suite


def rational(graph, steps):
    """P(T <= k) and P(dead by k) by exact rational arithmetic on the edges."""
    rows = [[Fraction(0)] * graph.size for _ in range(graph.size)]
    for s, t, p in zip(graph.source, graph.target, graph.probability, strict=True):
        if not (graph.goal | graph.dead)[s]:
            rows[s][t] += Fraction(float(p))
    for s in range(graph.size):
        rows[s][s] += 1 - sum(rows[s])
    now = [Fraction(float(p)) for p in graph.start]
    goals, deaths = [], []
    for _ in range(steps + 1):
        goals.append(sum(x for x, g in zip(now, graph.goal, strict=True) if g))
        deaths.append(sum(x for x, d in zip(now, graph.dead, strict=True) if d))
        now = [sum(now[s] * rows[s][t] for s in range(graph.size)) for t in range(graph.size)]
    return [float(x) for x in goals], [float(x) for x in deaths]


@pytest.mark.parametrize(
    "graph",
    [
        SkillGraph.chain(4, 0.3),
        SkillGraph.layered(2, 3, 0.4, back=0.1, death=0.05, seed=1),
        SkillGraph.random(6, 0.8, degree=3, death=0.1, seed=2),
    ],
)
def test_against_rational_arithmetic(graph):
    goals, deaths = rational(graph, 30)
    task = Task(graph, steps=range(31))
    numbers = exact(task)
    np.testing.assert_allclose(np.asarray(numbers.success(range(31))), goals, atol=1e-14)
    np.testing.assert_allclose(np.cumsum(numbers.death_pmf), deaths, atol=1e-14)
    used = [sum(1 - g for g in goals[:k]) for k in range(31)]
    np.testing.assert_allclose(np.asarray(numbers.expected_steps(range(31))), used, rtol=1e-13)
    stops = exact(Task(graph, steps=range(31), on_dead="stop"))
    used = [sum(1 - g - d for g, d in zip(goals[:k], deaths[:k], strict=True)) for k in range(31)]
    np.testing.assert_allclose(np.asarray(stops.expected_steps(range(31))), used, rtol=1e-13)
    pmf = np.diff(goals, prepend=0.0)
    square = [sum(j**2 * pmf[j] for j in range(k + 1)) + k**2 * (1 - goals[k]) for k in range(31)]
    np.testing.assert_allclose(numbers.expected_square_steps(range(31)), square, rtol=1e-12, atol=1e-13)


def by_scipy(tensor, start, goal, dead, steps):
    """P(T = k) and P(death at k), one product of SciPy a step."""
    moving, now = csr_array(tensor).T.tocsr(), start.astype(float)
    out = np.zeros((2, steps + 1))
    for k in range(steps + 1):
        out[:, k] = now[goal].sum(), now[dead].sum()
        now = moving @ np.where(goal | dead, 0.0, now)
    return out


SPREAD = {"a": 0.5, "b": 0.2, "z": 0.1, "x": 0.2}
DOUBLED = {
    "chain": SkillGraph.chain(30, 0.4),
    "hopeless": SkillGraph.chain(3, 0.0),
    "slow": SkillGraph.chain(4, 1e-6),
    "random": SkillGraph.random(20, 0.5, degree=4, death=0.001, seed=3),
    "wider": SkillGraph.random(140, 0.95, degree=3, death=0.01, seed=5),
    "start": SkillGraph.from_edges(
        [("a", "b", 0.5), ("b", "z", 0.3), ("b", "x", 0.1)], start=SPREAD, goal="z", dead="x"
    ),
    "ended": SkillGraph.from_edges([("a", "z", 1.0)], start="z", goal="z", nodes=["a", "z"]),
}


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 31, 32, 33, 100, 257, 3000])
@pytest.mark.parametrize("graph", DOUBLED.values(), ids=list(DOUBLED))
def test_doubling_is_one_product_a_step(graph, steps):
    law = (graph.transition_tensor(), graph.start, graph.goal, graph.dead, steps)
    found, expected = np.array(propagate(*law)), by_scipy(*law)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)
    assert found.sum() <= 1 + 1e-12


@pytest.mark.parametrize("skills", [3, 63, 200])
@pytest.mark.parametrize("steps", [250, 40_000])
def test_doubling_against_the_closed_form(skills, steps):
    task = Task(SkillGraph.chain(skills, 0.3), steps=steps)
    budgets = np.unique(np.geomspace(1, steps, 100).astype(int))
    numbers, formula = exact(task), closed_form(task)
    for what in ("success", "expected_steps"):
        a, b = (np.asarray(getattr(engine, what)(budgets)) for engine in (numbers, formula))
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-290, err_msg=what)


def test_a_large_sparse_walk_keeps_to_its_edges():
    """50,000 nodes, 500,000 edges: the numbers of plain SciPy, in memory in proportion to the edges."""
    nodes, rng = 50_000, np.random.default_rng(8)
    ends = rng.integers(0, nodes, (nodes, 10))
    weight = rng.dirichlet(np.ones(11), nodes)
    row = np.repeat(np.arange(nodes), 11)
    tensor = csr_array(coo_array((weight.ravel(), (row, np.column_stack([ends, np.arange(nodes)]).ravel()))))
    goal, dead = np.arange(nodes) % 500 == 7, np.arange(nodes) % 5000 == 9
    start = np.eye(1, nodes)[0]
    tracemalloc.start()
    found = propagate(tensor, start, goal, dead, 60)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(found, by_scipy(tensor, start, goal, dead, 60), rtol=1e-12, atol=1e-300)
    assert peak < 100 * tensor.nnz


def test_large_sparse_graph():
    graph = SkillGraph.random(400, 0.9, degree=5, death=0.01, seed=4)
    tensor = graph.transition_tensor()
    now, hits = graph.start, []
    for _ in range(61):
        hits.append(now[graph.goal].sum())
        now = now @ tensor
    np.testing.assert_allclose(np.asarray(exact(Task(graph, steps=range(61))).success(range(61))), hits, atol=1e-14)


def enumerated(aggregate, p):
    """Success by listing every outcome of the n traces and of their marks."""
    if isinstance(aggregate, Single):
        return p
    n, total = aggregate.n, 0.0
    if isinstance(aggregate, BestOfN):
        v = aggregate.verifier
        for marks in itertools.product(itertools.product((True, False), repeat=2), repeat=n):
            chance = 1.0
            for right, taken in marks:
                rate = v.true_positive if right else v.false_positive
                chance *= (p if right else 1 - p) * (rate if taken else 1 - rate)
            pool = [right for right, taken in marks if taken]
            if not pool and v.fallback == "random":
                pool = [right for right, _ in marks]
            total += chance * (sum(pool) / len(pool) if pool else 0.0)
        return total
    laws = [p, *((1 - p) * aggregate.errors.weights)]
    for answers in itertools.product(range(len(laws)), repeat=n):
        chance = np.prod([laws[a] for a in answers])
        votes = np.bincount(answers, minlength=len(laws))
        if votes[0] == votes.max():
            tied = int((votes[1:] == votes[0]).sum())
            total += chance * ((1 / (1 + tied)) if aggregate.ties == "random" else float(tied == 0))
    return total


AGGREGATES = [
    Single(),
    BestOfN(1),
    BestOfN(3),
    BestOfN(3, Verifier(0.8, 0.2)),
    BestOfN(3, Verifier(0.8, 0.2, "abstain")),
    BestOfN(4, Verifier(0.1, 0.6)),
    BestOfN(1, Verifier(0.7, 0.1, "abstain")),
    BestOfN(3, Verifier(0.0, 0.0)),
    Majority(1),
    Majority(2, WeightErrors((1.0,))),
    Majority(4, WeightErrors((0.5, 0.3, 0.2))),
    Majority(5, GeometricErrors(3, 0.5), "wrong"),
    Majority(6, GeometricErrors(4, 1.0)),
]


@pytest.mark.parametrize("aggregate", AGGREGATES, ids=repr)
@pytest.mark.parametrize("feasibility", ["per_task", "per_trace"])
def test_aggregators_against_listing_every_outcome(aggregate, feasibility):
    budgets = [n * aggregate.n for n in (0, 2, 3, 6, 20)]
    task = Task(SkillGraph.chain(2, 0.3, feasible=0.7), CoT(), aggregate, budgets, feasibility)
    ones = np.asarray(exact(Task(SkillGraph.chain(2, 0.3), steps=[0, 2, 3, 6, 20])).success([0, 2, 3, 6, 20]))
    if feasibility == "per_task":
        expected = [0.7 * enumerated(aggregate, p) + 0.3 * enumerated(aggregate, 0.0) for p in ones]
    else:
        expected = [enumerated(aggregate, 0.7 * p) for p in ones]
    for engine in (exact, closed_form):
        np.testing.assert_allclose(np.asarray(engine(task).success(budgets)), expected, atol=1e-13)


def test_closed_form_and_exact_agree_on_the_whole_suite():
    compared = 0
    for case in suite():
        budgets = case.expected.budgets
        try:
            formula = closed_form(case.expected)
        except NoClosedForm as reason:
            assert "no closed form" in str(reason)
            continue
        numbers = exact(case.expected)
        for what in ("success", "expected_steps", "expected_square_steps"):
            a, b = (np.asarray(getattr(e, what)(budgets)) for e in (numbers, formula))
            np.testing.assert_allclose(a, b, rtol=2e-11, atol=1e-12, err_msg=f"{case.name} {what}")
        compared += 1
    assert compared >= 40


def test_closed_form_shares_no_code_with_exact():
    import ds3sim.engine.closed_form as formulas
    import ds3sim.engine.exact as numbers

    def ours(module):
        return {v.__module__ for v in vars(module).values() if getattr(v, "__module__", "").startswith("ds3sim")}

    shared = ours(formulas) & ours(numbers)
    records = {"core.estimate", "core.errors", "task.task", "task.steps", "task.aggregate", "engine.law"}
    assert shared <= {f"ds3sim.{name}" for name in records}


def test_refusals_say_why():
    chain = SkillGraph.chain(3, 0.5)
    with pytest.raises(InputError, match="beam"):
        exact(Task(chain, Beam(2, 2), steps=5))
    with pytest.raises(NoClosedForm, match="beam"):
        closed_form(Task(chain, Beam(2, 2), steps=5))
    with pytest.raises(InputError, match="propagates"):
        exact(Task(chain, steps=10**9))
    with pytest.raises(InputError, match="above the task's largest"):
        exact(Task(chain, steps=5)).success(6)
    with pytest.raises(InputError, match="enumerates votes"):
        exact(Task(chain, aggregate=Majority(3000), steps=30000)).success(30000)


def test_closed_form_at_budgets_no_engine_can_walk():
    import mpmath

    task = Task(SkillGraph.chain(5, 1e-9), ToT(3), steps=[10**9, 4 * 10**9])
    with mpmath.workdps(40):
        r = 1 - (1 - mpmath.mpf(1e-9)) ** 3
        for k, p in zip(task.budgets, np.asarray(closed_form(task).success(task.budgets)), strict=True):
            assert p == pytest.approx(float(mpmath.betainc(5, int(k) - 4, 0, r, regularized=True)), rel=1e-12)
