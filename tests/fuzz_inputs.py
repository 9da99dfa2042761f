"""Small valid files of every format that ds3sim reads, for tests that damage them: name -> content."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path

from store_fixture import tasks, toy

import ds3sim as ds

STUDY = """name = "small"
seed = 3
[graph]
kind = "chain"
skills = 3
success = 0.5
[strategies.one]
[strategies."four, at once"]
step = "tot"
branches = 4
aggregate = "majority"
n = 3
[budget]
tokens = [100, 200]
[cost]
tokens_per_step = 25
parameters = 1e9
[engine]
kind = "closed_form"
traces = 1_000
[sweep.axes]
"graph.success" = {log = [0.1, 0.9, 3]}
"""
EDGES = """[graph]
edges = [["a", "b", 0.5], ["b", "z", 0.25], ["a", "x", 0.1]]
start = {a = 0.75, b = 0.25}
goal = "z"
dead = ["x"]
score = {a = 0.0, b = 1.0, z = 2.0, x = -1.0}
feasible = 0.9
[strategy]
step = "tot"
branches = 2
[budget]
steps = [4, 10]
on_dead = "stop"
[engine]
kind = "exact"
"""
TASKS = """[tasks]
skills = [1, 3]
difficulty = [1.0, 2.0, 3.0]
weights = [[1, 2, 3], [0.5, 0.25, 0.25]]
[model]
parameters = 1e9
tokens = 2e10
scale = 0.9
[budget]
steps = {linear = [5, 20, 3]}
[engine]
kind = "exact"
"""
ALLOCATION = """[allocate]
mode = "global"
compute = 1e20
tasks = 1e7
compare = false
[tasks]
groups = [{skills = 2, weight = 0.5, difficulty = {mean = 1.0, sd = 0.3}}]
[box]
steps = 1000
"""
TRAINING = """[model]
kind = "tripartite"
training_flops = 1e20
[simulation]
enabled = false
"""
CSV_GRAPH = 'source,target,probability\n"a, or b",b,0.5\nb,z,0.25\n# a comment\nb,"x ""quoted""",0.1\n'
GRAPHML = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="p" for="edge" attr.name="probability" attr.type="double"/>
<key id="g" for="node" attr.name="goal" attr.type="boolean"><default>false</default></key>
<key id="s" for="node" attr.name="start" attr.type="double"/>
<graph edgedefault="directed">
<node id="a"><data key="s">1.0</data></node><node id="b"/><node id="z"><data key="g">true</data></node>
<edge source="a" target="b"><data key="p">0.5</data></edge><edge source="b" target="z"><data key="p">0.25</data></edge>
</graph></graphml>
"""
GEXF = """<gexf version="1.3"><graph defaultedgetype="directed">
<attributes class="node"><attribute id="0" title="goal" type="boolean"><default>false</default></attribute></attributes>
<nodes><node id="0" label="a" start="True"/><node id="1" label="b"/>
<node id="2" label="z"><attvalues><attvalue for="0" value="true"/></attvalues></node></nodes>
<edges><edge id="0" source="0" target="1" weight="0.5"/><edge id="1" source="1" target="2" weight="0.25"/></edges>
</graph></gexf>
"""
DOT = 'digraph "G" { start = a; goal = z // names\n edge [prob=0.5]; a -> {b c} -> z [label="0.25"]; b [shape=box] }\n'
TRA = "3 5\n0 0 0.5\n0 1 0.5\n1 1 0.75\n1 2 0.25\n2 2 1\n"
TIDY = "problem,sample,correct,answer,tokens\n" + "".join(
    f"p{i},{s},{(i * s) % 2},{i + s % 3},{10 + s}\n" for i in range(4) for s in range(5)
)
COUNTS = "problem,n,correct\na,10,3\nb,10,5\nc,12,0\nd,10,10\n"
CURVE = "N,success\n1,0.2\n10,0.4\n100,0.55\n1000,0.7\n"
MONKEYS = """question: what is 1 + 1
gt_answer: '2'
samples:
  - so it is \\boxed{2}
  - 'it is 3: \\boxed{3}'
is_corrects: [true, false]
"""


def lm_eval() -> str:
    """Samples of lm-evaluation-harness, every response kept."""
    rows = []
    for i in range(4):
        graded = {"exact_match": float(i % 2), "metrics": ["exact_match"], "filter": "none"}
        doc = {"question": f"q{i}", "answer": "42"}
        said = {"resps": [["so #### 42"]], "filtered_resps": ["42" if i % 2 else "41"], "target": "42"}
        rows.append(json.dumps({"doc_id": i, "doc": doc, "arguments": [], **said, **graded}))
    return "\n".join(rows) + "\n"


def search_and_learn() -> str:
    """Completions with scores, as search-and-learn writes them."""
    rows = []
    for i in range(3):
        completions = [f"it is \\boxed{{{i + j % 2}}}" for j in range(4)]
        scores = [[0.1 * j, 0.2 * j] for j in range(4)]
        row = {"problem": f"p{i}", "answer": str(i), "completions": completions, "scores": scores}
        rows.append(json.dumps(row | {"agg_scores": [s[-1] for s in scores], "completion_tokens": [5, 6, 7, 8]}))
    return "\n".join(rows) + "\n"


def inspect_log() -> dict:
    """An Inspect log of two samples with two epochs."""
    usage = {"m/x": {"input_tokens": 3, "output_tokens": 7, "total_tokens": 10}}
    samples = [
        {
            "id": i,
            "epoch": e,
            "scores": {"match": {"value": "C" if e > i else "I", "answer": "2"}},
            "model_usage": usage,
        }
        for i in (1, 2)
        for e in (1, 2)
    ]
    head = {"version": 2, "status": "success", "eval": {"model": "m/x", "task": "t"}}
    return head | {"samples": samples}


def inspect_zip(method: int) -> bytes:
    """The same as an .eval archive."""
    log, out = inspect_log(), io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        entries = {"header.json": {key: log[key] for key in ("version", "status", "eval")}}
        entries |= {f"samples/{sample['id']}_epoch_{sample['epoch']}.json": sample for sample in log["samples"]}
        for name, entry in entries.items():  # of a fixed date: a seed makes the same inputs every day
            file.writestr(zipfile.ZipInfo(name), json.dumps(entry), method)
    return out.getvalue()


def parquet(rows: list[dict]) -> bytes:
    """Rows as a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), out)
    return out.getvalue()


def tidy_rows() -> list[dict]:
    """The rows of ``TIDY`` with their types."""
    names, *rows = (line.split(",") for line in TIDY.splitlines())
    kinds = (str, int, int, str, int)
    return [{name: kind(v) for name, kind, v in zip(names, kinds, row, strict=True)} for row in rows]


def store(path: Path) -> bytes:
    """A store with tallies and a sweep."""
    with ds.Store.open(path) as kept:
        for task in tasks(3):
            kept.add(toy(task, 100, 1))
    ds.sweep(ds.Study(ds.SkillGraph.chain(3, 0.5), steps=9, traces=10, axes={"graph.success": [0.25, 0.5]}), store=path)
    return path.read_bytes()


def saved(path: Path) -> bytes:
    """A saved result."""
    found = ds.run(ds.Study(ds.SkillGraph.chain(3, 0.5), steps=[4, 9], engine="exact"))
    return found.save(path).read_bytes()


def inputs(folder: Path) -> dict[str, bytes]:
    """Name -> content; the ending of a name is that of its format, and what it is stands before the first dash."""
    graph = ds.load_graph(_written(folder / "edges.csv", CSV_GRAPH.encode()), start="a, or b", goal="z")
    texts = {
        "config-study.toml": STUDY,
        "config-edges.toml": EDGES,
        "config-tasks.toml": TASKS,
        "config-allocation.toml": ALLOCATION,
        "config-training.toml": TRAINING,
        "graph-edges.csv": CSV_GRAPH,
        "graph-nodes.graphml": GRAPHML,
        "graph-nodes.json": graph.to_json(),
        "graph-nodes.gexf": GEXF,
        "graph-nodes.dot": DOT,
        "graph-chain.drn": ds.export_chain(ds.Task(graph), "drn"),
        "graph-chain.prism": ds.export_chain(ds.Task(graph), "prism"),
        "log-tidy.csv": TIDY,
        "log-counts.csv": COUNTS,
        "log-curve.csv": CURVE,
        "log-tidy.jsonl": "\n".join(map(json.dumps, tidy_rows())) + "\n",
        "log-array.json": json.dumps(tidy_rows()),
        "log-samples.jsonl": lm_eval(),
        "log-search.jsonl": search_and_learn(),
        "log-monkeys.yaml": MONKEYS,
        "log-inspect.json": json.dumps(inspect_log()),
    }
    texts["graph-tabs.tsv"] = CSV_GRAPH.replace(",", "\t")
    texts["graph-states.tra"] = TRA
    out = {name: text.encode() for name, text in texts.items()}
    task = ds.Task(graph, steps=9)
    for ending in ("prism", "drn", "umb"):
        chain = ds.export_chain(task, ending)
        out[f"graph-chain.{ending}"] = chain if isinstance(chain, bytes) else chain.encode()
    out["graph-edges.csv.gz"] = gzip.compress(CSV_GRAPH.encode(), mtime=0)
    out["graph-wide.csv"] = CSV_GRAPH.encode("utf-16")
    out["log-tidy.parquet"] = parquet(tidy_rows())
    out["log-search.parquet"] = parquet([json.loads(line) for line in search_and_learn().splitlines()])
    out["log-stored.eval"], out["log-deflated.eval"] = (
        inspect_zip(zipfile.ZIP_STORED),
        inspect_zip(zipfile.ZIP_DEFLATED),
    )
    out["log-lzma.eval"] = inspect_zip(zipfile.ZIP_LZMA)
    out["log-wide.csv"] = TIDY.encode("utf-16")
    out["log-tidy.csv.gz"], out["log-tidy.csv.xz"] = gzip.compress(TIDY.encode(), mtime=0), lzma.compress(TIDY.encode())
    out["store-tallies.ds3"] = store(folder / "tallies.ds3")
    out["record-result.json"] = saved(folder / "result.json")
    return out


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
