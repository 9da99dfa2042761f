"""From the hitting times of the n traces of a task to the hitting time of the task.

Give every trace its marks first (which wrong answer it would give, whether the verifier would
accept it). Then a larger budget only turns failed traces into correct ones, and a task that
succeeds stays successful. So each trial has one number, the smallest budget per trace at which it
succeeds, and one histogram holds success at every budget (docs/theory.md, task hitting time).
"""

from __future__ import annotations

import functools

import numpy as np

from ds3sim.core import rng
from ds3sim.engine.traces.alias import lookup, row_tables
from ds3sim.engine.traces.walk import NOT_REACHED, hitting_times, traced
from ds3sim.task.aggregate import Aggregate, BestOfN, Majority


def _first(times):
    """Oracle best of n, and single: the earliest hitting time."""
    return times.min(axis=1)


def _accepted(words, limit):
    """bool: the verifier's decision from two random words; a limit of all ones means always."""
    return ((limit[0] & limit[1]) == np.uint32(0xFFFFFFFF)) | rng.below(words[0], words[1], limit)


def _verified(times, keys, lane, limits, *, abstain: bool):
    """Best of n with an imperfect verifier; the first accepted trace is chosen.

    Traces are exchangeable, so the first accepted one is a uniform draw among the accepted.
    ``limits``: uint32 [2, 2], acceptance of a correct and of a wrong trace.
    """
    import jax.numpy as jnp
    from jax import lax

    if_correct = _accepted(rng.draw(keys[rng.VERIFIER], lane, np.uint32(0)), limits[0]).reshape(times.shape)
    if_wrong = _accepted(rng.draw(keys[rng.VERIFIER], lane, np.uint32(1)), limits[1]).reshape(times.shape)
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


def _voted(times, keys, lane, threshold, answer, mask, answers: int, trial, *, ties_wrong: bool):
    """Plurality vote. Traces become correct in the order of their hitting times; after each one the
    vote is counted again, until the correct answer wins."""
    import jax.numpy as jnp
    from jax import lax

    trials, n = times.shape
    word0, word1 = rng.draw(keys[rng.VOTE], lane, np.uint32(0))
    wrong = lookup(threshold, answer, jnp.int32(0), mask, word0, word1).reshape(trials, n)
    tie_word = rng.draw(keys[rng.TIE], trial, np.uint32(0))[0]
    order = jnp.argsort(times, axis=1)
    times = jnp.take_along_axis(times, order, axis=1)
    wrong = jnp.take_along_axis(wrong, order, axis=1)
    everyone = jnp.arange(trials, dtype=jnp.int32)
    votes = jnp.zeros((trials, answers), dtype=jnp.int32)
    votes = lax.fori_loop(0, n, lambda i, v: v.at[everyone, wrong[:, i]].add(1), votes)

    def turn(i, carry):
        votes, success = carry
        votes = votes.at[everyone, wrong[:, i]].add(-1)
        most = votes.max(axis=1)
        tied = (votes == most[:, None]).sum(axis=1, dtype=jnp.uint32)
        # The tie-break number wins against t tied answers when it is below 2^32 / (1 + t).
        breaks = False if ties_wrong else tie_word <= np.uint32(0xFFFFFFFF) // (tied + np.uint32(1))
        wins = (most < i + 1) | ((most == i + 1) & breaks)
        return votes, jnp.where(wins & (success == NOT_REACHED), times[:, i], success)

    start = jnp.full(trials, NOT_REACHED, dtype=jnp.int32)
    return lax.fori_loop(0, n, turn, (votes, start))[1]


def _outcome(ending, keys, first_lane, first_trial, tables, *, n, trials, kind):
    import jax.numpy as jnp

    traced["outcome"] += 1
    times = hitting_times(ending[: trials * n]).reshape(trials, n)
    lane = first_lane + jnp.arange(trials * n, dtype=jnp.uint32)
    trial = first_trial + jnp.arange(trials, dtype=jnp.uint32)
    if kind[0] == "verified":
        return _verified(times, keys, lane, tables[0], abstain=kind[1])
    if kind[0] == "voted":
        threshold, answer, mask = tables
        return _voted(times, keys, lane, threshold, answer, mask, kind[2], trial, ties_wrong=kind[1])
    return _first(times)


@functools.cache
def outcome_kernel():
    """The jitted map from endings int32 [lanes] to task hitting times int32 [trials]."""
    import jax

    return jax.jit(_outcome, static_argnames=("n", "trials", "kind"))


def outcome_tables(aggregate: Aggregate) -> tuple[tuple, tuple]:
    """(kind, tables): the static part and the arrays that :func:`outcome_kernel` needs."""
    if isinstance(aggregate, BestOfN) and not aggregate.verifier.perfect:
        verifier = aggregate.verifier
        limits = rng.threshold([verifier.true_positive, verifier.false_positive])
        return ("verified", verifier.fallback == "abstain"), (limits,)
    if isinstance(aggregate, Majority):
        weights = aggregate.errors.weights
        threshold, answer, width = row_tables(weights[None])
        return ("voted", aggregate.ties == "wrong", len(weights)), (threshold, answer, np.uint32(width - 1))
    return ("first",), ()


def _outcome_many(ending, keys, first_trial, tables, *, n, trials, kind):
    import jax

    def one(ending, keys, first_trial, tables):
        first_lane = first_trial * np.uint32(n)
        return _outcome(ending, keys, first_lane, first_trial, tables, n=n, trials=trials, kind=kind)

    return jax.vmap(one)(ending, keys, first_trial, tables)


@functools.cache
def outcome_many_kernel():
    """The jitted map from endings int32 [rows, lanes] to task hitting times int32 [rows, trials]."""
    import jax

    return jax.jit(_outcome_many, static_argnames=("n", "trials", "kind"))
