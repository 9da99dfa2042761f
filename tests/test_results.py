"""The record of a result: labelled arrays, tables, files and back."""

import json

import numpy as np
import pytest

from ds3sim.core.errors import InputError
from ds3sim.results.result import Result

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


def made(points=None) -> Result:
    return Result.from_dict(sweep(points))


def test_a_grid_has_one_dimension_for_each_axis():
    data = made().to_dataset()
    assert dict(data.sizes) == {"graph.success": 3, "graph.skills": 2, "strategy": 2, "budget": 2}
    assert data["graph.skills"].dtype == np.int64
    for r in R:
        for m in M:
            for s in S:
                for k in K:
                    at = data.sel({"graph.success": r, "graph.skills": m, "strategy": s, "budget": k})
                    assert float(at.success) == value(r, m, k, s)
                    assert float(at.mean_flops) == 1e12 * k
    assert data.success.attrs["units"] == "1"
    assert data.expected_steps.attrs["units"] == data.budget.attrs["units"] == "steps"
    assert data.mean_flops.attrs["units"] == data.budget_flops.attrs["units"] == "FLOP"
    assert "interval" in data.success_low.attrs["long_name"]
    assert data.attrs["seed"] == 3
    assert json.loads(data.attrs["environment"])["jax"] == "1.2"
    assert np.isnan(data.expected_flops).all() and "tokens" not in data


def test_the_order_of_points_does_not_matter():
    result = sweep()
    mixed = result | {"points": result["points"][::-1]}
    a, b = Result.from_dict(result).to_dataset(), Result.from_dict(mixed).to_dataset()
    assert a.sortby(["graph.success", "graph.skills"]).equals(b.sortby(["graph.success", "graph.skills"]))


def test_zipped_axes_share_a_dimension():
    data = made([(0.1, 5), (0.2, 10), (0.3, 20)]).to_dataset()
    assert dict(data.sizes) == {"graph.success": 3, "strategy": 2, "budget": 2}
    assert data["graph.skills"].dims == ("graph.success",)
    assert data["graph.skills"].values.tolist() == [5, 10, 20]


def test_a_grid_with_holes_has_nan_there():
    data = made([(r, m) for r in R for m in M if (r, m) != (0.2, 10)]).to_dataset()
    hole = data.sel({"graph.success": 0.2, "graph.skills": 10})
    assert np.isnan(hole.success).all()
    assert int(np.isnan(data.success).sum()) == 4
    assert data.budget.values.tolist() == [50, 100]


def test_scattered_points_are_a_list():
    data = made([(0.1 * i, i * i % 11 + 1) for i in range(1, 10)]).to_dataset()
    assert dict(data.sizes)["point"] == 9
    assert data["graph.success"].dims == data["graph.skills"].dims == ("point",)


def test_budgets_that_differ_are_a_variable():
    result = sweep()
    for point in result["points"]:
        for entry in point["results"]:
            entry["flops"] = 1e15 * entry["steps"]
            entry["steps"] = entry["steps"] * (2 if entry["strategy"] == "cot" else 1)
    data = Result.from_dict(result).to_dataset()
    assert data.budget.values.tolist() == [5e16, 1e17]
    assert data.budget.attrs["units"] == "FLOP"
    assert data.steps.sel(strategy="cot", budget=5e16).values.tolist() == [[100, 100]] * 3


def test_a_result_of_run_is_a_sweep_of_one_point():
    result = {"name": "one", "results": [row(0.1, 5, k) for k in K]}
    result["reference"] = [{"steps": k, "success": 0.5, "expected_steps": 7.0, "by": "closed_form"} for k in K]
    data = Result.from_dict(result).to_dataset()
    assert dict(data.sizes) == {"strategy": 1, "budget": 2} and data["strategy"].values.tolist() == ["strategy"]
    assert data.reference_success.values.tolist() == [[0.5, 0.5]]
    assert data.reference.values.tolist() == [["closed_form"] * 2]


def test_axes_of_text_lists_nothing_and_odd_names():
    result = sweep([(0.1, 5), (0.2, 10)])
    for point, more in zip(result["points"], ({"traces": [1, 2], "b": None}, {"traces": "x", "b": True}), strict=True):
        point["axes"] = {"kind": "chain", **more}
    table = Result.from_dict(result).to_frame()
    assert list(table.columns[:4]) == ["kind", "axis.traces", "b", "strategy"]
    assert set(table["axis.traces"]) == {"[1, 2]", "x"}
    assert "kind" not in table.attrs["units"]
    assert Result.from_dict(result).to_dataset().sizes["strategy"] == 2


def test_what_is_no_result_is_refused():
    for result in ({}, {"points": 3}, {"points": [{}]}, []):
        with pytest.raises(InputError, match="it has no points with results"):
            Result.from_dict(result)
    with pytest.raises(InputError, match="a row of the result cannot be read"):
        Result.from_dict({"points": [{"results": [3]}]})
    with pytest.raises(InputError, match="no rows"):
        Result.from_dict({"points": []}).to_dataset()


def test_netcdf_round_trip(tmp_path):
    path = made().save(tmp_path / "x.nc")
    with xarray.open_dataset(path) as back:
        assert back.load().identical(made().to_dataset())
        assert back.mean_flops.attrs == {"units": "FLOP", "long_name": "mean cost of a task"}


def test_netcdf_with_text_and_holes(tmp_path):
    result = sweep([(r, m) for r in R for m in M if (r, m) != (0.2, 10)])
    for point in result["points"]:
        point["axes"]["kind"] = "chain" if point["axes"]["graph.success"] < 0.25 else "layered"
    with xarray.open_dataset(Result.from_dict(result).save(tmp_path / "x.nc")) as back:
        assert back.load().equals(Result.from_dict(result).to_dataset())


def test_parquet_round_trip(tmp_path):
    import pyarrow.parquet

    path = made().save(tmp_path / "x.parquet")
    back, table = pandas.read_parquet(path), made().to_table()
    pandas.testing.assert_frame_equal(back, table)
    assert back.attrs == table.attrs
    assert len(back) == 3 * 2 * 2 * 2
    units = {f.name: (f.metadata or {}).get(b"units") for f in pyarrow.parquet.read_schema(path)}
    assert units["expected_steps"] == b"steps" and units["mean_FLOP"] == b"FLOP" and units["strategy"] is None


def test_csv_round_trip(tmp_path):
    exact = {} if int(pandas.__version__.split(".")[0]) > 2 else {"float_precision": "round_trip"}  # now the default
    back = pandas.read_csv(made().save(tmp_path / "x.csv"), **exact)
    pandas.testing.assert_frame_equal(back, made().to_table(), check_dtype=False, rtol=0, atol=0)


def test_a_saved_result_is_read_back(tmp_path):
    result = made()
    assert Result.load(result.save(tmp_path / "x.json")) == result
    assert Result.from_dict(result.to_dict()) == result
    (tmp_path / "printed.json").write_text(result.to_json())
    assert Result.load(tmp_path / "printed.json") == result
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match=r"other\.json: this is not a result"):
        Result.load(tmp_path / "other.json")


def test_tables_of_files_say_their_units_in_the_header():
    frame, table = made().to_frame(), made().to_table()
    assert {"success", "mean_flops", "steps"} < set(frame.columns)
    assert {"success_probability", "mean_FLOP", "budget_steps"} < set(table.columns)
    assert table.attrs["units"]["mean_FLOP"] == frame.attrs["units"]["mean_flops"] == "FLOP"


def test_a_result_is_drawn_and_shown():
    result = made([(0.1, 5), (0.2, 10)])
    ax = result.plot()
    assert ax.get_ylabel() and len(ax.get_legend().get_texts()) == 4
    page = result._repr_html_()
    assert "<table>" in page and "svg" in page


def test_zarr_where_it_is_installed(tmp_path):
    pytest.importorskip("zarr")
    for _ in range(2):
        path = made().save(tmp_path / "x.zarr")
    assert xarray.open_zarr(path).load().equals(made().to_dataset())
