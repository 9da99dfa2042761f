"""Ctrl-C: it is never lost, and no launch that is only queued is begun after it."""

from __future__ import annotations

import gc
import signal
import threading

import pytest

import ds3sim as ds
from ds3sim.cli.stop import one_interrupt
from ds3sim.core import runtime
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
