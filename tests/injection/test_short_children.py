"""Short-lived children of a fork cost little: they inherit what their telemetry needs."""

from __future__ import annotations

import json

import pytest

from tests.injection.running import Runner
from tests.injection.test_exit import HOURLY
from tests.receiver import Receiver

CHILDREN = 12
LEARNING = 3
"""Children until their parent knows what they need: the second is forked before the first's report is read."""
MOST = 0.025
"""Seconds of CPU for each of the others; the goal is 0.010 on a machine that does nothing else."""

APP = """
import json, logging, os, resource, sys, threading
logging.basicConfig(stream=open(os.devnull, "w"))
log = logging.getLogger("shop")
spent = []
def child(number):
    before, had = resource.getrusage(resource.RUSAGE_CHILDREN), len(sys.modules)
    start(number, had)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
def work(number, had):
    log.warning("child %d", number)
"""
ENDS = {
    "os._exit": """
def start(number, had):
    if os.fork() == 0:
        work(number, had)
        os._exit(0)
    os.wait()
""",
    "multiprocessing": """
import multiprocessing
context = multiprocessing.get_context("fork")
def start(number, had):
    process = context.Process(target=work, args=(number, had))
    process.start()
    process.join()
""",
    "a pool that replaces its workers": """
import multiprocessing
context = multiprocessing.get_context("fork")
def start(number, had):
    with context.Pool(1, maxtasksperchild=1) as pool:
        pool.apply(work, (number, had))
        pool.close()
        pool.join()
""",
}
FOR_EACH = f"for number in range({CHILDREN}): child(number)\nprint(json.dumps(spent))\n"


@pytest.mark.parametrize("logs_first", [False, True])
@pytest.mark.parametrize("end", ENDS)
def test_later_children_inherit_what_the_first_have_imported(
    runner: Runner, receiver: Receiver, end: str, logs_first: bool
) -> None:
    first = "log.warning('parent')\n" if logs_first else ""
    done = runner.run(f"{APP}{ENDS[end]}{first}{FOR_EACH}", env=HOURLY)
    assert (done.status, done.lines) == (0, [])
    spent = json.loads(done.stdout)
    later = sorted(spent[LEARNING:])[len(spent[LEARNING:]) // 2]
    assert later < max(MOST, spent[0] / 4), spent  # on a machine that is busy all take longer
    bodies = sorted(str(log.body) for log in receiver.logs if str(log.body).startswith("child"))
    assert len([body for body in bodies if body.startswith("child")]) >= CHILDREN


def test_a_child_that_lives_shorter_than_an_interval_has_no_metrics_of_the_system(
    runner: Runner, receiver: Receiver
) -> None:
    source = """
        import logging, os, time
        logging.getLogger("shop").error("parent")
        if os.fork() == 0:
            logging.getLogger("shop").error(str(os.getpid()))
            time.sleep(float(os.environ["LIFE"]))
            os._exit(0)
        os.wait()
    """
    for life, interval, seen in (("0", "3600000", False), ("2", "500", True)):
        receiver.clear()
        runner.run(source, env={**HOURLY, "LIFE": life, "OTEL_METRIC_EXPORT_INTERVAL": interval})
        (child,) = {int(str(log.body)) for log in receiver.logs if log.body != "parent"}
        names = {point.name for point in receiver.points if point.resource["process.pid"] == child}
        assert ("process.cpu.time" in names) == seen, names


def test_what_greenlets_patch_is_not_imported_in_their_parent(framework_runner: Runner) -> None:
    """A worker that gevent patches after the fork finds nothing that would have had to come later."""
    done = framework_runner.run(
        """
        import gevent, logging, os, sys
        log = logging.getLogger("shop")
        for number in range(4):
            if os.fork() == 0:
                from gevent import monkey
                print("ssl" in sys.modules, flush=True)
                monkey.patch_all()
                log.error("child")
                os._exit(0)
            os.wait()
        """,
        env=HOURLY,
    )
    assert done.stdout.split() == ["False"] * 4, done.stderr
