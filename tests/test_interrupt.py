"""Ctrl-C and other signals: none is lost, what was computed is kept, and nothing is left half written."""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import ds3sim as ds
from ds3sim.cli import stop as stop_module
from ds3sim.cli.main import main
from ds3sim.cli.stop import one_interrupt
from ds3sim.core import runtime
from ds3sim.core.files import write_file
from ds3sim.core.folder import Marker, write_folder
from ds3sim.study import references


@pytest.fixture
def queue(monkeypatch):
    """Runs 100 launches of which those after the second wait until the queue was dealt with: (begun, taken)."""
    begun, taken, dealt = [], [], threading.Event()

    class Pool(runtime.ThreadPoolExecutor):
        def shutdown(self, wait=True, *, cancel_futures=False):
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            dealt.set()
            super().shutdown(wait=wait)

    monkeypatch.setattr(runtime, "ThreadPoolExecutor", Pool)

    def launch(number):
        begun.append(number)
        if number > 1:
            assert dealt.wait(300)
        return number

    def run(stop):
        def take(args, found):
            taken.append(found)
            stop(found)

        runtime.in_order(launch, ((number,) for number in range(100)), 2, take)

    return run, begun, taken


@pytest.mark.parametrize("mistake", [KeyboardInterrupt, MemoryError])
def test_what_is_queued_is_not_begun_after_an_exception(queue, mistake):
    run, begun, taken = queue

    def stop(found):
        if found == 1:
            raise mistake

    with pytest.raises(mistake):
        run(stop)
    assert taken == [0, 1]
    assert len(begun) <= 4  # the two taken, and one a thread under way


def test_a_signal_while_a_launch_is_waited_for(queue):
    run, begun, taken = queue
    main = threading.main_thread().ident

    def stop(found):
        if found == 1:  # the main thread waits for the third launch, which waits for the queue
            threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT)).start()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(stop)
    finally:
        signal.signal(signal.SIGINT, before)
    assert taken == [0, 1] and len(begun) <= 4


def test_launches_come_back_in_order():
    taken = []
    turn = [threading.Event() for _ in range(3)]

    def launch(number):
        if number < 2:  # the first waits for the second, the second for the third
            assert turn[number + 1].wait(300)
        if number < 3:
            turn[number].set()
        return -number

    runtime.in_order(launch, ((n,) for n in range(50)), 3, lambda args, found: taken.append((*args, found)))
    assert taken == [(n, -n) for n in range(50)]


def test_an_interrupt_in_a_callback_of_the_collector_is_sent_again():
    struck = []

    def callback(phase, info):
        if not struck:
            struck.append(phase)
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.callbacks.append(callback)
    try:
        with pytest.raises(KeyboardInterrupt), one_interrupt():
            gc.collect()
            threading.Event().wait(300)
    finally:
        gc.callbacks.remove(callback)
        signal.signal(signal.SIGINT, before)
    assert struck


def test_after_ctrl_c_no_reference_takes_long(monkeypatch):
    """An exact law beside the rows may take a minute, but not once Ctrl-C came."""
    asked = []
    monkeypatch.setattr(references, "exact", lambda task: asked.append(task) or ds.exact(task))
    edges = [("a", "b", 0.5), ("a", "c", 0.3), ("c", "b", 0.2), ("b", "goal", 0.4)]
    graph = ds.SkillGraph.from_edges(edges, start="a", goal="goal")
    for hurried, steps, expected in ((False, 10, 1), (True, 20, 1), (True, 10**8, 0)):
        asked.clear()
        refer = references.References()
        if hurried:
            refer.hurry()
        (entry,) = ds.Study(graph, steps=[steps]).entries()
        found = refer([entry])
        assert len(asked) == expected == sum(known is not None for known in found[0])


# ---- the signals of a closed terminal and of a batch system ------------------------------------------

TOLD = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", "SIGHUP": "SIGHUP"}
SIGNALLED = """
import contextlib, os, signal, sys
from ds3sim.cli import main as cli
from ds3sim.study import evaluate
signal.signal(signal.SIGINT, signal.default_int_handler)
when, number = sys.argv[1], getattr(signal, sys.argv[2])
if number != signal.SIGINT:
    signal.signal(number, signal.SIG_DFL)  # under nohup it is ignored, and stays so
strike = lambda *_, **more: os.kill(os.getpid(), number)
if when == "computing":
    compute = evaluate.evaluate_tasks
    evaluate.evaluate_tasks = lambda *what, progress=None, **more: compute(*what, progress=strike, **more)
else:
    from ds3sim.report import write
    page = write.write_run
    write.write_run = lambda *what, **more: [strike(), page(*what, **more)][1]
sys.exit(cli.main(sys.argv[3:]))
"""
CONFIG = '[graph]\nkind = "chain"\nskills = 3\nsuccess = 0.5\n[budget]\nsteps = 4\n[engine]\ntraces = {}\n'


@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("when", ["computing", "writing"])
def test_every_signal_keeps_what_was_computed(tmp_path, name, when):
    (tmp_path / "x.toml").write_text(CONFIG.format("1e12" if when == "computing" else "1000"))
    command = [sys.executable, "-c", SIGNALLED, when, name, "run", "x.toml", "--json", "--out", "out"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 128 + getattr(signal, name), done.stderr
    assert f"{TOLD[name]}: ending; what was computed is kept" in done.stderr and "Traceback" not in done.stderr
    found = json.loads(done.stdout)
    assert found["stopping"].get("interrupted", False) is (when == "computing") and found["traces"] > 0
    kept = json.loads((tmp_path / "out" / "results.json").read_text())
    assert kept["results"] == found["results"] and not list(tmp_path.glob(".*"))


def test_a_signal_that_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with one_interrupt() as stop:
            signal.raise_signal(signal.SIGHUP)
        assert stop.first is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_only_a_second_signal_ends_the_writing(monkeypatch, capfd):
    clock = [0.0]
    monkeypatch.setattr(stop_module.time, "monotonic", lambda: clock[0])
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with one_interrupt() as stop:
            stop.finishing = True
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)  # within a second: one
            clock[0] = 2.0
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
        assert (stop.code(0), stop.code(2)) == (130, 2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert capfd.readouterr().err == "Ctrl-C: ending; what was computed is kept\nSIGTERM: ending at once\n"


@pytest.mark.parametrize("name", ["file", "folder"])
def test_a_signal_never_leaves_half_of_what_is_written(tmp_path, monkeypatch, name):
    marker = Marker(".mark", "a test")
    path, replace = tmp_path / name, os.rename if name == "folder" else os.replace

    def write(text):
        if name == "file":
            write_file(path, text)
        else:
            write_folder(path, {"a": text.encode(), "b": text.encode()}, marker)

    def struck(*places):
        signal.raise_signal(signal.SIGINT)
        return replace(*places)

    write("old")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        monkeypatch.setattr(os, replace.__name__, struck)
        with pytest.raises(KeyboardInterrupt):
            write("new")
    finally:
        signal.signal(signal.SIGINT, before)
    files = [path] if name == "file" else [path / "a", path / "b"]
    assert [file.read_text() for file in files] == ["new"] * len(files)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_an_import_is_not_interrupted(tmp_path, monkeypatch):
    (tmp_path / "struck_by_a_signal.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGTERM)\nwhole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt), one_interrupt():
        import struck_by_a_signal

        threading.Event().wait(300)
    assert struck_by_a_signal.whole


def test_an_interrupt_while_python_starts_has_its_exit_code(tmp_path):
    program = "import signal, sys\nsys.modules['ds3sim.cli.main'] = None\n"
    program += "import ds3sim.__main__ as main, builtins\nreal = builtins.__import__\n"
    program += (
        "def imported(name, *rest):\n    if name == 'ds3sim.cli.main':\n        exec('raise KeyboardInterrupt')\n"
    )
    program += "    return real(name, *rest)\nbuiltins.__import__ = imported\nmain.process()"
    root = str(Path(__file__).parents[1])
    command, environment = [sys.executable, "-c", program], os.environ | {"PYTHONPATH": root}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=900, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_ctrl_c_keeps_the_allocations_done(tmp_path, monkeypatch, capsys):
    from ds3sim.study import allocate as module

    path, solve, asked = tmp_path / "x.toml", module.compare, []
    tasks = "[tasks]\nskills = [2, 5]\ndifficulty = [1.0, 3.0]\n"
    path.write_text(f"[allocate]\ncompute = [1e18, 1e19, 1e20]\ntasks = 1e7\n{tasks}")

    def compare(problem, compute):
        if asked.append(compute) or len(asked) == 3:
            raise KeyboardInterrupt
        return solve(problem, compute)

    monkeypatch.setattr(module, "compare", compare)
    assert main(["allocate", str(path), "--json", "--out", str(tmp_path / "x.json")]) == 130
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [one["compute"] for one in found["results"]] == [1e18, 1e19] and found["environment"]["interrupted"]
    assert len(found["comparison"]) == 2 and (tmp_path / "x.json").is_file()
    assert "interrupted: 2 compute values done" in err
    asked[:] = [0.0, 0.0]
    assert main(["allocate", str(path)]) == 130
    assert capsys.readouterr() == ("", "interrupted: nothing was finished\n")


def test_a_process_that_was_told_to_end_waits_for_no_thread():
    """Compiled code that runs in a thread ends when it ends; nothing is left to be written then."""
    program = """
import signal, threading, time
from ds3sim import __main__ as own
from ds3sim.cli import main as cli
def run(args, stop):
    threading.Thread(target=time.sleep, args=(600,)).start()
    print("what was computed")
    stop.finishing = True
    signal.raise_signal(signal.SIGTERM)
cli._run = lambda args, stop: [run(args, stop), 0][1]
own.process()
"""
    root = str(Path(__file__).parents[1])
    command, environment = [sys.executable, "-c", program, "doctor"], os.environ | {"PYTHONPATH": root}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (143, "what was computed\n"), done.stderr
