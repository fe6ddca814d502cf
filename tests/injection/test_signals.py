"""Signals that nobody handles: what is buffered is sent within its deadline, and the process ends by the signal."""

from __future__ import annotations

import pytest

from tests.injection.running import Runner
from tests.injection.test_exit import HOURLY, LONGER, WORK, check_work, collector
from tests.receiver import Behaviour, Receiver

BY_OTHERS = """
    import os, signal, sys, time
    def killed_by(name):
        os.system(f"(sleep 0.2; kill -{name} {os.getpid()}) >/dev/null 2>&1 &")
"""


@pytest.mark.newest_python
@pytest.mark.parametrize("kind", ["refuses", "cannot be looked up", "drops connections", "is silent", "is busy"])
@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("killed_by('TERM'); time.sleep(30)", -15),
        ("os.kill(os.getpid(), 15)", -15),
        ("os._exit(5)", 5),
        ("os.execv('/bin/false', ['false'])", 1),
        ("os.fork() or (work('child'), os._exit(5)); print(os.wait()[1] >> 8)", 0),
    ],
    ids=["SIGTERM", "os.kill", "os._exit", "os.execv", "child"],
)
def test_a_process_ends_soon_whatever_the_collector_does(
    runner: Runner, receiver: Receiver, kind: str, end: str, status: int
) -> None:
    program = f"{WORK}{BY_OTHERS}\n    work('last')\n    {end}"
    healthy = runner.run(program, env=HOURLY)
    with collector(kind, receiver) as endpoint:
        injected = runner.run(program, env={**HOURLY, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
    deadlines = 2 if "fork" in end else 1
    assert injected.seconds < healthy.seconds + deadlines * LONGER
    assert injected.status == healthy.status == status


def test_the_disposition_stays_the_default_one(runner: Runner) -> None:
    runner.compare("""
        import asyncio, signal, logging
        logging.getLogger("shop").warning("sold")
        print(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))
        print(signal.signal(signal.SIGTERM, signal.SIG_IGN), signal.getsignal(signal.SIGTERM))
        print(signal.signal(signal.SIGTERM, signal.SIG_DFL), signal.getsignal(signal.SIGTERM))
        async def main():
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, print, "handled")
            signal.raise_signal(signal.SIGTERM)
            await asyncio.sleep(0.1)
            print(loop.remove_signal_handler(signal.SIGTERM))
        asyncio.run(main())
        print(signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1))
        try:
            signal.signal(1000, print)
        except ValueError as error:
            print(error)
    """)


@pytest.mark.parametrize("prepare", ["pass", "work('first')"])
def test_an_apps_handler_runs_once(runner: Runner, receiver: Receiver, prepare: str) -> None:
    """Whether it was set before or after the SDK was."""
    source = f"""{WORK}{BY_OTHERS}
    {prepare}
    def handle(*_):
        print("handled")
        sys.exit(9)
    signal.signal(signal.SIGTERM, handle)
    work("then")
    killed_by("TERM")
    time.sleep(30)
    """
    done = runner.run(source, env=HOURLY)
    assert (done.status, done.stdout, done.lines) == (9, "handled\n", [])
    check_work(receiver, *(["first"] if prepare != "pass" else []), "then")


def test_a_signal_that_is_ignored_is_ignored(runner: Runner, receiver: Receiver) -> None:
    source = f"""{WORK}{BY_OTHERS}
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    work("only")
    killed_by("TERM")
    time.sleep(1)
    print("still there")
    """
    assert runner.run(source, env=HOURLY).stdout == "still there\n"
    check_work(receiver, "only")


def test_process_1_goes_on_ignoring_and_what_it_had_is_sent(runner: Runner, receiver: Receiver) -> None:
    """Of a PID namespace, as an app is in its container: SIGTERM by default does nothing to it."""
    source = f"""{WORK}
    import os, time
    work("before")
    os.system("(sleep 0.2; kill -TERM 1; sleep 1; kill -TERM 1) >/dev/null 2>&1 &")
    time.sleep(1)
    work("between")
    time.sleep(1.5)
    print("still there", os.getpid(), flush=True)
    os.kill(os.getpid(), 15)
    work("after")
    os.kill(os.getppid() or os.getpid(), 0)
    print("ends by itself", flush=True)
    """
    runner.write(source)
    done = runner.run(
        ["-c", "import os, sys; os.execvp('unshare', ['unshare', '-rpf', sys.executable, 'main.py'])"], env=HOURLY
    )
    assert (done.status, done.stdout) == (0, "still there 1\nends by itself\n")
    check_work(receiver, "before", "between", "after")


def test_an_app_that_closes_all_files_can_still_be_ended(runner: Runner) -> None:
    source = f"""{WORK}{BY_OTHERS}
    work("lost")
    killed_by("TERM")
    os.closerange(3, 256)
    with open("data.txt", "wb", buffering=0) as data:
        for _ in range(12):
            os.dup(data.fileno())
        time.sleep(30)
    """
    assert runner.run(source, env=HOURLY).status == -15
    assert (runner.folder / "data.txt").read_bytes() == b""


def test_leaving_has_no_frames_of_ours(runner: Runner) -> None:
    """What is raised on the way out looks as without us."""
    runner.compare("""
        import logging, os, signal, subprocess, threading, traceback
        logging.getLogger("shop").warning("sold")
        for leave in (
            lambda: os.execv("nowhere", ["x"]),
            lambda: os.execvp("nowhere", ["x"]),
            lambda: os._exit("one"),
            lambda: signal.signal(1000, print),
            lambda: signal.raise_signal(signal.SIGINT),
            lambda: os.kill(os.getpid(), signal.SIGINT),
        ):
            try:
                leave()
            except BaseException:
                traceback.print_exc()
        print(os._exit.__name__, os._exit.__doc__, os.fork.__name__, os.execv.__qualname__, callable(os._exit))
        pid = os.fork()
        if not pid:
            os._exit(3)
        print(os.waitpid(pid, 0)[1])
        print(subprocess.run(["true"], preexec_fn=lambda: None).returncode)
        # After the fork: Python 3.12 warns of a thread that has ended but a moment ago, without us as well.
        thread = threading.Thread(target=signal.signal, args=(15, print))
        thread.start()
        thread.join()
    """)


def test_a_second_signal_changes_nothing(runner: Runner, receiver: Receiver) -> None:
    receiver.behave(Behaviour(silent=True))
    source = f"""{WORK}{BY_OTHERS}
    work("lost")
    killed_by("TERM")
    killed_by("TERM")
    time.sleep(30)
    """
    done = runner.run(source, env=HOURLY)
    assert done.status == -15
    assert "Traceback" not in done.stderr


def test_a_handler_that_raises_during_the_last_export_is_not_heard_of(runner: Runner, receiver: Receiver) -> None:
    """Without us, the process would have been gone by then."""
    receiver.behave(Behaviour(silent=True))
    source = f"""{WORK}{BY_OTHERS}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
    work("lost")
    os.system(f"(sleep 0.3; kill -TERM {{os.getpid()}}; sleep 1; kill -TERM {{os.getpid()}}) >/dev/null 2>&1 &")
    time.sleep(30)
    """
    done = runner.run(source, env=HOURLY)
    assert done.status == 9
    assert "Traceback" not in done.stderr


GREEN = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "gevent without threads": "from gevent import monkey; monkey.patch_all(thread=False, select=False)",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
}


@pytest.mark.parametrize("library", GREEN)
def test_greenlets_end_as_threads_do(framework_runner: Runner, receiver: Receiver, library: str) -> None:
    source = f"""
    {GREEN[library]}{WORK}{BY_OTHERS}
    import threading
    working = threading.Thread(target=work, args=("in a greenlet",))
    working.start()
    working.join()
    killed_by("TERM")
    time.sleep(30)
    """
    done = framework_runner.run(source, env=HOURLY)
    assert (done.status, done.lines) == (-15, [])
    check_work(receiver, "in a greenlet")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("library", GREEN)
def test_processes_of_greenlets_export_when_they_end(
    framework_runner: Runner, receiver: Receiver, library: str, host: str
) -> None:
    """gevent's threads look up hosts, and Python 3.12 starts none when it ends."""
    source = f"""
    {WORK}
    work("before")
    {GREEN[library]}
    work("after")
    """
    endpoint = receiver.endpoint.replace("127.0.0.1", host)
    done = framework_runner.run(source, env={**HOURLY, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
    assert (done.status, done.lines) == (0, [])
    assert "Exception ignored" not in done.stderr
    check_work(receiver, "before", "after")


def test_a_busy_process_always_ends_by_the_signal(runner: Runner) -> None:
    """Wherever it is: Python's own way to write from a signal handler, ``faulthandler``, crashes one in fifty."""
    runner.write(f"""{WORK}
    import json, sys
    work("first")
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
    def numbers():
        for each in range(50):
            yield [fibonacci(5)] + [1 for _ in range(each)]
    print("ready", flush=True)
    while True:
        for each in numbers():
            sorted(json.dumps(each), key=lambda letter: letter)
    """)
    runner.write(
        """
        import collections, random, subprocess, sys, time
        ends = collections.Counter()
        for _ in range(30):
            app = [sys.executable, "main.py"]
            with subprocess.Popen(app, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as app:
                app.stdout.read(1)
                time.sleep(random.random() / 200)
                app.terminate()
                ends[app.wait(10)] += 1
        print(dict(ends))
    """,
        "kill.py",
    )
    assert runner.run(["kill.py"], env={"OTEL_INJECTION_SKIP": "kill"}).stdout == "{-15: 30}\n"
