"""A task's step policy as a Markov chain for a probabilistic model checker.

One trace is exported: P(F <= K "goal") in the file is the success of one trace with K >= 1 steps.
The aggregator is not part of it. Formats: the PRISM language (DTMC) and Storm's explicit DRN.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ds3sim.core.errors import require
from ds3sim.task.task import Task

FORMATS = ("prism", "drn")


@dataclass(frozen=True)
class MarkovChain:
    """What both writers write: names, tensor float64 [S, S], index of the initial state, labels (name -> bool [S]);
    where ``merged``, the initial state draws start and feasibility together with the first step."""

    tensor: np.ndarray
    initial: int
    labels: dict[str, np.ndarray]
    names: tuple[str, ...]
    merged: bool = False


def markov_chain(task: Task) -> MarkovChain:
    """The chain of one trace; InputError: a beam has no small tensor.

    A start distribution, or a chance to be infeasible, is drawn together with the first step by an extra state in
    front, so that no step is added: bounded reachability is right for every K >= 1.
    """
    graph, tensor = task.graph, task.tensor
    labels = {"goal": graph.goal.copy(), "dead": graph.dead.copy()}
    starts = np.flatnonzero(graph.start > 0)
    if starts.size == 1 and graph.feasible == 1.0:
        return MarkovChain(tensor, int(starts[0]), labels, graph.names)
    size = graph.size
    doomed = graph.feasible < 1.0
    wide = np.zeros((size + 1 + doomed, size + 1 + doomed))
    wide[:size, :size] = tensor
    wide[size, :size] = graph.feasible * (graph.start @ tensor)
    names = (*graph.names, "(before the first step)")
    if doomed:
        wide[size, size + 1] = 1.0 - graph.feasible
        wide[size + 1, size + 1] = 1.0
        names = (*names, "(infeasible)")
    labels = {key: np.concatenate([mask, np.zeros(1 + doomed, dtype=bool)]) for key, mask in labels.items()}
    if doomed:
        labels["infeasible"] = np.arange(size + 2) == size + 1
    return MarkovChain(wide, size, labels, names, merged=True)


def prism(task: Task) -> str:
    """The chain in the PRISM language, one command for each state, reward "steps" of 1 a step."""
    chain = markov_chain(task)
    lines = [*_preamble(chain), "dtmc", "", "module trace"]
    lines.append(f"  s : [0..{len(chain.tensor) - 1}] init {chain.initial};")
    for state, row in enumerate(_rows(chain)):
        moves = " + ".join(f"{p!r}:(s'={target})" for target, p in row)
        lines.append(f"  [] s={state} -> {moves}; // {' '.join(chain.names[state].split())}")
    lines += ["endmodule", ""]
    for label, mask in chain.labels.items():
        where = " | ".join(f"s={state}" for state in np.flatnonzero(mask)) or "false"
        lines.append(f'label "{label}" = {where};')
    return "\n".join([*lines, "", 'rewards "steps"', "  true : 1;", "endrewards", ""])


def drn(task: Task) -> str:
    """The chain in Storm's explicit format."""
    chain = markov_chain(task)
    size = len(chain.tensor)
    head = f"@type: DTMC\n@parameters\n\n@reward_models\n\n@nr_states\n{size}\n@nr_choices\n{size}\n@model"
    lines = [*_preamble(chain), head]
    for state, row in enumerate(_rows(chain)):
        labels = (["init"] if state == chain.initial else []) + [k for k, mask in chain.labels.items() if mask[state]]
        lines += [" ".join([f"state {state}", *labels]), "\taction 0"]
        lines += [f"\t\t{target} : {p!r}" for target, p in row]
    return "\n".join([*lines, ""])


def as_text(task: Task, kind: str) -> str:
    """The chain as ``prism`` or ``drn``; InputError: unknown format, or a beam."""
    require(kind in FORMATS, f"format = {kind!r} is not known: choose prism or drn")
    return prism(task) if kind == "prism" else drn(task)


def _preamble(chain: MarkovChain) -> list[str]:
    merged = ["// The initial state draws start and feasibility together with the first step: K >= 1."]
    said = "// One trace under its step policy, exported by ds3sim. Success within K steps:"
    return [said, '//   P=? [ F<=K "goal" ]', *(merged if chain.merged else [])]


def _rows(chain: MarkovChain) -> Iterator[list[tuple[int, float]]]:
    """The positive entries of each row as (target, probability)."""
    for row in chain.tensor:
        yield [(int(t), float(row[t])) for t in np.flatnonzero(row)]
