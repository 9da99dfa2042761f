"""The sweep of :func:`ds3sim.engine.traces.alias.alias_tables`, compiled by numba: the same numbers, bit for bit."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def _settle_row(weight: np.ndarray, threshold: np.ndarray, alias: np.ndarray, order: np.ndarray) -> None:
    width, lights = weight.size, 0
    for column in range(width):
        threshold[column], alias[column] = 1.0, column
        order[lights] = column
        lights += np.int64(weight[column] < 1.0)
    end = lights
    for column in range(width):
        if not weight[column] < 1.0:
            order[end] = column
            end += 1
    if lights == width:
        return
    light, at = 0, lights
    heavy = order[at]
    spare = weight[heavy]
    while True:
        if spare >= 1.0 and light < lights:
            item = order[light]
            threshold[item] = weight[item]
            alias[item] = heavy
            spare += weight[item] - 1.0
            light += 1
        elif spare < 1.0 and at < width - 1:
            following = order[at + 1]
            threshold[heavy] = spare
            alias[heavy] = following
            spare += weight[following] - 1.0
            heavy = following
            at += 1
        else:
            return


@njit(nogil=True, cache=True)
def _settle(weight: np.ndarray, threshold: np.ndarray, alias: np.ndarray) -> None:
    order = np.empty(weight.shape[1], np.int64)
    for r in range(len(weight)):
        _settle_row(weight[r], threshold[r], alias[r], order)


@njit(nogil=True, cache=True)
def _pack(weight: np.ndarray, code: np.ndarray, limit: np.ndarray, outcome: np.ndarray) -> None:
    width = weight.shape[1]
    threshold, alias, order = np.empty(width), np.empty(width, np.int64), np.empty(width, np.int64)
    for r in range(len(weight)):
        _settle_row(weight[r], threshold, alias, order)
        for column in range(width):
            kept = min(max(threshold[column], 0.0), 1.0)
            limit[r, column] = np.uint32(min(np.rint(kept * 2.0**32), 2.0**32 - 1.0))
            outcome[r, column] = np.uint32(code[r, column]) | np.uint32(
                np.uint32(code[r, alias[column]]) << np.uint32(16)
            )


def settled(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """threshold float64 and alias int64, [R, W] each, of the weights float64 [R, W], whose rows sum to W."""
    threshold, alias = np.empty(weight.shape), np.empty(weight.shape, np.int64)
    _settle(weight, threshold, alias)
    return threshold, alias


def packed(weight: np.ndarray, code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The table of those weights in two words, uint32 [R, W] each, with the codes uint16 [R, W] of its columns."""
    limit, outcome = np.empty(weight.shape, np.uint32), np.empty(weight.shape, np.uint32)
    _pack(weight, code, limit, outcome)
    return limit, outcome
