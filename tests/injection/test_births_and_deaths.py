"""Each way to start a process, with each way to end it: every span, measurement and log record arrives exactly once.

All intervals are so long that only what is done at the end delivers. Each row is a real tree of processes; the rows of
one Python run side by side, each with a receiver of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.injection import pythons
from tests.injection.running import Finished, Runner
from tests.injection.test_exit import HOURLY, WORK, check_work
from tests.receiver import Receiver
from tests.telemetry import Span

pytestmark = pytest.mark.xdist_group("births and deaths")

DEATHS = {
    "return": ("pass", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "exception": ("raise ValueError('broken')", 1),
    "os._exit": ("os._exit(4)", 4),
    "SIGTERM": ("killed_by('TERM'); time.sleep(30)", -15),
    "SIGTERM while in C": ("killed_by('TERM'); in_c_for_ever()", -15),
    "SIGTERM set back": ("signal.signal(15, signal.signal(15, print)); killed_by('TERM'); time.sleep(30)", -15),
    "SIGTERM of its own": ("os.kill(os.getpid(), 15); time.sleep(30)", -15),
    "raise_signal": ("signal.raise_signal(15)", -15),
    "SIGINT by default": ("signal.signal(2, signal.SIG_DFL); killed_by('INT'); time.sleep(30)", -2),
    "own handler": ("signal.signal(15, lambda *_: sys.exit(5)); killed_by('TERM'); time.sleep(30)", 5),
}

APP = """
import ctypes, multiprocessing, os, signal, subprocess, sys, time
from concurrent.futures import ProcessPoolExecutor
from work import work

birth, death = sys.argv[1:3]

def killed_by(name):
    # By somebody else, who is no child of this process: children may be waited for.
    os.system(f"(sleep 0.2; kill -{name} {os.getpid()}) >/dev/null 2>&1 &")

def in_c_for_ever():
    ctypes.CDLL(None).read(os.pipe()[0], ctypes.create_string_buffer(1), 1)

def die(name="child"):
    work(name)
    sys.stdout.flush()
    exec(death)

def fork(target):
    pid = os.fork()
    if not pid:
        target()
        sys.exit()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def grandparent():
    work("between")
    sys.exit(fork(die) & 0xff)

def process(method):
    child = multiprocessing.get_context(method).Process(target=die)
    child.start()
    child.join()
    return child.exitcode

def run():
    return subprocess.run([sys.executable, "main.py", "main", death]).returncode

def become():
    os.execv(sys.executable, [sys.executable, "main.py", "main", death])

if __name__ == "__main__":
    if birth == "main":
        die()
    else:
        work("parent")
        print(eval(birth), flush=True)
"""

BIRTHS = {
    "main": "main",
    "fork": "fork(die)",
    "fork of a fork": "fork(grandparent)",
    "multiprocessing fork": "process('fork')",
    "multiprocessing spawn": "process('spawn')",
    "multiprocessing forkserver": "process('forkserver')",
    "subprocess": "run()",
    "exec": "become()",
}

POOLS = {
    "pool closed": "{0}.Pool(2) as pool: pool.map(work, 'ab', 1); pool.close(); pool.join()",
    "pool terminated": "{0}.Pool(2) as pool: pool.map(work, 'ab', 1)",
    "executor": "ProcessPoolExecutor(2, mp_context={0}) as pool: list(pool.map(work, 'ab'))",
}


@dataclass(frozen=True)
class Row:
    """What is started and what is expected of it; ``statuses`` are those of the process itself and of its child."""

    arguments: tuple[str, str]
    status: int
    printed: str
    names: tuple[str, ...]


def _rows() -> Iterator[tuple[str, Row]]:
    for birth, start in BIRTHS.items():
        for death, (end, status) in DEATHS.items():
            arguments = (start, end)
            if birth in ("main", "exec"):
                names = ("child",) if birth == "main" else ("parent", "child")
                yield f"{birth}: {death}", Row(arguments, status, "", names)
            elif birth == "fork of a fork":
                yield f"{birth}: {death}", Row(arguments, 0, f"{status & 0xFF}\n", ("parent", "between", "child"))
            else:
                yield f"{birth}: {death}", Row(arguments, 0, f"{status}\n", ("parent", "child"))
    for method in ("fork", "spawn", "forkserver"):
        for kind, code in POOLS.items():
            statement = f"with {code.format(f'multiprocessing.get_context({method!r})')}"
            yield f"{kind}, {method}", Row((f"exec({statement!r})", ""), 0, "None\n", ("parent", "a", "b"))


ROWS = dict(_rows())
_SIDE_BY_SIDE = 4


@dataclass(frozen=True)
class Outcome:
    """A row that has been run."""

    done: Finished
    receiver: Receiver
    spans: list[Span]
    instance: str


@pytest.fixture(scope="module")
def outcomes(python: Path, mount: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Outcome]]:
    """Returns what a row's run came to; the first that asks starts all of them."""

    def run(row: Row) -> Outcome:
        with Receiver() as receiver:
            runner = Runner(pythons.without_packages(python), mount, receiver.endpoint, tmp_path_factory.mktemp("row"))
            runner.write(WORK, "work.py")
            runner.write(APP)
            # What is delivered within how long is test_exit's; here many end at once.
            done = runner.run(["main.py", *row.arguments], env={**HOURLY, "OTEL_INJECTION_EXIT_TIMEOUT": "20"})
            return Outcome(done, receiver, receiver.spans, runner.instance)

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:

        @functools.cache
        def started() -> dict[str, Future[Outcome]]:
            return {name: pool.submit(run, row) for name, row in ROWS.items()}

        yield lambda name: started()[name].result()
        for each in started().values():
            each.cancel()


@pytest.mark.parametrize("name", ROWS)
def test_nothing_is_lost_and_nothing_comes_twice(outcomes: Callable[[str], Outcome], name: str) -> None:
    row, outcome = ROWS[name], outcomes(name)
    assert (outcome.done.status, outcome.done.stdout, outcome.done.lines) == (row.status, row.printed, [])
    check_work(outcome.receiver, *row.names)
    _check_identities(outcome)


def _check_identities(outcome: Outcome) -> None:
    """Require one identity per process and one process per identity, except for what ``exec`` makes of a process."""
    processes = {(span.resource["process.pid"], span.resource["service.instance.id"]) for span in outcome.spans}
    assert len({pid for pid, _ in processes}) == len({instance for _, instance in processes}) == len(processes)
    numbers = sorted(str(instance).removeprefix(outcome.instance) for _, instance in processes)
    assert numbers == sorted(["", "-1", "-2"][: len(processes)])
