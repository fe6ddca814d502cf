"""Upstream's settings mean here what they mean upstream."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.injection.running import Runner
from tests.injection.test_absurd_settings import PROGRAM
from tests.receiver import Receiver
from tests.telemetry import Span

pytestmark = pytest.mark.newest_python

Check = Callable[[Receiver], object]

HEADERS = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_"
SERVER = "GET /items/<int:number>"


def served(received: Receiver) -> Span:
    """Return the span of the request."""
    (span,) = [span for span in received.spans if span.name == SERVER]
    return span


def names(received: Receiver) -> set[str]:
    """Return the names of spans."""
    return {span.name for span in received.spans}


def metrics(received: Receiver) -> set[str]:
    """Return the names of metrics."""
    return {point.name for point in received.points}


EFFECTS: list[tuple[dict[str, str], Check]] = [
    ({}, lambda it: names(it) == {"sold", SERVER} and len(it.logs) == 1 and "sales" in metrics(it)),
    ({}, lambda it: "http.target" in served(it).attributes and "url.path" not in served(it).attributes),
    ({}, lambda it: "system.memory.usage" in metrics(it) and "otel.sdk.span.started" not in metrics(it)),
    ({"OTEL_PYTHON_EXCLUDED_URLS": "items"}, lambda it: names(it) == {"sold"}),
    ({"OTEL_PYTHON_FLASK_EXCLUDED_URLS": "items"}, lambda it: names(it) == {"sold"}),
    (
        {"OTEL_PYTHON_EXCLUDED_URLS": "items", "OTEL_PYTHON_FLASK_EXCLUDED_URLS": "other"},
        lambda it: SERVER in names(it),
    ),
    (
        {f"{HEADERS}SERVER_REQUEST": "x-.*"},
        lambda it: served(it).attributes["http.request.header.x_colour"] == ["red"],
    ),
    (
        {f"{HEADERS}SERVER_REQUEST": "x-.*", f"{HEADERS}SANITIZE_FIELDS": "x-col.*"},
        lambda it: served(it).attributes["http.request.header.x_colour"] == ["[REDACTED]"],
    ),
    (
        {f"{HEADERS}SERVER_RESPONSE": "content-type"},
        lambda it: "http.response.header.content_type" in served(it).attributes,
    ),
    (
        {"OTEL_SEMCONV_STABILITY_OPT_IN": "http"},
        lambda it: "url.path" in served(it).attributes and "http.target" not in served(it).attributes,
    ),
    (
        {"OTEL_SEMCONV_STABILITY_OPT_IN": "http/dup"},
        lambda it: "url.path" in served(it).attributes and "http.target" in served(it).attributes,
    ),
    ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1"}, lambda it: len(served(it).attributes) == 1),
    ({"OTEL_ATTRIBUTE_COUNT_LIMIT": "2"}, lambda it: len(served(it).attributes) == 2),
    ({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "2"}, lambda it: served(it).attributes["http.method"] == "GE"),
    (
        {"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": "1", "OTEL_PYTHON_LOG_CODE_ATTRIBUTES": "true"},
        lambda it: len(it.logs[0].attributes) == 1,
    ),
    (
        {"OTEL_PYTHON_LOG_CODE_ATTRIBUTES": "true"},
        lambda it: it.logs[0].attributes["code.function.name"] == "work",
    ),
    ({"OTEL_PYTHON_LOG_HANDLER_LEVEL": "error"}, lambda it: it.spans and not it.logs),
    ({"OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false"}, lambda it: it.spans and not it.logs),
    ({"OTEL_LOGS_EXPORTER": "none"}, lambda it: it.spans and it.points and not it.logs),
    ({"OTEL_TRACES_EXPORTER": "none"}, lambda it: it.logs and it.points and not it.spans),
    ({"OTEL_METRICS_EXPORTER": "none"}, lambda it: it.spans and it.logs and not it.points),
    ({"OTEL_TRACES_SAMPLER": "always_off"}, lambda it: it.logs and not it.spans),
    ({"OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true"}, lambda it: "otel.sdk.span.started" in metrics(it)),
    (
        {"OTEL_PYTHON_SYSTEM_METRICS_EXCLUDED_METRICS": "system.*"},
        lambda it: "process.cpu.time" in metrics(it) and not any(each.startswith("system.") for each in metrics(it)),
    ),
    ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask"}, lambda it: names(it) == {"sold"}),
    (
        {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "*"},
        lambda it: {"host.name", "os.type", "process.pid"} <= set(served(it).resource),
    ),
    ({"OTEL_SERVICE_NAME": "kiosk"}, lambda it: served(it).resource["service.name"] == "kiosk"),
    (
        {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1"},
        lambda it: len([each for each in it.requests if each.path == "/v1/traces"]) == 2,
    ),
    (
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
        lambda it: it.requests[0].headers["content-encoding"] == "gzip",
    ),
]


@pytest.mark.parametrize(("env", "check"), EFFECTS, ids=[",".join(env) or "none" for env, _ in EFFECTS])
def test_a_setting_has_its_effect(
    framework_runner: Runner, receiver: Receiver, env: dict[str, str], check: Check
) -> None:
    done = framework_runner.run(PROGRAM, env=env)
    assert done.own == (0, "200 OK\n7\n", "sold\n")
    assert all("Attributes dict is full" in line or "exceeds max length" in line for line in done.lines)
    assert check(receiver), receiver.summary()
