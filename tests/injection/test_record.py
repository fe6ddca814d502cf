"""The record: what was decided for each process, and what became of it, can be read from beside it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from otel_injection.doctor import records
from tests.injection.running import Runner
from tests.receiver import Receiver

Started = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def waiting(runner: Runner) -> Iterator[Started]:
    """Starts a program that waits for a line on its standard input at its end; returns when it says ``ready``."""
    with ExitStack() as running:

        def start(source: str, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
            runner.write(f"{source}\nprint('ready', flush=True)\ninput()\n")
            return running.enter_context(_process(runner, arguments or ("main.py",), env or {}))

        yield start


@contextmanager
def _process(runner: Runner, arguments: tuple[str, ...], env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **runner.operator, **env}
    command = [str(runner.python), *arguments]
    with subprocess.Popen(
        command, cwd=runner.folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            while process.stdout.readline().strip() != "ready":
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def _read(process: subprocess.Popen[str], until: Callable[[dict[str, Any]], object] = bool) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while not until(record := records.read(process.pid) or {}):
        assert time.monotonic() < deadline, record
        time.sleep(0.05)
    return record


def test_an_injected_process_says_who_it_is_and_that_it_is_injected(runner: Runner, waiting: Started) -> None:
    process = waiting("")
    record = _read(process)
    started = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
    assert record["pid"] == process.pid
    assert int(started) <= record["since_boot"] < int(started) + 500  # hundredths of a second
    assert (record["result"], record["payload"]) == ("injected", str(runner.mount))
    assert record.get("libraries", {}) == {}


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({"OTEL_INJECTION_ENABLED": "false"}, "disabled"),
        ({"OTEL_SDK_DISABLED": "true"}, "sdk_disabled"),
        ({"OTEL_INJECTION_SKIP": "main"}, "tool"),
    ],
)
def test_a_process_that_is_left_alone_says_why(waiting: Started, env: dict[str, str], reason: str) -> None:
    record = _read(waiting("", env=env))
    assert (record["result"], record["reason"]) == ("skipped", reason)
    assert record["details"]


def test_a_damaged_payload_is_a_reason(runner: Runner, waiting: Started, copy_tree: Callable[[str], Path]) -> None:
    mount = copy_tree("damaged")
    shutil.rmtree(mount / "byte-code", ignore_errors=True)  # so that the sources count
    (mount / "otel_injection" / "imports" / "hooks.py").write_text("(")
    for cached in mount.glob("otel_injection/__pycache__/hooks.*"):
        cached.unlink()
    runner.operator["PYTHONPATH"] = f"{mount}/opentelemetry/instrumentation/auto_instrumentation:{mount}"
    record = _read(waiting("import logging"))
    assert (record["result"], record["reason"]) == ("failed", "damaged")
    assert "hooks.py" in record["details"]


def test_libraries_the_sdk_and_the_counts_are_told(runner: Runner, waiting: Started, receiver: Receiver) -> None:
    source = "import logging, sqlite3\nfor each in range(3): logging.getLogger('shop').warning('sold')\n"
    process = waiting(source, env={"OTEL_BLRP_SCHEDULE_DELAY": "50", "OTEL_EXPORTER_OTLP_HEADERS": "key=secret"})
    record = _read(process, lambda record: record["counts"])
    assert record["libraries"]["sqlite3"]["result"] == "instrumented"
    assert record["sdk"]["instance"] == runner.instance
    logs = {"exporter": "otlp", "protocol": "http/protobuf", "endpoint": f"{receiver.endpoint}/v1/logs"}
    assert record["sdk"]["exporters"]["logs"] == [logs]
    assert (record["counts"]["logs"]["exported"], record["counts"]["logs"]["failed"]) == (3, 0)
    assert "secret" not in str(record)


def test_why_an_export_failed_is_told(waiting: Started) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TIMEOUT": "3"}
    source = "import logging; logging.getLogger('shop').warning('sold')"
    record = _read(waiting(source, env={**env, "OTEL_BLRP_SCHEDULE_DELAY": "50"}), lambda record: record["counts"])
    assert record["counts"]["logs"]["failed"] == 1
    assert "refused" in record["counts"]["logs"]["problem"]


def test_a_forked_child_has_its_parents_record_until_it_has_an_sdk_of_its_own(waiting: Started) -> None:
    process = waiting("""
import logging, os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
logging.getLogger("shop").warning("parent")
if os.fork() == 0:
    signal.sigwait([signal.SIGUSR1])
    logging.getLogger("shop").warning("child")
    signal.pause()
""")
    child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    try:
        inherited = records.read(child) or {}
        assert inherited["pid"] == process.pid
        os.kill(child, signal.SIGUSR1)
        deadline = time.monotonic() + 10
        while (own := records.read(child) or {})["pid"] != child or "sdk" not in own:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert own["sdk"]["instance"] == f"{inherited['sdk']['instance']}-1"
        assert own["result"] == "injected"
        assert _read(process)["pid"] == process.pid
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_apps_own_files_have_the_numbers_that_they_have_without_us(runner: Runner) -> None:
    runner.compare("""
        import logging, os
        opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
        logging.getLogger("shop").warning("sold")
        print(opened)
    """)


def test_an_app_that_closes_all_files_loses_the_record_and_nothing_else(
    runner: Runner, waiting: Started, receiver: Receiver
) -> None:
    process = waiting("""
import logging, os
os.closerange(3, 1024)
os.dup2(os.open("file", os.O_RDWR | os.O_CREAT), 1023)
logging.getLogger("shop").warning("sold")
""")
    receiver.wait_for(lambda got: got.logs)
    assert records.read(process.pid) is None
    assert (runner.folder / "file").read_bytes() == b""


def test_a_low_limit_of_files_costs_none_that_the_app_uses(waiting: Started, runner: Runner) -> None:
    shell = f"ulimit -n 64; exec {runner.python} -c \"print('ready', flush=True); input()\""
    environment = {"PATH": "/usr/bin:/bin", **runner.operator}
    with subprocess.Popen(
        ["sh", "-c", shell], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        assert _read(process)["result"] == "injected"
        process.communicate("\n")


def test_a_sandbox_without_such_files_costs_the_record_alone(runner: Runner) -> None:
    runner.write("import os\ndel os.memfd_create\nimport otel_injection.record as r; r._pid = 0; r.decide('injected')")
    assert runner.run(["main.py"]).own == (0, "", "")


def test_texts_from_outside_are_valid_json(waiting: Started) -> None:
    process = waiting("""
from otel_injection import record
record.decide("injected", details='"quoted" \\\\ \\n \\x00 \\x1f \\x7f \\u2028 é \\udc80')
""")
    assert _read(process)["details"] == '"quoted" \\ \n \x00 \x1f \x7f \u2028 é \udc80'
