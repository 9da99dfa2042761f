"""Golden files: the random streams are, bit for bit, what they were, and so is the output of every command.

tests/golden_tallies.py and tests/golden_commands.py have the cases, tests/golden_write.py writes the files.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import golden_commands as commands
import golden_tallies as tallies
import pytest
from golden_commands import COMMANDS
from golden_tallies import CASES

OUTPUTS = json.loads(commands.FILE.read_text(encoding="utf-8"))
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
ALONE = [name for name in CASES if name not in TOGETHER or name in CHUNKED]
"""Cases that are computed one by one on four devices; the others are, on four devices, rows of batches."""


def differences(found, golden, tolerance: float = 1e-12, where: str = "") -> list[str]:
    """Where two values differ: floats by a relative tolerance, all else at all. ``found`` may have more keys."""
    if isinstance(golden, dict) and isinstance(found, dict):
        gone = [f"{where}.{key} is gone" for key in golden if key not in found]
        both = [key for key in golden if key in found]
        return gone + [
            line for key in both for line in differences(found[key], golden[key], tolerance, f"{where}.{key}")
        ]
    if isinstance(golden, list) and isinstance(found, list) and len(found) == len(golden):
        pairs = enumerate(zip(found, golden, strict=True))
        return [line for at, (a, b) in pairs for line in differences(a, b, tolerance, f"{where}[{at}]")]
    if isinstance(golden, float) and isinstance(found, float):
        equal = found == pytest.approx(golden, rel=tolerance, abs=0.0)
    else:
        equal = type(found) is type(golden) and found == golden
    return [] if equal else [f"{where}: {found!r}, golden {golden!r}"]


@pytest.fixture(scope="module")
def four_devices() -> dict:
    """The cases in a process with four host devices, many launches each, and with 64-bit numbers allowed.

    JAX compiles a kernel once for each device. Fewer passes of the compiler take a third less time, and the numbers
    must not depend on them either.
    """
    flags = ("force_host_platform_device_count=4", "backend_optimization_level=0", "llvm_disable_expensive_passes=true")
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": "1",
        "XLA_FLAGS": " ".join(f"--xla_{flag}" for flag in flags),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    program = [sys.executable, tallies.__file__, *ALONE]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def batches():
    return tallies.compute_batches(TOGETHER)


def test_each_case_has_a_golden_entry():
    assert list(GOLDEN) == list(CASES)
    assert list(OUTPUTS) == list(COMMANDS)


@pytest.mark.parametrize("name", CASES)
def test_tally(name):
    found = tallies.compute(CASES[name])
    assert differences(found, GOLDEN[name]) == []


@pytest.mark.parametrize("name", CHUNKED)
def test_tally_in_chunks(name):
    found = tallies.compute(CASES[name], 100)
    assert differences(found, GOLDEN[name]) == []


@pytest.mark.parametrize("name", TOGETHER)
def test_tally_in_batches(batches, name):
    assert differences(batches[name], GOLDEN[name]) == []


def test_tally_in_small_batches():
    part = list(TOGETHER)[::-7]
    found = tallies.compute_batches({name: CASES[name] for name in part}, 1000)
    assert differences(found, {name: GOLDEN[name] for name in part}) == []


@pytest.mark.parametrize("way", ["alone", "batches"])
def test_tally_on_four_devices_with_x64(four_devices, way):
    assert four_devices["devices"] == 4
    names = ALONE if way == "alone" else TOGETHER
    assert differences(four_devices[way], {name: GOLDEN[name] for name in names}) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_output(name, tmp_path):
    found = commands.output(name, tmp_path / "here")
    assert differences(found, OUTPUTS[name], COMMANDS[name].tolerance) == []
