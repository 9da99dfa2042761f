"""Results as labelled arrays, tables and files; results and pages from a store; merge and report."""

import json

import pytest
from test_results import K, M, S, sweep

from ds3sim.config.study import study_of as study_at
from ds3sim.core.errors import InputError
from ds3sim.report.page import result_page
from ds3sim.results.plot import lines_of
from ds3sim.results.result import Result
from ds3sim.store.contents import Point
from ds3sim.store.store import Store
from ds3sim.study.run import sweep as swept

xarray = pytest.importorskip("xarray")
pandas = pytest.importorskip("pandas")


CONFIG = """
name = "small"
[graph]
kind = "chain"
skills = 3
success = 0.3
[budget]
tokens = [250, 500, 1000]
[cost]
parameters = 1e9
prompt_tokens = 100
layers = 10
attention_width = 100
[engine]
traces = 2000
[strategies.cot]
[strategies.best]
aggregate = "best_of_n"
n = 2
[strategies.tot]
step = "tot"
branches = 3
"""


def study_of(tmp_path, values):
    """A sweep of the step success."""
    path = tmp_path / "c.toml"
    path.write_text(CONFIG + f'[sweep.axes]\n"graph.success" = {list(values)}\n')
    return study_at(path)


def fill(tmp_path, values=(0.2, 0.4)):
    """A store with a small sweep."""
    path = tmp_path / "s.db"
    with Store.open(path) as store:
        swept(study_of(tmp_path, values), store=store)
    return path


def test_the_rows_of_a_store_are_those_of_the_sweep(tmp_path):
    path = fill(tmp_path)
    with Store.open(path, readonly=True) as store:
        found = store.result("small")
    expected = swept(study_of(tmp_path, (0.2, 0.4)))
    assert [row.to_dict() for row in found.rows] == [row.to_dict() for row in expected.rows]
    assert [row.axes for row in found.rows] == [row.axes for row in expected.rows]
    assert (found.name, found.engine, found.axes) == ("small", "traces", ("graph.success",))
    assert found.strategies == ("cot", "best", "tot")
    assert found.missing == 0 and found.seeds == (0,)


def test_points_without_trials_are_counted_not_invented(tmp_path):
    path = fill(tmp_path, (0.2,))
    more = study_of(tmp_path, (0.7,))
    with Store.open(path) as store:
        store.put_points("small", map(Point.of, more.entries()), more.common())
        found = store.result()
        assert len(found.points) == 1 and found.missing == 3
        with pytest.raises(InputError, match="no sweep called other: it has small"):
            store.result("other")
    with Store.in_memory() as store, pytest.raises(InputError, match="has no sweep"):
        store.result()


def test_the_page_shows_curves_and_numbers(tmp_path, cli):
    cli("report", fill(tmp_path), "--out", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml;base64,") == 4
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert page.count("<tr>") == 1 + 2 * 3 * 3
    assert "{{" not in page and "None" not in page and "nan" not in page


def lines(points):
    result = Result.from_dict(sweep(points))
    return lines_of(result.axes, result.rows)


def test_the_longest_axis_goes_along_x():
    drawn = lines([(0.1 * i, m) for i in range(1, 6) for m in M])
    assert drawn.x == "graph.success" and len(drawn.lines) == 8
    assert "skills 5, cot, 50 steps" in drawn.lines
    zipped = lines([(0.1, 5), (0.2, 10), (0.3, 20)])
    assert set(zipped.lines) == {f"{s}, {k} steps" for s in S for k in K}
    many = lines([(0.01 * i, m) for i in range(40) for m in range(1, 9)])
    assert (len(many.lines), many.total) == (8, 32)


def test_names_cannot_break_the_page():
    result = sweep()
    result["name"] = "<script>alert(1)</script>"
    result["points"][0]["results"][0]["strategy"] = "$a_b$ <b>"
    page = result_page(Result.from_dict(result))
    assert "<script" not in page and "<b>" not in page


def test_report_of_a_store(tmp_path, cli):
    path = fill(tmp_path)
    for name in ("page.html", "x.csv", "x.nc", "x.parquet", "x.json"):
        assert cli("report", path, "--out", tmp_path / name) == cli.err == ""
    assert "small" in (tmp_path / "page.html").read_text()
    assert len(pandas.read_csv(tmp_path / "x.csv")) == 18
    cli("report", tmp_path / "x.json", "--out", tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "x.csv").read_bytes()


def test_merge_on_the_command_line(tmp_path, cli):
    path = fill(tmp_path)
    out = tmp_path / "out.db"
    said = cli("merge", path, path, "--out", out)
    assert "6 new rows" in said and "small (6 points)" in said
    said = json.loads(cli("merge", path, "--out", out, "--json"))
    assert said["new_rows"] == 0 and said["out"]["rows"] == 6 and said["out"]["trials"] == 12000


def test_bad_files_are_one_line(tmp_path, cli):
    png = tmp_path / "a.png"
    png.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    path = fill(tmp_path)
    short = tmp_path / "short.db"
    short.write_bytes(path.read_bytes()[:5000])
    out = str(tmp_path / "out.db")
    for arguments, said in (
        (["merge", str(png), "--out", out], "a.png: is not a ds3sim store"),
        (["merge", str(tmp_path), "--out", out], "is a folder"),
        (["merge", str(short), "--out", out], "short.db: is damaged or cut short"),
        (["merge", str(tmp_path / "no.db"), "--out", out], "no such store"),
        (["merge", str(path), "--out", str(png)], "a.png: is not a ds3sim store"),
        (["merge", str(path), "--out", "/dev/full"], "/dev/full: is not a"),
        (["merge", "--out", out], "required"),
        (["report", str(png), "--out", str(tmp_path / "x.html")], "is not a ds3sim store"),
        (["report", str(path), "--out", str(tmp_path / "x.html"), "--sweep", "b"], "no sweep called b"),
        (["report", str(tmp_path / "none"), "--out", str(tmp_path / "x.html")], "no such"),
    ):
        assert said in cli.refuses(*arguments)
    assert not (tmp_path / "out.db").exists() and not (tmp_path / "x.html").exists()
