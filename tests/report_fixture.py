"""A result of ``run`` made by hand: sampled with NumPy, reference by scipy. No engine is used."""

import math
import tomllib
from dataclasses import replace

import numpy as np
from scipy.special import betainc

from ds3sim.results.result import Result

CONFIG = """\
name = "fixture"
seed = 7

[graph]
kind = "chain"
feasible = 1.0
skills = 10
success = 0.2

[strategy]
step = "cot"
aggregate = "single"

[budget]
steps = [12, 20, 30, 50, 70, 100, 200]
on_dead = "exhaust"

[cost]
tokens_per_step = 25.0
parameters = 1e10

[engine]
kind = "traces"
traces = 20000
"""


def row(steps: int, r: float, m: int, traces: int, rng, *, n: int = 1, b: int = 1, flops: bool = True):
    """One budget of best of n on a chain, and its reference; expected steps of one trace times n."""
    k = steps // n
    p1 = float(betainc(m, k - m + 1, r)) if k >= m else 0.0
    p = 1 - (1 - p1) ** n
    mean = (m / r * betainc(m + 1, k - m + 1, r) + k * (1 - p1)) if k >= m else float(k)
    share = rng.binomial(traces, p) / traces
    width = 1.96 * math.sqrt(max(share * (1 - share), 1e-9) / traces)
    estimate = n * mean + rng.normal() * n * k / 4 / math.sqrt(traces)
    error = 1.96 * n * k / 4 / math.sqrt(traces)
    tokens = 25.0 * b * estimate
    data = {
        "steps": steps,
        "steps_per_trace": k,
        "success": {"estimate": share, "low": max(0.0, share - width), "high": min(1.0, share + width)},
        "expected_steps": {"estimate": estimate, "low": estimate - error, "high": estimate + error},
        "expected_tokens": tokens,
        "expected_flops": 2e10 * tokens if flops else None,
        "mean_flops": 2.1e10 * tokens if flops else None,
        "budget_tokens": 25 * b * k * n,
        "budget_flops": 2e10 * 25 * b * k * n if flops else None,
    }
    return data, {"steps": steps, "success": p, "expected_steps": n * mean, "by": "closed_form"}


def make_result(budgets=(12, 20, 30, 50, 70, 100, 200), **options):
    """The record of :func:`make_data`."""
    return replace(Result.from_dict(make_data(budgets, **options)), config=tomllib.loads(CONFIG))


def make_data(budgets=(12, 20, 30, 50, 70, 100, 200), *, strategies=None, traces=20_000, flops=True, r=0.2, m=10):
    """A result with one strategy, or with several (name -> (n, branches)), as ``run --json`` prints it."""
    rng = np.random.default_rng(5)
    results, reference = [], []
    for name, (n, b) in (strategies or {"": (1, 1)}).items():
        for steps in budgets:
            data, expected = row(steps, 1 - (1 - r) ** b, m, traces, rng, n=n, b=b, flops=flops)
            label = {"strategy": name} if name else {}
            results.append(label | data)
            reference.append(label | expected)
    return {
        "name": "fixture",
        "engine": "traces",
        "seed": 7,
        "traces": traces,
        "results": results,
        "reference": reference,
        "stopping": {"rule": "fixed"},
        "environment": {"ds3sim": "0.1.0", "jax": "0", "device": "cpu", "wall_s": 0.25},
    }
