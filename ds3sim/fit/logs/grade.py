"""Extraction of answers from completions, and their comparison with a target."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from ds3sim.core.check import one_of
from ds3sim.core.errors import InputError, require
from ds3sim.core.text import shown
from ds3sim.fit.logs import mathematics
from ds3sim.fit.logs.answer import Answer

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


_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s*")


def last_boxed(text: str) -> str | None:
    """The content of the last ``\\boxed{...}``, ``\\fbox{...}`` or ``\\boxed 5``, or None; braces may nest."""
    boxes = list(_BOX.finditer(text))
    if not boxes:
        return None
    begin = boxes[-1].end()
    if not text.startswith("{", begin):
        bare = re.match(r"[^\s${}\\]+", text[begin:])
        return bare[0].rstrip(".,;") or None if bare else None
    depth = 0
    for at, sign in enumerate(text[begin:], begin):
        escaped = text[at - 1] == "\\" and text[at - 2] != "\\"
        depth += 0 if escaped else (sign == "{") - (sign == "}")
        if depth == 0 and not escaped:
            return text[begin + 1 : at].strip() or None
    return None


class Comparison:
    """Answers compared with the right ones, and what was seen on the way.

    Args:
        extract: from a completion to its answer; None where answers are given.
        compare: a name in :data:`COMPARES`; None is "spelling".
    """

    def __init__(self, extract: Callable[[str], str | None] | None = None, compare: str | None = None) -> None:
        one_of("compare", compare, (*COMPARES, None))
        self._asked = compare is not None
        self._as_mathematics = compare == "math-verify"
        if self._as_mathematics:
            mathematics.check_installed()
        self.extract = extract
        self._compared = 0
        self._unequal: Counter[tuple[str, str]] = Counter()

    def of_completion(self, completion: str, targets: Sequence[str]) -> tuple[float, str | None]:
        """(grade, answer in one spelling) of a completion; see :meth:`of_answer`.

        A target that is a worked solution (it has blanks in it, or a box) is searched with the pattern that completions
        are; a bare answer is taken as it is, lest a careless pattern cut it and wrong answers agree with what is left.
        """
        assert self.extract is not None
        worked = [t for t in targets if len(t.split()) > 1 or self.extract is last_boxed]
        goals = [(self.extract(t) if t in worked else None) or t for t in targets]
        return self.of_answer(self.extract(completion), goals)

    def of_answer(self, answer: str | None, targets: Sequence[str]) -> tuple[float, str | None]:
        """(grade, answer in one spelling): 1.0, and spelled as the target, where it agrees with one of ``targets``."""
        self._compared += 1
        if answer is None:
            return 0.0, None
        said = Answer.of(answer)
        for target in targets:
            goal = Answer.of(target)
            if said.agrees(goal) or (self._as_mathematics and mathematics.agree(target, answer)):
                return 1.0, str(goal)
        for target in targets:
            if not (is_plain(str(said)) and is_plain(str(Answer.of(target)))):
                self._unequal[target, answer] += 1
        return 0.0, str(said) or None

    def notes(self, where: str) -> list[str]:
        """What a comparison as mathematics would change.

        Raises:
            InputError: ``compare`` was asked for, and nothing was compared.
        """
        require(
            self._compared > 0 or not self._asked,
            f"{where}: compare has no effect: the log's own grades count, no answers are compared",
        )
        if self._as_mathematics or not self._unequal:
            return []
        ask = "compare them as mathematics with compare = 'math-verify' (--compare math-verify)"
        if not mathematics.installed():
            some = sum(self._unequal.values())
            return [
                f"{some} samples differ from the right answer in spelling, and formulas may still be equal: {ask};"
                " it needs pip install 'ds3sim[math]'"
            ]
        more, tried = mathematics.changed(self._unequal)
        return [f"math-verify calls {more} of {tried} samples correct that count as wrong: {ask}"] if more else []


COMPARES = ("spelling", "math-verify")
"""How answers are compared: by one spelling (no algebra), or as mathematics by the library math-verify as well."""


def is_plain(answer: str) -> bool:
    """Whether an answer is a number, a word or a choice: nothing that algebra could turn into another."""
    return re.fullmatch(r"[-+]?[\d.,/]+|[A-Za-z ]+", answer.strip()) is not None
