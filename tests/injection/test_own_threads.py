"""Threads of ours are not the app's: it neither sees nor waits for them, and its signals do not reach them."""

from __future__ import annotations

import re

import pytest

from tests.injection.running import Runner
from tests.injection.test_exit import HOURLY
from tests.receiver import Receiver

APP = """
    import logging, os, signal, sys, threading, time

    def work(name):
        logging.getLogger("shop").error(name)

    work("first")
"""

WAITS = {
    "active_count": """
    while threading.active_count() > 1:
        time.sleep(0.01)
    """,
    "join all": """
    for each in threading.enumerate():
        if each is not threading.current_thread():
            each.join()
    """,
    "beside its own": """
    threading.Thread(target=work, args=("then",), name="Otel").start()
    for each in threading.enumerate():
        each is threading.current_thread() or each.join()
    print(sorted(each.name for each in threading.enumerate()))
    """,
    "after a fork": """
    if os.fork() == 0:
        work("child")
        while threading.active_count() > 1:
            time.sleep(0.01)
        sys.exit(0)
    print(os.wait()[1], len(threading.enumerate()))
    """,
}

BLOCKED = {
    "pending": """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGUSR1)
    print(sorted(signal.sigpending()), flush=True)
    """,
    "a timer that is waited for": """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    print(signal.sigtimedwait({signal.SIGALRM}, 10).si_signo, flush=True)
    """,
    "in every thread": """
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    threading.Thread(target=work, args=("then",)).start()
    signal.raise_signal(signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGQUIT)
    print(sorted(signal.sigpending()), flush=True)
    """,
    "in a child": """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    if os.fork() == 0:
        work("child")
        os.kill(os.getpid(), signal.SIGTERM)
        print(sorted(signal.sigpending()), flush=True)
        sys.exit(0)
    print(os.wait()[1])
    """,
}


@pytest.mark.parametrize("case", WAITS)
def test_an_app_that_waits_for_all_threads_ends(runner: Runner, case: str) -> None:
    """What is in the lists, and how many there are, is as without us."""
    assert runner.compare(f"{APP}{WAITS[case]}", env=HOURLY, timeout=20).status == 0


def test_a_thread_of_ours_that_asks_for_itself_is_not_seen_for_it(runner: Runner) -> None:
    """``threading`` takes note of each thread that asks which one it is, as ``logging`` does for each record."""
    done = runner.run(
        f"""{APP}
    from opentelemetry import metrics
    asked = threading.Event()
    def observe(_options):
        print(type(threading.current_thread()).__name__)
        asked.set()
        return [metrics.Observation(1)]
    metrics.get_meter("shop").create_observable_gauge("stock", callbacks=[observe])
    asked.wait(10)
    while threading.active_count() > 1:
        time.sleep(0.001)
    print(len(threading.enumerate()), flush=True)
    os._exit(0)
    """,
        env={**HOURLY, "OTEL_METRIC_EXPORT_INTERVAL": "300"},
        timeout=20,
    )
    assert done.stdout.splitlines()[0] == "_DummyThread"
    assert "1" in done.stdout.splitlines()


@pytest.mark.parametrize("case", BLOCKED)
def test_signals_that_an_app_blocks_stay_blocked(runner: Runner, receiver: Receiver, case: str) -> None:
    assert runner.compare(f"{APP}{BLOCKED[case]}", env=HOURLY, timeout=20).status == 0
    names = re.findall('"(first|then|child)"', APP + BLOCKED[case])
    assert sorted(str(log.body) for log in receiver.logs) == sorted(names)
