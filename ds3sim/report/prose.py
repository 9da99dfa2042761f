"""What a config asks, in words, and numbers as a reader wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ds3sim.core.text import in_words as short

DEFAULT_N = 1


def asked(config: Mapping[str, Any], result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was asked, as (heading, sentences) pairs.

    Args:
        config: the resolved config as tables; may be empty.
        result: the result of the run.
    """
    out = []
    if config.get("graph"):
        out.append(("Graph", graph_words(config["graph"])))
    if config.get("strategies"):
        out += [(f"Strategy {name}", strategy_words(s)) for name, s in config["strategies"].items()]
    else:
        out.append(("Strategy", strategy_words(config.get("strategy") or {})))
    out.append(("Budget", budget_words(config.get("budget") or {}, result)))
    if config.get("cost"):
        out.append(("Cost", cost_words(config["cost"])))
    out.append(("Engine", engine_words(result)))
    return out


def graph_words(graph: Mapping[str, Any]) -> str:
    """One or two sentences on the skill graph."""
    kind = graph.get("kind", "chain")
    if kind == "chain":
        text = (
            f"A chain of {graph.get('skills')} skills. Each step moves on with probability"
            f" {short(graph.get('success'))}, else it is wasted."
        )
    elif kind == "file":
        ends = [f"starts at {_names(graph['start'])}" if graph.get("start") else ""]
        ends.append(f"has to reach {_names(graph['goal'])}" if graph.get("goal") else "")
        ends.append(f"is lost at {_names(graph['dead'])}" if graph.get("dead") else "")
        said = _joined([e for e in ends if e])
        text = f"The skill graph in {graph.get('path')}." + (f" A trace {said}." if said else "")
    elif kind == "layered":
        text = (
            f"A layered graph: {graph.get('layers')} layers of {graph.get('width')} skills. A step moves on with"
            f" probability {short(graph.get('success'))}, falls back with {short(graph.get('back', 0.0))} and dies"
            f" with {short(graph.get('death', 0.0))}."
        )
    elif kind == "random":
        text = (
            f"A random graph of {graph.get('skills')} skills with {graph.get('degree', 4)} successors each. A step"
            f" moves with probability {short(graph.get('success'))} and dies with {short(graph.get('death', 0.0))}."
        )
    else:
        text = f"A graph of kind {kind}."
    feasible = graph.get("feasible", 1.0)
    return text if feasible == 1 else f"{text} The task can be solved at all with probability {short(feasible)}."


def strategy_words(strategy: Mapping[str, Any]) -> str:
    """One or two sentences on a step policy and an aggregator."""
    step, b = strategy.get("step", "cot"), strategy.get("branches", 1)
    error = strategy.get("evaluator_error", 0.0)
    if step == "cot":
        text = "Chain of thought: one proposal a step, always kept."
    elif step == "tot":
        text = f"Tree of thoughts: {b} proposals a step, the best is kept."
    else:
        text = f"Beam search: {strategy.get('width', 2)} particles with {b} proposals each a step."
    if error:
        text += f" The evaluator errs with probability {short(error)}; then a random proposal is kept."
    n, aggregate = strategy.get("n", DEFAULT_N), strategy.get("aggregate", "single")
    if aggregate == "single":
        return f"{text} One trace decides."
    if aggregate == "best_of_n":
        verifier = strategy.get("verifier") or {}
        t, f = verifier.get("true_positive", 1.0), verifier.get("false_positive", 0.0)
        text += f" Best of {n} traces, chosen by "
        if t == 1 and f == 0:
            text += "a verifier that is never wrong."
        else:
            text += (
                f"a verifier that accepts a correct trace with probability {short(t)} and a wrong one with"
                f" {short(f)}. If it accepts none, "
            )
            abstain = verifier.get("fallback", "random") == "abstain"
            text += "no answer is given." if abstain else "one of all traces is drawn."
    else:
        errors = strategy.get("errors") or {}
        answers = len(errors["weights"]) + 1 if errors.get("weights") else errors.get("categories", 11)
        ties = "counts as failure" if strategy.get("ties") == "wrong" else "is broken at random"
        text += f" Majority vote of {n} traces over {answers} answers, one of them correct; a tie {ties}."
    if strategy.get("feasibility") == "per_trace":
        text += " Each trace draws for itself whether it can succeed."
    return text


def budget_words(budget: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """What a task may use."""
    steps = sorted({int(r["steps"]) for r in result.get("results", ())})
    unit = next((u for u in ("steps_per_trace", "tokens", "flops") if budget.get(u)), "steps")
    given = {"steps_per_trace": "steps of each trace", "tokens": "output tokens of a task", "flops": "FLOPs of a task"}
    span = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}" if steps else "no"
    given_values = budget.get(unit)
    count = len(given_values) if isinstance(given_values, list | tuple) else len(steps)
    text = f"{count} budget{'s' if count != 1 else ''}, {span} steps per task, shared by its traces."
    if unit != "steps":
        text += f" They were given as {given[unit]}."
    stop = budget.get("on_dead") == "stop"
    return text + (" A dead trace stops." if stop else " A dead trace uses up its budget.")


def cost_words(cost: Mapping[str, Any]) -> str:
    """The cost model."""
    text = f"{short(cost.get('tokens_per_step', 25))} tokens a step"
    if cost.get("parameters"):
        text += f", a model of {short(float(cost['parameters']))} parameters"
        text += f", a prompt of {short(float(cost.get('prompt_tokens', 0)))} tokens"
        text += ", attention counted." if cost.get("attention", True) else ", attention not counted."
        if cost.get("shared_prefill", True) is False:
            text += " Each trace pays the prompt."
        return text
    return text + "."


def engine_words(result: Mapping[str, Any]) -> str:
    """How the numbers were had."""
    engine = result.get("engine", "traces")
    if engine in ("exact", "closed_form"):
        how = "linear algebra in float64" if engine == "exact" else "formulas"
        return f"{engine.replace('_', ' ')}: the numbers come from {how}, nothing is random."
    text = f"{engine}: {int(result.get('traces') or 0):,} trials of the task, seed {result.get('seed', 0)}."
    stopping = result.get("stopping") or {}
    rule = stopping.get("rule")
    if isinstance(rule, str) and rule:
        text += f" Stopping rule: {rule.replace('_', ' ')}."
    if stopping.get("interrupted"):
        text += " It was stopped by Ctrl-C; the numbers are from the trials done until then."
    return text


def _names(value) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} (probability {short(float(p))})" for k, p in value.items())
    values = value if isinstance(value, list | tuple) else [value]
    return " or ".join(str(v) for v in values)


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""
