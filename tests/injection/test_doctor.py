"""The doctor names the cause: set-ups of the field that are broken on purpose, each in its own way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.injection.harness import free_port
from tests.injection.running import Runner
from tests.injection.test_door import old_pythons
from tests.receiver import Behaviour, Receiver

pytestmark = pytest.mark.newest_python

LOGS = "import logging; logging.getLogger('shop').warning('sold')"
QUICK = {"OTEL_BLRP_SCHEDULE_DELAY": "50", "OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}

Examine = Callable[..., dict[str, Any]]
"""Starts an app and returns what the doctor says of it."""


@contextmanager
def _running(command: list[str], folder: Path, env: Mapping[str, str]) -> Iterator[int]:
    with subprocess.Popen(
        command, cwd=folder, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            while process.stdout.readline().strip() != "ready":
                assert process.poll() is None
            yield process.pid
        finally:
            process.kill()


def consult(runner: Runner, *arguments: str, python: Path | None = None, injected: bool = False) -> tuple[int, str]:
    """Run the doctor; return its status and what it prints."""
    env = {"PATH": "/usr/bin:/bin", **(runner.operator if injected else {})}
    command = [str(python or runner.python), str(runner.mount / "doctor"), *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.fixture
def examine(runner: Runner) -> Iterator[Examine]:
    with ExitStack() as running:

        def start(
            source: str = LOGS,
            *options: str,
            env: Mapping[str, str] | None = None,
            without: tuple[str, ...] = (),
            python: Path | None = None,
        ) -> dict[str, Any]:
            runner.write(
                f"{source}\nimport time; time.sleep(0.3)\nprint('ready', flush=True)\nimport sys; sys.stdin.read()\n"
            )
            environment = {"PATH": "/usr/bin:/bin", **runner.operator, **QUICK, **(env or {})}
            environment = {name: value for name, value in environment.items() if not name.startswith(without or ("-",))}
            command = [str(python or runner.python), *options, "main.py"]
            pid = running.enter_context(_running(command, runner.folder, environment))
            status, text = consult(runner, "--json", str(pid))
            report = json.loads(text)
            assert status == (0 if report["flows"] else 1)
            (process,) = report["processes"]
            assert process["pid"] == pid
            return {**process, "flows": report["flows"], "codes": {each["code"] for each in process["findings"]}}

        yield start


def _text(process: dict[str, Any], code: str) -> str:
    (found,) = {each["text"] for each in process["findings"] if each["code"] == code}
    return str(found)


def test_an_app_whose_telemetry_flows_is_told_so(runner: Runner, examine: Examine) -> None:
    found = examine("import sqlite3; sqlite3.connect(':memory:').cursor().execute('select 1')\n" + LOGS)
    assert (found["flows"], found["injected"], found["instance"]) == (True, True, runner.instance)
    assert {each["level"] for each in found["findings"]} <= {"info"}
    assert found["libraries"]["sqlite3"]["result"] == "instrumented"
    assert found["libraries"]["flask"]["result"] == "not imported"
    assert [(each["signal"], each["accepted"]) for each in found["requests"]] == [
        ("traces", True),
        ("metrics", True),
        ("logs", True),
    ]
    assert found["counts"]["traces"]["exported"] == 1


BROKEN_STARTS: list[tuple[str, dict[str, Any], tuple[str, ...], str, str]] = [
    ("the path is lost", {"without": ("PYTHONPATH",)}, (), "path_lost", "PYTHONPATH is not"),
    ("the path is replaced", {"env": {"PYTHONPATH": "/srv/lib"}}, (), "path_replaced", "PYTHONPATH is '/srv/lib'"),
    ("nothing arrives", {"without": ("PYTHONPATH", "OTEL_")}, (), "not_injected", "neither PYTHONPATH nor OTEL_*"),
    ("isolated", {}, ("-I",), "isolated", "started with -I"),
    ("no environment", {}, ("-uE",), "isolated", "started with -E"),
    ("no site", {}, ("-S",), "isolated", "started with -S"),
    ("kill switch", {"env": {"OTEL_INJECTION_ENABLED": "false"}}, (), "disabled", "OTEL_INJECTION_ENABLED"),
    ("sdk disabled", {"env": {"OTEL_SDK_DISABLED": "true"}}, (), "sdk_disabled", "OTEL_SDK_DISABLED"),
    ("a tool", {"env": {"OTEL_INJECTION_SKIP": "main"}}, (), "tool", "OTEL_INJECTION_SKIP"),
    (
        "no payload",
        {"env": {"PYTHONPATH": "/gone/opentelemetry/instrumentation/auto_instrumentation:/gone"}},
        (),
        "no_payload",
        "/gone/opentelemetry",
    ),
]


@pytest.mark.parametrize(
    ("keywords", "options", "code", "cause"),
    [each[1:] for each in BROKEN_STARTS],
    ids=[each[0] for each in BROKEN_STARTS],
)
def test_why_an_app_is_not_injected_is_named(
    examine: Examine, keywords: dict[str, Any], options: tuple[str, ...], code: str, cause: str
) -> None:
    found = examine(LOGS, *options, **keywords)
    assert (found["flows"], found["injected"], found["codes"]) == (False, False, {code})
    assert cause in _text(found, code)


def test_a_python_that_is_too_old_is_named(examine: Examine) -> None:
    pythons = [each for each in old_pythons() if "2.7" not in str(each)]
    if not pythons:
        pytest.skip("this host has no Python that is too old")
    for python in pythons:
        found = examine("pass", python=python)
        assert (found["injected"], found["codes"]) == (False, {"old_python"})
        assert python.name.removeprefix("python") in _text(found, "old_python")


def test_a_damaged_payload_is_named(runner: Runner, examine: Examine, copy_tree: Callable[[str], Path]) -> None:
    mount = copy_tree("damaged")
    shutil.rmtree(mount / "byte-code", ignore_errors=True)  # so that the sources count
    (mount / "otel_injection" / "imports" / "hooks.py").write_text("(")
    for cached in mount.glob("otel_injection/__pycache__/hooks.*"):
        cached.unlink()
    env = {"PYTHONPATH": f"{mount}/opentelemetry/instrumentation/auto_instrumentation:{mount}"}
    found = examine(env=env)
    assert (found["injected"], found["codes"]) == (False, {"damaged"})
    assert "hooks.py" in _text(found, "damaged")


def test_an_app_with_an_older_sdk_is_as_any_other(own_runner: Runner, runner: Runner, examine: Examine) -> None:
    found = examine("import opentelemetry.sdk.trace, logging; logging.warning('sold')", python=own_runner.python)
    assert found["injected"] is True


def _answering(status: int) -> Callable[[Receiver], dict[str, str]]:
    def prepare(receiver: Receiver) -> dict[str, str]:
        receiver.behave(Behaviour(status=status))
        return {}

    return prepare


ENDPOINTS: list[tuple[str, Callable[[Receiver], dict[str, str]], str]] = [
    ("refused", lambda _: {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}, "connection is refused"),
    ("unknown host", lambda _: {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.invalid:4318"}, "cannot be looked up"),
    ("unauthorized", _answering(401), "check OTEL_EXPORTER_OTLP_HEADERS"),
    ("forbidden", _answering(403), "check OTEL_EXPORTER_OTLP_HEADERS"),
    ("wrong path", lambda got: {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{got.endpoint}/otlp"}, "the answer is 404"),
    ("tls", lambda got: {"OTEL_EXPORTER_OTLP_ENDPOINT": got.endpoint.replace("http:", "https:")}, "TLS failed"),
    ("http for grpc", lambda _: {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "does not speak gRPC"),
]


@pytest.mark.parametrize(("prepare", "cause"), [each[1:] for each in ENDPOINTS], ids=[each[0] for each in ENDPOINTS])
def test_why_nothing_arrives_is_named(
    examine: Examine, receiver: Receiver, prepare: Callable[[Receiver], dict[str, str]], cause: str
) -> None:
    found = examine(env=prepare(receiver))
    assert (found["flows"], found["injected"]) == (False, True)
    assert "endpoint" in found["codes"]
    assert all(cause in each["text"] for each in found["requests"]), found["requests"]


def test_a_silent_collector_is_named_within_seconds(examine: Examine, receiver: Receiver) -> None:
    receiver.behave(Behaviour(silent=True))
    found = examine()
    assert all("the time ran out" in each["text"] for each in found["requests"])


OWN_SDK = """
from opentelemetry import trace
class Provider(trace.NoOpTracerProvider):
    pass
trace.set_tracer_provider(Provider())
import sqlite3
sqlite3.connect(":memory:").cursor().execute("select 1")
"""

FAILING = """
import sqlite3
for _ in range(3):
    try:
        sqlite3.connect(":memory:").cursor().execute("select nothing")
    except sqlite3.Error:
        pass
"""


@pytest.mark.parametrize(
    ("source", "env", "code", "cause"),
    [
        ("pass", {}, "nothing_to_instrument", "imported nothing that is instrumented"),
        ("import sqlite3", {}, "unused", "send it a request; instrumented are sqlite3"),
        (LOGS, {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"}, "all_disabled", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"),
        (LOGS, {"OTEL_TRACES_EXPORTER": "none"}, "no_exporter", "OTEL_TRACES_EXPORTER is 'none'"),
        (LOGS, {"OTEL_TRACES_SAMPLER": "always_off"}, "sampled_out", "OTEL_TRACES_SAMPLER"),
        (LOGS, {}, "no_trace_ids", "trace_id=0"),
        (OWN_SDK, {}, "own_opentelemetry", "sets up OpenTelemetry for traces itself"),
        (FAILING, {}, "app_fails", "3 of 3 spans"),
    ],
)
def test_what_an_injected_app_lacks_is_named(
    examine: Examine, source: str, env: dict[str, str], code: str, cause: str
) -> None:
    found = examine(source, env=env)
    assert found["injected"]
    assert code in found["codes"]
    assert cause in _text(found, code)


def test_secrets_are_not_shown(runner: Runner, examine: Examine) -> None:
    env = {
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20hush,x-team=hush",
        "HTTP_PROXY": "http://me:hush@127.0.0.1:1",
        "NO_PROXY": "127.0.0.1",
        "OTHER_TOKEN": "hush",
    }
    found = examine(env=env)
    assert "hush" not in str(found)
    assert ["OTEL_EXPORTER_OTLP_HEADERS", "authorization=***,x-team=***"] in found["settings"]


def test_people_read_lines_and_any_python_prints_them(runner: Runner, examine: Examine) -> None:
    pid = str(examine()["pid"])
    status, text = consult(runner, pid)
    assert status == 0
    assert f"{pid}  injected  python3.13 main.py" in text or f"{pid}  injected" in text
    assert text.rstrip().endswith("telemetry flows")
    assert consult(runner, pid, injected=True) == (status, text.replace("", ""))
    for python in [each for each in old_pythons() if "2.7" not in str(each)]:
        assert f"{pid}  injected" in consult(runner, pid, python=python)[1]
    assert consult(runner, "--wrong")[0] == 2


def test_a_process_of_somebody_else_is_said_not_to_be_readable(runner: Runner, examine: Examine) -> None:
    if os.getuid() != 0:
        pytest.skip("only the superuser can start a process as somebody else")
    pid = str(examine()["pid"])
    command = ["/usr/bin/python3", "-c", "import sys; sys.path.insert(0, sys.argv[1])"]
    tree = Path("/tmp") / f"doctor-{pid}"
    subprocess.run(["cp", "-r", str(runner.mount), str(tree)], check=True)
    try:
        command = ["/usr/bin/python3", str(tree / "doctor"), "--json", pid]
        done = subprocess.run(command, user=65534, capture_output=True, text=True, check=False, cwd="/", env={})
        (process,) = json.loads(done.stdout)["processes"]
        assert (process["injected"], [each["code"] for each in process["findings"]]) == (None, ["unreadable"])
        assert "belongs to UID 0" in process["findings"][0]["text"]
    finally:
        subprocess.run(["rm", "-rf", str(tree)], check=True)


def test_a_configuration_file_is_named_and_its_endpoints_are_asked(
    examine: Examine, receiver: Receiver, tmp_path: Path
) -> None:
    file = tmp_path / "otel.yaml"
    exporter = "exporter: {otlp_http: {endpoint: '${COLLECTOR}/v1/logs', headers: [{name: x-key, value: k}]}}"
    file.write_text(
        f'file_format: "1.0"\nlogger_provider: {{processors: [{{batch: {{schedule_delay: 50, {exporter}}}}}]}}'
    )
    env = {
        "OTEL_CONFIG_FILE": str(file),
        "COLLECTOR": receiver.endpoint,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
    }
    found = examine(LOGS, env=env)
    assert found["flows"]
    assert [(each["signal"], each["endpoint"]) for each in found["requests"]] == [
        ("logs", f"{receiver.endpoint}/v1/logs")
    ]
    assert f"{file} is in force" in _text(found, "configuration_file")
    assert {f"no traces leave the process: {file} has no exporter for them"} <= {
        each["text"] for each in found["findings"]
    }
    assert {each.headers.get("x-key") for each in receiver.requests} == {"k"}


def test_a_configuration_file_that_is_broken_is_named(examine: Examine, tmp_path: Path) -> None:
    file = tmp_path / "otel.yaml"
    file.write_text('file_format: "1.0"\nlogger_provider: {}')
    found = examine(LOGS, env={"OTEL_CONFIG_FILE": str(file)})
    assert not found["flows"]
    assert "line 2: logger_provider: lacks 'processors'" in _text(found, "sdk_failed")
