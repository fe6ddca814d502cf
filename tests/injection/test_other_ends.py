"""Ends of a process that are not the usual ones: what is buffered arrives all the same."""

from __future__ import annotations

import signal

import pytest

from tests.injection.running import Runner
from tests.injection.test_exit import HOURLY
from tests.receiver import Receiver

SIGNALS = ("SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGTERM", "SIGINT")

EXITS = {
    "from os import _exit": "from os import _exit\nimport logging\nlogging.getLogger('shop').error('sold')\n_exit(5)",
    "under another name, in another module": """
        import logging, leaving
        logging.getLogger("shop").error("sold")
        leaving.leave(5)
    """,
    "from posix": "from posix import _exit as end\nimport logging\nlogging.getLogger('shop').error('sold')\nend(5)",
    "execv": """
        from os import execv
        import logging, sys
        logging.getLogger("shop").error("sold")
        execv(sys.executable, [sys.executable, "-c", "raise SystemExit(5)"])
    """,
}


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("way", ["sent", "its own"])
def test_a_signal_that_nobody_handles_loses_nothing(runner: Runner, receiver: Receiver, name: str, way: str) -> None:
    kill = f"os.kill(os.getpid(), signal.{name})"
    if way == "sent":
        kill = f"os.system(f'(sleep 0.2; kill -{name[3:]} {{os.getpid()}}) >/dev/null 2>&1 &')"
    prepare = "signal.signal(signal.SIGINT, signal.SIG_DFL)" if name == "SIGINT" else ""
    done = runner.compare(
        f"""
        import logging, os, resource, signal, time
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        {prepare}
        logging.getLogger("shop").error("sold")
        print(signal.getsignal(signal.{name}), flush=True)
        {kill}
        time.sleep(20)
        """,
        env=HOURLY,
    )
    assert done.status == -getattr(signal, name)
    assert [log.body for log in receiver.logs] == ["sold"]


@pytest.mark.parametrize("name", ["SIGHUP", "SIGALRM", "SIGUSR1"])
def test_a_handler_of_the_apps_is_called_whenever_it_was_set(runner: Runner, receiver: Receiver, name: str) -> None:
    done = runner.compare(
        f"""
        import logging, os, signal, time
        logging.getLogger("shop").error("sold")
        print(signal.signal(signal.{name}, lambda *_: print("handled", flush=True)))
        os.kill(os.getpid(), signal.{name})
        signal.signal(signal.{name}, signal.SIG_IGN)
        os.kill(os.getpid(), signal.{name})
        signal.signal(signal.{name}, signal.SIG_DFL)
        os.kill(os.getpid(), signal.{name})
        time.sleep(20)
        """,
        env=HOURLY,
    )
    assert "handled" in done.stdout
    assert [log.body for log in receiver.logs] == ["sold"]


@pytest.mark.parametrize("case", EXITS)
def test_a_function_that_was_taken_from_os_before_loses_nothing(runner: Runner, receiver: Receiver, case: str) -> None:
    runner.write("from os import _exit as leave", "leaving.py")
    assert runner.compare(EXITS[case], env=HOURLY).status == 5
    assert [log.body for log in receiver.logs] == ["sold"]
