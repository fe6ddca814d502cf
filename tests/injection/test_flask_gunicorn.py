"""A Flask app with an app factory behind gunicorn, injected: every request is seen once, whichever worker serves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.injection.conftest import StartApp
from tests.injection.expected import exception_event, server_span
from tests.injection.harness import comparable, operator_env
from tests.injection.shop import FORTY, ROUTES, check_forty, check_identities, serve
from tests.normalise import normalised
from tests.receiver import Receiver

pytestmark = pytest.mark.every_python


def test_forty_requests_to_threaded_workers_give_forty_server_spans(
    start: StartApp, mount: Path, receiver: Receiver
) -> None:
    """4 workers x 4 threads: 40 spans, 40 in the summed metric, an identity per worker; logs as without us."""
    env = operator_env(mount, service="shop", endpoint=receiver.endpoint)
    injected = serve(start, env, FORTY)
    plain = serve(start, {}, FORTY)

    check_forty(receiver, env, injected)
    assert (injected.status, plain.status) == (0, 0)
    assert comparable(injected.stdout) == comparable(plain.stdout)
    assert comparable(injected.stderr, mount) == comparable(plain.stderr)


def test_forty_requests_to_sync_workers_follow_the_stable_conventions_when_asked(
    start: StartApp, mount: Path, receiver: Receiver
) -> None:
    """Sync workers: the same counts, under the names that OTEL_SEMCONV_STABILITY_OPT_IN chooses."""
    env = operator_env(mount, service="shop", endpoint=receiver.endpoint)
    env |= {"WORKER_CLASS": "sync", "THREADS": "1", "OTEL_SEMCONV_STABILITY_OPT_IN": "http"}
    injected = serve(start, env, FORTY)
    plain = serve(start, {"WORKER_CLASS": "sync", "THREADS": "1"}, FORTY)

    spans = normalised(receiver.spans)
    routes = [(span["name"], span["kind"], span["parent"], span["attributes"].get("http.route")) for span in spans]
    assert sorted(routes) == [(f"GET {route}", "server", None, route) for route in ROUTES for _ in range(10)]
    assert {span["attributes"].get("http.response.status_code") for span in spans} == {200}
    assert receiver.sum_count("http.server.request.duration") == 40
    assert receiver.sum_count("http.server.duration") == 0
    check_identities(receiver, env, injected.pids)
    assert (injected.status, plain.status) == (0, 0)
    assert comparable(injected.stderr, mount) == comparable(plain.stderr)


def test_error_handlers_answer_and_log_as_without_injection(start: StartApp, mount: Path, receiver: Receiver) -> None:
    """Custom 404 and 500 answers, tracebacks and warnings on the console stay; the 500's span has the exception."""
    paths = ["/boom", "/nothing", "/log"]
    injected = serve(start, operator_env(mount, service="shop", endpoint=receiver.endpoint), paths)
    plain = serve(start, {}, paths)

    assert injected.answers == plain.answers
    assert comparable(injected.stdout) == comparable(plain.stdout)
    assert comparable(injected.stderr, mount) == comparable(plain.stderr)
    boom = server_span(1, injected.port, "/boom", "/boom", 500)
    assert normalised(receiver.spans, volatile={"net.peer.port", "exception.stacktrace"}) == [
        {**boom, "events": [exception_event("RuntimeError", "the till is stuck")]},
        server_span(2, injected.port, "/log", "/log"),
        server_span(3, injected.port, "/nothing", None, 404),
    ]


def test_log_records_belong_to_the_span_of_their_request(start: StartApp, mount: Path, receiver: Receiver) -> None:
    """A request that continues a trace: its span and the records written while it is served are part of that trace."""
    trace_id, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    env = operator_env(mount, service="shop", endpoint=receiver.endpoint)
    serve(start, env, ["/log"], headers={"traceparent": f"00-{trace_id}-{caller}-01"})

    (span,) = receiver.spans
    logs = [log for log in receiver.logs if log.scope == "shop"]
    assert (span.trace_id, span.parent_id) == (trace_id, caller)
    assert [(log.severity, log.body, log.trace_id, log.span_id) for log in logs] == [
        ("INFO", "stock is 12", trace_id, span.span_id),
        ("WARN", "stock of apples is low: 3 left", trace_id, span.span_id),
        ("ERROR", "order A-17 failed", trace_id, span.span_id),
    ]
    assert {log.resource["service.instance.id"] for log in logs} == {span.resource["service.instance.id"]}


def test_probes_leave_no_spans(start: StartApp, mount: Path, receiver: Receiver) -> None:
    """Of a probe's and a user's request, only the user's is seen."""
    env = operator_env(mount, service="shop", endpoint=receiver.endpoint)
    served = serve(start, env, ["/healthz", "/"])
    assert [status for status, _ in served.answers] == [200, 200]
    assert normalised(receiver.spans, volatile={"net.peer.port"}) == [server_span(1, served.port, "/", "/")]
