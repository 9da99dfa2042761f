"""Step policies: compiled tensors against enumeration, high precision and micro-simulation."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds3sim.core.errors import InputError
from ds3sim.graph.graph import SkillGraph
from ds3sim.task.scores import best_of_b, hitting_value, score_classes
from ds3sim.task.steps import Beam, CoT, ToT


def exact_value(tensor, goal, discount, digits=60):
    """v = E[d^T] as mpmath numbers, by its own elimination at ``digits`` digits."""
    size = len(tensor)
    alive = goal.copy()
    while True:  # backward closure
        grown = alive | ((tensor[:, alive] > 0).any(axis=1))
        if np.array_equal(grown, alive):
            break
        alive = grown
    inner = [i for i in range(size) if alive[i] and not goal[i]]
    with mpmath.workdps(digits):
        value = [mpmath.mpf(int(goal[i])) for i in range(size)]
        d = mpmath.mpf(discount)
        if inner:
            # Rows are made to sum to 1 exactly, as the model says they do.
            chance = {i: [mpmath.mpf(float(x)) for x in tensor[i]] for i in inner}
            for i in inner:
                chance[i][i] = 1 - (mpmath.fsum(chance[i]) - chance[i][i])
            matrix = mpmath.matrix(len(inner), len(inner))
            right = mpmath.matrix(len(inner), 1)
            for a, i in enumerate(inner):
                for b, j in enumerate(inner):
                    matrix[a, b] = (1 if i == j else 0) - d * chance[i][j]
                right[a] = d * mpmath.fsum(chance[i][j] for j in np.flatnonzero(goal))
            solution = mpmath.lu_solve(matrix, right)
            for a, i in enumerate(inner):
                value[i] = solution[a]
    return value


def exact_classes(value):
    order = sorted(range(len(value)), key=lambda i: -value[i])
    classes, now = [0] * len(value), 0
    for one, two in itertools.pairwise(order):
        now += value[one] - value[two] > mpmath.mpf("1e-12") * value[one]
        classes[two] = now
    return np.array(classes)


def enumerate_best(tensor, classes, branches):
    """Law of the best of b by going through all b-tuples of proposals; ties are split evenly."""
    size = len(tensor)
    best = np.zeros_like(tensor)
    for s in range(size):
        for proposals in itertools.product(range(size), repeat=branches):
            chance = math.prod(tensor[s, t] for t in proposals)
            top = min(classes[t] for t in proposals)
            tied = [t for t in proposals if classes[t] == top]
            for t in tied:
                best[s, t] += chance / len(tied)
    return best


def small_graph(rng, size, score=None):
    """Random graph with goal n{size-2}, dead node n{size-1}, coarse chances so that scores tie."""
    edges = []
    for s in range(size - 2):
        shares = rng.integers(0, 3, size)
        total = max(8, shares.sum())
        edges += [(f"n{s}", f"n{t}", shares[t] / total) for t in range(size) if shares[t]]
    names = [f"n{i}" for i in range(size)]
    return SkillGraph.from_edges(
        [*edges, (names[-1], names[0], 0.0)],
        start="n0",
        goal=names[-2],
        dead=names[-1],
        nodes=names,
        score=score,
        require_path=False,
    )


@pytest.mark.parametrize("success", [0.0, 1e-18, 1e-6, 0.2, 0.999999, 1.0])
@pytest.mark.parametrize("branches", [1, 2, 5, 1000, 2**20])
def test_chain_is_equation_6(success, branches):
    tensor = ToT(branches=branches).tensor(SkillGraph.chain(6, success))
    with mpmath.workdps(50):
        expected = float(1 - (1 - mpmath.mpf(success)) ** branches)
        stay = float((1 - mpmath.mpf(success)) ** branches)
    assert np.allclose(np.diagonal(tensor, 1), expected, rtol=1e-13, atol=0)
    assert np.allclose(np.diagonal(tensor)[:-1], stay, rtol=1e-9, atol=1e-16)
    assert np.allclose(tensor.sum(axis=1), 1, rtol=0, atol=4e-16)


def test_long_chain_whose_scores_underflow():
    """v(0) = 0.497^2000 is below the smallest float64; the order of the states must not be lost."""
    graph = SkillGraph.chain(2000, 0.01)
    assert np.ldexp(*hitting_value(graph.transition_tensor(), graph.goal, 0.99))[0] == 0.0
    tensor = ToT(branches=4).tensor(graph)
    assert np.allclose(np.diagonal(tensor, 1), 1 - 0.99**4, rtol=1e-13)


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("branches", [1, 2, 3])
def test_enumeration_of_all_proposals(branches, scored):
    rng = np.random.default_rng(branches + 10 * scored)
    ties = 0
    for trial in range(25):
        size = int(rng.integers(3, 7))
        score = {f"n{i}": float(rng.integers(-1, 2)) for i in range(size)} if scored else None  # also negative, tied
        graph = small_graph(rng, size, score)
        tensor = graph.transition_tensor()
        known = exact_value(tensor, graph.goal, 0.99)
        classes = np.unique(-graph.score, return_inverse=True)[1] if scored else exact_classes(known)
        ties += classes.max() + 1 < graph.size
        expected = enumerate_best(tensor, classes, branches)
        assert np.allclose(ToT(branches=branches).tensor(graph), expected, rtol=1e-12, atol=1e-16), trial
    assert ties >= 3  # the comparison saw equal scores


@pytest.mark.parametrize("error", [0.0, 0.25, 1.0])
def test_evaluator_error_keeps_a_uniform_proposal(error):
    """With probability e one of the b proposals is kept at random: enumerate that as well."""
    graph = small_graph(np.random.default_rng(3), 5)
    tensor = graph.transition_tensor()
    uniform = np.zeros_like(tensor)
    for s in range(5):
        for proposals in itertools.product(range(5), repeat=3):
            for t in proposals:
                uniform[s, t] += math.prod(tensor[s, u] for u in proposals) / 3
    best = enumerate_best(tensor, score_classes(graph, 0.99), 3)
    compiled = ToT(branches=3, evaluator_error=error).tensor(graph)
    assert np.allclose(compiled, (1 - error) * best + error * uniform, rtol=1e-12, atol=1e-16)


def test_one_branch_is_cot():
    graph = SkillGraph.random(9, 0.8, degree=3, death=0.05, seed=4)
    assert np.array_equal(ToT(branches=1).tensor(graph), CoT().tensor(graph))
    assert CoT().proposals == 1 and ToT(branches=5).proposals == 5 and Beam(width=3, branches=4).proposals == 12


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(2, 7), st.integers(2, 2**20), st.sampled_from([1.0, 1e-3, 1e-12, 1e-200]), st.integers(0, 2**32))
def test_best_of_b_against_high_precision(size, branches, scale, seed):
    """Rows with chances down to 1e-200: every entry keeps its leading digits, rows sum to 1."""
    rng = np.random.default_rng(seed)
    tensor = rng.dirichlet(np.ones(size), size) * scale ** rng.integers(0, 2, (size, size))
    tensor /= tensor.sum(axis=1, keepdims=True)
    classes = np.unique(rng.integers(0, size, size), return_inverse=True)[1]
    found = best_of_b(tensor, classes, branches)
    assert np.allclose(found.sum(axis=1), 1, rtol=0, atol=1e-15)
    with mpmath.workdps(500):
        for s in range(size):
            row = [mpmath.mpf(float(x)) for x in tensor[s]]
            total = mpmath.fsum(row)
            row = [x / total for x in row]
            for t in range(size):
                level = classes[t]
                worse = [
                    mpmath.fsum(x for x, c in zip(row, classes, strict=True) if c >= j) for j in (level, level + 1)
                ]
                mass = worse[0] - worse[1]
                expected = row[t] / mass * (worse[0] ** branches - worse[1] ** branches) if mass > 0 else 0
                # b * log(worse) is rounded: relative error about b |log worse| 2^-52, small where it counts.
                room = 1e-13 + 2e-15 * float(branches * abs(mpmath.log(worse[0]))) if worse[0] > 0 else 1e-13
                assert abs(found[s, t] - expected) <= room * expected + 1e-300


def test_branches_beyond_counting_take_the_best_class():
    graph = SkillGraph.from_edges(
        [("a", "z", 0.001), ("a", "x", 0.9), ("a", "b", 0.05), ("b", "z", 1)], start="a", goal="z", dead="x"
    )
    tensor = ToT(branches=2**20).tensor(graph)
    assert tensor[0, graph.names.index("z")] == 1.0 and tensor[0].sum() == 1.0


def test_hopeless_nodes_and_dead_nodes_are_one_class():
    """From a the pit (no path to the goal) and the dead x score 0 both: ToT cannot tell them apart."""
    graph = SkillGraph.from_edges([("a", "z", 0.2), ("a", "x", 0.3), ("a", "pit", 0.1)], start="a", goal="z", dead="x")
    at = {name: i for i, name in enumerate(graph.names)}
    classes = score_classes(graph, 0.99)
    assert classes[at["pit"]] == classes[at["x"]] == 2 and classes[at["z"]] == 0
    tensor = ToT(branches=3).tensor(graph)
    assert tensor[at["a"], at["x"]] == pytest.approx(0.4**3 * 0.75, rel=1e-13)
    assert tensor[at["a"], at["pit"]] == pytest.approx(0.4**3 * 0.25, rel=1e-13)


def test_no_path_to_the_goal_leaves_p_alone():
    graph = SkillGraph.from_edges(
        [("a", "b", 0.5), ("b", "a", 0.25), ("c", "z", 1)], start="a", goal="z", require_path=False
    )
    tensor, policy = graph.transition_tensor(), ToT(branches=4).tensor(graph)
    assert np.allclose(policy[:2], tensor[:2], rtol=1e-14)


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        ({"branches": 0}, "branches = 0"),
        ({"branches": 1.5}, "branches = 1.5"),
        ({"branches": True}, "branches = True"),
        ({"branches": 2**20 + 1}, "branches"),
        ({"evaluator_error": -0.1}, "evaluator_error"),
        ({"evaluator_error": float("nan")}, "evaluator_error"),
        ({"discount": 0.0}, "discount"),
        ({"discount": 1.0}, "discount"),
        ({"discount": "0.9"}, "discount"),
    ],
)
def test_refused_settings(options, fragment):
    for policy in (ToT, Beam):
        with pytest.raises(InputError, match=fragment):
            policy(**options)


@pytest.mark.parametrize("discount", [0.5, 0.99, 0.999999])
@pytest.mark.parametrize(
    "graph",
    [
        SkillGraph.chain(8, 0.2),
        SkillGraph.layered(6, 3, 1e-6, back=0.6, death=0.1, seed=1),
        SkillGraph.layered(5, 4, 0.3, back=0.3, death=0.2, seed=2),
        SkillGraph.random(20, 0.9, degree=4, death=0.02, seed=3),
        SkillGraph.random(20, 1e-9, degree=4, seed=4),
        SkillGraph.from_edges(
            [("a", "b", 1e-200), ("b", "c", 1e-200), ("c", "b", 0.5), ("c", "z", 0.1), ("a", "x", 0.5)],
            start="a",
            goal="z",
            dead="x",
        ),
    ],
    ids=["chain", "rare-layers", "layers", "random", "rare-random", "underflow"],
)
def test_values_and_classes_against_high_precision(graph, discount):
    """Every value keeps its leading digits however small, so order and ties are the true ones."""
    tensor = graph.transition_tensor()
    expected = exact_value(tensor, graph.goal, discount, digits=400)
    found = np.ldexp(*hitting_value(tensor, graph.goal, discount))
    for one, two in zip(found, expected, strict=True):
        assert abs(one - two) <= mpmath.mpf("2e-13") * two + mpmath.mpf("1e-307")
    assert np.all(found[graph.dead] == 0) and np.all(found[graph.goal] == 1)
    assert np.array_equal(score_classes(graph, discount), exact_classes(expected))


@pytest.mark.parametrize("discount", [0.9, 0.99, 0.9999])
def test_nodes_of_a_layer_tie(discount):
    """All nodes of a layer have the same law of T by construction, though no two rows are alike."""
    graph = SkillGraph.layered(50, 8, 1e-5, back=0.7, death=0.1, seed=6)
    classes = score_classes(graph, discount)
    layer = [{"start": "0", "goal": "51", "dead": "-1"}.get(n) or n[1:].split(".")[0] for n in graph.names]
    assert np.array_equal(classes, 51 - np.array(layer, dtype=int))


def test_sparse_and_dense_elimination_agree(monkeypatch):
    from ds3sim.task import scores

    graph = SkillGraph.layered(150, 2, 0.2, back=0.3, death=0.01, seed=7)
    called = []
    import scipy.sparse.linalg as sparse

    plain = sparse.splu
    monkeypatch.setattr(sparse, "splu", lambda *a, **k: called.append(1) or plain(*a, **k))
    tensor = graph.transition_tensor()
    mantissa, exponent = scores.hitting_value(tensor, graph.goal, 0.99)
    assert called
    # The same values from a graph made dense by an unreachable clique, which changes nothing else.
    size, more = graph.size, 320
    large = np.zeros((size + more, size + more))
    large[:size, :size] = tensor
    large[size:, :size] = 1 / (size + more)
    large[size:, size:] = 1 / (size + more)
    called.clear()
    dense = scores.hitting_value(large, np.concatenate([graph.goal, np.zeros(more, dtype=bool)]), 0.99)
    assert not called
    assert np.allclose(dense[0][:size], mantissa, rtol=1e-12) and np.array_equal(dense[1][:size], exponent)


def test_nearly_equal_user_scores_are_one_class():
    edges = [("a", "b", 0.3), ("a", "c", 0.3), ("b", "z", 1), ("c", "z", 1)]

    def classes(b, c):
        return score_classes(
            SkillGraph.from_edges(edges, start="a", goal="z", score={"a": 0, "b": b, "c": c, "z": 9}), 0.99
        )

    for base in (1.0, 1e-200, -5.0, 1e200):
        close, apart = classes(base, base * (1 + 1e-13)), classes(base, base * (1 + 1e-11))
        assert close[1] == close[2] and apart[1] != apart[2]


@pytest.mark.parametrize(("branches", "error"), [(2, 0.0), (4, 0.0), (4, 0.3)])
def test_b_real_proposals_a_step(branches, error):
    """Walks that make b proposals a step and keep the best, against the compiled tensor.

    The micro-simulation shares nothing with the tensor but P: it scores by its own v, breaks ties
    by a random number and draws the evaluator's error. Hitting times at every budget have to agree.
    """
    graph = SkillGraph.layered(2, 3, 0.35, back=0.2, death=0.15, seed=8)
    tensor = graph.transition_tensor()
    value = np.array([round(float(v), 9) for v in exact_value(tensor, graph.goal, 0.99)])
    walks, steps = 40_000, 12
    rng = np.random.default_rng(2024)
    cumulative = np.cumsum(tensor, axis=1)
    here = np.full(walks, int(np.argmax(graph.start)))
    success, death = [], []
    for _ in range(steps):
        draws = rng.random((branches, walks))
        proposals = np.minimum((draws[:, :, None] >= cumulative[here][None]).sum(axis=2), graph.size - 1)
        merit = np.where(rng.random(walks) < error, 0.0, 1.0) * value[proposals]
        # 9 digits of v, then a random number decides among equals.
        merit = np.round(merit * 1e9) + rng.random((branches, walks))
        here = proposals[merit.argmax(axis=0), np.arange(walks)]
        success.append(graph.goal[here].mean())
        death.append(graph.dead[here].mean())
    compiled = ToT(branches=branches, evaluator_error=error).tensor(graph)
    state = graph.start.copy()
    for k in range(steps):
        state = state @ compiled
        for seen, expected in ((success[k], state[graph.goal].sum()), (death[k], state[graph.dead].sum())):
            deviation = math.sqrt(expected * (1 - expected) / walks)
            assert abs(seen - expected) <= 4.5 * deviation + 1e-12
