"""Results as labelled arrays, tables and files; results and pages from a store; merge and report."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from ds3sim.cli.main import main
from ds3sim.config.expand import read_sweep
from ds3sim.core.errors import InputError
from ds3sim.core.record import check_out
from ds3sim.report.page import result_page
from ds3sim.results.dataset import read_result, to_dataset, to_table, write
from ds3sim.results.plot import lines_of
from ds3sim.results.result import Result
from ds3sim.store.contents import Point
from ds3sim.store.store import Store
from ds3sim.study.run import sweep as swept

xarray = pytest.importorskip("xarray")
pandas = pytest.importorskip("pandas")


def value(r, m, steps, strategy=""):
    return r / m + steps / 1e4 + len(strategy) / 1e6


def row(r, m, steps, strategy=None, **more):
    p = value(r, m, steps, strategy or "")
    out = {} if strategy is None else {"strategy": strategy}
    return out | {
        "steps": steps,
        "steps_per_trace": steps,
        "traces": 1000,
        "success": {"estimate": p, "low": p - 0.01, "high": p + 0.01},
        "expected_steps": {"estimate": steps / 2, "low": steps / 3, "high": 1.0 * steps},
        "expected_tokens": 12.5 * steps,
        "expected_flops": None,
        "mean_flops": 1e12 * steps,
        "budget_tokens": 25.0 * steps,
        "budget_flops": 2e12 * steps,
        **more,
    }


R, M, K, S = (0.1, 0.2, 0.3), (5, 10), (50, 100), ("cot", "tot 4")


def sweep(points=None):
    pairs = [(r, m) for r in R for m in M] if points is None else points
    return {
        "name": "grid",
        "engine": "traces",
        "seed": 3,
        "points": [
            {"axes": {"graph.success": r, "graph.skills": m}, "results": [row(r, m, k, s) for s in S for k in K]}
            for r, m in pairs
        ],
        "environment": {"jax": "1.2", "threads": 2},
    }


# ---- labelled arrays --------------------------------------------------------------------------


def test_a_grid_has_one_dimension_for_each_axis():
    data = to_dataset(sweep())
    assert dict(data.sizes) == {"graph.success": 3, "graph.skills": 2, "strategy": 2, "budget": 2}
    assert data["graph.skills"].dtype == np.int64
    for r in R:
        for m in M:
            for s in S:
                for k in K:
                    at = data.sel({"graph.success": r, "graph.skills": m, "strategy": s, "budget": k})
                    assert float(at.success_probability) == value(r, m, k, s)
                    assert float(at.mean_FLOP) == 1e12 * k
    assert data.success_probability.attrs["units"] == "1"
    assert data.expected_steps.attrs["units"] == data.budget.attrs["units"] == "steps"
    assert data.mean_FLOP.attrs["units"] == data.budget_FLOP.attrs["units"] == "FLOP"
    assert "interval" in data.success_probability_low95.attrs["long_name"]
    assert data.attrs["seed"] == 3
    assert json.loads(data.attrs["environment"])["jax"] == "1.2"
    assert "expected_tokens_FLOP" not in data


def test_the_order_of_points_does_not_matter():
    result = sweep()
    mixed = result | {"points": result["points"][::-1]}
    a, b = to_dataset(result), to_dataset(mixed)
    assert a.sortby(["graph.success", "graph.skills"]).equals(b.sortby(["graph.success", "graph.skills"]))


def test_zipped_axes_share_a_dimension():
    data = to_dataset(sweep([(0.1, 5), (0.2, 10), (0.3, 20)]))
    assert dict(data.sizes) == {"graph.success": 3, "strategy": 2, "budget": 2}
    assert data["graph.skills"].dims == ("graph.success",)
    assert data["graph.skills"].values.tolist() == [5, 10, 20]


def test_a_grid_with_holes_has_nan_there():
    data = to_dataset(sweep([(r, m) for r in R for m in M if (r, m) != (0.2, 10)]))
    hole = data.sel({"graph.success": 0.2, "graph.skills": 10})
    assert np.isnan(hole.success_probability).all()
    assert int(np.isnan(data.success_probability).sum()) == 4
    assert data.budget.values.tolist() == [50, 100]


def test_scattered_points_are_a_list():
    data = to_dataset(sweep([(0.1 * i, i * i % 11 + 1) for i in range(1, 10)]))
    assert dict(data.sizes)["point"] == 9
    assert data["graph.success"].dims == data["graph.skills"].dims == ("point",)


def test_budgets_that_differ_are_a_variable():
    result = sweep()
    for point in result["points"]:
        for entry in point["results"]:
            entry["flops"] = 1e15 * entry["steps"]
            entry["steps"] = entry["steps"] * (2 if entry["strategy"] == "cot" else 1)
    data = to_dataset(result)
    assert data.budget.values.tolist() == [5e16, 1e17]
    assert data.budget.attrs["units"] == "FLOP"
    assert data.budget_steps.sel(strategy="cot", budget=5e16).values.tolist() == [[100, 100]] * 3


def test_a_result_of_run_is_a_sweep_of_one_point():
    result = {"name": "one", "results": [row(0.1, 5, k) for k in K]}
    result["reference"] = [{"steps": k, "success": 0.5, "expected_steps": 7.0, "by": "closed_form"} for k in K]
    data = to_dataset(result)
    assert dict(data.sizes) == {"budget": 2}
    assert data.reference_success_probability.values.tolist() == [0.5, 0.5]
    assert data.reference.values.tolist() == ["closed_form"] * 2


def test_axes_of_text_lists_nothing_and_odd_names():
    result = sweep([(0.1, 5), (0.2, 10)])
    for point, more in zip(result["points"], ({"traces": [1, 2], "b": None}, {"traces": "x", "b": True}), strict=True):
        point["axes"] = {"kind": "chain", **more}
    table = to_table(result)
    assert list(table.columns[:4]) == ["kind", "axis.traces", "b", "strategy"]
    assert set(table["axis.traces"]) == {"[1, 2]", "x"}
    assert "kind" not in table.attrs["units"]
    assert to_dataset(result).sizes["strategy"] == 2


@pytest.mark.parametrize("result", [{}, {"points": 3}, {"points": [{}]}, [], {"points": [{"results": [3]}]}])
def test_what_is_no_result_is_refused(result):
    with pytest.raises(InputError):
        to_table(result)
    with pytest.raises(InputError, match="no rows"):
        to_dataset({"points": []})


# ---- files ------------------------------------------------------------------------------------


def test_netcdf_round_trip(tmp_path):
    path = write(sweep(), tmp_path / "x.nc")
    with xarray.open_dataset(path) as back:
        assert back.load().identical(to_dataset(sweep()))
        assert back.mean_FLOP.attrs == {"units": "FLOP", "long_name": "mean cost of a task"}


def test_netcdf_with_text_and_holes(tmp_path):
    result = sweep([(r, m) for r in R for m in M if (r, m) != (0.2, 10)])
    for point in result["points"]:
        point["axes"]["kind"] = "chain" if point["axes"]["graph.success"] < 0.25 else "layered"
    with xarray.open_dataset(write(result, tmp_path / "x.nc")) as back:
        assert back.load().equals(to_dataset(result))


def test_parquet_round_trip(tmp_path):
    import pyarrow.parquet

    path = write(sweep(), tmp_path / "x.parquet")
    back, table = pandas.read_parquet(path), to_table(sweep())
    pandas.testing.assert_frame_equal(back, table)
    assert back.attrs == table.attrs
    assert len(back) == 3 * 2 * 2 * 2
    units = {f.name: (f.metadata or {}).get(b"units") for f in pyarrow.parquet.read_schema(path)}
    assert units["expected_steps"] == b"steps" and units["mean_FLOP"] == b"FLOP" and units["strategy"] is None


def test_csv_round_trip(tmp_path):
    back = pandas.read_csv(write(sweep(), tmp_path / "x.csv"))
    pandas.testing.assert_frame_equal(back, to_table(sweep()), check_dtype=False, rtol=0, atol=0)


def test_json_round_trip(tmp_path):
    result = sweep()
    assert read_result(write(result, tmp_path / "x.json")) == result


def test_zarr_where_it_is_installed(tmp_path):
    pytest.importorskip("zarr")
    for _ in range(2):
        path = write(sweep(), tmp_path / "x.zarr")
    assert xarray.open_zarr(path).load().equals(to_dataset(sweep()))


def test_places_and_endings_are_looked_at_first(tmp_path, monkeypatch):
    for path, said in (
        (tmp_path / "x.xlsx", "choose one of .json, .csv"),
        (tmp_path / "x", "choose one of"),
        (tmp_path / "no" / "x.nc", "there is no folder"),
        ("", "is empty"),
    ):
        with pytest.raises(InputError, match=said):
            check_out(path)
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_out(tmp_path / "d.csv")
    monkeypatch.setattr("ds3sim.core.record.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs xarray and h5netcdf: pip install"):
        check_out(tmp_path / "x.nc")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("old")

    def broken(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pandas.DataFrame, "to_csv", broken)
    with pytest.raises(InputError, match=r"x\.csv: cannot be written: No space left"):
        write(sweep(), path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


def test_heavy_packages_wait_until_they_are_needed():
    code = (
        "import sys, ds3sim.results.dataset, ds3sim.store.store, ds3sim.store.collect, ds3sim.cli.console\n"
        "print([n for n in ('pandas', 'xarray', 'pyarrow', 'h5netcdf', 'jax') if n in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


# ---- results from a store ---------------------------------------------------------------------

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
    return read_sweep(path)


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


# ---- pages ------------------------------------------------------------------------------------


def test_the_page_shows_curves_and_numbers(tmp_path):
    with Store.open(fill(tmp_path), readonly=True) as store:
        page = result_page(store.result())
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


# ---- the command line -------------------------------------------------------------------------


def test_report_of_a_store(tmp_path, capsys):
    path = fill(tmp_path)
    for name in ("page.html", "x.csv", "x.nc", "x.parquet", "x.json"):
        assert main(["report", str(path), "--out", str(tmp_path / name)]) == 0
    assert capsys.readouterr() == ("", "")
    assert "small" in (tmp_path / "page.html").read_text()
    assert len(pandas.read_csv(tmp_path / "x.csv")) == 18
    assert main(["report", str(tmp_path / "x.json"), "--out", str(tmp_path / "again.csv")]) == 0
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "x.csv").read_bytes()


def test_merge_on_the_command_line(tmp_path, capsys):
    path = fill(tmp_path)
    out = tmp_path / "out.db"
    assert main(["merge", str(path), str(path), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "6 new rows" in said and "small (6 points)" in said
    assert main(["merge", str(path), "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["new_rows"] == 0 and said["out"]["rows"] == 6 and said["out"]["trials"] == 12000


def test_bad_files_are_one_line(tmp_path, capsys):
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
        assert main(arguments) == 2
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.startswith("error: ") and printed.err.count("\n") == 1
        assert said in printed.err
    assert not (tmp_path / "out.db").exists() and not (tmp_path / "x.html").exists()
