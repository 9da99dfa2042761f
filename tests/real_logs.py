"""Logs written by the real packages: inspect-ai and lm-evaluation-harness.

``python tests/real_logs.py FOLDER`` writes the files that are kept in ``tests/data/logs``; the tests also write them
anew where the packages are installed. No model and no network is used.
"""

import shutil
import sys
import zipfile
from pathlib import Path

# ---- Inspect -----------------------------------------------------------------------------------

EPOCHS = 4
GRADES = {  # id -> the value of scorer "match" in epochs 1..4; None: stopped with an error, unscored
    "alg/1": ["C", "I", "C", "P"],
    7: ["I", "I", "N", "I"],
    "geo": ["C", "C", None, float("nan")],
}
TOKENS = 100
"""Output tokens of the evaluated model in epoch e are TOKENS + e; the grader's come on top and do not count."""


def inspect_log():
    """An EvalLog with a plain scorer and one whose value is a dict."""
    from inspect_ai.log import EvalConfig, EvalDataset, EvalError, EvalLog, EvalSample, EvalSpec
    from inspect_ai.model import ModelUsage
    from inspect_ai.scorer import Score

    samples = []
    for name, values in GRADES.items():
        for epoch, value in enumerate(values, 1):
            failed = value is None
            scores = None
            if not failed:
                scores = {
                    "match": Score(value=value, answer=f"{name}:{value}"),
                    "rubric": Score(value={"style": 1.0, "proof": 0.25 * epoch}),
                }
            samples.append(
                EvalSample(
                    id=name,
                    epoch=epoch,
                    input="What is 6 times 7?",
                    target="42",
                    scores=scores,
                    model_usage={
                        "mockllm/model": ModelUsage(output_tokens=TOKENS + epoch, total_tokens=500),
                        "mockllm/grader": ModelUsage(output_tokens=10_000, total_tokens=10_000),
                    },
                    error=EvalError(message="timeout", traceback="", traceback_ansi="") if failed else None,
                )
            )
    spec = EvalSpec(
        created="2026-11-24T00:00:00+00:00",
        task="arithmetic",
        dataset=EvalDataset(name="arithmetic", samples=len(GRADES)),
        model="mockllm/model",
        config=EvalConfig(epochs=EPOCHS),
    )
    return EvalLog(eval=spec, status="success", samples=samples)


def write_inspect(path: Path) -> Path:
    """``.eval`` (zstd in current versions) or ``.json``, by the suffix."""
    from inspect_ai.log import write_eval_log

    write_eval_log(inspect_log(), str(path), format="json" if path.suffix == ".json" else "eval")
    return path


def deflated(source: Path, path: Path) -> Path:
    """The same .eval file as versions of 2024 and 2025 wrote it: deflated."""
    import inspect_ai.log  # noqa: F401  (teaches zipfile to read zstd)

    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return path


def write_chunked(source: Path, folder: Path) -> Path:
    """The .eval file with chunked samples (2026)."""
    from inspect_ai.log._recorders.chunked import convert_eval_logs_to_chunked

    convert_eval_logs_to_chunked(str(source), str(folder))
    return next(folder.rglob("*.eval"))


# ---- lm-evaluation-harness -----------------------------------------------------------------------

REPEATS = 4
DOCS = [{"question": "What is 6 times 7?", "answer": "so 42\n#### 42"}, {"question": "2+2?", "answer": "#### 1,004"}]
RESPONSES = [["it is #### 42", "#### 41", "no idea", "#### 42."], ["#### 5", "#### 1004", "#### 1,004", "#### $1004"]]
PATTERN = r"#### (\-?[\$0-9\.\,]+)"


def write_lm_eval(folder: Path, repeats: int = REPEATS) -> Path:
    """``samples_*.jsonl`` of a generation task with two filters, graded by ``exact_match``."""
    import datasets
    from lm_eval.api.model import LM
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import evaluate
    from lm_eval.loggers import EvaluationTracker

    class Canned(LM):
        def generate_until(self, requests, disable_tqdm=False):
            turn: dict[int, int] = {}
            out = []
            for request in requests:
                at = turn.get(request.doc_id, 0)
                turn[request.doc_id] = at + 1
                out.append(RESPONSES[request.doc_id][at])
            return out

        def loglikelihood(self, requests, disable_tqdm=False):
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    class Arithmetic(ConfigurableTask):
        def download(self, dataset_kwargs=None, **_):
            self.dataset = datasets.DatasetDict({"test": datasets.Dataset.from_list(DOCS)})

    regex = {"function": "regex", "regex_pattern": PATTERN}
    first = {"function": "take_first"}
    task = Arithmetic(
        config={
            "task": "arithmetic",
            "dataset_path": "none",
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "{{question}}",
            "doc_to_target": "{{answer.split('#### ')[-1]}}",
            "repeats": repeats,
            "generation_kwargs": {"until": ["\n\n"], "do_sample": True},
            "metric_list": [
                {
                    "metric": "exact_match",
                    "aggregation": "mean",
                    "higher_is_better": True,
                    "regexes_to_ignore": [",", "\\$", "\\.$"],
                }
            ],
            "filter_list": [
                {"name": "strict-match", "filter": [regex, first]},
                {"name": "flexible-extract", "filter": [{**regex, "group_select": -1}, first]},
            ],
        }
    )
    found = evaluate(Canned(), {"arithmetic": task}, log_samples=True, bootstrap_iters=0)
    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.model_name_sanitized = "canned"
    tracker.date_id = "2026-11-24T00-00-00.000000"
    tracker.save_results_samples("arithmetic", found["samples"]["arithmetic"])
    return next(folder.rglob("samples_*.jsonl"))


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    new = write_inspect(folder / "inspect_zstd.eval")
    deflated(new, folder / "inspect_deflate.eval")
    write_inspect(folder / "inspect.json")
    shutil.move(write_chunked(new, folder / "chunked"), folder / "inspect_chunked.eval")
    shutil.rmtree(folder / "chunked")
    for name, repeats in (("lm_eval_repeats", REPEATS), ("lm_eval_single", 1)):
        shutil.move(write_lm_eval(folder / name, repeats), folder / f"samples_{name}.jsonl")
        shutil.rmtree(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
