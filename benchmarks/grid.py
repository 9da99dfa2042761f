"""python -m benchmarks.grid: the study grid of the paper (50 N x 50 D x 48 k, m = 1..50, 8 L0: 48 million points).

All contenders run in one process, in rounds; a contender that would take long runs on a share of the grid and its time
is scaled up, which the table says. Accuracy (1) and expected steps (3) are computed by all.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

import numpy as np
from scipy import special

from ds3sim.theory import chain
from ds3sim.theory.chain_table import study_grid, success_all_skills

SKILLS = 50


def study():
    """r [N, D, L0], budgets in steps [48], weights phi(L0, m) [L0, m]."""
    sizes = np.geomspace(1e7, 1e14, 50)
    loss = 1.69 + 406.4 * sizes[:, None] ** -0.34 + 410.7 * sizes**-0.28  # (24), constants of the paper
    easiness = np.linspace(0.1, 4.0, 8)
    r = special.expit(5.0 * (easiness - loss[..., None]))  # (25)
    steps = np.floor(np.geomspace(1, 1e7, 48))
    return r, steps, np.full((8, SKILLS), 1.0 / (8 * SKILLS))


def averaged(r, steps, weights):
    return study_grid(r, steps, weights)


def tables(r, steps, weights):
    return success_all_skills(r[:, :, None, :], steps[:, None], SKILLS)


def scipy_vectorised(r, steps, weights):
    """betainc on arrays; one model at a time, so that the temporaries stay in the cache."""
    m = np.arange(1.0, SKILLS + 1)
    out = np.empty((2, *r.shape[:2], len(steps)))
    for i, j in np.ndindex(*r.shape[:2]):
        each, k = r[i, j, None, :, None], steps[:, None, None]
        possible = k >= m
        rest = np.maximum(k - m + 1, 1)
        solved = np.where(possible, special.betainc(m, rest, each), 0.0)
        more = np.where(possible, special.betainc(m + 1, rest, each), 0.0)
        spent = m / each * more + k * (1 - solved)
        out[:, i, j] = (solved * weights).sum((1, 2)), (spent * weights).sum((1, 2))
    return out


def plain_loops(r, steps, weights):
    """One point at a time, as a script would."""
    out = np.zeros((2, *r.shape[:2], len(steps)))
    for i in range(r.shape[0]):
        for j in range(r.shape[1]):
            for s, k in enumerate(steps.tolist()):
                accuracy = spent = 0.0
                for e in range(r.shape[2]):
                    success = r[i, j, e]
                    for m in range(1, SKILLS + 1):
                        solved = more = 0.0
                        if k >= m:
                            solved = special.betainc(m, k - m + 1, success)
                            more = special.betainc(m + 1, k - m + 1, success)
                        accuracy += weights[e, m - 1] * solved
                        spent += weights[e, m - 1] * (m / success * more + k * (1 - solved))
                out[0, i, j, s], out[1, i, j, s] = accuracy, spent
    return out


CONTENDERS = {
    "ds3sim, averaged over (L0, m)": (averaged, 1, 1),
    "ds3sim, all 2 x 48 million values": (tables, 1, 1),
    "scipy betainc, vectorised": (scipy_vectorised, 5, 5),
    "plain loops over scipy betainc": (plain_loops, 25, 50),
}
"""Function, and the stride over N and over D: every stride-th model runs, times stride^2."""


def worst_error(r, steps) -> tuple[float, float]:
    """Largest relative error where the value is above 1e-12, against :mod:`ds3sim.theory.chain`, on a part."""
    part = r[::7, ::7]
    m = np.arange(1, SKILLS + 1)
    right = chain.success(m, part[:, :, None, :, None], steps[:, None, None])
    mean = chain.expected_steps(m, part[:, :, None, :, None], steps[:, None, None])
    success, expected = success_all_skills(part[:, :, None, :], steps[:, None], SKILLS)
    large = right > 1e-12
    return (
        float(np.max(np.abs(success[large] / right[large] - 1))),
        float(np.max(np.abs(expected / mean - 1))),
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grid", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5, help="rounds (5)")
    parser.add_argument("--quick", action="store_true", help="one round, without the slow contenders")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)
    r, steps, weights = study()
    points = r.size * len(steps) * SKILLS
    names = [n for n, c in CONTENDERS.items() if c[1] == 1 or not chosen.quick]
    seconds: dict[str, list[float]] = {name: [] for name in names}
    first = {}
    for repetition in range((1 if chosen.quick else chosen.repetitions) + 1):
        for name in names:
            function, stride_n, stride_d = CONTENDERS[name]
            part = r[::stride_n, ::stride_d]
            begin = time.perf_counter()
            function(part, steps, weights)
            wall = (time.perf_counter() - begin) * r.size / part.size
            if repetition == 0:
                first[name] = wall  # compiles
            else:
                seconds[name].append(wall)
        print(f"round {repetition} done", file=sys.stderr)
    error = worst_error(r, steps)
    best = float(np.median(seconds[names[0]]))
    rows = [
        {
            "contender": name,
            "seconds": float(np.median(walls)),
            "fastest": min(walls),
            "slowest": max(walls),
            "first_call": first[name] if CONTENDERS[name][1] == 1 else None,
            "share_run": 1.0 / (r.size / r[:: CONTENDERS[name][1], :: CONTENDERS[name][2]].size),
            "ns_per_point": 1e9 * float(np.median(walls)) / points,
            "times_slower": float(np.median(walls)) / best,
        }
        for name, walls in seconds.items()
    ]
    result = {
        "points": points,
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "error_success": error[0],
        "error_steps": error[1],
        "rows": rows,
    }
    if chosen.json:
        print(json.dumps(result, indent=1))
    else:
        print(f"{points:,} points on {result['cores']} cores, load average {result['load']:.2f}\n")
        print("| contender | s | fastest to slowest | ns a point | times ours | run | first call, s |")
        print("|---|---|---|---|---|---|---|")
        for row in rows:
            compile_ = f"{row['first_call']:.2f}" if row["first_call"] else ""
            print(
                f"| {row['contender']} | {row['seconds']:.3g} | {row['fastest']:.3g} to {row['slowest']:.3g}"
                f" | {row['ns_per_point']:.3g} | {row['times_slower']:.3g} | {row['share_run']:.2%} | {compile_} |"
            )
        print(
            f"\nLargest relative error where the value is above 1e-12: success {error[0]:.1e}, steps {error[1]:.1e}"
            " (against the continued fraction of ds3sim.theory.chain)"
        )
    return 0 if max(error) < 1e-9 else 1


if __name__ == "__main__":
    sys.exit(main())
