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

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ds3sim.config.entries import Entry
from ds3sim.config.study import study_of
from ds3sim.core.errors import Interrupted, require
from ds3sim.core.estimate import Estimate
from ds3sim.core.progress import working
from ds3sim.core.workers import AnyExecutor, crew_of
from ds3sim.engine.law import Counted, Law, mixed
from ds3sim.engine.limits import NUMBERS
from ds3sim.results.choice import Choice, Decision, Gap
from ds3sim.results.row import Row, rows_of
from ds3sim.stats.intervals import clopper_pearson, normal_quantile
from ds3sim.store.store import Store
from ds3sim.study.evaluate import Means, Progress, about, evaluate, opened
from ds3sim.study.run import Source

LEVEL = 0.95
DRAWS = 100_000
SAME = 1e-12
"""Numbers that are not random and closer than this are a tie."""


def choose(
    source: Source,
    *,
    seed: int | None = None,
    store: Store | str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    executor: AnyExecutor | None = None,
) -> Choice:
    """The best strategy at each point and budget.

    Args:
        source: a config file or a study, with two strategies or more; axes are allowed.
        seed: instead of the study's.
        store, progress: as for :func:`ds3sim.run`.
        executor: as for :func:`ds3sim.sweep`.

    Raises:
        InputError: fewer than two strategies, or budgets that do not cost the same.
        Interrupted: Ctrl-C; ``.result`` holds the points done until then.

    >>> both = {"one": ds.CoT(), "four": ds.BestOfN(4)}
    >>> study = ds.Study(ds.SkillGraph.chain(3, 0.5), strategies=both, tokens=400, engine="exact")
    >>> ds.choose(study).to_dict()["choices"][0]["best"]
    'one'
    """
    study = study_of(source, seed=seed)
    names = [name for name in study.strategies if name is not None]
    require(len(names) >= 2, f"{study.source}: choosing needs two strategies: add tables [strategies.NAME]")
    require(
        study.unit in ("tokens", "flops") or study.match is not None,
        f"{study.source}: budget.{study.unit} gives the strategies different costs: give budget.tokens or budget.flops,"
        ' or add match = "flops" to [sweep]',
    )
    begun = time.perf_counter()
    budgets = len(next(study.entries()).rows)
    pairs = study.count * budgets * len(names) * (len(names) - 1) // 2
    out: list[Decision] = []

    def result(interrupted: bool) -> Choice:
        return Choice(
            **about(study, begun),
            strategies=tuple(names),
            decisions=tuple(out),
            level=LEVEL,
            comparisons=pairs,
            interrupted=interrupted,
        )

    try:
        with opened(store) as kept, crew_of(executor) as crew:
            for entries, laws, _ in evaluate(study, Means(kept, progress, crew), whole_points=True):
                rows = rows_of(entries, laws)
                for at in range(0, len(entries), len(names)):
                    part = slice(at, at + len(names))
                    out += _decisions(entries[part], laws[part], rows[part], pairs)
                if progress is not None:
                    progress(0, len(entries) // len(names))
    except KeyboardInterrupt:
        raise Interrupted(result(True)) from None
    return result(False)


def _decisions(
    entries: Sequence[Entry], laws: Sequence[Sequence[Law]], rows: Sequence[tuple[Row, ...]], pairs: int
) -> list[Decision]:
    """The decisions at one point, one for each budget."""
    names = [str(entry.strategy) for entry in entries]
    level = 1 - (1 - LEVEL) / pairs
    sides = [
        mixed([_success(law, entry, level) for law in own], entry.weights)
        for entry, own in zip(entries, laws, strict=True)
    ]
    mid, low, high = (np.array([side[j] for side in sides]) for j in range(3))  # [strategies, budgets]
    random = entries[0].engine.kind not in NUMBERS
    chance = _probability_best(entries, laws) if random else _share_of_best(mid)
    first = rows[0][0]
    unit = next((name for name in ("cot_tokens", "tokens", "flops") if getattr(first, name) is not None), "steps")
    out: list[Decision] = []
    for i in range(mid.shape[1]):
        order: list[int] = np.argsort(-mid[:, i], kind="stable").tolist()
        gaps = tuple(_gap(names[j], *(side[[order[0], j], i] for side in (mid, low, high))) for j in order[1:])
        out.append(
            Decision(
                axes=entries[0].axes,
                unit=unit,
                budget=getattr(rows[0][i], unit),
                best=names[order[0]],
                clear=all(gap.low > (0.0 if random else SAME) for gap in gaps),
                probability_best=dict(zip(names, chance[:, i].tolist(), strict=True)),
                gaps=gaps,
                rows=tuple(own[i] for own in rows),
            )
        )
    return out


def _gap(against: str, mid: np.ndarray, low: np.ndarray, high: np.ndarray) -> Gap:
    """The best one's success less another's, from both with intervals, [2] each (MOVER)."""
    gap = float(mid[0] - mid[1])
    below = float(np.hypot(mid[0] - low[0], high[1] - mid[1]))
    above = float(np.hypot(high[0] - mid[0], mid[1] - low[1]))
    return Gap(against, gap, max(-1.0, gap - below), min(1.0, gap + above))


def _share_of_best(mid: np.ndarray) -> np.ndarray:
    """1 for the best of numbers that are not random, shared by ties, float64 [strategies, budgets]."""
    top = mid >= mid.max(axis=0) - SAME
    return top / top.sum(axis=0)


def _success(law: Law, entry: Entry, level: float) -> Estimate:
    """Success at the budgets of an entry with intervals of another level."""
    steps = entry.tasks[0].budgets
    found = law.success(steps)
    if not isinstance(law, Counted):
        # Not counts: numbers have no width, and a weighted tally's interval is stretched like a normal one.
        stretch = _z(level) / _z(LEVEL)
        mid = np.asarray(found.estimate)
        return Estimate(mid, mid - stretch * (mid - found.low), mid + stretch * (found.high - mid))
    hits = np.cumsum(law.task_hits)[steps // entry.tasks[0].n]
    return Estimate(found.estimate, *clopper_pearson(hits, law.traces, level))


def _z(level: float) -> float:
    return float(-normal_quantile(0.5 * (1 - level)))


def _probability_best(entries: Sequence[Entry], found: Sequence[Sequence[Law]]) -> np.ndarray:
    """Posterior chance to be the best, float64 [strategies, budgets]; from ``DRAWS`` draws."""
    rng = np.random.default_rng(entries[0].seed)
    budgets = len(entries[0].rows)
    shape = np.array([_posterior(entry, laws) for entry, laws in zip(entries, found, strict=True)])  # [S, 2, B]
    # Strategies that are one task with one stream share their counts: they tie, and one draw serves both.
    same: dict[tuple[Any, ...], int] = {}
    owner = [same.setdefault((tuple(t.identity for t in e.tasks), e.seed, e.weights), i) for i, e in enumerate(entries)]
    out = np.zeros((len(entries), budgets))
    with working("budgets compared", budgets) as stage:
        for i in range(budgets):
            draws = np.stack([rng.beta(*shape[s, :, i], size=DRAWS) for s in range(len(entries))])[owner]
            top = draws == draws.max(axis=0)
            out[:, i] = (top / top.sum(axis=0)).mean(axis=1)
            stage.advance()
    return out


def _posterior(entry: Entry, laws: Sequence[Law]) -> np.ndarray:
    """Shape parameters of the Beta posterior of success, float64 [2, B]."""
    steps = entry.tasks[0].budgets
    mean, variance = np.zeros(len(steps)), np.zeros(len(steps))
    for law, weight in zip(laws, np.asarray(entry.weights, dtype=np.float64), strict=True):
        if isinstance(law, Counted):
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
