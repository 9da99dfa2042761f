"""Extraction of answers from completions, and their comparison with a target."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from ds3sim.core.errors import InputError, require
from ds3sim.core.text import shown

BOXED = "boxed"
"""In place of a regular expression: the content of the last \\boxed{...}, with balanced braces."""


def extractor(pattern: str, match: int = 0) -> Callable[[str], str | None]:
    """A function from a completion to its answer, None where there is none.

    Args:
        pattern: a regular expression; the answer is its first group that took part (the whole match
            without groups). Or ``"boxed"``.
        match: which match counts: 0 the first (as lm-evaluation-harness' ``regex`` filter), -1 the last.

    Raises:
        InputError: not a regular expression, ``match`` not whole.
    """
    require(isinstance(pattern, str) and pattern != "", f"pattern = {shown(pattern)} is not a regular expression")
    require(
        isinstance(match, int) and not isinstance(match, bool),
        f"match = {shown(match)} is not allowed: 0 is the first match, -1 the last",
    )
    if pattern == BOXED:
        return last_boxed
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(f"pattern = {shown(pattern)} is not a regular expression ({error})") from None

    def extract(text: str) -> str | None:
        if match == 0:
            found = compiled.search(text)
        else:
            all_of = list(compiled.finditer(text))
            found = all_of[match] if -len(all_of) <= match < len(all_of) else None
        if found is None:
            return None
        groups = [g for g in found.groups() if g is not None]
        answer = (groups[0] if groups else found.group(0)).strip()
        return answer or None

    return extract


def last_boxed(text: str) -> str | None:
    """The content of the last ``\\boxed{...}`` or ``\\fbox{...}``, or None; braces may nest."""
    at = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if at < 0:
        return None
    begin = text.index("{", at) + 1
    depth = 1
    for i in range(begin, len(text)):
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return text[begin:i].strip() or None
    return None


_DROP = re.compile(r"\\!|\\,|\\;|\\ |\\left|\\right|\\\$|\$|\\%|%|\\text\s*\{\s*\}")
_TEXT = re.compile(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?")


def normalized(answer: str) -> str:
    """A spelling in which equal answers agree more often; numbers as reduced fractions.

    Drops outer blanks, dollar and percent signs, LaTeX spacing and ``\\text``, thousands commas, a final
    period; lower case; ``\\frac{a}{b}`` and ``a/b``, ``0.50`` and ``1/2`` agree. No algebra: ``2x`` and ``x2`` differ.
    """
    text = _TEXT.sub(r"\1", answer.strip())
    text = _DROP.sub("", text)
    text = _FRACTION.sub(r"(\1)/(\2)", text)
    text = "".join(text.split()).rstrip(".").lower()
    if _THOUSANDS.fullmatch(text):  # only then: (1,200) is a pair
        text = text.replace(",", "")
    plain = text.replace("(", "").replace(")", "") if text.count("/") == 1 and "," not in text else text
    value = _number(plain)
    return text if value is None else str(value)


def _number(text: str) -> Fraction | None:
    # Fraction("1e999999999") would take for ever; long digits are compared as text.
    if not text or len(text) > 64 or "e" in text or "_" in text:
        return None
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None


def goal_of(extract: Callable[[str], str | None], target: str) -> str:
    """The normalized answer that a target stands for.

    A worked solution (it has blanks in it, or a box) is searched with the pattern that completions are; a bare
    answer is taken as it is, lest a careless pattern cut it and wrong answers agree with what is left.
    """
    worked = len(target.split()) > 1 or extract is last_boxed
    return normalized((extract(target) if worked else None) or target)


def grader(extract: Callable[[str], str | None], target: str) -> Callable[[str], tuple[float, str | None]]:
    """A function from a completion to (grade, normalized answer); see :func:`goal_of` for the target."""
    goal = goal_of(extract, target)

    def grade(completion: str) -> tuple[float, str | None]:
        answer = extract(completion)
        if answer is None:
            return 0.0, None
        spelled = normalized(answer)
        return float(spelled == goal), spelled

    return grade
