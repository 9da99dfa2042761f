"""What a study asks and what was found, in words; tables are those of a config, with or without the defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ds3sim.core.text import in_words, number, probability, terminal_budget
from ds3sim.report.rows import Compared, by_strategy
from ds3sim.results.result import Result

Words = Callable[[Mapping[str, Any]], str]


def asked(result: Result) -> list[tuple[str, str]]:
    """What was asked, as (heading, sentences) pairs."""
    config = result.config
    out = [("Graph", graph_words(config["graph"]))] if config.get("graph") else []
    out += [("Tasks", tasks_words(config["tasks"]))] if config.get("tasks") else []
    out += [("Model", model_words(config["model"]))] if config.get("model") and config.get("tasks") else []
    if config.get("strategies"):
        out += [(f"Strategy {name}", strategy_words(s)) for name, s in config["strategies"].items()]
    else:
        out.append(("Strategy", strategy_words(config.get("strategy") or {})))
    out += [("Budget", budget_words(config.get("budget") or {}, result))]
    out += [("Cost", cost_words(config["cost"]))] if config.get("cost") else []
    return [*out, ("Engine", engine_words(result))]


# ---- graphs -------------------------------------------------------------------------------------


def _ends(graph: Mapping[str, Any]) -> str:
    said = [f"{verb} {_names(graph[key])}" for key, verb in
            (("start", "starts at"), ("goal", "has to reach"), ("dead", "is lost at")) if graph.get(key)]  # fmt: skip
    return f" A trace {_listed(said)}." if said else ""


GRAPHS: dict[str, Words] = {
    "chain": lambda g: (
        f"A chain of {g.get('skills')} skills. Each step moves on with probability {in_words(g['success'])}, else it is"
        " wasted."
    ),
    "file": lambda g: f"The skill graph in {g.get('path')}.{_ends(g)}",
    "edges": lambda g: f"A skill graph of {len(g.get('edges') or ())} edges, given one by one.{_ends(g)}",
    "layered": lambda g: (
        f"A layered graph: {g.get('layers')} layers of {g.get('width')} skills. A step moves on with probability"
        f" {in_words(g['success'])}, falls back with {in_words(g.get('back', 0.0))} and dies with"
        f" {in_words(g.get('death', 0.0))}."
    ),
    "random": lambda g: (
        f"A random graph of {g.get('skills')} skills with {g.get('degree', 4)} successors each. A step moves with"
        f" probability {in_words(g['success'])} and dies with {in_words(g.get('death', 0.0))}."
    ),
    "latent": lambda g: (
        f"Tasks of different success rates: a share {in_words(g.get('solvable', 1.0))} can be solved, at a rate that is"
        f" beta distributed with alpha {in_words(g['alpha'])} and beta {in_words(g['beta'])}; one step decides."
    ),
}
"""Words for each kind of graph."""


def graph_words(graph: Mapping[str, Any]) -> str:
    """One or two sentences on the skill graph."""
    text = GRAPHS[graph.get("kind", "chain")](graph)
    feasible = graph.get("feasible", 1.0)
    return text if feasible == 1 else f"{text} The task can be solved at all with probability {in_words(feasible)}."


def tasks_words(tasks: Mapping[str, Any]) -> str:
    """One or two sentences on a distribution of tasks."""
    names = {"skills": "numbers of skills m", "success": "step successes r", "difficulty": "difficulties L0",
             "level": "levels of skills l"}  # fmt: skip
    parts = [f"{name} {_span(tasks[key])}" for key, name in names.items() if tasks.get(key) is not None]
    if tasks.get("groups"):
        parts = [f"{len(tasks['groups'])} groups of equal m, with difficulties L0 spread normally"]
    text = f"A distribution of chains: {_listed(parts)}, " + ("weighted." if tasks.get("weights") else "all alike.")
    feasible = tasks.get("feasible", 1.0)
    return text if feasible == 1 else f"{text} A task can be solved at all with probability {in_words(feasible)}."


MODELS: dict[str, Words] = {
    "loss": lambda m: (
        f"A language model{_size(m)}: its training loss decides how often a step succeeds."
        if m.get("loss") is None
        else f"A language model of training loss {in_words(m['loss'])}, which decides how often a step succeeds."
    ),
    "tripartite": lambda m: f"A model{_size(m)} that has learnt skills level by level from its training.",
}
"""Words for each kind of model."""


def model_words(model: Mapping[str, Any]) -> str:
    """One sentence on the model of a distribution of tasks."""
    return MODELS[model.get("kind", "loss")](model)


def _size(model: Mapping[str, Any]) -> str:
    names = {"parameters": "parameters", "tokens": "training tokens", "training_flops": "training FLOPs"}
    said = [f"{in_words(model[key])} {name}" for key, name in names.items() if isinstance(model.get(key), int | float)]
    return f" of {_listed(said)}" if said else ""


# ---- strategies ---------------------------------------------------------------------------------

STEPS: dict[str, Words] = {
    "cot": lambda s: "Chain of thought: one proposal a step, always kept.",
    "tot": lambda s: f"Tree of thoughts: {s.get('branches', 1)} proposals a step, the best is kept.",
    "beam": lambda s: f"Beam search: {s.get('width', 2)} particles with {s.get('branches', 1)} proposals each a step.",
}
"""Words for each step policy."""

ERRORS: dict[str, Words] = {
    "geometric": lambda e: (
        f"{e.get('categories', 11)} answers, one of them correct, wrong ones less and less frequent by the factor"
        f" {in_words(e.get('decay', 0.746))}"
    ),
    "uniform": lambda e: f"{e.get('categories', 11)} answers, one of them correct, wrong ones all alike",
    "zipf": lambda e: (
        f"{e.get('categories', 11)} answers, one of them correct, the j-th wrong one as frequent as"
        f" j^-{in_words(e.get('exponent', 1.0))}"
    ),
    "weights": lambda e: f"{len(e['weights']) + 1} answers, one of them correct, wrong ones as frequent as given",
}
"""Words for each model of wrong answers."""


def _best_of(strategy: Mapping[str, Any]) -> str:
    verifier = strategy.get("verifier") or {}
    t, f = verifier.get("true_positive", 1.0), verifier.get("false_positive", 0.0)
    text = f"Best of {strategy.get('n', 1)} traces, chosen by "
    if t == 1 and f == 0:
        return text + "a verifier that is never wrong."
    none = "no answer is given" if verifier.get("fallback") == "abstain" else "one of all traces is drawn"
    return text + (
        f"a verifier that accepts a correct trace with probability {in_words(t)} and a wrong one with {in_words(f)}. If"
        f" it accepts none, {none}."
    )


def _majority(strategy: Mapping[str, Any]) -> str:
    errors = strategy.get("errors") or {}
    ties = "counts as failure" if strategy.get("ties") == "wrong" else "is broken at random"
    over = ERRORS[errors.get("kind", "geometric")](errors)
    return f"Majority vote of {strategy.get('n', 1)} traces over {over}; a tie {ties}."


AGGREGATES: dict[str, Words] = {
    "single": lambda s: "One trace decides.",
    "best_of_n": _best_of,
    "majority": _majority,
}
"""Words for each aggregator."""


def strategy_words(strategy: Mapping[str, Any]) -> str:
    """One or two sentences on a step policy and an aggregator."""
    step, aggregate = strategy.get("step", "cot"), strategy.get("aggregate", "single")
    text = [STEPS.get(step, lambda s: f"Step policy {step}.")(strategy)]
    if strategy.get("evaluator_error"):
        error = in_words(strategy["evaluator_error"])
        text.append(f"The evaluator errs with probability {error}; then a random proposal is kept.")
    text.append(AGGREGATES.get(aggregate, lambda s: f"Aggregator {aggregate} of {s.get('n', 1)} traces.")(strategy))
    if strategy.get("feasibility") == "per_trace":
        text.append("Each trace draws for itself whether it can succeed.")
    return " ".join(text)


# ---- budget, cost, engine -----------------------------------------------------------------------


def budget_words(budget: Mapping[str, Any], result: Result) -> str:
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


def cost_words(cost: Mapping[str, Any]) -> str:
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


# ---- what was found -----------------------------------------------------------------------------


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
