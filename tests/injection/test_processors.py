"""Span and log processors with a real server, as the collector sees their work."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.injection import pythons
from tests.injection.conftest import APPS
from tests.injection.harness import App, Dependency, container_env, free_port, operator_env
from tests.injection.running import Runner
from tests.receiver import Receiver
from tests.telemetry import Span

pytestmark = pytest.mark.newest_python

PROBE = {"User-Agent": "kube-probe/1.33"}
CREATE = "CREATE TABLE orders (id INTEGER, card TEXT)"
ONE_ORDER = ["CREATE", "GET", "GET /orders", "INSERT"]
"""The names of the spans of one request to /orders."""


class Orders:
    """The application under a real server; ``ask`` sends one request after the other, then the server is stopped."""

    def __init__(self, venv: Path, mount: Path, receiver: Receiver, folder: Path) -> None:
        self.venv, self.mount, self.receiver, self.folder = venv, mount, receiver, folder
        self.stderr = self.stdout = ""
        self.headers: Mapping[str, str] = {}

    def ask(
        self,
        paths: Sequence[str | tuple[str, Mapping[str, str]]],
        command: str = "gunicorn --workers 1 --threads 4 --no-control-socket orders:app --bind 127.0.0.1:{port}",
        *,
        own: str = "",
        until: Callable[[Receiver], object] = lambda _: True,
        **env: str,
    ) -> list[int]:
        """Return the statuses of the requests.

        ``own`` is the source of a module ``own_processors`` of the app; it is stopped when ``until`` is true.
        """
        port = free_port()
        self.folder.mkdir()
        if own:
            (self.folder / "own_processors.py").write_text(own)
        with Dependency({"GET /stock?token=t0psecret&item=7": (200, 3), "GET /stock": (200, 3)}) as stock:
            environment = {
                **container_env(self.venv, self.folder),
                **operator_env(self.mount, service="orders", endpoint=self.receiver.endpoint),
                "OTEL_PYTHON_EXCLUDED_URLS": "",
                "STOCK": stock.url,
                "PYTHONDONTWRITEBYTECODE": "1",
                **env,
            }
            environment["PYTHONPATH"] = environment["PYTHONPATH"].replace(":", f":{APPS / 'orders'}:{self.folder}:", 1)
            command = command.format(port=port)
            with App(command.split(), cwd=APPS / "orders", env=environment, logs=self.folder / "output") as app:
                _wait_for(port, app)
                statuses = [_get(port, *((each, {}) if isinstance(each, str) else each)) for each in paths]
                self.receiver.wait_for(until)
                assert app.stop() in (0, -15)  # uvicorn ends by the signal
                self.stdout, self.stderr = app.stdout, app.stderr
                self.calls = stock.calls
        return statuses

    @property
    def lines(self) -> list[str]:
        """What the injection said."""
        return [each for each in self.stderr.splitlines() if each.startswith("otel-injection: ")]

    def names(self) -> list[str]:
        """The names of all spans that arrived."""
        return sorted(span.name for span in self.receiver.spans)

    def count(self, what: str, processor: str) -> float:
        """A processor's counter as the collector has it in the end."""
        points = self.receiver.latest_points(f"otel_injection.processor.{what}")
        return sum(each.value or 0 for each in points if each.attributes["otel.component.name"] == processor)

    def server(self, path: str) -> Span:
        """The span of the only request to a path."""
        (span,) = [
            each
            for each in self.receiver.spans
            if each.kind == "server" and path in (each.attributes.get("http.target"), each.attributes.get("url.path"))
        ]
        return span


def _wait_for(port: int, app: App) -> None:
    deadline = time.monotonic() + 30
    while True:
        with suppress(OSError):
            _get(port, "/echo", {"User-Agent": "waiting"})
            return
        if app.process.poll() is not None or time.monotonic() > deadline:
            raise TimeoutError(f"does not start:\n{app.stdout}{app.stderr}")
        time.sleep(0.05)


def _get(port: int, path: str, headers: Mapping[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"User-Agent": "test", **headers})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.fixture
def orders(python: Path, mount: Path, receiver: Receiver, tmp_path: Path) -> Orders:
    """The application; requests to find out whether it is up are not seen."""
    return Orders(pythons.apps_environment(python, "frameworks"), mount, receiver, tmp_path / "app")


WAITING = "/echo$"
"""What the requests are that wait for the server; dropped in every test by its URL."""


@pytest.mark.parametrize("conventions", ["", "http", "http/dup"])
def test_probes_and_urls_leave_nothing_behind(orders: Orders, conventions: str) -> None:
    """The probe's, the internal and the waiting requests make no span: none of their own, of the database, of calls."""
    statuses = orders.ask(
        [("/healthz", PROBE), "/internal/status", "/internal/status?x=1", "/orders"],
        OTEL_INJECTION_SPAN_PROCESSORS="drop_probes,drop_urls",
        OTEL_INJECTION_DROP_URLS=f"^/internal/,{WAITING}",
        OTEL_SEMCONV_STABILITY_OPT_IN=conventions,
    )
    assert statuses == [200] * 4
    assert orders.names() == ONE_ORDER
    assert len({span.trace_id for span in orders.receiver.spans}) == 1
    assert orders.count("span.dropped", "drop_probes") == 4
    assert orders.count("span.dropped", "drop_urls") == 8 + 1
    assert [call.context[2] for call in orders.calls] == [False] * 3 + [True]
    assert orders.lines == []


@pytest.mark.parametrize("sampler", ["always_on", "traceidratio", "parentbased_always_on"])
def test_children_are_dropped_under_any_sampler(orders: Orders, sampler: str) -> None:
    orders.ask(
        [
            ("/healthz", PROBE),
            ("/healthz", {**PROBE, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "tracestate": "x=1"}),
        ],
        OTEL_INJECTION_SPAN_PROCESSORS="drop_urls,drop_probes",
        OTEL_INJECTION_DROP_URLS=WAITING,
        OTEL_TRACES_SAMPLER=sampler,
    )
    assert orders.names() == []
    assert [call.context[0] == "a" * 32 for call in orders.calls] == [False, True]


@pytest.mark.parametrize("conventions", ["", "http"])
def test_asgi_requests_are_dropped_with_their_children(orders: Orders, conventions: str) -> None:
    orders.ask(
        [("/healthz", PROBE), "/orders?debug=1", "/orders"],
        "uvicorn --log-level warning --port {port} orders_asgi:app",
        until=lambda receiver: receiver.sum_count("otel_injection.processor.span.dropped") > 8 and receiver.spans,
        OTEL_BSP_SCHEDULE_DELAY="100",
        OTEL_METRIC_EXPORT_INTERVAL="100",
        OTEL_INJECTION_SPAN_PROCESSORS="drop_probes,drop_urls",
        OTEL_INJECTION_DROP_URLS=rf"[?&]debug=1,{WAITING}",
        OTEL_SEMCONV_STABILITY_OPT_IN=conventions,
    )
    assert orders.names() == ["CREATE", "GET", "GET /orders", "GET /orders http send", "GET /orders http send"]
    assert orders.count("span.dropped", "drop_urls") > 4


def test_fast_requests_are_dropped_unless_something_failed(orders: Orders) -> None:
    orders.ask(
        ["/internal/status", "/orders", "/boom", "/slow"],
        OTEL_INJECTION_SPAN_PROCESSORS="drop_urls,drop_fast",
        OTEL_INJECTION_DROP_URLS=WAITING,
        OTEL_INJECTION_FAST="0.3",
        OTEL_INJECTION_FAST_PATHS="/internal,/boom,/slow",
    )
    assert orders.names() == sorted([*ONE_ORDER, *["CREATE", "SELECT", "GET"] * 2, "GET /boom", "GET /slow"])
    assert orders.count("span.dropped", "drop_fast") == 4


def test_failed_and_slow_parts_are_kept_and_nothing_of_the_rest(orders: Orders) -> None:
    orders.ask(
        ["/orders"] * 5 + ["/boom", "/slow"],
        OTEL_INJECTION_SPAN_PROCESSORS="tail_sampling",
        OTEL_INJECTION_TAIL_RATIO="0",
        OTEL_INJECTION_TAIL_SLOW="0.3",
    )
    assert orders.names() == sorted([*["CREATE", "SELECT", "GET"] * 2, "GET /boom", "GET /slow"])
    assert len({span.trace_id for span in orders.receiver.spans}) == 2
    assert orders.count("span.dropped", "tail_sampling") == 5 * 4 + 1


def test_of_the_rest_a_ratio_is_kept_in_whole_parts(orders: Orders) -> None:
    orders.ask(["/orders"] * 60, OTEL_INJECTION_SPAN_PROCESSORS="tail_sampling", OTEL_INJECTION_TAIL_RATIO="0.5")
    kept = Counter(span.trace_id for span in orders.receiver.spans if "echo" not in span.name)
    assert 10 < len(kept) < 50
    assert set(kept.values()) == {4}
    assert all(int(trace_id[16:], 16) < 2**63 for trace_id in kept)


def test_attributes_are_added_to_spans_and_log_records(orders: Orders) -> None:
    orders.ask(
        [("/orders", {"baggage": "tenant=acme,other=1"})],
        OTEL_INJECTION_SPAN_PROCESSORS="add_attributes,drop_urls",
        OTEL_INJECTION_DROP_URLS=WAITING,
        OTEL_INJECTION_ATTRIBUTES="team=payments,motto=a%2Cb,http.method=never,broken",
        OTEL_INJECTION_ATTRIBUTES_FROM_ENV="region=REGION,absent=NOWHERE",
        OTEL_INJECTION_ATTRIBUTES_FROM_BAGGAGE="tenant,customer.tenant=tenant,missing",
        REGION="eu-1",
    )
    added = {"team": "payments", "motto": "a,b", "region": "eu-1", "tenant": "acme", "customer.tenant": "acme"}
    assert orders.names() == ONE_ORDER
    (record,) = [each for each in orders.receiver.logs if each.scope == "orders"]
    for attributes in (*(span.attributes for span in orders.receiver.spans), record.attributes):
        assert {key: attributes.get(key) for key in added} == added
        assert not {"absent", "missing", "other"} & set(attributes)
    assert orders.server("/orders").attributes["http.method"] == "GET"
    (line,) = orders.lines
    assert line.endswith("OTEL_INJECTION_ATTRIBUTES: 'broken' cannot be used and is left out")


def test_what_nobody_should_see_is_masked_in_spans_and_log_records(orders: Orders) -> None:
    orders.ask(
        [("/orders?token=t0psecret&item=7", {"Authorization": "Bearer t0psecret", "X-Plain": "seen"}), "/boom"],
        OTEL_INJECTION_SPAN_PROCESSORS="mask,drop_urls",
        OTEL_INJECTION_DROP_URLS=WAITING,
        OTEL_INJECTION_MASK_ATTRIBUTES=r"^net\.host\.name$",
        OTEL_INJECTION_MASK_VALUES=r"\b\d{13,16}\b",
        OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST="authorization,x-plain",
    )
    received = repr([*orders.receiver.spans, *orders.receiver.logs])
    assert [secret for secret in ("t0psecret", "pa55word", "4111111111111111", "it''s") if secret in received] == []
    attributes = orders.server("/orders?token=REDACTED&item=7").attributes
    assert attributes["http.request.header.authorization"] == ["REDACTED"]
    assert attributes["http.request.header.x_plain"] == ["seen"]
    assert attributes["net.host.name"] == "REDACTED"
    statements = [
        span.attributes["db.statement"] for span in orders.receiver.spans if "db.statement" in span.attributes
    ]
    assert statements == [CREATE, "INSERT INTO orders VALUES (?, ?)", CREATE, "SELECT ?"]
    urls = [span.attributes["http.url"].partition("/stock")[2] for span in orders.receiver.spans if span.name == "GET"]
    assert urls == ["?token=REDACTED&item=7"] * 2
    (event,) = orders.server("/boom").events
    assert event.attributes["exception.message"] == "http://REDACTED:REDACTED@shop refuses"
    bodies = [each.body for each in orders.receiver.logs if each.scope == "orders"]
    assert bodies[0] == "order A-17 paid with REDACTED, see http://REDACTED:REDACTED@shop/x?token=REDACTED"
    assert "pa55word" in orders.stderr  # the app's own log is the app's


RAISING = """
from otel_injection.processors import LogStep, SpanStep

class Raises(SpanStep):
    def on_start(self, span, parent_context=None):
        raise RuntimeError("start")

    def on_end(self, span):
        raise RuntimeError("end")

    def sampler(self, following):
        class Sampler:
            def should_sample(self, *arguments, **keywords):
                raise RuntimeError("sampler")
        return Sampler()

class RaisesAfterwards(SpanStep):
    def on_end(self, span):
        self.following.on_end(span)
        raise RuntimeError("too late")

class NoFlush(SpanStep):
    def force_flush(self, timeout_millis=30000):
        raise RuntimeError("flush")

class RaisesAtOnce(SpanStep):
    def __init__(self, following):
        raise RuntimeError("no")

class LogRaises(LogStep):
    def on_emit(self, record):
        raise RuntimeError("emit")
"""


def test_a_processor_that_raises_is_passed_over(orders: Orders) -> None:
    """Whenever it raises: every span and record arrives once, masked by the next one, and the app answers."""
    own = ["Raises", "RaisesAfterwards", "NoFlush", "RaisesAtOnce", "Absent"]
    statuses = orders.ask(
        ["/orders"] * 3,
        own=RAISING,
        OTEL_INJECTION_SPAN_PROCESSORS=f"drop_urls,{','.join(f'own_processors:{each}' for each in own)},nonsense,mask",
        OTEL_INJECTION_LOG_PROCESSORS="own_processors:LogRaises,mask",
        OTEL_INJECTION_DROP_URLS=WAITING,
    )
    assert statuses == [200] * 3
    assert orders.names() == sorted(ONE_ORDER * 3)
    assert len([each for each in orders.receiver.logs if each.scope == "orders"]) == 3
    assert "t0psecret" not in repr([*orders.receiver.spans, *orders.receiver.logs])
    said = set(orders.lines)  # each process says it for itself
    assert len(said) == 7, orders.lines
    for text in (
        ":Raises' fails",
        "RaisesAfterwards' fails",
        "NoFlush' fails",
        "RaisesAtOnce' failed",
        "LogRaises' fails",
    ):
        assert len([each for each in said if text in each]) == 1
    assert (
        "otel-injection: OTEL_INJECTION_SPAN_PROCESSORS: processor 'nonsense' is unknown and left out" in orders.lines
    )
    assert orders.count("span.failed", "own_processors:Raises") >= 3 * 4
    assert orders.count("log.failed", "own_processors:LogRaises") >= 3


SELLS = """
import logging, sys
sys.modules["otel_injection.processors.{missing}"] = None
logging.getLogger("shop").warning("http://ann:pa55word@shop/")
from opentelemetry import metrics, trace
trace.get_tracer("shop").start_span("sold", attributes={{"url.full": "http://ann:pa55word@shop/"}}).end()
metrics.get_meter("shop").create_counter("sales").add(1)
"""


@pytest.mark.parametrize("missing", ["mask", "chain"])
@pytest.mark.parametrize(
    ("span", "log", "lost"),
    [
        ("drop_urls,mask", "", {"traces": "SPAN", "logs": "SPAN"}),
        ("mask", "add_attributes", {"traces": "SPAN"}),
        ("drop_urls", "mask", {"logs": "LOG"}),
    ],
)
def test_what_cannot_be_masked_is_not_exported(
    runner: Runner, receiver: Receiver, missing: str, span: str, log: str, lost: Mapping[str, str]
) -> None:
    """One line for each signal names the variable that asks for it; all else arrives."""
    env = {"OTEL_INJECTION_SPAN_PROCESSORS": span, "OTEL_INJECTION_LOG_PROCESSORS": log}
    done = runner.run(SELLS.format(missing=missing), env=env)
    assert done.status == 0
    assert bool(receiver.spans) == ("traces" not in lost)
    assert bool(receiver.logs) == ("logs" not in lost)
    assert [point.name for point in receiver.points if point.name == "sales"] == ["sales"]
    for signal, kind in lost.items():
        begin = f"OTEL_INJECTION_{kind}_PROCESSORS: {signal} are not exported, since they cannot be masked"
        assert len([line for line in done.lines if line.startswith(begin)]) == 1, done.lines


NO_STEPS = """
class Plain:
    def __init__(self, following):
        self.on_end = following.on_end
    def force_flush(self):
        return True

class Failing:
    fails_closed = True
    def __init__(self, following):
        raise OSError("no rules")
"""


def test_a_processor_that_derives_from_nothing_of_ours_leaves_the_others_in_place(
    runner: Runner, receiver: Receiver
) -> None:
    runner.write(NO_STEPS, "steps.py")
    done = runner.run(SELLS.format(missing="none"), env={"OTEL_INJECTION_SPAN_PROCESSORS": "steps:Plain,mask"})
    assert done.lines == []
    assert [each.attributes["url.full"] for each in receiver.spans] == ["http://REDACTED:REDACTED@shop/"]


def test_a_processor_of_ones_own_may_be_one_without_which_nothing_is_exported(
    runner: Runner, receiver: Receiver
) -> None:
    runner.write(NO_STEPS, "steps.py")
    done = runner.run(SELLS.format(missing="none"), env={"OTEL_INJECTION_SPAN_PROCESSORS": "steps:Failing"})
    (line,) = done.lines
    assert line.startswith("OTEL_INJECTION_SPAN_PROCESSORS: traces are not exported")
    assert line.endswith("processor 'steps:Failing' failed: OSError: no rules")
    assert not receiver.spans
    assert receiver.logs


def test_attributes_of_metrics_are_dropped_and_limited(orders: Orders) -> None:
    """What is dropped adds up to one series; beyond the limit all else is one."""
    orders.ask(
        ["/orders", "/slow", "/internal/status", "/healthz"],
        OTEL_INJECTION_METRIC_PROCESSORS="drop_attributes,limit_cardinality",
        OTEL_INJECTION_METRIC_DROP_ATTRIBUTES="http.host,net.host.port,http.server_name",
        OTEL_INJECTION_METRIC_CARDINALITY_LIMIT="3",
    )
    points = orders.receiver.latest_points("http.server.duration")
    assert orders.receiver.sum_count("http.server.duration") == 5
    assert not {"http.host", "net.host.port"} & {key for each in points for key in each.attributes}
    assert sorted(each.attributes.get("http.target", "") for each in points) == ["", "/echo", "/orders"]
    assert [each.count for each in points if each.attributes == {"otel.metric.overflow": True}] == [3]
    assert orders.count("metric.dropped", "limit_cardinality") >= 3


UNDECIDED = """
import os, sqlite3, sys, time
from opentelemetry import trace
tracer = trace.get_tracer("app")
with tracer.start_as_current_span("outer"):
    for number in range(int(sys.argv[1])):
        sqlite3.connect(":memory:").cursor().execute("SELECT 1")
    if "fork" in sys.argv:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        else:
            with tracer.start_as_current_span("in child"):
                time.sleep(0.3)
            sys.exit()
    if "flush" in sys.argv:
        trace.get_tracer_provider().force_flush()
    if "end" in sys.argv:
        sys.exit()
"""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["3"], {}),
        (["3", "flush"], {"SELECT": 3, "outer": 1}),
        (["3", "fork"], {"SELECT": 3, "in child": 1, "outer": 1}),
        (["40"], {"SELECT": 40, "outer": 1}),
    ],
)
def test_what_is_undecided_is_not_lost(
    runner: Runner, receiver: Receiver, arguments: list[str], expected: dict[str, int]
) -> None:
    """Dropped only by a verdict: a flush, and spans beyond the limit, keep the part; a fork changes nothing."""
    runner.write(UNDECIDED)
    slow = "0.2" if "fork" in arguments else "60"
    done = runner.run(
        ["main.py", *arguments],
        env={
            "OTEL_INJECTION_SPAN_PROCESSORS": "tail_sampling",
            "OTEL_INJECTION_TAIL_RATIO": "0",
            "OTEL_INJECTION_TAIL_SLOW": slow,
            "OTEL_INJECTION_MAX_HELD_SPANS": "20",
        },
    )
    assert (done.status, done.lines) == (0, [])
    assert Counter(span.name for span in receiver.spans) == expected


def test_all_of_them_stacked(orders: Orders) -> None:
    orders.ask(
        [("/healthz", PROBE), "/internal/status", "/orders", "/boom", "/slow?token=t0psecret"],
        OTEL_INJECTION_SPAN_PROCESSORS="drop_probes,drop_urls,add_attributes,drop_fast,tail_sampling,mask",
        OTEL_INJECTION_DROP_URLS=WAITING,
        OTEL_INJECTION_ATTRIBUTES="team=payments",
        OTEL_INJECTION_FAST_PATHS="/internal",
        OTEL_INJECTION_FAST="0.3",
        OTEL_INJECTION_TAIL_RATIO="0",
        OTEL_INJECTION_TAIL_SLOW="0.3",
    )
    assert orders.names() == sorted([*["CREATE", "SELECT", "GET"] * 2, "GET /boom", "GET /slow"])
    assert {span.attributes["team"] for span in orders.receiver.spans} == {"payments"}
    assert "t0psecret" not in repr([*orders.receiver.spans, *orders.receiver.logs])
    counts = {"drop_probes": 4, "drop_urls": 1, "drop_fast": 4, "tail_sampling": 4}
    assert {each: orders.count("span.dropped", each) for each in counts} == counts
    assert orders.lines == []


def test_patterns_that_could_take_for_ever_do_not_stop_the_app(runner: Runner, receiver: Receiver) -> None:
    """Exponential ones are left out with a line; one that takes the cube of a text's length is given up, and masks."""
    program = """
    import time
    from opentelemetry import trace
    start = time.monotonic()
    with trace.get_tracer("shop").start_as_current_span("sold") as span:
        span.set_attributes({"short": "a" * 40, "long": "a" * 60_000, "url.path": "/" + "a" * 60_000})
    print(time.monotonic() - start < 5)
    """
    done = runner.run(
        program,
        env={
            "OTEL_INJECTION_SPAN_PROCESSORS": "drop_urls,mask",
            "OTEL_INJECTION_DROP_URLS": "(a+)+$,^/(.*a)*x",
            "OTEL_INJECTION_MASK_VALUES": "(a|a+)+$,.*.*.*.*=x",
        },
        timeout=30,
    )
    assert done.stdout == "True\n"
    lines = sorted(done.lines)
    assert [line.partition(":")[0] for line in lines] == [
        "OTEL_INJECTION_DROP_URLS",
        *["OTEL_INJECTION_MASK_VALUES"] * 2,
    ]
    assert "could take for ever" in lines[0]
    assert "takes too long" in lines[2]
    (span,) = receiver.spans
    assert span.attributes["short"] == "a" * 40
    assert span.attributes["long"] == "REDACTED"
