"""What a report says in words."""

import re
from typing import get_args

import pytest

from ds3sim.config import graphs, models, strategy
from ds3sim.report import prose


def kinds(union) -> set[str]:
    """The kinds of a union of tables of the config."""
    return {kind for table in get_args(get_args(union)[0]) for kind in get_args(table.model_fields["kind"].annotation)}


def test_every_kind_of_the_config_has_words():
    fields = strategy.StrategyTable.model_fields
    assert kinds(graphs.Graph) == set(prose.GRAPHS)
    assert kinds(models.LanguageModel) == set(prose.MODELS)
    assert kinds(strategy.Errors) == set(prose.ERRORS)
    assert set(get_args(fields["step"].annotation)) == set(prose.STEPS)
    assert set(get_args(fields["aggregate"].annotation)) == set(prose.AGGREGATES)


@pytest.mark.parametrize(
    ("graph", "text"),
    [
        (
            {"kind": "latent", "alpha": 0.4, "beta": 2.7, "solvable": 0.9},
            "share 0.9 can be solved.*alpha 0.4 and beta 2.7",
        ),
        (
            {"kind": "file", "path": "g.csv", "goal": ["z"], "dead": ["x", "y"]},
            "g.csv. A trace has to reach z and is lost",
        ),
        ({"kind": "edges", "edges": [["a", "b", 1.0]], "start": {"a": 1.0}}, "1 edges.*starts at a .probability 1"),
        ({"kind": "layered", "layers": 3, "width": 2, "success": 0.5, "feasible": 0.9}, "3 layers.*at all with .* 0.9"),
    ],
)
def test_graphs_in_words(graph, text):
    assert re.search(text, prose.graph_words(graph))


def test_a_mixture_in_words():
    text = prose.tasks_words({"skills": [1, 5], "difficulty": [1.6, 2.0], "weights": [[1, 2], [3, 4]]})
    assert text == "A distribution of chains: numbers of skills m 1, 5 and difficulties L0 1.6, 2.0, weighted."
    spans = {"skills": {"range": [2, 15]}, "difficulty": {"log": [1.0, 4.0, 7]}}
    assert "m 2 to 15 and difficulties L0 1 to 4 (7 values), all alike" in prose.tasks_words(spans)
    assert "8e9 parameters and 2e12 training tokens" in prose.model_words({"parameters": 8e9, "tokens": 2e12})


def test_strategies_in_words():
    text = prose.strategy_words(
        {
            "step": "tot",
            "branches": 4,
            "evaluator_error": 0.1,
            "aggregate": "best_of_n",
            "n": 8,
            "verifier": {"true_positive": 0.9, "false_positive": 0.2, "fallback": "abstain"},
        }
    )
    for part in ("4 proposals", "errs with probability 0.1", "Best of 8", "0.9", "0.2", "no answer is given"):
        assert part in text
    zipf = {"aggregate": "majority", "n": 5, "errors": {"kind": "zipf", "categories": 7, "exponent": 2.0}}
    assert "7 answers, one of them correct, the j-th wrong one as frequent as j^-2" in prose.strategy_words(zipf)
    vote = {"aggregate": "majority", "n": 5, "errors": {"kind": "weights", "weights": [0.6, 0.4]}, "ties": "wrong"}
    assert re.search(r"vote of 5 traces over 3 answers.*tie counts as failure", prose.strategy_words(vote))
    assert "3 particles with 2 proposals" in prose.strategy_words({"step": "beam", "width": 3, "branches": 2})
