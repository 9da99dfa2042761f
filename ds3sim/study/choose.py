"""Which strategy is best at each budget, how sure that is, and by how much.

Every strategy is computed on its own traces, so the tallies are independent. At each budget:

- ``probability_best``: the posterior chance that a strategy has the largest success. The success of one task
  has the posterior Beta(h + 1/2, N - h + 1/2) (Jeffreys); of a distribution of tasks, the Beta with the mean
  and variance of the weighted sum. Drawn with a fixed seed.
- ``difference``: best minus runner-up, and best minus each other one, with simultaneous intervals: over all
  pairs of strategies and all budgets the chance of one wrong interval is at most 5% (Bonferroni over pairs,
  so that choosing the best afterwards is allowed for; MOVER from each side's exact interval).
- ``clear``: the best one's intervals against all others lie above 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from ds3sim.config.expand import Entry, SweepPlan
from ds3sim.core.environment import environment
from ds3sim.core.errors import require
from ds3sim.core.estimate import Estimate
from ds3sim.core.plain import as_plain
from ds3sim.engine.law import mixed
from ds3sim.engine.limits import NUMBERS
from ds3sim.results.rows import rows_of
from ds3sim.stats.intervals import clopper_pearson
from ds3sim.study.run import Interrupted, evaluate

LEVEL = 0.95
DRAWS = 100_000
SAME = 1e-12
"""Numbers that are not random and closer than this are a tie."""


def choose(plan: SweepPlan, store=None, progress: Callable | None = None) -> dict:
    """The best strategy at each point and budget.

    Args:
        plan: from :func:`ds3sim.config.expand.read_sweep`, with [strategies.NAME]; axes are allowed.
        store, progress: as :func:`ds3sim.study.run.run_sweep`.

    Returns:
        ``{"choices": [...], "level", "comparisons", "environment"}``; a choice has ``axes``, the budget,
        ``best``, ``clear``, ``probability_best``, ``runner_up``, ``difference``, ``differences`` and ``results``.

    Raises:
        InputError: fewer than two strategies, or budgets that do not cost the same.
        Interrupted: Ctrl-C; ``.result`` holds the points done until then.
    """
    names = [name for name in plan.strategies if name is not None]
    require(len(names) >= 2, f"{plan.source}: choosing needs two strategies: add tables [strategies.NAME]")
    unit = plan.config.budget.unit
    require(
        unit in ("tokens", "flops") or plan.match is not None,
        f"{plan.source}: budget.{unit} gives the strategies different costs: give budget.tokens or budget.flops,"
        ' or add match = "flops" to [sweep]',
    )
    begun = time.perf_counter()
    budgets = len(getattr(plan.config.budget, unit))
    pairs = plan.count * budgets * len(names) * (len(names) - 1) // 2
    out: list[dict] = []

    def result(**more) -> dict:
        said = {"name": plan.name, "seed": plan.config.seed, "engine": plan.config.engine.kind, "match": plan.match}
        said |= {"wall_s": time.perf_counter() - begun, **more}
        table = {"choices": out, "level": LEVEL, "comparisons": pairs, "environment": {**environment(), **said}}
        return as_plain(table)

    try:
        for entries, found in evaluate(plan, store, progress):
            rows = rows_of(entries, found)
            for at in range(0, len(entries), len(names)):
                part = slice(at, at + len(names))
                out += _point(entries[part], found[part], rows[part], pairs)
            if progress is not None:
                progress(0, len(entries) // len(names))
    except KeyboardInterrupt:
        raise Interrupted(result(interrupted=True)) from None
    return result()


def _point(entries: Sequence[Entry], found, rows, pairs: int) -> list[dict]:
    """The choices at one point, one for each budget."""
    names = [str(entry.strategy) for entry in entries]
    level = 1 - (1 - LEVEL) / pairs
    sides = [
        mixed([_success(law, entry, level) for law in laws], entry.weights)
        for entry, laws in zip(entries, found, strict=True)
    ]
    mid, low, high = (np.array([side[j] for side in sides]) for j in range(3))  # [strategies, budgets]
    random = entries[0].engine.kind not in NUMBERS
    chance = _probability_best(entries, found) if random else None
    budgets = [row.to_dict() for row in entries[0].rows]
    given = next((key for key in ("cot_tokens", "tokens", "flops") if key in budgets[0]), "steps")
    out = []
    for i in range(mid.shape[1]):
        order = np.argsort(-mid[:, i], kind="stable")
        best, second = int(order[0]), int(order[1])
        differences = {}
        for j in order[1:].tolist():
            gap = float(mid[best, i] - mid[j, i])
            below = float(np.hypot(mid[best, i] - low[best, i], high[j, i] - mid[j, i]))
            above = float(np.hypot(high[best, i] - mid[best, i], mid[j, i] - low[j, i]))
            differences[names[j]] = {"estimate": gap, "low": max(-1.0, gap - below), "high": min(1.0, gap + above)}
        clear = all(d["low"] > (0.0 if random else SAME) for d in differences.values())
        if chance is not None:
            sure = {name: float(chance[j, i]) for j, name in enumerate(names)}
        else:
            top = mid[:, i] >= mid[best, i] - SAME
            sure = {name: float(top[j] / top.sum()) for j, name in enumerate(names)}
        out.append(
            {
                "axes": entries[0].axes,
                given: budgets[i][given],
                "best": names[best],
                "clear": clear,
                "probability_best": sure,
                "runner_up": names[second],
                "difference": differences[names[second]],
                "differences": differences,
                "results": [own[i] for own in rows],
            }
        )
    return out


def _success(law, entry: Entry, level: float) -> Estimate:
    """Success at the budgets of an entry with intervals of another level."""
    steps = entry.tasks[0].budgets
    found = law.success(steps)
    if not hasattr(law, "task_hits"):
        # Not counts: numbers have no width, and a weighted tally's interval is stretched like a normal one.
        stretch = _z(level) / _z(LEVEL)
        mid = np.asarray(found.estimate)
        return Estimate(mid, mid - stretch * (mid - found.low), mid + stretch * (found.high - mid))
    hits = np.cumsum(law.task_hits)[steps // entry.tasks[0].n]
    return Estimate(found.estimate, *clopper_pearson(hits, law.traces, level))


def _z(level: float) -> float:
    from scipy.special import ndtri

    return float(-ndtri(0.5 * (1 - level)))


def _probability_best(entries: Sequence[Entry], found) -> np.ndarray:
    """Posterior chance to be the best, float64 [strategies, budgets]; from ``DRAWS`` draws."""
    rng = np.random.default_rng(entries[0].seed)
    budgets = len(entries[0].rows)
    shape = np.array([_posterior(entry, laws) for entry, laws in zip(entries, found, strict=True)])  # [S, 2, B]
    # Strategies that are one task with one stream share their counts: they tie, and one draw serves both.
    same = {}
    owner = [same.setdefault((tuple(t.identity for t in e.tasks), e.seed, e.weights), i) for i, e in enumerate(entries)]
    out = np.zeros((len(entries), budgets))
    for i in range(budgets):
        draws = np.stack([rng.beta(*shape[s, :, i], size=DRAWS) for s in range(len(entries))])[owner]
        top = draws == draws.max(axis=0)
        out[:, i] = (top / top.sum(axis=0)).mean(axis=1)
    return out


def _posterior(entry: Entry, laws) -> np.ndarray:
    """Shape parameters of the Beta posterior of success, float64 [2, B]."""
    steps = entry.tasks[0].budgets
    mean, variance = np.zeros(len(steps)), np.zeros(len(steps))
    for law, weight in zip(laws, np.asarray(entry.weights, dtype=np.float64), strict=True):
        if hasattr(law, "task_hits"):
            hits = np.cumsum(law.task_hits)[steps // entry.tasks[0].n]
            a, b = hits + 0.5, law.traces - hits + 0.5
            mean += weight * a / (a + b)
            variance += weight**2 * a * b / ((a + b) ** 2 * (a + b + 1))
        else:
            one = law.success(steps)
            half = np.asarray(one.high - np.asarray(one.low)) / (2 * _z(LEVEL))
            mean += weight * np.clip(one.estimate, 1e-300, 1 - 1e-16)
            variance += weight**2 * np.maximum(half, 1e-300) ** 2
    spread = np.maximum(mean * (1 - mean) / np.maximum(variance, 1e-300) - 1, 1e-6)
    return np.array([mean * spread, (1 - mean) * spread])
