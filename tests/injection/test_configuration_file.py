"""A configuration file stands in place of the variables, as a whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from images.paths import ROOT
from tests.injection.conftest import StartApp
from tests.injection.harness import free_port, operator_env
from tests.injection.running import Finished, Runner
from tests.injection.shop import serve
from tests.receiver import Receiver

EXAMPLE, METRIC_STEPS = re.findall(
    r"```yaml\n(.*?)```", (ROOT / "docs" / "configuration-file.md").read_text(), re.DOTALL
)
PROGRAM = """
import logging, sqlite3
from opentelemetry import metrics, trace
cursor = sqlite3.connect(":memory:").cursor()
for _ in range(3):
    cursor.execute("select 1234")
logging.getLogger("shop").warning("card 1234-1234-1234-1234")
metrics.get_meter("shop").create_counter("sales").add(5, {"colour": "red", "net.host": "x"})
with trace.get_tracer("shop").start_as_current_span("sold", attributes={"card": "1234-1234-1234-1234", "url.full": "http://x/?token=7"}):
    pass
print("done")
"""
BASE = 'file_format: "1.0"\n'
TRACES = BASE + "tracer_provider:\n  processors:\n"
SEND = "    - batch:\n        exporter:\n          otlp_http:\n            endpoint: ${COLLECTOR}/v1/traces\n"
REFUSED = "no telemetry from this process: OTEL_CONFIG_FILE: "

RunWith = Callable[..., Finished]
"""Runs the program under a file of this text."""


@pytest.fixture
def run(runner: Runner, receiver: Receiver, tmp_path: Path) -> RunWith:
    def run_with(text: str | bytes, program: str = PROGRAM, name: str = "otel.yaml", **env: str) -> Finished:
        file = tmp_path / name
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return runner.run(program, env={"OTEL_CONFIG_FILE": str(file), "COLLECTOR": receiver.endpoint, **env})

    return run_with


def test_the_documented_example_does_what_it_says(run: RunWith, runner: Runner, receiver: Receiver) -> None:
    """Traces, metrics and logs arrive, masked, of the file's resource, aggregated as the file wants, all at exit."""
    done = run(
        EXAMPLE,
        STAGE="live",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_TRACES_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
        OTEL_TRACES_SAMPLER="always_off",
        OTEL_PROPAGATORS="nonsense",
        OTEL_BSP_MAX_QUEUE_SIZE="nonsense",
    )
    assert (done.status, done.stdout, done.lines) == (0, "done\n", [])
    assert sorted(span.name for span in receiver.spans) == ["select", "select", "select", "sold"]
    (sold,) = [span for span in receiver.spans if span.name == "sold"]
    assert (sold.attributes["card"], sold.attributes["url.full"]) == ("REDACTED", "http://x/?token=REDACTED")
    assert [log.body for log in receiver.logs] == ["card REDACTED"]
    for resource in (sold.resource, receiver.logs[0].resource):
        assert resource["deployment.environment.name"] == "live"
        assert resource["service.name"] == "app"
        assert resource["service.instance.id"] == runner.instance
    (sales,) = [point for point in receiver.points if point.name == "sales"]
    assert (sales.value, sales.temporality) == (5, "delta")
    assert not any(point.name.startswith(("system.", "process.")) for point in receiver.points)
    assert {request.headers.get("content-encoding") for request in receiver.requests if "traces" in request.path} == {
        "gzip"
    }


def test_metrics_go_through_views_and_our_processors(run: RunWith, receiver: Receiver) -> None:
    reader = "    - periodic:\n        exporter:\n          otlp_http: {endpoint: '${COLLECTOR}/v1/metrics'}\n"
    view = "  views:\n    - selector: {instrument_name: sales}\n"
    view += "      stream: {name: sold, attribute_keys: {excluded: [net.*]}}\n"
    steps = METRIC_STEPS.replace("net.host.port", "colour")
    done = run(f"{BASE}meter_provider:\n  readers:\n{reader}{view}{steps}")
    assert done.lines == []
    (point,) = [each for each in receiver.points if each.name == "sold"]
    assert (point.value, point.attributes, point.temporality) == (5, {}, "cumulative")
    assert "process.memory.usage" in {each.name for each in receiver.points}
    assert (receiver.spans, receiver.logs) == ([], [])


def test_limits_samplers_and_id_generators_are_those_of_the_file(run: RunWith, receiver: Receiver) -> None:
    limits = "attribute_limits: {attribute_value_length_limit: 4}\n"
    more = "  sampler: {always_on: }\n  limits: {attribute_count_limit: 1}\n  id_generator: {random: }\n"
    run(f"{TRACES}{SEND}{more}{limits}")
    (sold,) = [span for span in receiver.spans if span.name == "sold"]
    assert list(sold.attributes.values()) == ["http"]
    receiver.clear()
    run(f"{TRACES}{SEND}  sampler: {{always_off: }}\n")
    assert receiver.spans == []


def test_simple_and_console_exporters_take_part(run: RunWith, receiver: Receiver) -> None:
    simple = SEND.replace("batch", "simple")
    done = run(f"{TRACES}    - simple: {{exporter: {{console: }}}}\n{simple}")
    assert '"name": "sold"' in done.stdout
    assert len(receiver.spans) == 4
    assert len([each for each in receiver.requests if "traces" in each.path]) == 4


def test_grpc_headers_and_tls_of_the_file_are_used(run: RunWith, receiver: Receiver) -> None:
    """Here against a port without TLS: what is said names the endpoint of the file."""
    grpc = f"    - batch: {{exporter: {{otlp_grpc: {{endpoint: '127.0.0.1:{free_port()}', timeout: 300}}}}}}\n"
    headers = (
        SEND + '            headers: [{name: X-Key, value: "a,b=c"}]\n            headers_list: x-two=2%20,x-key=lost\n'
    )
    done = run(TRACES + headers + grpc)
    (line,) = done.lines
    assert line.startswith("traces do not reach https://127.0.0.1:")
    (request,) = {tuple((key, each.headers.get(key)) for key in ("x-key", "x-two")) for each in receiver.requests}
    assert dict(request) == {"x-key": "a,b=c", "x-two": "2"}


def test_the_file_propagates_what_it_names_from_the_first_call(runner: Runner, tmp_path: Path) -> None:
    program = """
    from opentelemetry import propagate, trace
    context = propagate.extract({"b3": "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"})
    print(format(trace.get_current_span(context).get_span_context().trace_id, "032x"))
    print(sorted(propagate.get_global_textmap().fields))
    """
    file = tmp_path / "otel.json"
    file.write_text('{"file_format": "1.0", "propagator": {"composite_list": "b3"}}')
    done = runner.run(program, env={"OTEL_CONFIG_FILE": str(file), "OTEL_PROPAGATORS": "tracecontext"})
    assert done.stdout.splitlines()[0] == "0af7651916cd43dd8448eb211c80319c"
    assert "traceparent" not in done.stdout
    file.write_text('{"file_format": "1.0"}')
    done = runner.run(program, env={"OTEL_CONFIG_FILE": str(file)})
    assert done.stdout.splitlines() == ["0" * 32, "[]"]


BROKEN: list[tuple[str | bytes, str]] = [
    ("", "is empty"),
    ("- a", "must be a mapping"),
    (b"\xff\xfe\x00", "is not UTF-8"),
    ("[" * 50_000, "is nested too deeply"),
    ("x" * 300_000, "is larger than 200000 bytes"),
    (BASE + "a: [", "line 2: is no YAML"),
    ('file_format: "2.0"', "line 1: file_format: must be 1.1"),
    (
        BASE + "tracer_provider:\n  procesors: []",
        "line 3: tracer_provider.procesors: is unknown; known are processors,",
    ),
    (
        TRACES + "    - batch: {exporter: {otlp_htp: {}}}",
        "line 4: tracer_provider.processors[0]: exporter 'otlp_htp' is",
    ),
    (
        TRACES + "    - bacth: {exporter: {}}",
        "line 4: tracer_provider.processors[0]: processor 'bacth' is unknown; known",
    ),
    (TRACES + "    - mask: {values: ['(']}", "processors[0]: processor 'mask': is no regular expression"),
    (TRACES + "    - mask: {values: ['(a+)+$']}", "processors[0]: processor 'mask': could take for ever"),
    (TRACES + "    - mask: {value: x}", "processors[0]: processor 'mask': "),
    (TRACES + "    - tail_sampling: {ratio: 7}", "processor 'tail_sampling': '7' is not a number from 0 to 1"),
    (
        TRACES + "    - batch: {exporter: {otlp_http: {endpoint: 'ftp://x:y@z'}}}",
        "endpoint 'ftp://z' is unusable: it does",
    ),
    (
        TRACES + '    - batch: {exporter: {otlp_http: {headers: [{name: a, value: "s3cret\\r\\nb: c"}]}}}',
        "a header holds characters that headers cannot have",
    ),
    (
        TRACES + "    - batch: {max_queue_size: 2, max_export_batch_size: 3, exporter: {console: }}",
        "max_export_batch_size must be less than or equal to max_queue_size",
    ),
    (TRACES + "    - batch: {exporter: {otlp_file/development: }}", "otlp_file/development is not in this image"),
    (
        TRACES + "    - batch: {exporter: {console: }}\n  sampler: {nonsense: }",
        "line 5: tracer_provider.sampler: Plugin 'nonsen",
    ),
    (BASE + "propagator: {composite: [{nonsense: }]}", "line 2: propagator: propagator 'nonsense' is unknown"),
    (BASE + "resource: {detection/development: {detectors: [{nonsense: }]}}", "line 2: resource: Plugin 'nonsense'"),
]


@pytest.mark.parametrize(("text", "cause"), BROKEN, ids=[each[1][:40] for each in BROKEN])
def test_a_broken_file_means_no_telemetry_and_one_line(
    run: RunWith, receiver: Receiver, tmp_path: Path, text: str | bytes, cause: str
) -> None:
    """The app does what it does; the line names the file, the place and the cause, and no secret."""
    done = run(text)
    assert (done.status, done.stdout) == (0, "done\n")
    (line,) = done.lines
    assert line.startswith(f"{REFUSED}{tmp_path / 'otel.yaml'}: ")
    assert cause in line
    assert "s3cret" not in done.stderr
    assert receiver.requests == []


@pytest.mark.parametrize("name", ["missing", "folder", "pipe", "/dev/zero", "unreadable"])
def test_a_file_that_cannot_be_read_is_named(runner: Runner, receiver: Receiver, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / name
    if name == "unreadable":
        path.write_text(BASE)
        path.chmod(0)
        if os.access(path, os.R_OK):
            path = path / "below"  # root reads everything
    done = runner.run(PROGRAM, env={"OTEL_CONFIG_FILE": str(path)})
    assert (done.status, done.stdout) == (0, "done\n")
    (line,) = done.lines
    assert line.startswith(f"{REFUSED}{path}: ")
    assert receiver.requests == []


def test_a_file_that_says_disabled_means_silence(run: RunWith, receiver: Receiver) -> None:
    done = run(EXAMPLE + "disabled: ${OFF:-true}\n")
    assert (done.status, done.stdout, done.lines, receiver.requests) == (0, "done\n", [], [])
    assert run(EXAMPLE + "disabled: ${OFF:-true}\n", OFF="false").lines == []
    assert receiver.requests


def test_what_is_not_supported_is_said_once(run: RunWith, receiver: Receiver) -> None:
    done = run(f"{TRACES}{SEND}log_level: debug\n")
    (line,) = done.lines
    assert line.endswith("not supported here and ignored: log_level")
    assert receiver.spans


def test_an_instrumentation_that_the_file_switches_off_is_left_alone(run: RunWith, receiver: Receiver) -> None:
    run(f"{TRACES}{SEND}instrumentation/development: {{python: {{sqlite3: {{enabled: false}}}}}}\n")
    assert [span.name for span in receiver.spans] == ["sold"]


def test_our_processors_of_the_environment_come_first(run: RunWith, receiver: Receiver) -> None:
    step = "    - add_attributes: {attributes: {card: 'from file', shop: '1'}}\n"
    run(f"{TRACES}{step}{SEND}", OTEL_INJECTION_SPAN_PROCESSORS="mask", OTEL_INJECTION_MASK_ATTRIBUTES="shop")
    (sold,) = [span for span in receiver.spans if span.name == "sold"]
    assert (sold.attributes["card"], sold.attributes["shop"]) == ("1234-1234-1234-1234", "REDACTED")


EXCLUDED = """
import sqlite3
from flask import Flask
app = Flask("shop")
@app.get("/<name>")
def serve(name):
    sqlite3.connect(":memory:").cursor().execute("select 1")
    return name
for path in ("/healthz", "/buy", "/healthz"):
    print(app.test_client().get(path).status_code)
"""
ALWAYS_ON = "  sampler: {always_on: }\n"


@pytest.mark.parametrize("said_by", ["the environment", "the file"])
def test_what_is_done_for_an_excluded_request_is_not_recorded_under_any_sampler(
    framework_runner: Runner, receiver: Receiver, tmp_path: Path, said_by: str
) -> None:
    env = {"COLLECTOR": receiver.endpoint, "OTEL_CONFIG_FILE": str(tmp_path / "otel.yaml")}
    text = f"{TRACES}{SEND}{ALWAYS_ON}"
    if said_by == "the environment":
        env["OTEL_PYTHON_FLASK_EXCLUDED_URLS"] = "healthz"
    else:
        text += "instrumentation/development: {python: {flask: {excluded_urls: healthz}}}\n"
    (tmp_path / "otel.yaml").write_text(text)
    done = framework_runner.run(EXCLUDED, env={**env, "OTEL_PYTHON_EXCLUDED_URLS": ""})
    assert (done.status, done.stdout, done.lines) == (0, "200\n" * 3, [])
    assert sorted(span.name for span in receiver.spans) == ["GET /<name>", "select"]


def test_a_process_without_a_file_imports_nothing_of_it(runner: Runner) -> None:
    program = (
        PROGRAM
        + "\nimport sys\nprint(sorted(name for name in sys.modules if 'yaml' in name or 'configuration.' in name))"
    )
    assert runner.run(program).stdout.splitlines()[-1] == "[]"


def test_forked_workers_export_by_the_file_under_identities_of_their_own(
    start: StartApp, mount: Path, receiver: Receiver, tmp_path: Path
) -> None:
    """A Flask app behind gunicorn with four workers: every request is seen once, and a master has nothing to send."""
    file = tmp_path / "otel.yaml"
    file.write_text(EXAMPLE)
    env = operator_env(mount, service="shop", endpoint="http://127.0.0.1:9")
    served = serve(start, {**env, "OTEL_CONFIG_FILE": str(file), "COLLECTOR": receiver.endpoint}, ["/"] * 20 + ["/log"])
    assert served.status == 0
    servers = [span for span in receiver.spans if span.kind == "server"]
    assert len(servers) == 21
    assert {span.resource["service.name"] for span in servers} == {"shop"}
    instances = {span.resource["service.instance.id"] for span in servers}
    assert len(instances) == len({span.resource["process.pid"] for span in servers})
    assert receiver.sum_count("http.server.duration") == 21
    assert not any("net.host.port" in point.attributes for point in receiver.points)
    (log,) = [each for each in receiver.logs if each.severity == "ERROR" and each.scope == "shop"]
    assert log.trace_id in {span.trace_id for span in servers}
