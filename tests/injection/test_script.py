"""A plain script that only makes outbound calls, injected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.injection.conftest import StartApp
from tests.injection.harness import Dependency, comparable, instance_id, operator_env
from tests.normalise import normalised
from tests.receiver import Receiver


@pytest.fixture
def catalogue() -> Iterator[Dependency]:
    """The service that the script calls."""
    answers = {
        "GET /products": (200, ["apple", "pear"]),
        "GET /products/apple/price": (200, 3),
        "GET /products/pear/price": (200, 4),
        "POST /reports": (201, None),
    }
    with Dependency(answers) as dependency:
        yield dependency


def client_span(number: int, library: str, method: str, url: str, status: int) -> dict[str, Any]:
    """Return the span that a call gives, as the root of a trace of its own."""
    return {
        "trace": number,
        "id": number,
        "parent": None,
        "name": method,
        "kind": "client",
        "scope": f"opentelemetry.instrumentation.{library}",
        "status": "error" if status >= 400 else "unset",
        "attributes": {"http.method": method, "http.status_code": status, "http.url": url},
    }


def check_telemetry(receiver: Receiver, catalogue: Dependency) -> None:
    """Each call of the script is one client span, and the called service got exactly these spans' contexts."""
    spans = sorted(receiver.spans, key=lambda span: span.start)
    assert normalised(receiver.spans, replace={catalogue.url: "URL"}) == [
        client_span(1, "requests", "GET", "URL/products", 200),
        client_span(2, "urllib", "GET", "URL/products/apple/price", 200),
        client_span(3, "urllib", "GET", "URL/products/pear/price", 200),
        client_span(4, "urllib", "GET", "URL/discontinued", 404),
        client_span(5, "requests", "POST", "URL/reports", 201),
    ]
    assert [call.traceparent for call in catalogue.calls] == [f"00-{s.trace_id}-{s.span_id}-01" for s in spans]
    assert receiver.sum_count("http.client.duration") == 5
    assert [(log.severity, log.body) for log in receiver.logs if log.scope == "prices"] == [
        ("INFO", "2 products"),
        ("INFO", "apple costs 3"),
        ("INFO", "pear costs 4"),
        ("WARN", "no list of discontinued products: 404"),
        ("INFO", "done"),
    ]


def test_every_outbound_call_of_a_script_is_a_client_span(
    start: StartApp, mount: Path, receiver: Receiver, catalogue: Dependency
) -> None:
    """Spans, metric and logs arrive although the script ends at once; it prints and returns what it does without us."""
    target = {"CATALOGUE_URL": catalogue.url}
    plain = start(["python", "run.py"], "script", target)
    assert plain.wait() == 0
    catalogue.calls.clear()

    env = operator_env(mount, service="prices", endpoint=receiver.endpoint)
    injected = start(["python", "run.py"], "script", {**env, **target})
    assert injected.wait() == 0
    check_telemetry(receiver, catalogue)
    assert receiver.instances == {instance_id(env)}
    assert {span.resource["process.pid"] for span in receiver.spans} == {injected.process.pid}
    assert comparable(injected.stdout) == comparable(plain.stdout)
    assert comparable(injected.stderr, mount) == comparable(plain.stderr)
