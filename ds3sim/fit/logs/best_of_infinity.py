"""Best-of-infinity's answer logs: one row a problem, with the answer and the tokens of each sample."""

from __future__ import annotations

from collections.abc import Sequence

from ds3sim.core.errors import require
from ds3sim.core.files import needed
from ds3sim.core.text import shown
from ds3sim.fit.logs.file import LogFile, Reader
from ds3sim.fit.logs.grade import Comparison
from ds3sim.fit.logs.log import Log
from ds3sim.fit.logs.rows import Rows
from ds3sim.fit.logs.values import answer_of, name_of, tokens_of


def read_best_of_infinity(files: Sequence[LogFile], *, compare: str | None = None) -> Log:
    """``problem_num, gold_answer, all_answers``: a sample is correct if its answer is the gold one.

    ``all_answers`` is a list of answers, or of pairs of answer and tokens.

    Raises:
        InputError: fields that are missing; what is no list of answers; a gold answer that is empty.
    """
    table, comparison = Rows(files), Comparison(compare=compare)
    for file in files:
        table.open(file)
        for number, row in file.rows():
            at = file.at(number)
            problem = name_of(needed(row, "problem_num", at), at, "problem_num")
            gold, answers = answer_of(needed(row, "gold_answer", at)), needed(row, "all_answers", at)
            require(gold is not None, f"{at}: gold_answer is empty: there is nothing to grade against")
            require(isinstance(answers, list), f"{at}: all_answers = {shown(answers)} is not a list")
            for i, found in enumerate(answers):
                text, *more = found if isinstance(found, list) and found else [found]
                known = not isinstance(text, dict | list)
                require(
                    known, f"{at}: all_answers[{i}] = {shown(found)} is not an answer, nor a pair of answer and tokens"
                )
                grade, answer = comparison.of_answer(answer_of(text), [gold or ""])
                tokens = tokens_of(more[0], at, f"all_answers[{i}][1]") if more else None
                table.add(problem, i, grade, answer, tokens, number, content=gold)
    table.note("answers were graded by comparing them with gold_answer")
    table.note(*comparison.notes(table.source))
    return table.log("best-of-infinity")


READER = Reader(
    "best-of-infinity",
    "best-of-infinity's answer logs",
    (("problem_num",), ("gold_answer",), ("all_answers",)),
    lambda file: not file.head or isinstance(file.first.get("all_answers"), list),
    read_best_of_infinity,
)
