"""Apps that bring an OpenTelemetry SDK of another release: each works as without us, the rest is ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from images.lock import SDK_RELEASES
from tests.injection import pythons
from tests.injection.running import Runner
from tests.receiver import Receiver

USUAL = ("1.12", "1.30", "1.44")
"""The releases that every run tries: the oldest, one from before the API's types changed, the newest before ours."""

USES = ("nothing", "traces", "metrics", "logs", "traces metrics logs")

APP = """
import json, logging, sys
import flask
from opentelemetry import baggage, context, metrics, propagate, trace

uses = sys.argv[1].split()
app = flask.Flask("shop")
tracer = trace.get_tracer("shop", "1.0")
meter = metrics.get_meter("shop")
sales, prices = meter.create_counter("sales", unit="1"), meter.create_histogram("prices")
stock = meter.create_observable_gauge("stock", [lambda options: [metrics.Observation(7, {"of": "tea"})]])

def told(**what):
    print(json.dumps(what))
    return ""

@app.get("/buy")
def buy():
    with tracer.start_as_current_span("manual", kind=trace.SpanKind.CLIENT, attributes={"a": 1}) as span:
        span.add_event("asked", {"b": 2})
        assert trace.get_current_span() is span
        assert trace.get_current_span().get_span_context() == span.get_span_context()
        token = context.attach(baggage.set_baggage("shop", "tea"))
        carrier = {}
        propagate.inject(carrier)
        assert baggage.get_baggage("shop") == "tea" and carrier["baggage"] == "shop=tea"
        if span.is_recording():
            assert format(span.get_span_context().span_id, "016x") in carrier["traceparent"]
            parent = trace.get_current_span(propagate.extract(carrier)).get_span_context()
            assert parent.span_id == span.get_span_context().span_id and parent.is_remote
        context.detach(token)
        assert baggage.get_baggage("shop") is None
        try:
            with tracer.start_as_current_span("inner", links=[trace.Link(span.get_span_context())]):
                raise ValueError("sold out")
        except ValueError:
            pass
        sales.add(1, {"of": "tea"})
        prices.record(3)
        logging.getLogger("shop").warning("sold")
        span.set_status(trace.Status(trace.StatusCode.ERROR, "late"))
    return "bought"

def set_up():
    if "traces" in uses:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

        provider = TracerProvider()
        show = lambda span: told(span=span.name, status=span.status.status_code.name, inner=span.parent is not None)
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=show)))
        trace.set_tracer_provider(provider)
        assert trace.get_tracer_provider() is provider
    if "metrics" in uses:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

        show = lambda data: told(
            metrics=sorted(m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics)
        )
        reader = PeriodicExportingMetricReader(ConsoleMetricExporter(formatter=show), 3600000)
        metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
    if "logs" in uses:
        from opentelemetry._logs import set_logger_provider
        from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
        from opentelemetry.sdk._logs.export import ConsoleLogExporter, SimpleLogRecordProcessor

        def show(data):
            record = getattr(data, "log_record", data)
            return told(log=str(record.body), **({"in_span": bool(record.span_id)} if "traces" in uses else {}))

        provider = LoggerProvider()
        provider.add_log_record_processor(SimpleLogRecordProcessor(ConsoleLogExporter(formatter=show)))
        set_logger_provider(provider)
        logging.getLogger().addHandler(LoggingHandler(logger_provider=provider))

import opentelemetry.sdk.version
import opentelemetry.trace

print(opentelemetry.sdk.version.__version__, opentelemetry.trace.__file__)
if sys.argv[2] == "early":
    set_up()
print(app.test_client().get("/buy").text)
if sys.argv[2] == "late":
    set_up()
    print(app.test_client().get("/buy").text)
"""


def _marked(release: str) -> object:
    return release if release in USUAL else pytest.param(release, marks=pytest.mark.matrix)


@pytest.fixture(params=[_marked(release) for release in SDK_RELEASES])
def app(request: pytest.FixtureRequest, framework_runner: Runner, python: Path) -> Runner:
    """A Flask app beside an SDK of one release."""
    environment = pythons.apps_environment(python, f"sdk-releases/{request.param}")
    packages = next((environment / "lib").glob("python*/site-packages"))
    framework_runner.app_pythonpath = str(packages)
    framework_runner.write(APP, "shop.py")
    framework_runner.release = request.param  # type: ignore[attr-defined]
    return framework_runner


def exported(stdout: str) -> dict[str, list[object]]:
    """Return what the app's own SDK has exported, by signal."""
    found: dict[str, list[object]] = {"span": [], "metrics": [], "log": []}
    for line in stdout.splitlines():
        if line.startswith("{"):
            for signal, what in json.loads(line).items():
                if signal in found:
                    found[signal].append(what)
    return found


@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize("uses", USES)
def test_each_signal_is_the_apps_if_it_sets_that_up_and_ours_else(
    app: Runner, receiver: Receiver, uses: str, when: str
) -> None:
    if "logs" in uses and app.release == "1.12":  # type: ignore[attr-defined]
        uses = uses.replace("logs", "").strip() or "nothing"  # its logs have another API
    arguments = ["-W", "ignore", "shop.py", uses, when]
    env = {"OTEL_PROPAGATORS": "tracecontext,baggage"}
    plain = app.run(arguments, injected=False, env=env)
    done = app.run(arguments, env={"OTEL_PROPAGATORS": "tracecontext,baggage,b3"})
    assert (plain.status, done.status) == (0, 0), plain.stderr + done.stderr
    assert done.stdout == plain.stdout
    requests = 2 if when == "late" else 1
    ours = {signal: requests - 1 if signal in uses else requests for signal in ("traces", "metrics", "logs")}
    names = sorted(span.name for span in receiver.spans)
    assert names == sorted(["GET /buy", "inner", "manual"] * ours["traces"])
    assert len({span.trace_id for span in receiver.spans}) == ours["traces"]
    assert exported(done.stdout)["span"] == ["inner", "manual"] * (1 if "traces" in uses else 0)
    if ours["metrics"]:
        assert receiver.sum_count("sales") == ours["metrics"]
    else:
        assert {"sales", "prices", "stock", "http.server.duration"} & {point.name for point in receiver.points} == set()
    if "metrics" not in uses:
        assert {point.value for point in receiver.latest_points("stock")} == {7}
    logs = [log for log in receiver.logs if log.scope == "shop"]
    assert [log.body for log in logs] == ["sold"] * ours["logs"]
    spans = {span.span_id for span in receiver.spans if span.name == "manual"}
    assert all(log.span_id in spans for log in logs if "traces" not in uses)


def test_details_of_the_apps_spans_arrive(app: Runner, receiver: Receiver) -> None:
    app.run(["-W", "ignore", "shop.py", "nothing", "early"])
    spans = {span.name: span for span in receiver.spans}
    manual, inner, server = spans["manual"], spans["inner"], spans["GET /buy"]
    assert (manual.kind, manual.attributes["a"], manual.parent_id) == ("client", 1, server.span_id)
    assert inner.parent_id == manual.span_id
    assert (inner.status, manual.status) == ("error", "error")
    assert [event.name for event in manual.events] == ["asked"]
    assert [event.name for event in inner.events] == ["exception"]
