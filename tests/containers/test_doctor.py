"""``kubectl exec POD -- python <mount>/doctor`` in set-ups that are broken on purpose: the cause is named.

Each is a container of its own, with the volume that the init container has filled, the operator's environment and a
read-only root file system; the doctor runs in it as the app's user, with what the container has.
"""

from __future__ import annotations

import json
import re
import shutil
import ssl
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from images.paths import ROOT
from tests.containers import bases
from tests.containers.pods import APP_USER, APPS, OPERATORS_COMMAND, ContainerApp, Copied, app, empty_dir, init
from tests.containers.pods import OPERATORS_MOUNT as MOUNT
from tests.grpc_collector import GrpcCollector
from tests.injection.harness import free_port, operator_env, request_all
from tests.receiver import Behaviour, Receiver
from tests.unit.otlp import servers

if TYPE_CHECKING:
    from images.engine.docker import Engine

_ONE_PYTHON = pytest.mark.parametrize("python", ["3.13"], indirect=True, scope="session")
_TWO_PYTHONS = pytest.mark.parametrize("python", ["3.11", "3.13"], indirect=True, scope="session")
"""How a process was started and what it is are looked at with two; what the collector answers hangs on none."""

QUICK = {
    "OTEL_BLRP_SCHEDULE_DELAY": "50",
    "OTEL_BSP_SCHEDULE_DELAY": "50",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    "OTEL_METRIC_EXPORT_INTERVAL": "500",
}

SHOP = """
import logging, sqlite3, time
while True:
    sqlite3.connect(":memory:").cursor().execute("select 1")
    logging.getLogger("shop").warning("sold")
    time.sleep(0.05)
"""
"""An app that is busy for ever: a span and a log record, twenty times a second."""

LOGS_ONLY = SHOP.replace('    sqlite3.connect(":memory:").cursor().execute("select 1")\n', "")
FAILING = SHOP.replace("select 1", "select nothing").replace("    sqlite3", "    try: sqlite3")
FAILING = FAILING.replace('nothing")\n', 'nothing")\n    except sqlite3.Error: pass\n')
OWN_PROVIDER = f"""
from opentelemetry import trace
class Provider(trace.NoOpTracerProvider): pass
trace.set_tracer_provider(Provider())
{SHOP}"""


@dataclass(frozen=True)
class Told:
    """What the doctor said, to people and to programs; processes by the command that they run."""

    status: int
    text: str
    report: dict[str, Any]

    @property
    def process(self) -> dict[str, Any]:
        """The only process of the container."""
        (process,) = self.report["processes"]
        return dict(process)

    def finding(self, code: str) -> dict[str, str]:
        """Return what it found under this code in the only process."""
        (found,) = [each for each in self.process["findings"] if each["code"] == code]
        return dict(found)


def consult(running: ContainerApp, user: str = "", complaints: str = "") -> Told:
    """Run the doctor twice, for people and for programs, which must be told the same.

    ``complaints`` is what the doctor's own process may say on stderr.
    """
    command = ["python", f"{MOUNT}/doctor"]
    status, text, stderr = running.execute([*command, "--json"], user)
    report = json.loads(text)
    again, text, _ = running.execute(command, user)
    assert (complaints in stderr, stderr.count("\n")) == (True, 1 if complaints else 0), stderr
    assert status == again == (0 if report["flows"] else 1), text
    assert text.splitlines()[-1] == report["verdict"]
    assert report["verdict"].startswith("telemetry flows" if report["flows"] else "telemetry does not flow")
    findings = [each["text"] for process in report["processes"] for each in process["findings"]]
    assert [each for each in findings if _numberless(each) not in _numberless(text)] == []
    return Told(status, text, report)


def _numberless(text: str) -> str:
    """Return a text without the counts, which go on between one look and the next."""
    return re.sub(r"\d+", "N", text)


@pytest.fixture(scope="module")
def volume(image: str) -> Iterator[Path]:
    """The volume as the init container leaves it."""
    with empty_dir() as folder:
        assert init(image, OPERATORS_COMMAND, {folder: (MOUNT, "rw")}) == Copied(0, "", "")
        yield folder


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """What the apps export to."""
    with Receiver() as running:
        yield running


@pytest.fixture(scope="session")
def old_python(engine: Engine) -> str:
    """An image with a Python that is not supported."""
    return bases.bare_image(engine, "3.9")


@pytest.fixture(scope="module")
def old_sdk(python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of an app that brings an OpenTelemetry of its own."""
    folder = tmp_path_factory.mktemp("packages")
    bases.install(python, ROOT / "requirements" / "own-opentelemetry.txt", folder)
    folder.chmod(0o755)
    return folder


Start = Callable[..., ContainerApp]
"""Starts an app of one file, or a command, in a container."""


@pytest.fixture
def start(base_image: str, volume: Path, receiver: Receiver, tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start_app(
            source: str = SHOP,
            command: Sequence[str] = ("python", "main.py"),
            *,
            env: Mapping[str, str] | None = None,
            without: Sequence[str] = (),
            folder: Path | None = None,
            image: str = base_image,
            payload: Path = volume,
            packages: Path | None = None,
            ready: str = "sold",
            times: int = 8,
            **options: Any,
        ) -> ContainerApp:
            if folder is None:
                folder = tmp_path / "app"
                folder.mkdir(mode=0o755)
                (folder / "main.py").write_text(textwrap.dedent(source))
            own = "/packages" if packages else None
            settings = operator_env(MOUNT, service="shop", endpoint=receiver.endpoint, app_pythonpath=own)
            settings = {**settings, **QUICK, **(env or {})}
            settings = {name: value for name, value in settings.items() if name not in without}
            volumes = {payload: (MOUNT, "rw"), **({packages: ("/packages", "ro")} if packages else {})}
            started = stack.enter_context(app(image, command, folder, settings, volumes, **options))
            started.wait_for_lines(ready, times)
            return started

        yield start_app


@_TWO_PYTHONS
def test_where_telemetry_flows_all_is_said_to_be_well(start: Start, receiver: Receiver, python: str) -> None:
    running = start()
    receiver.wait_for(lambda got: got.spans and got.logs and got.points)
    told = consult(running)
    process = told.process
    assert (told.status, process["injected"], process["findings"]) == (0, True, [])
    assert process["pid"] == 1
    assert process["python"].startswith(python)
    assert process["instance"] == receiver.spans[0].resource["service.instance.id"]
    assert process["libraries"]["sqlite3"] == {
        "result": "instrumented",
        "details": process["libraries"]["sqlite3"]["details"],
    }
    assert all(each["accepted"] for each in process["requests"])
    assert len(process["requests"]) == 3
    for signal in ("traces", "logs", "metrics"):
        assert process["counts"][signal]["exported"] > 0, signal
    assert "1  injected  python main.py" in told.text
    assert f"looked at by UID {APP_USER.partition(':')[0]} with Python {python}" in told.text


# ---------------------------------------------------------------- where nothing arrives


@contextmanager
def _nowhere() -> Iterator[str]:
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def _unknown() -> Iterator[str]:
    yield "http://collector.observability.invalid:4318"


@contextmanager
def _tls() -> Iterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with servers.Collector(context=context) as collector:
        yield collector.url


@contextmanager
def _plain_for_tls() -> Iterator[str]:
    with _tls() as url:
        yield url.replace("https:", "http:")


@contextmanager
def _tls_for_plain() -> Iterator[str]:
    with Receiver() as plain:
        yield plain.endpoint.replace("http:", "https:")


@contextmanager
def _answering(status: int) -> Iterator[str]:
    with Receiver() as refusing:
        refusing.behave(Behaviour(status=status))
        yield refusing.endpoint


ENDPOINTS: dict[str, tuple[Callable[[], Any], str]] = {
    "unknown host": (_unknown, "the host name cannot be looked up"),
    "refused": (_nowhere, "the connection is refused; check that a collector listens there"),
    "black hole": (servers.black_hole, "the time ran out while connecting"),
    "silent": (lambda: servers.listening(servers.silent), "the time ran out while"),
    "unauthorized": (lambda: _answering(401), "the answer is 401 Unauthorized; check OTEL_EXPORTER_OTLP_HEADERS"),
    "https to a plain port": (_tls_for_plain, "check that the port speaks TLS"),
    "http to a port for TLS": (_plain_for_tls, "the port speaks TLS; write https:// in OTEL_EXPORTER_OTLP_ENDPOINT"),
    "unknown authority": (_tls, "the server's certificate is not trusted"),
    "not a collector": (lambda: servers.listening(servers.garbage), "the answer is not HTTP"),
}


@_ONE_PYTHON
@pytest.mark.parametrize(("endpoint", "cause"), ENDPOINTS.values(), ids=ENDPOINTS)
def test_why_nothing_arrives_is_named(start: Start, endpoint: Callable[[], Any], cause: str) -> None:
    with endpoint() as url:
        told = consult(start(env={"OTEL_EXPORTER_OTLP_ENDPOINT": url}))
    assert (told.status, told.process["injected"]) == (1, True)
    assert [cause in each["text"] for each in told.process["requests"]] == [True] * 3, told.process["requests"]
    (error,) = [line for line in told.text.splitlines() if line.split()[:1] == ["ERROR"]]
    assert f"traces, metrics, logs cannot be sent to {url}: " in error
    assert cause in error
    assert told.finding("endpoint")["level"] == "error"


@_ONE_PYTHON
def test_a_grpc_port_spoken_to_in_http_works_and_is_said(start: Start) -> None:
    with GrpcCollector() as collector:
        told = consult(start(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}))
        assert {each.signal for each in collector.calls} >= {"traces", "logs"}
    assert (told.status, told.process["findings"]) == (0, [])
    assert any("is a port for gRPC: gRPC is used there" in str(each["notes"]) for each in told.process["requests"])
    assert "is a port for gRPC" in told.text


@_ONE_PYTHON
def test_a_collector_that_rejects_what_it_accepts_is_quoted(start: Start, receiver: Receiver) -> None:
    receiver.behave(Behaviour(rejected="quota of team shop is used up"))
    told = consult(start())
    assert told.status == 1
    found = [each for each in told.process["findings"] if each["code"] == "rejected"]
    assert {(each["level"], _numberless(each["text"])) for each in found} >= {
        ("error", f"the collector accepted N {each} and rejected N: quota of team shop is used up")
        for each in ("traces", "logs")
    }


# ---------------------------------------------------------------- where nothing is injected

STARTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "entrypoint sets PYTHONPATH": (
        {"command": ["sh", "-c", "PYTHONPATH=/srv/lib exec python main.py"]},
        "path_replaced",
        "PYTHONPATH is '/srv/lib', without the payload",
    ),
    "pod env replaces PYTHONPATH": ({"env": {"PYTHONPATH": "/srv/lib"}}, "path_replaced", "PYTHONPATH is '/srv/lib'"),
    "entrypoint drops PYTHONPATH": (
        {"command": ["env", "-u", "PYTHONPATH", "python", "main.py"]},
        "path_lost",
        "PYTHONPATH is not",
    ),
    "entrypoint clears all": (
        {"command": ["env", "-i", "/usr/local/bin/python", "main.py"]},
        "not_injected",
        "neither PYTHONPATH nor OTEL_*",
    ),
    "isolated": ({"command": ["python", "-I", "main.py"]}, "isolated", "started with -I"),
    "no environment": ({"command": ["python", "-uE", "main.py"]}, "isolated", "started with -E"),
    "sdk disabled": ({"env": {"OTEL_SDK_DISABLED": "true"}}, "sdk_disabled", "OTEL_SDK_DISABLED switches"),
    "kill switch": ({"env": {"OTEL_INJECTION_ENABLED": "false"}}, "disabled", "OTEL_INJECTION_ENABLED switches"),
}


@_TWO_PYTHONS
@pytest.mark.parametrize(("set_up", "code", "cause"), STARTS.values(), ids=STARTS)
def test_why_an_app_is_not_injected_is_named(start: Start, set_up: dict[str, Any], code: str, cause: str) -> None:
    told = consult(start(**set_up))
    assert (told.status, told.process["injected"]) == (1, False)
    assert [each["code"] for each in told.process["findings"]] == [code]
    assert cause in told.finding(code)["text"]
    assert "1  NOT injected  python" in told.text


@_TWO_PYTHONS
def test_an_app_with_an_older_sdk_is_as_any_other(start: Start, old_sdk: Path) -> None:
    assert consult(start(packages=old_sdk)).process["injected"] is True


@_ONE_PYTHON
def test_a_python_that_is_too_old_is_named(start: Start, old_python: str) -> None:
    told = consult(start(image=old_python), complaints="CPython 3.10 or newer is needed, this is 3.9")
    assert (told.status, told.process["injected"]) == (1, False)
    assert "Python 3.9 is not supported: CPython 3.10 or newer is needed" in told.finding("old_python")["text"]


@_TWO_PYTHONS
@pytest.mark.parametrize("missing", ["otel_injection", "otel_injection/doctor", "otel_injection/_vendor", "byte-code"])
def test_a_volume_that_was_filled_by_half_is_named(
    start: Start, volume: Path, tmp_path: Path, python: str, missing: str
) -> None:
    half = tmp_path / "half"
    shutil.copytree(volume, half, symlinks=True)
    if missing == "byte-code":
        bundle = half / "byte-code" / f"cpython-{python.replace('.', '')}.bundle"
        bundle.write_bytes(bundle.read_bytes()[:100_000])
    else:
        shutil.rmtree(half / missing)
    running = start(payload=half)
    for options in ([], ["--json"]):
        status, text, complaints = running.execute(["python", f"{MOUNT}/doctor", *options])
        assert status == 1
        assert "Traceback" not in text + complaints
        assert re.search(r"damaged \((No module named '\S+'|/\S+.bundle is damaged)\)", text), text


# ---------------------------------------------------------------- where something is missing


def _with_old_flask(folder: Path) -> None:
    """Put an app there that has a release of Flask that no instrumentation supports."""
    folder.mkdir(mode=0o755)
    (folder / "main.py").write_text(f"import flask\n{SHOP}")
    (folder / "flask").mkdir()
    (folder / "flask/__init__.py").write_text("")
    (folder / "flask-0.12.5.dist-info").mkdir()
    (folder / "flask-0.12.5.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: Flask\nVersion: 0.12.5\n")


@_ONE_PYTHON
def test_a_library_out_of_the_supported_range_is_named(start: Start, tmp_path: Path) -> None:
    _with_old_flask(tmp_path / "old")
    told = consult(start(folder=tmp_path / "old"))
    assert told.status == 0, "the rest of the app exports"
    assert told.finding("library")["text"].startswith("flask is not instrumented: ")
    assert "flask" in told.process["libraries"]
    assert "0.12.5" in told.text


LACKS: dict[str, tuple[int, str, dict[str, str], str, str]] = {
    "traces are not exported": (
        0,
        SHOP,
        {"OTEL_TRACES_EXPORTER": "none"},
        "no_exporter",
        "OTEL_TRACES_EXPORTER is 'none'",
    ),
    "all libraries disabled": (
        1,
        SHOP,
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"},
        "all_disabled",
        "=* disables all",
    ),
    "sampled out": (1, SHOP, {"OTEL_TRACES_SAMPLER": "always_off"}, "sampled_out", "no span is kept"),
    "a ratio of zero": (
        1,
        SHOP,
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
        "sampled_out",
        "no span is kept",
    ),
    "no trace ids": (0, LOGS_ONLY, {}, "no_trace_ids", "log records have trace_id=0"),
    "the app's own provider": (0, OWN_PROVIDER, {}, "own_opentelemetry", "sets up OpenTelemetry for traces itself"),
    "the app fails": (0, FAILING, {}, "app_fails", "the app itself is failing"),
}


@_ONE_PYTHON
@pytest.mark.parametrize(("status", "source", "env", "code", "cause"), LACKS.values(), ids=LACKS)
def test_what_an_injected_app_lacks_is_named(
    start: Start, status: int, source: str, env: dict[str, str], code: str, cause: str
) -> None:
    told = consult(start(source, env=env))
    assert (told.status, told.process["injected"]) == (status, True)
    assert cause in told.finding(code)["text"]
    assert cause in told.text


@_ONE_PYTHON
def test_without_any_exporter_nothing_flows(start: Start) -> None:
    none = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    told = consult(start(env=none))
    assert (told.status, told.process["requests"]) == (1, [])
    assert [(each["code"], each["level"]) for each in told.process["findings"]] == [("no_exporter", "error")] * 3
    assert "no traces leave the process: OTEL_TRACES_EXPORTER is 'none'" in told.text


# ---------------------------------------------------------------- several processes, several users


@_TWO_PYTHONS
def test_gunicorns_workers_are_told_apart(start: Start, receiver: Receiver) -> None:
    port = free_port()
    running = start(
        folder=APPS / "flask_app",
        command=["gunicorn", "--config", "gunicorn.conf.py", "shop:create_app()"],
        env={"BIND": f"127.0.0.1:{port}", "WORKERS": "2"},
        ready="Worker ready",
        times=2,
    )
    request_all(port, ["/users/7"] * 12)
    receiver.wait_for(lambda got: len({each.resource["process.pid"] for each in got.spans}) == 2)
    told = consult(running)
    master, *workers = told.report["processes"]
    assert (told.status, master["pid"], len(workers)) == (0, 1, 2)
    assert {each["command"] for each in told.report["processes"]} == {"python3 /usr/local/bin/gunicorn"}
    assert {each["instance"] for each in workers} == {
        str(each.resource["service.instance.id"]) for each in receiver.spans
    }
    assert sum(each["counts"]["traces"]["exported"] for each in workers) == 12
    assert all(each["injected"] for each in told.report["processes"])
    assert [each["findings"] for each in workers] == [[], []]


@_TWO_PYTHONS
def test_an_app_that_fails_its_own_health_check_is_told_from_telemetry_that_does_not_flow(
    start: Start, receiver: Receiver
) -> None:
    port = free_port()
    running = start(
        folder=APPS / "flask_app",
        command=["gunicorn", "--config", "gunicorn.conf.py", "shop:create_app()"],
        env={"BIND": f"127.0.0.1:{port}", "WORKERS": "1"},
        ready="Worker ready",
        times=1,
    )
    assert {status for status, _ in request_all(port, ["/boom"] * 6)} == {500}
    receiver.wait_for(lambda got: len(got.spans) == 6)
    told = consult(running)
    assert told.status == 0, "telemetry flows"
    _, worker = told.report["processes"]
    (found,) = [each for each in worker["findings"] if each["code"] == "app_fails"]
    assert found["text"].startswith("the app itself is failing: 6 of 6 spans")


HELPERS = f"""
import multiprocessing, threading
def child():
    exec({SHOP!r})
if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=child).start()
    threading.Event().wait()
"""


@_TWO_PYTHONS
def test_helper_processes_are_said_to_be_left_alone(start: Start) -> None:
    told = consult(start(HELPERS))
    assert told.status == 0
    processes = told.report["processes"]
    assert [(each["injected"], each["app"]) for each in processes] == [(True, True), (False, False), (True, True)]
    assert [each["code"] for each in processes[1]["findings"]] == ["helper"]
    assert "left alone: a helper of multiprocessing" in told.text
    assert processes[2]["counts"]["logs"]["exported"] > 0


@_ONE_PYTHON
def test_another_user_is_told_what_it_could_not_read(start: Start) -> None:
    told = consult(start(), user="20002:20002")
    assert (told.status, told.process["injected"], told.finding("unreadable")["level"]) == (1, None, "warning")
    assert "it belongs to UID 10001, this is 20002: run the doctor as that user" in told.text
    assert "1  perhaps injected  python main.py" in told.text


DROPPING = """
import os, sys
os.setgid(10001), os.setuid(10001)
os.execvp("python", ["python", "main.py"])
"""


@_ONE_PYTHON
def test_the_superuser_is_told_all_of_an_app_whose_entrypoint_has_changed_its_user(start: Start) -> None:
    told = consult(start(command=["python", "-c", DROPPING], user="0:0", cap_add=["SETUID", "SETGID"]))
    assert (told.status, told.process["user"], told.process["findings"]) == (0, 10001, [])


@_ONE_PYTHON
def test_a_process_that_has_changed_its_user_itself_is_said_to_be_guarded_by_the_kernel(start: Start) -> None:
    source = f"import os; os.setgid(10001); os.setuid(10001)\n{SHOP}"
    running = start(source, user="0:0", cap_add=["SETUID", "SETGID"])
    for user in ("0:0", "10001:10001"):
        told = consult(running, user)
        assert (told.status, told.process["injected"]) == (1, None)
        assert "only the capability SYS_PTRACE" in told.finding("unreadable")["text"]
