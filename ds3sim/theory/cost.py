"""Tokens, FLOPs and dollars of inference and training (docs/theory.md section 5).

Token counts may be fractional (expected tokens). Arrays broadcast. FLOPs are float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ds3sim.core.check import Numbers, number, numbers, whole_array, whole_number
from ds3sim.core.errors import InputError, require

_MOST_STEPS = 2**53
MOST = 1e60
"""Largest number of a cost model: no product of a few overflows."""


def _count(name: str, values: ArrayLike) -> np.ndarray:
    return whole_array(name, values, 1)


def _amount(name: str, values: ArrayLike) -> np.ndarray:
    return numbers(name, values, low=0)


def _tidy(value: float) -> float | int:
    """Whole numbers as int, so that a cost model prints as it was given."""
    return int(value) if value == int(value) and value < 2**53 else value


@dataclass(frozen=True)
class CostModel:
    """What a step costs.

    Attributes:
        tokens_per_step: omega, output tokens of one step, > 0.
        parameters: N, non-embedding parameters, > 0; None: steps and tokens only, no FLOPs.
        prompt_tokens: omega_p, >= 0.
        layers, attention_width: n_layer and d_attn of the transformer.
        attention: False leaves out the attention terms, and with them the scoring of branches:
            2 N per generated token (the paper's accounting in its allocation study).
        shared_prefill: the n traces of a task share one prefill; False: each pays it.

    Raises:
        InputError: a value outside its range, or FLOPs asked for without ``parameters``.

    >>> float(ds.CostModel(tokens_per_step=25, parameters=8e9).flops(1000, branches=1, n=1))
    16000000000000.0
    """

    tokens_per_step: float = 25
    parameters: float | None = None
    prompt_tokens: float = 0
    layers: int = 0
    attention_width: float = 0
    attention: bool = True
    shared_prefill: bool = True

    def __post_init__(self) -> None:

        above = {"tokens_per_step": {"above": 0}, "parameters": {"above": 0}}
        for name in ("tokens_per_step", "parameters", "prompt_tokens", "attention_width", "layers"):
            value = getattr(self, name)
            if name != "parameters" or value is not None:
                good = number(name, value, high=MOST, **above.get(name, {"low": 0}))
                object.__setattr__(self, name, whole_number(name, good) if name == "layers" else _tidy(good))
        for name in ("attention", "shared_prefill"):
            value = getattr(self, name)
            require(isinstance(value, bool | np.bool_), f"{name} = {value!r} is not allowed: it must be true or false")
            object.__setattr__(self, name, bool(value))

    @property
    def has_flops(self) -> bool:
        """Whether FLOPs can be given: ``parameters`` is known."""
        return self.parameters is not None

    def tokens(self, steps: Numbers) -> np.ndarray:
        """Omega = omega K, tokens along the kept path of K ``steps`` (fractional if expected)."""
        return (self.tokens_per_step * _amount("steps", steps))[()]

    # ---- FLOPs ----------------------------------------------------------------------------------

    def flops_training(self, training_tokens: Numbers) -> np.ndarray:
        """C_tr = 6 N D, docs/theory.md (15); [K20]. ``training_tokens`` is D."""
        return training_flops(self._parameters, _amount("training_tokens", training_tokens))[()]

    def prefill(self) -> float:
        """FLOPs of one prompt in (16): 2 n_layer d_attn omega_p^2; 0 without attention."""
        self._parameters  # noqa: B018  (refuses without parameters)
        return 2.0 * self._width * float(self.prompt_tokens) ** 2

    def generation(self, tokens: Numbers, branches: ArrayLike = 1) -> np.ndarray:
        """FLOPs of one trace after its prefill: (16) for ``branches`` = 1, (17) for more.

        Args:
            tokens: Omega along the kept path, >= 0.
            branches: b, proposals a step, whole, >= 1.
        """
        tokens = _amount("tokens", tokens)
        return self._generation(tokens, tokens * tokens, _count("branches", branches))[()]

    def flops(self, tokens_per_trace: Numbers, branches: ArrayLike = 1, n: ArrayLike = 1) -> np.ndarray:
        """FLOPs of a task of n traces, docs/theory.md (16), (17), (17.1).

        Args:
            tokens_per_trace: Omega along the kept path of each trace.
            branches: b, proposals a step.
            n: traces of the task; they share the prefill unless ``shared_prefill`` is False.

        Returns:
            float64 of the broadcast shape.
        """
        n = _count("n", n)
        return (self._prefills(n) * self.prefill() + n * self.generation(tokens_per_trace, branches))[()]

    def mean_flops(
        self, mean_tokens: Numbers, mean_square_tokens: Numbers, branches: ArrayLike = 1, n: ArrayLike = 1
    ) -> np.ndarray:
        """E[FLOPs] where the tokens of a trace are random, docs/theory.md (16.1).

        The cost is quadratic in the tokens, so this exceeds ``flops(mean_tokens)`` by
        n b n_layer d_attn Var(Omega).

        Args:
            mean_tokens, mean_square_tokens: E[Omega] and E[Omega^2] of one trace.
            branches, n: as :meth:`flops`.
        """
        mean, square = _amount("mean_tokens", mean_tokens), _amount("mean_square_tokens", mean_square_tokens)
        require(
            bool(np.all(square >= mean * mean * (1 - 1e-9))),
            "mean_square_tokens is below the square of mean_tokens: no random number has such moments",
        )
        n = _count("n", n)
        each = self._generation(mean, square, _count("branches", branches))
        return (self._prefills(n) * self.prefill() + n * each)[()]

    # ---- equal cost -----------------------------------------------------------------------------

    def equal_cost_tokens(self, tokens: Numbers, branches: ArrayLike = 1, n: ArrayLike = 1) -> np.ndarray:
        """Tokens per trace that n traces with b branches may use at the cost of one CoT of ``tokens``.

        docs/theory.md (18) and (18.1): the positive root x of
        n b W x^2 + n (b V + D) x = W Omega^2 + V Omega - 2 (n' - 1) W omega_p^2, with
        W = n_layer d_attn, V = W (2 omega_p - 1) + 2 N, D the scoring per token, and n' the number
        of prefills paid (1 or n).

        Args:
            tokens: Omega of the single chain of thought.
            branches, n: as :meth:`flops`.

        Returns:
            float64, tokens along the kept path of each trace; 0 also where the prompts of n
            traces alone cost more than the single chain.
        """
        tokens, b, n = _amount("tokens", tokens), _count("branches", branches), _count("n", n)
        same = (b == 1) & (n == 1)
        budget = self.generation(tokens) - (self._prefills(n) - 1.0) * self.prefill()
        return np.where(same, tokens, self._affordable(budget, b, n))[()]

    def most_tokens(self, flops: Numbers, branches: ArrayLike = 1, n: ArrayLike = 1) -> np.ndarray:
        """Tokens per trace, a real number, whose cost (:meth:`flops`) is ``flops``; 0 where none is affordable."""
        budget, b, n = np.broadcast_arrays(_amount("flops", flops), _count("branches", branches), _count("n", n))
        return self._affordable(budget - self._prefills(n) * self.prefill(), b, n)[()]

    def max_steps(self, flops: Numbers, branches: ArrayLike = 1, n: ArrayLike = 1) -> int | np.ndarray:
        """Largest whole steps per trace whose cost (:meth:`flops`) is at most ``flops``.

        Args:
            flops: FLOPs of the whole task, prefill included.
            branches, n: as :meth:`flops`.

        Returns:
            int, or int64 of the broadcast shape; at most 2^53; 0 also where no step is affordable.
        """
        budget, b, n = np.broadcast_arrays(_amount("flops", flops), _count("branches", branches), _count("n", n))
        tokens = self.most_tokens(budget, b, n)
        guess = np.floor(np.minimum(tokens / self.tokens_per_step, _MOST_STEPS))
        # The root is right to a few roundings; the cost itself decides between neighbours.
        best = np.maximum(np.floor(guess * (1.0 - 1e-14)) - 1.0, 0.0)
        for shift in (-1.0, 0.0, 1.0):
            steps = np.clip(guess + shift, 0.0, _MOST_STEPS)
            best = np.where(self.flops(self.tokens_per_step * steps, b, n) <= budget, np.maximum(best, steps), best)
        return int(best) if best.ndim == 0 else best.astype(np.int64)

    # ---- helpers --------------------------------------------------------------------------------

    @property
    def _parameters(self) -> float:
        if self.parameters is None:
            raise InputError("cost.parameters is not given: FLOPs need the number of non-embedding parameters")
        return float(self.parameters)

    @property
    def _width(self) -> float:
        """n_layer d_attn, 0 without attention."""
        return float(self.layers) * float(self.attention_width) if self.attention else 0.0

    def _prefills(self, n: np.ndarray) -> np.ndarray:
        return np.ones_like(n) if self.shared_prefill else n

    def _scoring(self, b: np.ndarray) -> np.ndarray:
        """FLOPs per kept token for scoring and comparing branches; one branch needs none."""
        each = b + (b - 1.0) / self.tokens_per_step
        return np.where(b > 1, each, 0.0) if self.attention else np.zeros_like(b)

    def _generation(self, mean: np.ndarray, square: np.ndarray, b: np.ndarray) -> np.ndarray:
        model = 2.0 * self._parameters * b * mean
        attention = self._width * b * attention_flops(mean, square, self.prompt_tokens)
        return model + attention + self._scoring(b) * mean

    def _affordable(self, budget: np.ndarray, b: np.ndarray, n: np.ndarray) -> np.ndarray:
        """x >= 0 with n * generation(x, b) = ``budget``; 0 for a negative budget."""
        linear = n * (b * (self._width * (2.0 * self.prompt_tokens - 1.0) + 2.0 * self._parameters) + self._scoring(b))
        square = n * b * self._width
        budget = np.maximum(budget, 0.0)
        scale = np.maximum(np.abs(linear), np.sqrt(square) * np.sqrt(budget))  # no overflow in the square root
        root = scale * np.sqrt((linear / scale) ** 2 + 4.0 * (square / scale) * (budget / scale))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(linear >= 0, 2.0 * budget / (linear + root), (root - linear) / (2.0 * square))


def training_flops(parameters: Numbers, training_tokens: Numbers) -> Numbers:
    """C_tr = 6 N D, docs/theory.md (15); [K20]. Broadcast; nothing is checked."""
    return 6.0 * parameters * training_tokens


def attention_flops(tokens: Numbers, square: Numbers, prompt: Numbers) -> Numbers:
    """FLOPs of attention in (16) for each unit of n_layer d_attn, without the prefill: NumPy, JAX or traced.

    2 (omega_p E[Omega] + (E[Omega^2] - E[Omega])/2), for mean ``tokens`` and mean ``square``; nothing is checked.
    """
    return 2.0 * (tokens * prompt + (square - tokens) / 2.0)


def flops_monkeys(
    parameters: Numbers,
    layers: Numbers,
    width: Numbers,
    prompt_tokens: Numbers,
    output_tokens: Numbers,
    n: ArrayLike = 1,
) -> np.ndarray:
    """FLOPs in the accounting of Large Language Monkeys, docs/theory.md (17.2); [B24].

    A token at position t costs 2 (N + 2 n_layer d t). The prompt, positions 1..p, is paid once, the
    outputs, positions p+1..p+o, by each of n samples.

    Args:
        parameters: N, > 0.
        layers, width: n_layer and d.
        prompt_tokens, output_tokens: p and o, per sample.
        n: samples.

    Raises:
        InputError: an argument outside its range.
    """
    size, layers, width = _amount("parameters", parameters), _amount("layers", layers), _amount("width", width)
    prompt, output = _amount("prompt_tokens", prompt_tokens), _amount("output_tokens", output_tokens)
    n = _count("n", n)
    positions_prompt = prompt * (prompt + 1.0) / 2.0
    positions_output = output * prompt + output * (output + 1.0) / 2.0
    total = 2.0 * size * (prompt + n * output) + 4.0 * layers * width * (positions_prompt + n * positions_output)
    return total[()]


def dollars(tokens_in: Numbers, tokens_out: Numbers, price_in: Numbers, price_out: Numbers) -> np.ndarray:
    """Price of tokens, docs/theory.md (17.3): (in * price_in + out * price_out) / 10^6.

    Args:
        tokens_in, tokens_out: tokens read and written.
        price_in, price_out: dollars per million tokens.

    Raises:
        InputError: an argument outside its range.
    """
    read, written = _amount("tokens_in", tokens_in), _amount("tokens_out", tokens_out)
    return ((read * _amount("price_in", price_in) + written * _amount("price_out", price_out)) / 1e6)[()]
