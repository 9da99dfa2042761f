"""The cases of the golden outputs: command lines of every command, run in this process in a folder of their own."""

import contextlib
import csv
import io
import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from ds3sim.cli.main import main

FOLDER = Path(__file__).parent / "golden"
FILE = FOLDER / "commands.json"
CONFIGS = Path(__file__).parents[1] / "configs"
OPTIMIZED = 1e-6
"""Relative tolerance of what an optimizer finds."""
WRITTEN = 1e-10
"""The same for files whose numbers are rounded to 12 digits."""
VOLATILE = {"ds3sim", "jax", "jaxlib", "numpy", "scipy", "python", "platform", "device", "devices", "threads", "wall_s"}
"""Keys of what a result was computed with; left out everywhere."""


@dataclass(frozen=True)
class Command:
    """Lines that run one after another; kept are the code and stdout of the last, and what ``files`` name.

    ``FILE.csv`` is kept by column, ``FILE.json`` as it is, others as text and numbers, a folder as the names in it.
    """

    lines: str
    files: tuple[str, ...] = ()
    tolerance: float = 1e-12


SMALL = "--json --quiet --traces 500"
TRAIN = "--json --quiet --set simulation.graphs=10 --set simulation.concepts=1000 --set simulation.models=2"
SWEEP = """sweep configs/sweep-budgets.toml --quiet --set "sweep.axes={'graph.skills' = [2, 5], 'graph.success' =
 {log = [0.05, 0.4, 3]}}" --set budget.steps=[25,100]""".replace("\n", "")
MATCH = "sweep configs/sweep-equal-flops.toml --set budget.steps=[100]"
LEVELS = "--set tasks.level=[60,61] --set tasks.skills=[2,3] --set budget.tokens=[5417,22490]"
TASKS = "configs/sweep-choose.toml --set budget.flops=[3e13,1e14]"

COMMANDS: dict[str, Command] = {
    **{
        f"run-{engine}": Command(f"run inputs/chain.toml --json --quiet --engine {engine}")
        for engine in ("traces", "population", "importance", "exact", "closed_form")
    },
    "run-options": Command(
        "run inputs/chain.toml --json --quiet --seed 9223372036854775807 --traces 1e3 --chunk 100"
        " --set \"strategy={step='tot',branches=2}\""
    ),
    "run-relative-error": Command(
        "run inputs/chain.toml --json --quiet --set engine.relative_error=0.005 --set budget.steps=[30]"
    ),
    "run-tree": Command(f"run configs/tot-vs-cot.toml {SMALL} --set budget.flops=[1.6e14,2.5e14]"),
    "run-layered": Command(f"run configs/best-of-n.toml {SMALL} --set budget.steps=[64,256]"),
    "run-majority": Command(f"run configs/majority-vote.toml {SMALL} --set budget.steps_per_trace=[20,40]"),
    "run-zipf": Command(
        "run inputs/chain.toml --json --quiet --set"
        " \"strategy={aggregate='majority',n=5,errors={kind='zipf',categories=5,exponent=1.2},ties='wrong'}\""
    ),
    "run-file": Command(f"run configs/from-file.toml {SMALL} --set budget.steps_per_trace=[10,25]"),
    "run-file-exact": Command(
        "run configs/from-file.toml --json --quiet --engine exact --set budget.steps_per_trace=[10,25]"
    ),
    "run-random-beam": Command("run inputs/random.toml --json --quiet"),
    "run-latent": Command("run inputs/latent.toml --json --quiet"),
    "run-tokens": Command("run inputs/chain.toml --json --quiet --set budget={tokens=[110,740]}"),
    "run-tasks": Command(f"run {TASKS} {SMALL}"),
    "run-tasks-closed_form": Command(f"run {TASKS} --json --quiet --engine closed_form"),
    "run-levels": Command(f"run configs/aime.toml {SMALL} {LEVELS}"),
    "run-levels-closed_form": Command(f"run configs/aime.toml --json --quiet --engine closed_form {LEVELS}"),
    "run-out": Command(
        "run inputs/chain.toml --json --quiet --out out", files=("out", "out/results.csv", "out/results.json")
    ),
    "sweep": Command(f"{SWEEP} --json --traces 500"),
    "sweep-exact": Command(f"{SWEEP} --json --engine exact"),
    "sweep-match": Command(f"{MATCH} {SMALL}"),
    "sweep-tasks": Command(f"sweep {TASKS} {SMALL} --set \"sweep.axes={{'model.tokens'=[1e11,1e12]}}\""),
    "sweep-out": Command(f"{SWEEP} --json --traces 500 --out found.csv", files=("found.csv",)),
    "sweep-store": Command(
        f"{SWEEP} --json --traces 300 --store a.ds3\n{SWEEP} --json --traces 500 --store a.ds3"
        "\nreport a.ds3 --out found.json",
        files=("found.json",),
    ),
    "sweep-store-again": Command(
        f"{SWEEP} --json --traces 300 --store a.ds3\n{SWEEP} --json --traces 500 --store a.ds3"
    ),
    "merge": Command(
        f"{SWEEP} --json --traces 300 --store a.ds3\n{SWEEP} --json --traces 500 --seed 4 --store b.ds3"
        "\nmerge a.ds3 b.ds3 --out c.ds3 --json"
    ),
    "choose": Command(f"choose {TASKS} {SMALL}"),
    "choose-store": Command(f"choose {TASKS} {SMALL} --store a.ds3\nchoose {TASKS} {SMALL} --store a.ds3"),
    "validate": Command("validate inputs/chain.toml --json --quiet"),
    "validate-perturbed": Command("validate inputs/chain.toml --json --quiet --perturb 0.3 --seed 3"),
    "allocate": Command(
        "allocate configs/allocate.toml --json --quiet --set allocate.compute=[1e21,1e22]", tolerance=OPTIMIZED
    ),
    "allocate-attention": Command(
        "allocate configs/allocate-attention.toml --json --quiet --set allocate.compute=1e22", tolerance=OPTIMIZED
    ),
    "train": Command(f"train configs/train.toml {TRAIN}"),
    "train-theory": Command("train configs/train.toml --json --quiet --set simulation.enabled=false"),
    "fit-pass-at-n": Command(
        "fit pass-at-n inputs/counts.csv --json --quiet --at 1,10,1e6 --parameters 8e9", tolerance=OPTIMIZED
    ),
    "fit-pass-at-n-curve": Command(
        "fit pass-at-n inputs/curve.csv --json --quiet --problems 100 --out out", files=("out",), tolerance=OPTIMIZED
    ),
    "fit-votes": Command("fit votes inputs/counts.csv --json --quiet --at 1,8,100", tolerance=OPTIMIZED),
    "fit-votes-latent": Command(
        "fit votes inputs/counts.csv --json --quiet --at 5 --latent 0.9,0.5,1.5 --errors geometric", tolerance=OPTIMIZED
    ),
    "plan-target": Command("plan inputs/counts.csv --json --quiet --target 0.6", tolerance=OPTIMIZED),
    "plan-tokens": Command("plan inputs/counts.csv --json --quiet --tokens 6100 --parameters 8e9", tolerance=OPTIMIZED),
    "export-prism": Command("export inputs/random.toml --format prism --strategy tree --out model", files=("model",)),
    "export-drn": Command("export inputs/chain.toml --format drn --out model", files=("model",)),
    "report": Command(
        "run inputs/chain.toml --json --quiet --out out\nreport out --out page.html\nreport out --out again.csv",
        files=(".", "again.csv"),
    ),
    "reproduce": Command(
        "reproduce optimal-branching --quick --quiet --seed 3 --out out",
        files=("out", "out/optimal-branching.csv"),
        tolerance=WRITTEN,
    ),
    "doctor": Command("doctor --json"),
    "schema": Command("schema"),
}


def output(name: str, folder: Path) -> dict:
    """What is kept of a command that ran in ``folder``."""
    command = COMMANDS[name]
    shutil.copytree(CONFIGS, folder / "configs")
    shutil.copytree(FOLDER / "inputs", folder / "inputs")
    with contextlib.chdir(folder):
        code, out = 0, ""
        for line in command.lines.splitlines():
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                code = main(shlex.split(line))
            out = said.getvalue()
        files = {file: _content(Path(file)) for file in command.files}
    value = plain(json.loads(out)) if out else None
    if name == "schema":
        value = _keys_of_configs(value, value["$defs"])
    elif name == "doctor":
        value = dict.fromkeys(json.loads(out))
    return {"code": code, "stdout": value, "files": files}


def plain(value):
    """Without the keys of ``VOLATILE``."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key not in VOLATILE}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def _content(path: Path):
    if path.is_dir():
        return dict.fromkeys(sorted(found.name for found in path.iterdir()))
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return plain(json.loads(text))
    if path.suffix == ".csv":
        head, *rows = csv.reader(io.StringIO(text))
        return {name: [_number(row[at]) for row in rows] for at, name in enumerate(head)}
    return [_number(part) for part in re.split(r"(\d+\.\d+(?:e[-+]\d+)?)", text)]


def _number(text: str):
    """A float where there is a point or an exponent, else the text: whole numbers have to be equal."""
    try:
        return float(text) if re.search(r"\d[.e]", text) else text
    except ValueError:
        return text


def _keys_of_configs(schema: dict, named: dict) -> dict:
    """The keys that a config may have, as a tree of dicts: the schema may be written in another way."""
    keys: dict = {}
    for inner in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        inner = named[inner["$ref"].rsplit("/", 1)[-1]] if "$ref" in inner else inner
        for key, below in inner.get("properties", {}).items():
            keys[key] = _keys_of_configs(below, named)
        if inner is not schema and ("anyOf" in inner or "oneOf" in inner):
            keys |= _keys_of_configs(inner, named)
        if isinstance(inner.get("additionalProperties"), dict):
            keys["*"] = _keys_of_configs(inner["additionalProperties"], named)
    return keys
