"""From the hitting times of the n traces of a task to the hitting time of the task.

Give every trace its marks first (which wrong answer it would give, whether the verifier would
accept it). Then a larger budget only turns failed traces into correct ones, and a task that
succeeds stays successful. So each trial has one number, the smallest budget per trace at which it
succeeds, and one histogram holds success at every budget (docs/theory.md, task hitting time).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ds3sim.core import arrays, rng
from ds3sim.engine.traces.alias import lookup, row_tables
from ds3sim.engine.traces.walk import NOT_REACHED, Rows, hitting_times, traced
from ds3sim.task.aggregate import Aggregate, BestOfN, Counting, Majority


def _accepted(words: Sequence[arrays.Array], limit: arrays.Array) -> arrays.Array:
    """bool: the verifier's decision from two random words; a limit of all ones means always."""
    return ((limit[..., 0] & limit[..., 1]) == np.uint32(0xFFFFFFFF)) | rng.below(words[0], words[1], limit)


def _verified(
    times: arrays.Array, keys: arrays.Array, lane: arrays.Array, limits: arrays.Array, *, abstain: bool
) -> arrays.Array:
    """Best of n with an imperfect verifier; the first accepted trace is chosen.

       Traces are exchangeable, so the first accepted one is a uniform draw among the accepted.
    ``limits``, uint32 [rows, 2, 2]:
       acceptance of a correct and of a wrong trace.
    """
    import jax.numpy as jnp
    from jax import lax

    def marks(number: int) -> arrays.Array:
        words = rng.threefry2x32(*_keys(keys, rng.VERIFIER), lane, jnp.full_like(lane, number))
        return _accepted(words, limits[:, number, None, :]).reshape(times.shape)

    if_correct, if_wrong = marks(0), marks(1)
    # Trace i is passed over at budget k when k >= after_i (its wrong answer would be accepted until
    # then) and k < before_i (its correct answer would be accepted from then on).
    after = jnp.where(if_wrong, jnp.where(if_correct, jnp.int32(NOT_REACHED), times), jnp.int32(0))
    before = jnp.where(if_correct & ~if_wrong, times, jnp.int32(NOT_REACHED))
    passed_after = lax.cummax(after, axis=1)
    passed_before = lax.cummin(before, axis=1)
    first = jnp.zeros_like(times[:, :1])
    earlier_after = jnp.concatenate([first, passed_after[:, :-1]], axis=1)
    earlier_before = jnp.concatenate([first + NOT_REACHED, passed_before[:, :-1]], axis=1)
    begins = jnp.maximum(times, earlier_after)
    chosen = jnp.where(if_correct & (begins < earlier_before), begins, jnp.int32(NOT_REACHED)).min(axis=1)
    if abstain:
        return chosen
    # None accepted: any trace is as good as another, take the first.
    begins = jnp.maximum(times[:, 0], passed_after[:, -1])
    return jnp.minimum(chosen, jnp.where(begins < passed_before[:, -1], begins, jnp.int32(NOT_REACHED)))


def _voted(
    times: arrays.Array,
    keys: arrays.Array,
    lane: arrays.Array,
    trial: arrays.Array,
    tables: tuple[arrays.Array, arrays.Array],
    *,
    answers: int,
    ties_wrong: bool,
) -> arrays.Array:
    """Plurality vote. Traces become correct in the order of their hitting times; after each one the
       vote is counted again, until the correct answer wins.
    ``tables``: threshold, answer uint32 [rows, W], the alias table of the wrong answers.
    """
    import jax.numpy as jnp
    from jax import lax

    threshold, answer = tables
    trials, n = times.shape
    rows, width = threshold.shape
    words = rng.threefry2x32(*_keys(keys, rng.VOTE), lane, jnp.zeros_like(lane))
    begin = (jnp.arange(rows, dtype=jnp.int32) * width)[:, None]
    wrong = lookup(threshold.reshape(-1), answer.reshape(-1), begin, jnp.uint32(width - 1), *words).reshape(trials, n)
    tie_word = rng.threefry2x32(*_keys(keys, rng.TIE), trial, jnp.zeros_like(trial))[0].reshape(-1)
    order = jnp.argsort(times, axis=1)
    times = jnp.take_along_axis(times, order, axis=1)
    wrong = jnp.take_along_axis(wrong, order, axis=1)
    everyone = jnp.arange(trials, dtype=jnp.int32)
    votes = jnp.zeros((trials, answers), dtype=jnp.int32)

    def more(votes: arrays.Array, i: arrays.Array, count: int) -> arrays.Array:
        # Each trial has a row of its own: told so, accelerators need no atomic additions.
        return jnp.asarray(votes).at[everyone, wrong[:, i]].add(count, unique_indices=True)

    votes = lax.fori_loop(0, n, lambda i, votes: more(votes, i, 1), votes)

    def turn(i: arrays.Array, carry: tuple[Any, ...]) -> tuple[arrays.Array, arrays.Array]:
        votes, success = carry
        votes = more(votes, i, -1)
        most = votes.max(axis=1)
        tied = (votes == most[:, None]).sum(axis=1, dtype=jnp.uint32)
        # The tie-break number wins against t tied answers when it is below 2^32 / (1 + t).
        breaks = False if ties_wrong else tie_word <= np.uint32(0xFFFFFFFF) // (tied + np.uint32(1))
        wins = (most < i + 1) | ((most == i + 1) & breaks)
        return votes, jnp.where(wins & (success == NOT_REACHED), times[:, i], success)

    start = jnp.full(trials, NOT_REACHED, dtype=jnp.int32)
    return lax.fori_loop(0, n, turn, (votes, start))[1]


def _counted(times: arrays.Array, keys: arrays.Array, trial: arrays.Array, limits: arrays.Array) -> arrays.Array:
    """An aggregator that looks at the number of correct traces: one number for each trial, which succeeds as soon as
       so many traces are correct that their chance is above it.
    ``limits``, uint32 [rows, n, 2]: the chance with 1, 2, ... correct traces.
    """
    import jax.numpy as jnp

    words = rng.threefry2x32(*_keys(keys, rng.TIE), trial, jnp.zeros_like(trial))
    enough = _accepted([word[..., None] for word in words], limits[:, None]).reshape(len(times), -1)
    return jnp.where(enough, jnp.sort(times, axis=1), jnp.int32(NOT_REACHED)).min(axis=1)


def _keys(keys: arrays.Array, purpose: int) -> tuple[arrays.Array, arrays.Array]:
    """The two words of the rows' keys for a purpose, uint32 [rows, 1] each."""
    return keys[:, purpose, 0, None], keys[:, purpose, 1, None]


def outcome(
    ending: arrays.Int32[arrays.Array, "rows lanes"],
    rows: Rows,
    tables: tuple[Any, ...],
    *,
    n: int,
    kind: tuple[Any, ...],
) -> arrays.Int32[arrays.Array, "rows trials"]:
    """Task hitting times; ``tables`` and ``kind`` are those of :func:`outcome_tables`, one table for each row."""
    import jax.numpy as jnp

    traced["outcome"] += 1
    keys, first = rows.keys, rows.first
    size, trials = ending.shape[0], ending.shape[1] // n
    times = hitting_times(ending[:, : trials * n]).reshape(-1, n)
    lane = first[0, :, None] + jnp.arange(trials * n, dtype=jnp.uint32)
    trial = first[1, :, None] + jnp.arange(trials, dtype=jnp.uint32)
    if kind[0] == "first":  # oracle best of n, and single: the earliest hitting time
        found = times.min(axis=1)
    elif kind[0] == "verified":
        found = _verified(times, keys, lane, tables[0], abstain=kind[1])
    elif kind[0] == "counted":
        found = _counted(times, keys, trial, tables[0])
    else:
        found = _voted(times, keys, lane, trial, tables, answers=kind[2], ties_wrong=kind[1])
    return found.reshape(size, -1)


def correct(ending: arrays.Int32[arrays.Array, "rows lanes"], *, n: int) -> arrays.Int32[arrays.Array, "rows trials"]:
    """Correct traces of each trial."""
    trials = ending.shape[1] // n
    reached = hitting_times(ending[:, : trials * n]) < NOT_REACHED
    return reached.reshape(len(ending), trials, n).sum(axis=2, dtype="int32")


@functools.lru_cache(maxsize=256)
def outcome_tables(aggregate: Aggregate) -> tuple[tuple[Any, ...], tuple[np.ndarray, ...]]:
    """(kind, tables): the static part and the arrays that :func:`outcome` needs."""
    if isinstance(aggregate, BestOfN) and not aggregate.verifier.perfect:
        verifier = aggregate.verifier
        limits = rng.threshold([verifier.true_positive, verifier.false_positive])
        return ("verified", verifier.fallback == "abstain"), (limits,)
    if isinstance(aggregate, Majority):
        weights = aggregate.errors.weights
        threshold, answer, _ = row_tables([weights[None, None]])[0]
        return ("voted", aggregate.ties == "wrong", len(weights)), (threshold, answer)
    if isinstance(aggregate, Counting):
        return ("counted",), (rng.threshold(aggregate.chances),)
    return ("first",), ()
