"""A task's step policy as a Markov chain for a probabilistic model checker.

One trace is exported: P(F <= K "goal") in the file is the success of one trace with K >= 1 steps.
The aggregator is not part of it. Formats: the PRISM language (DTMC), Storm's explicit DRN, and UMB, the binary format
of both.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ds3sim.core.errors import require
from ds3sim.graph.tensor import assembled, entries
from ds3sim.graph.umb import write_umb
from ds3sim.task.task import Task

if TYPE_CHECKING:
    from ds3sim.graph.tensor import Tensor

FORMATS = ("prism", "drn", "umb")


@dataclass(frozen=True)
class MarkovChain:
    """What the writers write: names, tensor float64 [S, S], dense or sparse, index of the initial state, labels (name
    -> bool [S]); where ``merged``, the initial state draws start and feasibility together with the first step."""

    tensor: Tensor
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
    row, column, chance = entries(tensor)
    first = graph.feasible * (graph.start @ tensor)
    more = np.array([1.0 - graph.feasible, 1.0])[: 2 * doomed]
    row = np.concatenate([row, np.full(size, size), np.arange(size, size + more.size)])
    column = np.concatenate([column, np.arange(size), np.full(more.size, size + 1)])
    wide = assembled(row, column, np.concatenate([chance, first, more]), (size + 1 + doomed, size + 1 + doomed))
    names = (*graph.names, "(before the first step)")
    if doomed:
        names = (*names, "(infeasible)")
    labels = {key: np.concatenate([mask, np.zeros(1 + doomed, dtype=bool)]) for key, mask in labels.items()}
    if doomed:
        labels["infeasible"] = np.arange(size + 2) == size + 1
    return MarkovChain(wide, size, labels, names, merged=True)


def prism(task: Task) -> str:
    """The chain in the PRISM language, one command for each state, reward "steps" of 1 a step."""
    chain = markov_chain(task)
    lines = [*_preamble(chain), "dtmc", "", "module trace"]
    lines.append(f"  s : [0..{len(chain.names) - 1}] init {chain.initial};")
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
    size = len(chain.names)
    head = f"@type: DTMC\n@parameters\n\n@reward_models\n\n@nr_states\n{size}\n@nr_choices\n{size}\n@model"
    lines = [*_preamble(chain), head]
    for state, row in enumerate(_rows(chain)):
        labels = (["init"] if state == chain.initial else []) + [k for k, mask in chain.labels.items() if mask[state]]
        lines += [" ".join([f"state {state}", *labels]), "\taction 0"]
        lines += [f"\t\t{target} : {p!r}" for target, p in row]
    return "\n".join([*lines, ""])


def umb(task: Task) -> bytes:
    """The chain as an archive in the unified Markov binary format."""
    chain = markov_chain(task)
    initial = np.arange(len(chain.names)) == chain.initial
    return write_umb(*entries(chain.tensor), initial, chain.labels)


def exported(task: Task, kind: str) -> str | bytes:
    """The chain as ``prism`` or ``drn``, which are text, or ``umb``, which is bytes.

    Raises:
        InputError: unknown format, or a beam.
    """
    require(kind in FORMATS, f"format = {kind!r} is not known: choose prism, drn or umb")
    return {"prism": prism, "drn": drn, "umb": umb}[kind](task)


def _preamble(chain: MarkovChain) -> list[str]:
    merged = ["// The initial state draws start and feasibility together with the first step: K >= 1."]
    said = "// One trace under its step policy, exported by ds3sim. Success within K steps:"
    return [said, '//   P=? [ F<=K "goal" ]', *(merged if chain.merged else [])]


def _rows(chain: MarkovChain) -> Iterator[list[tuple[int, float]]]:
    """The positive entries of each row as (target, probability)."""
    row, column, chance = entries(chain.tensor)
    pairs = list(zip(column.tolist(), chance.tolist(), strict=True))
    bounds = np.searchsorted(row, np.arange(len(chain.names) + 1)).tolist()
    for begin, end in itertools.pairwise(bounds):
        yield pairs[begin:end]
