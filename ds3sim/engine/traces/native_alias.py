"""The sweep of :func:`ds3sim.engine.traces.alias.alias_tables`, compiled by numba: the same numbers, bit for bit."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def _settle(weight: np.ndarray, threshold: np.ndarray, alias: np.ndarray, order: np.ndarray) -> None:
    rows, width = weight.shape
    for r in range(rows):
        lights = 0
        for column in range(width):
            if weight[r, column] < 1.0:
                order[lights] = column
                lights += 1
        end = lights
        for column in range(width):
            if not weight[r, column] < 1.0:
                order[end] = column
                end += 1
        if lights == width:
            continue
        light, at = 0, lights
        heavy = order[at]
        spare = weight[r, heavy]
        while True:
            if spare >= 1.0 and light < lights:
                item = order[light]
                threshold[r, item] = weight[r, item]
                alias[r, item] = heavy
                spare += weight[r, item] - 1.0
                light += 1
            elif spare < 1.0 and at < width - 1:
                following = order[at + 1]
                threshold[r, heavy] = spare
                alias[r, heavy] = following
                spare += weight[r, following] - 1.0
                heavy = following
                at += 1
            else:
                break


def settled(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """threshold float64 and alias int64, [R, W] each, of the weights float64 [R, W], whose rows sum to W."""
    rows, width = weight.shape
    threshold = np.ones((rows, width))
    alias = np.tile(np.arange(width), (rows, 1))
    _settle(weight, threshold, alias, np.empty(width, np.int64))
    return threshold, alias
