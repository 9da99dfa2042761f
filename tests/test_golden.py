"""Golden tallies: the random streams are, bit for bit, what they were when tests/golden was written.

tests/golden_tallies.py has the cases, tests/golden_write.py writes the files.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import golden_tallies as tallies
import pytest
from golden_tallies import CASES

GOLDEN = json.loads(tallies.FILE.read_text(encoding="utf-8"))
TOGETHER = {name: case for name, case in CASES.items() if case.in_batches}
CHUNKED = (
    "edges",
    "latent, best of 8",
    "beam 3x2, error",
    "majority of 5",
    "best of 5, abstains",
    "macro 8, tot, majority",
)


def same(found, golden, tolerance: float = 1e-12) -> bool:
    """Floats to a relative tolerance, all else equal; objects may have keys that the golden one lacks."""
    if isinstance(golden, dict):
        return isinstance(found, dict) and all(k in found and same(found[k], v, tolerance) for k, v in golden.items())
    if isinstance(golden, list):
        pairs = isinstance(found, list) and len(found) == len(golden) and zip(found, golden, strict=True)
        return bool(pairs) and all(same(a, b, tolerance) for a, b in pairs) if golden else found == []
    if isinstance(golden, float) and isinstance(found, float):
        return found == pytest.approx(golden, rel=tolerance, abs=0.0)
    return type(found) is type(golden) and found == golden


@pytest.fixture(scope="module")
def four_devices():
    """All cases in a process with four host devices, many launches each; computed while other tests run."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    program = [sys.executable, tallies.__file__]
    with subprocess.Popen(
        program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        said: dict = {}

        def found() -> dict:
            if not said:
                out, err = process.communicate()
                assert process.returncode == 0, err
                said.update(json.loads(out))
            return said

        yield found
        process.kill()


@pytest.fixture(scope="module", autouse=True)
def started(four_devices):
    """The process begins with the first test of this file."""


@pytest.fixture(scope="module")
def batches():
    return tallies.compute_batches(TOGETHER)


def test_each_case_has_a_golden_tally():
    assert list(GOLDEN) == list(CASES)


@pytest.mark.parametrize("name", CASES)
def test_tally(name):
    found = tallies.compute(CASES[name])
    assert same(found, GOLDEN[name]), (found, GOLDEN[name])


@pytest.mark.parametrize("chunk", [64, 100, 5000])
@pytest.mark.parametrize("name", CHUNKED)
def test_tally_in_chunks(name, chunk):
    found = tallies.compute(CASES[name], chunk)
    assert same(found, GOLDEN[name]), (found, GOLDEN[name])


@pytest.mark.parametrize("name", TOGETHER)
def test_tally_in_batches(batches, name):
    assert same(batches[name], GOLDEN[name]), (batches[name], GOLDEN[name])


def test_tally_in_small_batches():
    names = list(TOGETHER)
    for part in (names[0:1], names[3:40:9], names[::-7]):
        found = tallies.compute_batches({name: CASES[name] for name in part}, 1000)
        assert {name: same(found[name], GOLDEN[name]) for name in part} == dict.fromkeys(part, True)


@pytest.mark.parametrize("way", ["alone", "batches"])
def test_tally_on_four_devices(four_devices, way):
    found = four_devices()
    assert found["devices"] == 4
    names = CASES if way == "alone" else TOGETHER
    assert [name for name in names if not same(found[way].get(name), GOLDEN[name])] == []
