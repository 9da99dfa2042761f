"""Large Language Monkeys: one YAML file a problem, a folder of them, or the data set's rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import json_rows, parquet_rows, read_text
from ds3sim.core.text import short
from ds3sim.fit.logs.grade import extractor, goal_of, grader, normalized
from ds3sim.fit.logs.records import Log, to_counts
from ds3sim.fit.logs.rows import Rows, answer_of, name_of, shown

GRADES = ("is_correct", "is_corrects")
SUFFIXES = (".yaml", ".yml")


def files_of(folder: Path) -> list[Path]:
    """The YAML files of a folder, by name."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file() and p.name[0] != ".")


def read_monkeys(
    path: Path,
    where: str,
    *,
    pattern: str | None = None,
    match: int = 0,
    threshold: float | None = None,
) -> Log:
    """``samples[]`` and ``is_correct[]`` (published: ``is_corrects[]``) of each problem.

    The files have no answers: with ``pattern`` they are extracted from the samples, for votes. Files that were
    not graded need ``pattern``, which then grades against ``gt_answer``.

    Raises:
        InputError: not YAML; lists that are missing or of different lengths; a grade that is not true or
            false; a problem that is there twice.
    """
    extract = None if pattern is None else extractor(pattern, match)
    folder = path.is_dir()
    table = Rows(where, "row")
    regraded = differ = same = 0
    names: set[str] = set()
    for name, at, source, row in _problems(path, where):
        if name in names:
            raise InputError(f"{at}: problem {shown(name)} is there twice: the files of two runs are mixed")
        names.add(name)
        samples = row.get("samples")
        grades = _grades(row, at)
        if samples is not None:
            ok = isinstance(samples, list) and all(isinstance(s, str) for s in samples)
            require(ok, f"{at}: samples = {shown(samples)} is not a list of texts")
        if grades is None:
            if extract is None or samples is None or answer_of(row.get("gt_answer")) is None:
                raise InputError(
                    f"{at}: the samples are not graded (no is_correct): run the evaluation script, or give a regular"
                    " expression that extracts the answer (--pattern); it is compared with gt_answer"
                )
            grade = grader(extract, str(row["gt_answer"]))
            rows = [grade(text) for text in samples]
            regraded += 1
        else:
            if samples is not None and len(samples) != len(grades):
                raise InputError(
                    f"{at}: {len(samples)} samples and {len(grades)} grades: the lists must be of one length"
                )
            answers: list[str | None] = [None] * len(grades)
            if extract is not None and samples is not None:
                found = [extract(text) for text in samples]
                answers = [None if a is None else normalized(a) for a in found]
            rows = list(zip(grades, answers, strict=True))
        require(len(rows) > 0, f"{at}: no samples")
        if answer_of(row.get("gt_answer")) is not None and extract is not None and grades is not None:
            goal = goal_of(extract, str(row["gt_answer"]))
            hits = [(a == goal) == bool(g) for g, a in rows if a is not None]
            same, differ = same + sum(hits), differ + len(hits) - sum(hits)
        for i, (value, answer) in enumerate(rows):
            table.add(name, i, value, answer, None, at.removeprefix(f"{where}, "), source=source)
    notes = [f"{len(names)} files were read" if folder else f"{len(names)} problems were read"]
    if regraded:
        notes.append(f"{regraded} problems were graded with the pattern against gt_answer")
    if differ:
        notes.append(f"the pattern's answers agree with the grades on {same} of {same + differ} samples")
    samples = table.table()
    counts, more = to_counts(samples, threshold)
    return Log("monkeys", where, samples, counts, notes=(*notes, *more))


def _problems(path: Path, where: str) -> Iterator[tuple[str, str, str, dict]]:
    """(problem, place, source, content)."""
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        files = files_of(path) if path.is_dir() else [path]
        require(len(files) > 0, f"{where}: the folder has no .yaml files")
        for file in files:
            source = short(file, 300)
            yield file.stem, source, source, _yaml(file, source)
        return
    if path.suffix.lower() == ".parquet":
        rows, unit = parquet_rows(path, where)[1], "row"
    else:
        rows, unit = json_rows(path, where), "line"
    for number, row in rows:
        at = f"{where}, {unit} {number}"
        name = next(
            (row[k] for k in ("orig_dset_idx", "name", "theorem_name", "question") if row.get(k) is not None), number
        )
        split = row.get("orig_dset_split")
        yield (f"{split}/" if isinstance(split, str) else "") + name_of(name, at), at, where, row


def _yaml(file: Path, where: str) -> dict:
    try:
        import yaml
    except ImportError:
        raise InputError(f"{where}: reading YAML needs PyYAML: pip install pyyaml") from None
    text = read_text(file, where)
    require(text.strip() != "", f"{where}: the file is empty")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
    try:
        content = yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        reason = getattr(error, "problem", None) or error
        raise InputError(f"{where}{line}: not valid YAML ({short(reason, 120)})") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"{where}: not usable YAML ({short(error, 120)})") from None
    require(isinstance(content, dict), f"{where}: must be a mapping with samples and is_correct")
    return content


def _grades(row: dict, at: str) -> list[float] | None:
    both = [key for key in GRADES if row.get(key) is not None]
    if not both:
        return None
    require(len(both) == 1, f"{at}: both is_correct and is_corrects are there: which one counts?")
    grades = row[both[0]]
    require(isinstance(grades, list), f"{at}: {both[0]} = {shown(grades)} is not a list")
    for i, grade in enumerate(grades):
        if not isinstance(grade, bool) and grade not in (0, 1):
            raise InputError(f"{at}: {both[0]}[{i}] = {shown(grade)} is neither true nor false")
    return [float(g) for g in grades]
