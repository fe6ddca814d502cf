"""Apps that bring OpenTelemetry themselves: their own set-up wins, early or late, and nothing comes twice."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.injection import pythons
from tests.injection.running import Finished, Runner
from tests.receiver import Receiver

SET_UP = """
import json, sys
from opentelemetry import metrics, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader, ConsoleMetricExporter

def own(kind, names):
    print(json.dumps({kind: names}), flush=True)

def spans(span):
    own("span", span.name)
    return ""

def points(data):
    own("metrics", [m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics])
    return ""

def set_up():
    provider = TracerProvider(resource=Resource.create({"service.name": "own"}))
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=spans)))
    trace.set_tracer_provider(provider)
    reader = PeriodicExportingMetricReader(ConsoleMetricExporter(formatter=points), 3600000)
    metrics.set_meter_provider(MeterProvider([reader]))
    from opentelemetry.sdk import trace as sdk
    assert "otel_injection" not in sdk.__file__
    assert trace.get_tracer_provider() is provider
"""

USE = """
import flask, logging
from opentelemetry import metrics, trace

app = flask.Flask("shop")
tracer = trace.get_tracer("shop")
meter = metrics.get_meter("shop")
sales = meter.create_counter("sales")
meter.create_observable_gauge("stock", [lambda options: [metrics.Observation(7)]])

@app.get("/buy")
def buy():
    with tracer.start_as_current_span("manual"):
        sales.add(1)
        logging.getLogger("shop").warning("sold")
    return "bought"

def request():
    assert app.test_client().get("/buy").text == "bought"
"""


def own(done: Finished) -> dict[str, list[object]]:
    """Return what the app's own SDK exported."""
    exported: dict[str, list[object]] = {"span": [], "metrics": []}
    for line in done.stdout.splitlines():
        for kind, names in json.loads(line).items():
            exported[kind] += names if isinstance(names, list) else [names]
    return exported


@pytest.fixture
def app(framework_runner: Runner, python: Path) -> Runner:
    """An app beside an SDK, and everything else of OpenTelemetry, of the same release as ours."""
    packages = next((pythons.apps_environment(python, "payload") / "lib").glob("python*/site-packages"))
    framework_runner.app_pythonpath = str(packages)
    return with_sources(framework_runner)


@pytest.fixture
def old_app(own_runner: Runner) -> Runner:
    """An app beside an SDK that is years older than ours."""
    return with_sources(own_runner)


@pytest.fixture
def api_app(framework_runner: Runner) -> Runner:
    """An app whose frameworks bring the API, and no SDK."""
    return with_sources(framework_runner)


def with_sources(runner: Runner) -> Runner:
    """Write the modules that all of these tests use."""
    runner.write(SET_UP, "own_sdk.py")
    runner.write(USE, "shop.py")
    return runner


@pytest.mark.parametrize(
    "order",
    [
        "import own_sdk; own_sdk.set_up(); import shop; shop.request()",
        "import shop, own_sdk; own_sdk.set_up(); shop.request()",
        "import flask, logging; logging.warning('early'); import own_sdk, shop; own_sdk.set_up(); shop.request()",
    ],
    ids=["first", "after the app is made", "after our SDK is set up"],
)
def test_the_apps_own_sdk_gets_its_telemetry_and_the_receiver_gets_none_of_it(
    app: Runner, receiver: Receiver, order: str
) -> None:
    plain = app.run(order, injected=False)
    injected = app.run(order)
    assert own(injected) == own(plain)
    assert own(plain) == {"span": ["manual"], "metrics": ["sales", "stock"]}
    assert injected.status == 0
    (line,) = injected.lines
    assert line.startswith("the app has set up OpenTelemetry itself (opentelemetry.sdk.")
    assert [span.name for span in receiver.spans] == []
    assert {"sales", "stock", "http.server.duration"} & {point.name for point in receiver.points} == set()
    assert [log.body for log in receiver.logs if log.scope == "shop"] == ["sold"]


def test_spans_until_the_app_sets_up_its_own_sdk_are_ours_and_later_ones_are_its_own(
    app: Runner, receiver: Receiver
) -> None:
    done = app.run("import shop, own_sdk; shop.request(); own_sdk.set_up(); shop.request()")
    assert own(done)["span"] == ["manual"]
    assert sorted(span.name for span in receiver.spans) == ["GET /buy", "manual"]


def test_ours_can_be_forced(app: Runner, receiver: Receiver) -> None:
    app.run("import own_sdk, shop; own_sdk.set_up(); shop.request()", env={"OTEL_INJECTION_FORCE": "true"})
    assert "GET /buy" in {span.name for span in receiver.spans}


def check_joined(receiver: Receiver) -> None:
    server, manual = sorted(receiver.spans, key=lambda span: span.name)
    assert (server.name, manual.name) == ("GET /buy", "manual")
    assert (manual.trace_id, manual.parent_id) == (server.trace_id, server.span_id)
    assert receiver.sum_count("sales") == 1
    assert {point.value for point in receiver.latest_points("stock")} == {7}
    assert [(log.body, log.span_id) for log in receiver.logs] == [("sold", manual.span_id)]


def test_an_app_that_uses_the_api_alone_is_joined(api_app: Runner, receiver: Receiver) -> None:
    assert api_app.run("import shop; shop.request()").lines == []
    check_joined(receiver)


def test_an_api_that_is_older_than_ours_gives_way(api_app: Runner, own_runner: Runner, receiver: Receiver) -> None:
    code = "import opentelemetry.version; print(opentelemetry.version.__file__)"
    package = Path(own_runner.run(["-c", code], injected=False).stdout.strip()).parents[1]
    only_api = shutil.ignore_patterns("sdk", "instrumentation", "semconv", "distro")
    shutil.copytree(package, api_app.folder / "older" / "opentelemetry", ignore=only_api)
    assert api_app.run("import shop; shop.request()", app_pythonpath="older").lines == []
    check_joined(receiver)


def test_beside_an_older_sdk_of_its_own_that_is_used_the_app_keeps_its_signals(
    old_app: Runner, receiver: Receiver
) -> None:
    done = old_app.run("import shop, own_sdk; own_sdk.set_up(); shop.request()")
    assert own(done) == {"span": ["manual"], "metrics": ["sales", "stock"]}
    (line,) = done.lines
    assert line.startswith("the app has set up OpenTelemetry itself (opentelemetry.sdk.")
    assert receiver.spans == []
    assert {"sales", "stock", "http.server.duration"} & {point.name for point in receiver.points} == set()
    assert [log.body for log in receiver.logs if log.scope == "shop"] == ["sold"]


def test_beside_an_older_sdk_that_nobody_uses_everything_is_ours(old_app: Runner, receiver: Receiver) -> None:
    assert old_app.compare("import shop; shop.request()").lines == []
    check_joined(receiver)


def test_an_api_that_is_newer_than_ours_leads(api_app: Runner, receiver: Receiver) -> None:
    app = api_app
    shutil.copytree(app.mount / "opentelemetry", app.folder / "newer" / "opentelemetry")
    (app.folder / "newer" / "opentelemetry" / "version" / "__init__.py").write_text('__version__ = "99.1.0"\n')
    shutil.rmtree(app.folder / "newer" / "opentelemetry" / "version" / "__pycache__", ignore_errors=True)
    done = app.run(
        "import shop, opentelemetry.trace; shop.request(); print(opentelemetry.trace.__file__)", app_pythonpath="newer"
    )
    assert Path(done.stdout.strip()).is_relative_to(app.folder / "newer")
    assert done.lines == []
    check_joined(receiver)


@pytest.mark.parametrize("which", ["app", "old_app"])
def test_the_apps_own_opentelemetry_instrument_around_it_makes_no_span_twice(
    app: Runner, old_app: Runner, receiver: Receiver, which: str
) -> None:
    app = {"app": app, "old_app": old_app}[which]
    app.write("import shop; shop.request()")
    code = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
    command = ["-W", "ignore", "-c", code, str(app.python), "-W", "ignore", "main.py"]
    env = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    plain, injected = (app.run(command, env=env, injected=each) for each in (False, True))
    names = [sorted(re.findall(r'^    "name": "(.*)"', each.stdout, re.MULTILINE)) for each in (plain, injected)]
    assert names == [["GET /buy", "manual"]] * 2
    assert injected.own[2] == plain.own[2]
    assert receiver.spans == []


def test_what_the_apps_own_opentelemetry_instrument_becomes_finds_nothing_of_ours(old_app: Runner) -> None:
    """An SDK of years ago fails beside our API; upstream's command is a script that some image names by its path."""
    old_app.write("import sys, opentelemetry.trace; print(*sys.path, sep='\\n'); print(opentelemetry.trace.__file__)")
    script = str(old_app.python.parent / "opentelemetry-instrument")
    command = ["-W", "ignore", script, str(old_app.python), "-W", "ignore", "main.py"]
    env = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    plain, injected = (old_app.run(command, env=env, injected=each) for each in (False, True))
    paths = injected.stdout.splitlines()
    assert str(old_app.mount) not in paths
    assert paths[-1] == plain.stdout.splitlines()[-1]


def test_a_post_fork_hook_of_gunicorn_sets_the_sdk_up_in_the_worker(app: Runner, receiver: Receiver) -> None:
    """The recipe of OpenTelemetry's documentation."""
    app.write("import own_sdk\ndef post_fork(server, worker):\n    own_sdk.set_up()\n", "gunicorn.conf.py")
    app.write("""
        import http.client, os, subprocess, sys, time
        server = subprocess.Popen([sys.executable, "-m", "gunicorn", "-b", "unix:socket", "-w", "1", "shop:app"])
        import socket
        for _ in range(200):
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect("socket")
                break
            except OSError:
                time.sleep(0.05)
        connection.sendall(b"GET /buy HTTP/1.0\\r\\n\\r\\n")
        assert connection.recv(1000).startswith(b"HTTP/1.0 200") or connection.recv(1000)
        server.terminate()
        sys.exit(server.wait())
    """)
    done = app.run(["main.py"])
    assert done.status == 0, done.stderr
    assert own(done)["span"] == ["manual"]
    assert receiver.spans == []


def test_what_looks_for_a_provider_finds_none_before_one_is_set(app: Runner) -> None:
    """Frameworks and apps ask by the names of the API's classes whether one has been configured."""
    source = """
        from opentelemetry import metrics, trace
        import importlib.metadata
        provider = trace.get_tracer_provider()
        print(type(provider).__name__, type(provider).__module__, isinstance(provider, trace.ProxyTracerProvider))
        print(type(metrics.get_meter_provider()).__name__, hasattr(provider, "add_span_processor"))
        print(importlib.metadata.version("opentelemetry-api"), importlib.metadata.version("opentelemetry-sdk"))
        import opentelemetry.sdk.version, wrapt, packaging
        print(opentelemetry.sdk.version.__version__, wrapt.__version__, wrapt.__file__, packaging.__file__)
    """
    assert app.compare(source).lines == []
