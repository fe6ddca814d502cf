"""The shorter way through ASGI's instrumentation emits what upstream's emits, and changes nothing in the app."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import pytest

from images.paths import ROOT
from tests.injection.exported import Exported
from tests.injection.running import Finished, Runner
from tests.receiver import Receiver

CASES = (ROOT / "tests" / "apps" / "asgi_requests" / "cases.py").read_text()
UPSTREAM = {"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "X-Never-Sent", "UPSTREAM_ROUTES": "1"}
"""A setting that the shorter way does not know: it changes nothing here, but who does the work.

The app itself puts back what upstream finds routes by.
"""
ORDERED = {"PYTHONHASHSEED": "0"}
"""The same order of methods in ``Allow``, of which Starlette has a set."""
SCOPES = [f"opentelemetry.instrumentation.{each}" for each in ("asgi", "fastapi", "starlette")]

SETTINGS: dict[str, Mapping[str, str]] = {
    "old conventions": {},
    "stable conventions": {"OTEL_SEMCONV_STABILITY_OPT_IN": "http"},
    "both conventions": {"OTEL_SEMCONV_STABILITY_OPT_IN": "http/dup", "OTEL_PYTHON_EXCLUDED_URLS": ""},
    "other exclusions": {"OTEL_PYTHON_EXCLUDED_URLS": r"items/7$,^http://other,b%C3%BCcher"},
    "nothing sampled": {"OTEL_TRACES_SAMPLER": "parentbased_always_off"},
    "few and short attributes": {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "5", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9"},
    "other propagators": {"OTEL_PROPAGATORS": "b3multi,baggage"},
    "all methods": {"OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS": "true"},
    "processors": {
        "OTEL_INJECTION_SPAN_PROCESSORS": "drop_probes,add_attributes,mask",
        "OTEL_INJECTION_ATTRIBUTES": "team=shop,http.scheme=other",
        "OTEL_INJECTION_METRIC_PROCESSORS": "drop_attributes,limit_cardinality",
        "OTEL_INJECTION_METRIC_DROP_ATTRIBUTES": "http.host",
        "OTEL_INJECTION_METRIC_CARDINALITY_LIMIT": "5",
    },
    "no telemetry": {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_both_ways_emit_the_same(settings: str, framework_runner: Runner, receiver: Receiver) -> None:
    """Spans, metrics and logs are equal to the last field, under every setting that the shorter way knows."""
    chosen = SETTINGS[settings]
    short, ours = _run(framework_runner, receiver, chosen)
    long, theirs = _run(framework_runner, receiver, {**chosen, **UPSTREAM})
    assert _way(short, "fastapi plain").startswith("short")
    assert _way(short, "fastapi a query").startswith("short")
    assert _way(short, "starlette a query").startswith("short")
    assert _way(short, "fastapi a websocket").startswith("long")
    assert not any(each.startswith("short") for each in _ways(long))
    assert any(each.startswith("long") for each in _ways(long))
    assert _unlike(_answers(short), _answers(long)) == []
    assert _unlike(ours.spans, theirs.spans) == []
    assert _unlike(ours.logs, theirs.logs) == []
    assert len(ours.points) == len(theirs.points)
    for mine, other in zip(ours.points, theirs.points, strict=True):
        assert _unlike(mine, other) == []
    if "none" not in chosen.values():
        assert len(ours.points) > 1
        assert "sampled" in settings or len(ours.spans) > 300


def test_the_app_answers_as_without_us(framework_runner: Runner) -> None:
    """Every request is answered the same, and every exception reaches the server the same."""
    plain = framework_runner.run(CASES, injected=False, env=ORDERED)
    injected = framework_runner.run(CASES, env=ORDERED)
    assert plain.status == injected.status == 0, plain.stderr + injected.stderr
    others = ('["within a span', '["answers carry', '["debug raises')  # the last shows all frames, ours included
    answers = [[each for each in _answers(done) if not each.startswith(others)] for done in (injected, plain)]
    assert len(answers[1]) > 200
    assert _unlike(*answers) == []


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST", "http.request.header.user_agent"),
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE", "http.response.header.content_type"),
    ],
)
def test_captured_headers_are_upstreams(setting: str, name: str, framework_runner: Runner, receiver: Receiver) -> None:
    """Where headers are captured, upstream's own code does the work."""
    done = framework_runner.run(CASES, env={setting: "user-agent,content-type"})
    assert not any(each.startswith("short") for each in _ways(done))
    assert any(name in span.attributes for span in receiver.spans)


STARLETTE = """
import asyncio, sys
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def item(request):
    frame, files = sys._getframe(), []
    while frame is not None:
        files.append(frame.f_code.co_filename)
        frame = frame.f_back
    print(any(each.endswith("asgi/middleware.py") for each in files))
    routes = sys.modules["otel_injection._vendor.opentelemetry.instrumentation.starlette"]._get_route_details
    print(type(routes).__module__)
    return PlainTextResponse("")

async def receive():
    return {"type": "http.request"}

async def send(message):
    pass

app = Starlette(routes=[Route("/items", item)])
scope = {"type": "http", "method": "GET", "path": "/items", "headers": [], "query_string": b""}
asyncio.run(app(scope, receive, send))
"""


def test_starlette_takes_the_shorter_way_without_fastapi(framework_runner: Runner, receiver: Receiver) -> None:
    done = framework_runner.run(STARLETTE)
    assert done.stdout.split() == ["True", "otel_injection.instrumentations.asgi.routes"], done.stderr
    assert [span.name for span in receiver.spans if span.kind == "server"] == ["GET /items"]


def _run(runner: Runner, receiver: Receiver, settings: Mapping[str, str]) -> tuple[Finished, Exported]:
    receiver.clear()
    done = runner.run(CASES, env={**ORDERED, **settings})
    assert done.status == 0, done.stderr
    return done, Exported(receiver, SCOPES)


def _answers(done: Finished) -> list[str]:
    """Return what was answered, without the way that the requests took."""
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    return [re.sub("0x[0-9a-f]+|[0-9a-f]{16}", "N", json.dumps([line[0], *line[2:]])) for line in lines]


def _ways(done: Finished) -> set[str]:
    """Return the ways that requests took."""
    return {each for line in done.stdout.splitlines() for each in line.split("\t")[1].split(",") if each}


def _way(done: Finished, name: str) -> str:
    return next(line.split("\t")[1] for line in done.stdout.splitlines() if line.startswith(f"{name}\t"))


def _unlike(ours: list[Any], theirs: list[Any]) -> list[Any]:
    """Return the first pairs that differ; equal lists have none."""
    return [pair for pair in zip_longest(ours, theirs) if pair[0] != pair[1]][:3]
