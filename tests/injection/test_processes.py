"""Every way to start a process: each span, measurement and record arrives once, each process has its own identity."""

from __future__ import annotations

import socket

import pytest

from tests.injection.running import Runner
from tests.injection.test_exit import HOURLY, WORK, check_work
from tests.receiver import Behaviour, Receiver

APP = """
import logging, multiprocessing, os, subprocess, sys, threading, time
from concurrent.futures import ProcessPoolExecutor
from work import work

def child(name):
    work(name)

def slow(name):
    work(name)
    time.sleep(0.3)

def nested(name):
    work(name)
    process = context.Process(target=child, args=(name + ".child",))
    process.start()
    process.join()
    assert process.exitcode == 0

context = multiprocessing.get_context(sys.argv[1]) if len(sys.argv) > 1 else multiprocessing

def start(target, *names):
    processes = [context.Process(target=target, args=(name,)) for name in names]
    for each in processes:
        each.start()
    for each in processes:
        each.join(20)
        assert each.exitcode == 0, each.exitcode

if __name__ == "__main__":
    work("parent")
"""

BIRTHS = {
    "Process": ("start(child, 'a', 'b')", ["a", "b"]),
    "nested": ("start(nested, 'a')", ["a", "a.child"]),
    "Pool": (
        "pool = context.Pool(2); pool.map(child, ['a', 'b', 'c'], 1); pool.close(); pool.join()",
        ["a", "b", "c"],
    ),
    "ProcessPoolExecutor": (
        "with ProcessPoolExecutor(2, mp_context=context) as pool: list(pool.map(child, ['a', 'b', 'c']))",
        ["a", "b", "c"],
    ),
}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("birth", BIRTHS)
@pytest.mark.parametrize("options", [[], ["-W", "error", "-X", "dev"]], ids=["", "strict"])
def test_children_of_multiprocessing_deliver_everything_once(
    runner: Runner, receiver: Receiver, method: str, birth: str, options: list[str]
) -> None:
    """Counters of a child start at zero; nothing is said on stderr, not even where every warning is an error."""
    code, names = BIRTHS[birth]
    runner.write(WORK, "work.py")
    runner.write(f"{APP}    {code}\n    work('parent again')\n")
    done = runner.run(["main.py", method], *options, env=HOURLY)
    assert (done.status, sorted(done.stderr.split("\n"))) == (0, sorted(["", "parent", *names, "parent again"]))
    check_work(receiver, "parent", *names, "parent again")


def test_a_child_by_fork_that_ends_by_itself_delivers_everything_once(runner: Runner, receiver: Receiver) -> None:
    runner.write(WORK, "work.py")
    runner.write(f"""{APP}
    pid = os.fork()
    if not pid:
        work("child")
        sys.exit()
    os.waitpid(pid, 0)
    """)
    assert runner.run(["main.py"], "-W", "error", env=HOURLY).status == 0
    check_work(receiver, "parent", "child")
    assert receiver.instances == {runner.instance, f"{runner.instance}-1"}


@pytest.mark.parametrize("how", ["subprocess", "os.system", "os.posix_spawn", "os.execv"])
def test_a_program_that_is_started_is_an_app_of_its_own(runner: Runner, receiver: Receiver, how: str) -> None:
    runner.write(WORK, "work.py")
    command = "[sys.executable, '-c', 'from work import work; work(\"child\")']"
    code = {
        "subprocess": f"subprocess.run({command}, check=True)",
        "os.system": "import shlex; os.system(shlex.join(" + command + "))",
        "os.posix_spawn": f"os.waitpid(os.posix_spawn(sys.executable, {command}, os.environ), 0)",
        "os.execv": f"time.sleep(0.5); os.execv(sys.executable, {command})",
    }[how]
    runner.write(f"{APP}    {code}\n")
    soon = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "100"}
    assert runner.run(["main.py"], env=soon).status == 0
    check_work(receiver, "parent", "child")
    taken_over = {runner.instance} if how == "os.execv" else {runner.instance, f"{runner.instance}-1"}
    assert receiver.instances == taken_over


def test_the_lowest_free_number_is_taken_again(runner: Runner, receiver: Receiver) -> None:
    runner.write(WORK, "work.py")
    runner.write(f"""{APP}
    for name in ("a", "b", "c"):
        start(child, name)
    start(slow, "d", "e", "f")
    """)
    assert runner.run(["main.py", "fork"], env=HOURLY).status == 0
    check_work(receiver, "parent", *"abcdef")
    taken = {span.name: span.resource["service.instance.id"].removeprefix(runner.instance) for span in receiver.spans}
    assert [taken[name] for name in ("parent", "a", "b", "c")] == ["", "-1", "-1", "-1"]
    assert {taken[name] for name in "def"} == {"-1", "-2", "-3"}


def test_a_fork_beside_a_thread_that_sets_the_sdk_up_neither_hangs_nor_loses_anything(
    runner: Runner, receiver: Receiver
) -> None:
    """Whatever moment of the set-up, and of the first export, the fork falls into."""
    runner.write(WORK, "work.py")
    runner.write("""
        import os, sys, threading, time
        from work import work
        delay = float(sys.argv[1])
        thread = threading.Thread(target=work, args=("first",))
        thread.start()
        time.sleep(delay)
        pid = os.fork()
        if not pid:
            work("child")
            sys.exit()
        assert os.waitpid(pid, 0)[1] == 0
        thread.join()
        work("parent")
    """)
    env = {"OTEL_BSP_SCHEDULE_DELAY": "1", "OTEL_BLRP_SCHEDULE_DELAY": "1"}
    for delay in (0, 0.01, 0.03, 0.06, 0.1, 0.15):
        receiver.clear()
        done = runner.run(["main.py", str(delay)], "-W", "ignore", env=env, timeout=20)
        assert (done.status, sorted(done.stderr.splitlines())) == (0, ["child", "first", "parent"])
        check_work(receiver, "first", "child", "parent")


def test_forks_in_quick_succession_keep_the_exports_going(runner: Runner, receiver: Receiver) -> None:
    """A process that forks more often than it exports must still export on time."""
    runner.write(WORK, "work.py")
    runner.write("""
        import os, time
        from work import work
        work("parent")
        end = time.monotonic() + 2
        while time.monotonic() < end:
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
            time.sleep(0.01)
        os.kill(os.getpid(), 9)
    """)
    env = {"OTEL_BSP_SCHEDULE_DELAY": "500", "OTEL_BLRP_SCHEDULE_DELAY": "500", "OTEL_METRIC_EXPORT_INTERVAL": "500"}
    assert runner.run(["main.py"], env=env).status == -9
    check_work(receiver, "parent")


def test_a_fork_is_not_held_up_by_a_collector_that_is_silent(runner: Runner) -> None:
    source = f"""{WORK}
    import os, time
    work("parent")
    time.sleep(0.5)
    start = time.monotonic()
    for _ in range(5):
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
    print(time.monotonic() - start < 1, flush=True)
    os._exit(0)
    """

    with socket.create_server(("127.0.0.1", 0)) as server:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.getsockname()[1]}",
            "OTEL_BSP_SCHEDULE_DELAY": "1",
            "OTEL_BLRP_SCHEDULE_DELAY": "1",
        }
        assert runner.run(source, env=env).stdout == "True\n"


def test_isolated_interpreters_within_a_process_run_as_without_injection(runner: Runner, receiver: Receiver) -> None:
    """The SDK needs daemon threads, which they do not allow; with less, Python 3.12 aborts at its end."""
    done = runner.compare("""
        import logging, sys
        if sys.version_info < (3, 12):
            sys.exit("they have no isolated ones")
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        logging.warning("before")
        for _ in range(2):
            each = interpreters.create()
            print(interpreters.run_string(each, "import logging; logging.warning('inside'); print(7, flush=True)"))
            interpreters.destroy(each)
        logging.warning("after")
    """)
    if not done.status:
        assert done.lines == []
        assert [log.body for log in receiver.logs] == ["before", "after"]


@pytest.mark.parametrize("threads", ["", "threading.Thread(target=time.sleep, args=(1,)).start()"], ids=["none", "own"])
def test_a_fork_beside_a_slow_export_warns_of_the_apps_own_threads_alone(
    runner: Runner, receiver: Receiver, threads: str
) -> None:
    receiver.behave(Behaviour(silent=True))
    source = f"""
        import logging, os, threading, time, warnings
        logging.getLogger("shop").warning("sold")
        time.sleep(0.5)
        {threads}
        for _ in range(2):
            pid = os.fork()
            if not pid:
                os._exit(len(warnings.filters))
            print(os.waitpid(pid, 0)[1] >> 8, len(warnings.filters))
    """
    runner.compare(source, env={"OTEL_BLRP_SCHEDULE_DELAY": "100", "OTEL_INJECTION_EXIT_TIMEOUT": "0.5"})
