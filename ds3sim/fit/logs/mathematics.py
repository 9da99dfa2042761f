"""Answers compared as mathematics by the library math-verify (the extra ``math``): 2x + 2 is 2(x + 1)."""

from __future__ import annotations

import importlib.util
import re
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ds3sim.core.errors import InputError
from ds3sim.fit.logs.answer import Answer

SECONDS = 3
"""Longest time for one parse and one comparison; what takes longer is different. Only the main thread can stop them."""

MOST_PAIRS = 400
"""Pairs of answers that are tried for the note; the most frequent ones."""

DIGITS = 12
"""Numbers agree when they differ by less than 10^-12 of their size (math-verify alone: in six decimals)."""


def installed() -> bool:
    """Whether math-verify can be imported."""
    return importlib.util.find_spec("math_verify") is not None


def check_installed() -> None:
    """Raises InputError without math-verify."""
    if not installed():
        raise InputError("compare = 'math-verify' needs the package math-verify: pip install 'ds3sim[math]'")


@lru_cache(maxsize=65_536)
def agree(gold: str, answer: str) -> bool:
    """Whether two answers are equal: in our spelling, or for math-verify, whose gold comes first.

    What math-verify cannot read is different, not searched for numbers in it; answers with different units are
    different; numbers are compared to 12 digits.
    """
    ours, theirs = Answer.of(gold), Answer.of(answer)
    if ours.agrees(theirs):
        return True
    if not _comparable(ours, theirs):
        return False
    from math_verify import verify

    first, second = _parsed(gold), _parsed(answer)
    if not first or not second:
        return False
    numbers = _equal_numbers(first[0], second[0])
    if numbers is not None:
        return numbers
    try:
        return bool(verify(first, second, strict=True, timeout_seconds=_seconds()))
    except Exception:  # sympy raises everything there is
        return False


_WORD = re.compile(r"(?<![\\A-Za-z])(?!(?:and|or|pmatrix)(?![A-Za-z]))[A-Za-z]{3,}")
_LETTER = re.compile(r"(?<![\\A-Za-z])[A-Za-z]")
_OVERLOOKED = re.compile(r"\d_|\d \d|'")
"""What math-verify leaves out or multiplies: bases of numbers, numbers beside each other, primes."""


def _comparable(ours: Answer, theirs: Answer) -> bool:
    """Whether two answers that differ are not told apart by what math-verify does not look at."""
    one, other = ours.core, theirs.core
    if ours.unit and theirs.unit and ours.unit != theirs.unit:
        return False
    if bool(ours.unit) != bool(theirs.unit) and bool(_LETTER.search(one)) != bool(_LETTER.search(other)):
        return False  # 5 cm and 5 m: one letter may be a variable
    words = set(_WORD.findall(one)) == set(_WORD.findall(other))
    kinds = one.startswith("\\{") == other.startswith("\\{") or not {one[:1], other[:1]} & set("([")
    return words and kinds and one.lower() != other.lower() and not _OVERLOOKED.search(f"{one}\n{other}")


def _seconds() -> int | None:
    return SECONDS if threading.current_thread() is threading.main_thread() else None


@lru_cache(maxsize=65_536)
def _parsed(text: str) -> list[Any]:
    from math_verify import LatexExtractionConfig, parse

    bare = text.strip().strip("$")
    if not bare or len(bare) > 400:
        return []
    try:
        return parse(
            f"${bare}$",
            extraction_config=[LatexExtractionConfig()],
            fallback_mode="no_fallback",
            extraction_mode="first_match",
            parsing_timeout=_seconds(),  # pyright: ignore[reportArgumentType]
        )
    except Exception:  # as above
        return []


def _equal_numbers(one: object, other: object) -> bool | None:
    """Whether two numbers are equal to :data:`DIGITS`; None where one is no number."""
    from sympy import Expr, N

    if not (isinstance(one, Expr) and isinstance(other, Expr) and one.is_number and other.is_number):
        return None
    if one.is_finite is False or other.is_finite is False:
        return one == other
    try:
        size, difference = abs(N(other, 30)), abs(N(one - other, 30))
        return bool(difference <= size * 10**-DIGITS)
    except Exception:  # as above
        return None


def changed(pairs: Mapping[tuple[str, str], int]) -> tuple[int, int]:
    """(samples that math-verify would call correct, samples tried) among unequal (gold, answer) pairs with counts."""
    frequent = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MOST_PAIRS]
    return sum(count for pair, count in frequent if agree(*pair)), sum(count for _, count in frequent)
