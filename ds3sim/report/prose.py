"""What a study asks and what was found, in words; tables are those of a config, with or without the defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ds3sim.core.text import in_words, number, probability, terminal_budget
from ds3sim.report.tables import Compared, by_strategy
from ds3sim.results.result import Result

Table = Mapping[str, Any]

GRAPHS = {
    "chain": "A chain of {skills} skills. Each step moves on with probability {success}, else it is wasted.",
    "file": "The skill graph in {path}.{ends}",
    "edges": "A skill graph of {count} edges, given one by one.{ends}",
    "layered": "A layered graph: {layers} layers of {width} skills. A step moves on with probability {success}, falls"
    " back with {back} and dies with {death}.",
    "random": "A random graph of {skills} skills with {degree} successors each. A step moves with probability {success}"
    " and dies with {death}.",
    "latent": "Tasks of different success rates: a share {solvable} can be solved, at a rate that is beta distributed"
    " with alpha {alpha} and beta {beta}; one step decides.",
}
MODELS = {
    "loss": "A language model of {size}: its loss decides how often a step succeeds.",
    "tripartite": "A model of {size} that has learnt skills level by level from its training.",
}
STEPS = {
    "cot": "Chain of thought: one proposal a step, always kept.",
    "tot": "Tree of thoughts: {branches} proposals a step, the best is kept.",
    "beam": "Beam search: {width} particles with {branches} proposals each a step.",
}
ERRORS = {
    "geometric": "{categories} answers, one of them correct, wrong ones less and less frequent by the factor {decay}",
    "uniform": "{categories} answers, one of them correct, wrong ones all alike",
    "zipf": "{categories} answers, one of them correct, the j-th wrong one as frequent as j^-{exponent}",
    "weights": "{count} answers, one of them correct, wrong ones as frequent as given",
}
AGGREGATES = {
    "single": "One trace decides.",
    "best_of_n": "Best of {n} traces, chosen by {chooser}.",
    "majority": "Majority vote of {n} traces over {over}; a tie {tie}.",
}
"""Words for each kind of graph, model, step policy, wrong answers and aggregator; keys of the table in braces."""
DEFAULTS = {"back": 0.0, "death": 0.0, "degree": 4, "solvable": 1.0, "branches": 1, "width": 2, "n": 1,
            "categories": 11, "decay": 0.746, "exponent": 1.0, "true_positive": 1.0, "false_positive": 0.0}  # fmt: skip
"""Of keys that a config may leave out."""


def filled(words: str, table: Table, **more: Any) -> str:
    """Words with the values of a table in; fractions as a sentence has them."""
    values = {**DEFAULTS, **table, **more}
    return words.format_map({k: in_words(v) if isinstance(v, float) else v for k, v in values.items()})


def asked(result: Result) -> list[tuple[str, str]]:
    """What was asked, as (heading, sentences) pairs."""
    config = result.config
    parts = {"graph": graph_words, "tasks": tasks_words, "model": model_words}
    out = [(key.capitalize(), words(config[key])) for key, words in parts.items() if config.get(key)]
    if config.get("strategies"):
        out += [(f"Strategy {name}", strategy_words(s)) for name, s in config["strategies"].items()]
    else:
        out.append(("Strategy", strategy_words(config.get("strategy") or {})))
    out.append(("Budget", budget_words(config.get("budget") or {}, result)))
    out += [("Cost", cost_words(config["cost"]))] if config.get("cost") else []
    return [*out, ("Engine", engine_words(result))]


def graph_words(graph: Table) -> str:
    """One or two sentences on the skill graph."""
    verbs = {"start": "starts at", "goal": "has to reach", "dead": "is lost at"}
    said = [f"{verb} {_names(graph[key])}" for key, verb in verbs.items() if graph.get(key)]
    ends = f" A trace {_listed(said)}." if said else ""
    text = filled(GRAPHS[graph.get("kind", "chain")], graph, ends=ends, count=len(graph.get("edges") or ()))
    return text + _feasible("The task", graph)


def _feasible(what: str, table: Table) -> str:
    share = table.get("feasible", 1.0)
    return "" if share == 1 else f" {what} can be solved at all with probability {in_words(share)}."


def tasks_words(tasks: Table) -> str:
    """One or two sentences on a distribution of tasks."""
    names = {"skills": "numbers of skills m", "success": "step successes r", "difficulty": "difficulties L0",
             "level": "levels of skills l"}  # fmt: skip
    parts = [f"{name} {_span(tasks[key])}" for key, name in names.items() if tasks.get(key) is not None]
    if tasks.get("groups"):
        parts = [f"{len(tasks['groups'])} groups of equal m, with difficulties L0 spread normally"]
    text = f"A distribution of chains: {_listed(parts)}, " + ("weighted." if tasks.get("weights") else "all alike.")
    return text + _feasible("A task", tasks)


def model_words(model: Table) -> str:
    """One sentence on the model of a distribution of tasks."""
    names = {"parameters": "parameters", "tokens": "training tokens", "training_flops": "training FLOPs"}
    said = [f"{in_words(model[key])} {name}" for key, name in names.items() if isinstance(model.get(key), int | float)]
    said += [] if model.get("loss") is None else [f"training loss {in_words(model['loss'])}"]
    return filled(MODELS[model.get("kind", "loss")], {}, size=_listed(said) or "the default size")


def strategy_words(strategy: Table) -> str:
    """One or two sentences on a step policy and an aggregator."""
    step, aggregate = strategy.get("step", "cot"), strategy.get("aggregate", "single")
    text = [filled(STEPS.get(step, "Step policy {step}."), strategy)]
    if strategy.get("evaluator_error"):
        error = in_words(strategy["evaluator_error"])
        text.append(f"The evaluator errs with probability {error}; then a random proposal is kept.")
    errors = strategy.get("errors") or {}
    over = filled(ERRORS[errors.get("kind", "geometric")], errors, count=len(errors.get("weights") or ()) + 1)
    tie = "counts as failure" if strategy.get("ties") == "wrong" else "is broken at random"
    words = AGGREGATES.get(aggregate, "Aggregator {aggregate} of {n} traces.")
    text.append(filled(words, strategy, chooser=_chooser(strategy.get("verifier") or {}), over=over, tie=tie))
    if strategy.get("feasibility") == "per_trace":
        text.append("Each trace draws for itself whether it can succeed.")
    return " ".join(text)


def _chooser(verifier: Table) -> str:
    if verifier.get("true_positive", 1.0) == 1 and verifier.get("false_positive", 0.0) == 0:
        return "a verifier that is never wrong"
    none = "no answer is given" if verifier.get("fallback") == "abstain" else "one of all traces is drawn"
    return filled(
        "a verifier that accepts a correct trace with probability {true_positive} and a wrong one with"
        " {false_positive}. If it accepts none, {none}",
        verifier,
        none=none,
    )


def budget_words(budget: Table, result: Result) -> str:
    """What a task may use."""
    given = {"steps_per_trace": "steps of each trace", "tokens": "output tokens of a task", "flops": "FLOPs of a task"}
    steps = sorted({row.steps for row in result.rows})
    unit = next((u for u in given if budget.get(u)), "steps")
    values = budget.get(unit)
    count = len(values) if isinstance(values, list | tuple) else len(steps)
    span = " to ".join(terminal_budget(k) for k in dict.fromkeys((steps[0], steps[-1])))
    text = f"{count} budget{'s' if count != 1 else ''}, {span} steps per task, shared by its traces."
    if unit != "steps":
        text += f" They were given as {given[unit]}."
    return text + (" A dead trace stops." if budget.get("on_dead") == "stop" else " A dead trace uses up its budget.")


def cost_words(cost: Table) -> str:
    """The cost model."""
    text = f"{in_words(cost.get('tokens_per_step', 25))} tokens a step"
    if not cost.get("parameters"):
        return text + "."
    text += f", a model of {in_words(float(cost['parameters']))} parameters"
    text += f", a prompt of {in_words(float(cost.get('prompt_tokens', 0)))} tokens"
    text += ", attention counted." if cost.get("attention", True) else ", attention not counted."
    return text + (" Each trace pays the prompt." if cost.get("shared_prefill", True) is False else "")


def engine_words(result: Result) -> str:
    """How the numbers were had."""
    engine = result.engine.replace("_", " ")
    if not result.traces:
        how = "linear algebra in float64" if result.engine == "exact" else "formulas"
        return f"{engine}: the numbers come from {how}, nothing is random."
    text = f"{engine}: {result.traces:,} trials of the task, seed {result.seed}."
    rule = result.stopping.get("rule")
    if isinstance(rule, str) and rule:
        text += f" Stopping rule: {rule.replace('_', ' ')}."
    if result.interrupted:
        text += " It was stopped by Ctrl-C; the numbers are from the trials done until then."
    return text


def run_headline(rows: list[Compared]) -> list[str]:
    """One sentence a strategy: what is reached at the largest budget, and beside which theory."""
    out = []
    for name, own in by_strategy(rows).items():
        row = own[-1].row
        text = (
            f"{name + ': ' if name else ''}at {terminal_budget(row.steps)} steps the task is solved with probability "
        )
        text += probability(row.success)
        if row.traces:
            text += f" (95% interval {probability(row.success_low)} to {probability(row.success_high)})"
        if row.reference is not None:
            text += f"; {row.reference.by.replace('_', ' ')} gives {probability(row.reference.success)}"
        text += f". It takes {number(row.expected_steps)} steps on average, {number(row.expected_tokens)} tokens"
        if row.mean_flops is not None:
            text += f", {number(row.mean_flops)} FLOPs"
        out.append(text[0].upper() + text[1:] + ".")
    return out


def _names(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} (probability {in_words(float(p))})" for k, p in value.items())
    values = value if isinstance(value, list | tuple) else [value]
    return " or ".join(map(str, values))


def _span(values: Any) -> str:
    if isinstance(values, Mapping):  # {range = [2, 15]}, {log = [1e10, 1e13, 4]}
        ((low, high, *count),) = values.values()
        return f"{in_words(low)} to {in_words(high)}" + (f" ({count[0]} values)" if count else "")
    values = values if isinstance(values, list | tuple) else [values]
    numbers = [v for v in values if isinstance(v, int | float)]
    if len(numbers) < 4 or len(numbers) < len(values):
        return ", ".join(map(str, values))
    return f"{in_words(min(numbers))} to {in_words(max(numbers))} ({len(numbers)} values)"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
