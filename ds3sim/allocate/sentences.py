"""The answer of an allocation study in words."""

from __future__ import annotations

from ds3sim.core.text import amount, count


def sentence(row: dict, tasks: float) -> str:
    """One optimum in words; ``row`` is :meth:`Allocation.as_dict`."""
    if row["mode"] == "inference_optimal":
        text = f"at {amount(row['compute'])} FLOPs for one task, data unlimited: N = {amount(row['parameters'])}"
        text += f", {count(row['tokens_per_task'])} tokens"
    else:
        over = f" over {amount(tasks)} tasks" if tasks > 0 else " without any inference"
        text = f"at {amount(row['compute'])} FLOPs{over}: N = {amount(row['parameters'])}"
        text += f", D = {amount(row['training_tokens'])} ({count(row['kappa'])} tokens per parameter)"
        if row["tokens_per_task"] is not None:
            text += f", {count(row['tokens_per_task'])} tokens a task"
        text += f"; {100 * row['inference_share']:.2g}% of the compute goes to inference"
    if row["accuracy"] is not None:
        text += f"; expected accuracy {row['accuracy']:.3g}"
    else:
        text += f"; loss {row['loss']:.4g}"
    if row["bounds"]:
        text += f" (held back by the search box: {', '.join(row['bounds'])})"
    if row["saturated"]:
        text += " (as good as it gets: more compute has no use here)"
    return text + "."


def words(result: dict) -> list[str]:
    """The answer in sentences: the optima, the exponents, against D = kappa N, and with other constants."""
    out = [sentence(row, result["tasks"]) for row in result["results"]]
    said = []
    for key, symbol in (("parameters", "N"), ("training_tokens", "D"), ("tokens_per_task", "tokens a task")):
        e = result["exponents"][key]
        if e is not None:
            said.append(f"{symbol} as C^{e['value']:.3f}" + (f" +- {e['error']:.3f}" if e["error"] is not None else ""))
    if said:
        points = max(e["points"] for e in result["exponents"].values() if e is not None)
        out.append(f"Over the {points} values of C that no bound holds back: {', '.join(said)}.")
    for row in result["comparison"][-1:]:
        extra = row["extra_compute"]
        more = (
            f"it needs {amount(extra)} times the compute to be as accurate"
            if extra is not None
            else ("within the search box it cannot be as accurate")
        )
        out.append(
            f"With D = {result['kappa']:g} N at {amount(row['compute'])} FLOPs the accuracy is"
            f" {row['chinchilla']['accuracy']:.3g}, lower by {row['accuracy_gap']:.2g}; {more}."
        )
    last = result["results"][-1]
    mine = result["constants"]
    out.append(
        f"Loss constants {mine['name']}: training alone at {amount(last['compute'])} FLOPs would want"
        f" {count(mine['loss_optimal_kappa'])} tokens per parameter."
    )
    for row in result["other_constants"]:
        start = f"With {row['constants']} ({count(row['loss_optimal_kappa'])} by training alone): "
        if "error" in row:
            out.append(start + row["error"] + ".")
            continue
        change = f"N = {amount(row['parameters'])} ({row['parameters'] / last['parameters']:.2g} times)"
        if row["training_tokens"] and row["training_tokens"] < float("inf"):
            times = row["training_tokens"] / last["training_tokens"]
            change += f", D = {amount(row['training_tokens'])} ({times:.2g} times)"
        if row["tokens_per_task"] is not None:
            change += f", {count(row['tokens_per_task'])} tokens a task"
        end = f"accuracy {row['accuracy']:.3g}" if row["accuracy"] is not None else f"loss {row['loss']:.4g}"
        out.append(f"{start}{change}; {end}.")
    if result["gradient"] is not None:
        g = result["gradient"]
        out.append(
            f"By gradients, with real K: N = {amount(g['parameters'])}, K = {g['steps']:.6g},"
            f" accuracy different by {g['accuracy_difference']:.1e}, gradient {g['gradient']:.1e}."
        )
    return out
