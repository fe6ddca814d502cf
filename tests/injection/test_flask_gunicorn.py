"""A Flask app with an app factory behind gunicorn, injected: every request is seen once, whichever worker serves it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.injection.conftest import StartApp
from tests.injection.harness import comparable, free_port, instance_id, operator_env, request_all
from tests.normalise import normalised
from tests.receiver import Receiver

COMMAND = ["gunicorn", "--config", "gunicorn.conf.py", "shop:create_app()"]
WORKERS = 4
FORTY = ["/", "/users/7", "/slow", "/pid"] * 10
ROUTES = ["/", "/pid", "/slow", "/users/<int:id>"]


@dataclass(frozen=True)
class Served:
    """What serving some requests gave: the answers, the pids of the workers that served, the logs, the exit status."""

    port: int
    answers: list[tuple[int, str]]
    pids: set[int]
    stdout: str
    stderr: str
    status: int


def serve(
    start: StartApp, env: Mapping[str, str], paths: Sequence[str], *, headers: Mapping[str, str] | None = None
) -> Served:
    """Start the app, send all requests at once, stop it as the kubelet does."""
    port = free_port()
    app = start(COMMAND, "flask_app", {**env, "BIND": f"127.0.0.1:{port}"})
    app.wait_for_lines("Worker ready", WORKERS)
    answers = request_all(port, paths, headers=headers)
    status = app.stop()
    pids = {int(pid) for pid in re.findall(r"^<(\d+)> ", app.stdout, re.MULTILINE)}
    return Served(port, answers, pids, app.stdout, app.stderr, status)


def server_span(number: int, port: int, target: str, route: str | None, status: int = 200) -> dict[str, Any]:
    """Return the span that a request to the app gives, as the root of a trace of its own."""
    attributes = {
        "http.flavor": "1.1",
        "http.host": f"127.0.0.1:{port}",
        "http.method": "GET",
        **({"http.route": route} if route else {}),
        "http.scheme": "http",
        "http.server_name": "127.0.0.1",
        "http.status_code": status,
        "http.target": target,
        "http.user_agent": "test",
        "net.host.name": f"127.0.0.1:{port}",
        "net.host.port": port,
        "net.peer.ip": "127.0.0.1",
        "net.peer.port": "*",
    }
    return {
        "trace": number,
        "id": number,
        "parent": None,
        "name": f"GET {route or target}",
        "kind": "server",
        "scope": "opentelemetry.instrumentation.flask",
        "status": "error" if status >= 500 else "unset",
        "attributes": attributes,
    }


def check_identities(receiver: Receiver, env: Mapping[str, str], pids: set[int]) -> None:
    """Every worker that served is one process of its own: its true pid under an identity that no other has."""
    identities = {
        (span.resource.get("service.instance.id"), span.resource.get("process.pid")) for span in receiver.spans
    }
    assert len(pids) > 1
    assert {pid for _, pid in identities} == pids
    assert len({instance for instance, _ in identities}) == len(pids) == len(identities)
    assert all(str(instance).startswith(instance_id(env)) for instance, _ in identities)


def test_forty_requests_to_threaded_workers_give_forty_server_spans(
    start: StartApp, mount: Path, receiver: Receiver
) -> None:
    """4 workers x 4 threads: 40 spans, 40 in the summed metric, an identity per worker; logs as without us."""
    env = operator_env(mount, service="shop", endpoint=receiver.endpoint)
    injected = serve(start, env, FORTY)
    plain = serve(start, {}, FORTY)

    assert [status for status, _ in injected.answers] == [200] * 40
    targets = {"/users/<int:id>": "/users/7"}
    assert normalised(receiver.spans, volatile={"net.peer.port"}) == [
        server_span(number + 1, injected.port, targets.get(route, route), route)
        for number, route in enumerate(route for route in ROUTES for _ in range(10))
    ]
    assert receiver.sum_count("http.server.duration") == 40
    check_identities(receiver, env, injected.pids)
    assert {span.resource["service.name"] for span in receiver.spans} == {"shop"}
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
    exception = {
        "exception.escaped": "False",
        "exception.message": "the till is stuck",
        "exception.stacktrace": "*",
        "exception.type": "RuntimeError",
    }
    assert normalised(receiver.spans, volatile={"net.peer.port", "exception.stacktrace"}) == [
        {**boom, "events": [("exception", exception)]},
        server_span(2, injected.port, "/log", "/log"),
        server_span(3, injected.port, "/nothing", None, 404),
    ]


def test_log_records_belong_to_the_span_of_their_request(start: StartApp, mount: Path, receiver: Receiver) -> None:
    """A request that continues a trace: its span and the records written while it is served are part of that trace."""
    trace_id, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    env = operator_env(mount, service="shop", endpoint=receiver.endpoint)
    serve(start, env, ["/log"], headers={"traceparent": f"00-{trace_id}-{caller}-01"})

    (span,) = receiver.spans
    assert (span.trace_id, span.parent_id) == (trace_id, caller)
    assert [(log.severity, log.body, log.trace_id, log.span_id) for log in receiver.logs] == [
        ("INFO", "stock is 12", trace_id, span.span_id),
        ("WARN", "stock of apples is low: 3 left", trace_id, span.span_id),
        ("ERROR", "order A-17 failed", trace_id, span.span_id),
    ]
    assert {log.scope for log in receiver.logs} == {"shop"}
    assert {log.resource["service.instance.id"] for log in receiver.logs} == {span.resource["service.instance.id"]}
