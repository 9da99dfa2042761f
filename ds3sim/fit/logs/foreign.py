"""Files that lie beside logs and hold no graded samples: what they are, and which file to give in their place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ds3sim.fit.logs.columns import ALIASES
from ds3sim.fit.logs.curve import k_of
from ds3sim.fit.logs.file import LogFile, has
from ds3sim.fit.logs.values import GRADES


@dataclass(frozen=True)
class Foreign:
    """A kind of file that is known and not read.

    Attributes:
        about: what it is.
        advice: what to give in its place, or how to make it.
        needs: as of :class:`~ds3sim.fit.logs.file.Reader`.
        fits: as of :class:`~ds3sim.fit.logs.file.Reader`.
    """

    about: str
    advice: str
    needs: tuple[tuple[str, ...], ...] = ()
    fits: Callable[[LogFile], bool] = lambda file: True


def _first(file: LogFile) -> Any:
    """The first item of a JSON array."""
    return file.document[0] if isinstance(file.document, list) and file.document else None


def _generations(file: LogFile) -> bool:
    """Lists of texts, without keys."""
    first = _first(file)
    return isinstance(first, list) and bool(first) and isinstance(first[0], str)


def _averages(file: LogFile) -> bool:
    """pass@k as the names of objects."""
    tables = [value for value in file.first.values() if isinstance(value, dict)]
    return any(k_of(key.split("[")[0]) and isinstance(table[key], dict) for table in tables for key in table)


def _headers(file: LogFile) -> bool:
    """Logs' headers under the names of their files."""
    return bool(file.first) and all(
        isinstance(v, dict) and isinstance(v.get("eval"), dict) for v in file.first.values()
    )


def _metrics(file: LogFile) -> bool:
    first = _first(file)
    return isinstance(first, dict) and "detail" in first and any(k_of(key) for key in first)


def _is_wide(file: LogFile) -> bool:
    """A name in the first column, and right or wrong in all others, whose names are not known."""
    names, *runs = file.columns or ("",)
    values = {str(row.get(run)).strip().lower() for row in file.head for run in runs}
    known = {name for role in ("correct", "answer", "n") for name in ALIASES[role]}
    rows = file.container in ("csv", "parquet", "jsonl", "array") and len({str(r.get(names)) for r in file.head}) > 1
    graded = values <= {"0", "1", "0.0", "1.0", "", *GRADES} and len(values) > 1
    return rows and len(runs) > 1 and graded and known.isdisjoint(run.strip().lower() for run in runs)


def _is(container: str) -> Callable[[LogFile], bool]:
    return lambda file: file.container == container


FOREIGN = (
    Foreign(
        "the results file of lm-eval, which holds averages",
        "give samples_*.jsonl, which lm-eval writes beside it with --log_samples",
        (("results",), ("configs", "versions", "n-shot", "config", "git_hash")),
        lambda file: isinstance(file.first.get("results"), dict) and "config_general" not in file.columns,
    ),
    Foreign(
        "the results file of lighteval, which holds averages",
        "give details_*.parquet, which lighteval writes with --save-details",
        (("results",), ("config_general",)),
    ),
    Foreign(
        "LiveCodeBench's metrics",
        "give *_eval_all.json, which it writes beside it and which has graded_list",
        (),
        _metrics,
    ),
    Foreign(
        "LiveCodeBench's generations, which are not graded",
        "run it with --evaluate and give *_eval_all.json",
        (("question_id",), ("code_list", "output_list", "pred_list")),
    ),
    Foreign(
        "generations of bigcode-evaluation-harness, which are not graded",
        "give the logs of each task's evaluation as a table of problem and correct",
        (),
        _generations,
    ),
    Foreign("metrics of NeMo-Skills, which are averages", "give output-rs*.jsonl, which lie beside it", (), _averages),
    Foreign("a listing of Inspect's logs", "give the .eval or .json files that it names", (), _headers),
    Foreign(
        "MultiPL-E's completions, which are not graded",
        "run its evaluation and give *.results.json.gz",
        (("name",), ("language",), ("completions", "prompt"), ("tests",)),
    ),
    Foreign(
        "solutions for HumanEval, EvalPlus or BigCodeBench, which are not graded",
        "give what the evaluation writes: *_results.jsonl (HumanEval), *_eval_results.json (EvalPlus, BigCodeBench)",
        (("task_id",), ("completion", "solution")),
    ),
    Foreign(
        "a table of Inspect's evals_df, which holds averages",
        "write that of samples_df, one row a sample",
        (("eval_id",), ("task_name",), ("score_*",)),
    ),
    Foreign(
        "generations of NeMo-Skills, which are not graded",
        "run its evaluation, which adds symbolic_correct or judgement",
        (("generation",), ("expected_answer",)),
    ),
    Foreign(
        "a log of OpenAI evals",
        "write a table of its match events: problem = sample_id, correct = data.correct",
        (("spec", "run_id"), ("event_id", "run_id"), ("data", "spec")),
    ),
    Foreign(
        "predictions of OLMES, whose grades lie in an object",
        "write a table of it: problem = doc_id, correct = the metric that grades, in metrics",
        (("doc_id",), ("metrics",), ("model_output",)),
    ),
    Foreign(
        "a file of HELM",
        "write a table of its per-instance stats: problem = instance_id, correct = the metric that grades, in stats",
        (("instance_id", "adapter_spec"), ("stats", "request_states")),
    ),
    Foreign(
        "SWE-bench's report, which lists the resolved ones",
        "write a table of one row for each instance and run: problem, correct (whether it is among resolved_ids)",
        (("resolved_ids",), ("submitted_ids", "completed_ids", "unresolved_ids")),
    ),
    Foreign(
        "a file of promptfoo",
        "write a table of its results: problem = testIdx, correct = success",
        (("evalid",), ("results",)),
    ),
    Foreign(
        "OpenCompass' predictions, which are not graded",
        "give the details of its results, by question",
        (),
        lambda file: any(
            isinstance(v, dict) and {"origin_prompt", "prediction"} <= v.keys() for v in file.first.values()
        ),
    ),
    Foreign(
        "a table with a column of grades for each run, or for each model",
        "write one row a sample of one model, with the columns problem, sample and correct (pandas:"
        " table.melt('problem', var_name='sample', value_name='correct'))",
        (),
        _is_wide,
    ),
    Foreign("an Excel workbook", "save the sheet as CSV", (("[content_types].xml",),)),
    Foreign("a zip file, but no Inspect log", "unpack it and give the log in it", (), _is("zip")),
)
"""In the order in which they are tried, after the readers."""


def foreign(file: LogFile) -> Foreign | None:
    """What a file is that no reader takes, if it is known."""
    for kind in FOREIGN:
        if all(has(file.columns, names) for names in kind.needs) and kind.fits(file):
            return kind
    return None
