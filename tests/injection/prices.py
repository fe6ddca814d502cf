"""The script sample: what it calls, and what every injected run of it must show."""

from __future__ import annotations

from contextlib import AbstractContextManager

from tests.injection.expected import client_span, exception_event
from tests.injection.harness import Dependency
from tests.normalise import normalised
from tests.receiver import Receiver

VOLATILE = {"user_agent.original", "exception.stacktrace"}
NOT_FOUND = exception_event("urllib.error.HTTPError", "HTTP Error 404: Not Found")


def catalogue_service() -> AbstractContextManager[Dependency]:
    """Return the service that the script calls."""
    return Dependency(
        {
            "GET /products": (200, ["apple", "pear"]),
            "GET /products/apple/price": (200, 3),
            "GET /products/pear/price": (200, 4),
            "POST /reports": (201, None),
        }
    )


def check_telemetry(receiver: Receiver, catalogue: Dependency) -> None:
    """Each call of the script is one client span, and the called service got exactly these spans' contexts."""
    spans = sorted(receiver.spans, key=lambda span: span.start)
    assert normalised(receiver.spans, volatile=VOLATILE, replace={catalogue.url: "URL"}) == [
        client_span(1, "requests", "GET", "URL/products", 200),
        client_span(2, "urllib", "GET", "URL/products/apple/price", 200),
        client_span(3, "urllib", "GET", "URL/products/pear/price", 200),
        {**client_span(4, "urllib", "GET", "URL/discontinued", 404), "events": [NOT_FOUND]},
        client_span(5, "requests", "POST", "URL/reports", 201),
    ]
    assert [call.context for call in catalogue.calls] == [(span.trace_id, span.span_id, True) for span in spans]
    assert receiver.sum_count("http.client.duration") == 5
    assert [(log.severity, log.body) for log in receiver.logs if log.scope == "prices"] == [
        ("INFO", "2 products"),
        ("INFO", "apple costs 3"),
        ("INFO", "pear costs 4"),
        ("WARN", "no list of discontinued products: 404"),
        ("INFO", "done"),
    ]
