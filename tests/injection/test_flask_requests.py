"""The shorter way through Flask's instrumentation emits what upstream's emits, and changes nothing in the app."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from images.paths import ROOT
from tests.injection import pythons
from tests.injection.exported import Exported
from tests.injection.running import Finished, Runner
from tests.receiver import Receiver

CASES = (ROOT / "tests" / "apps" / "flask_requests" / "cases.py").read_text()
UPSTREAM = {"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "X-Never-Sent"}
"""A setting that the shorter way does not know: it changes nothing here, but who does the work."""

NONE_EXCLUDED = {"OTEL_PYTHON_EXCLUDED_URLS": ""}
SETTINGS: dict[str, Mapping[str, str]] = {
    "old conventions": {},
    "stable conventions": {"OTEL_SEMCONV_STABILITY_OPT_IN": "http"},
    "both conventions": {"OTEL_SEMCONV_STABILITY_OPT_IN": "http/dup", **NONE_EXCLUDED},
    "nothing excluded": NONE_EXCLUDED,
    "Flask's own exclusions": {
        "OTEL_PYTHON_FLASK_EXCLUDED_URLS": r"item.$, /caf\u00e9/, \?b=, ^http://b\u00fccher, s/1"
    },
    "nothing sampled": {"OTEL_TRACES_SAMPLER": "parentbased_always_off"},
    "few and short attributes": {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "5", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9"},
    "other propagators": {"OTEL_PROPAGATORS": "b3multi,baggage"},
    "no propagators": {"OTEL_PROPAGATORS": "none"},
    "processors": {
        "OTEL_INJECTION_SPAN_PROCESSORS": "drop_probes,mask",
        "OTEL_INJECTION_METRIC_PROCESSORS": "drop_attributes,limit_cardinality",
        "OTEL_INJECTION_METRIC_DROP_ATTRIBUTES": "http.host",
        "OTEL_INJECTION_METRIC_CARDINALITY_LIMIT": "5",
    },
    "no telemetry": {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
}
FEW = ("old conventions", "stable conventions", "both conventions")
SHORT, LONG = {"short:server_spans", "short:-"}, {"long:_decorator", "long:-"}
"""Who runs the app's wrapper, and whose is what holds the span; nothing does where the URL is excluded."""


@pytest.fixture
def old_flask(python: Path, mount: Path, receiver: Receiver, tmp_path: Path) -> Runner:
    """Runs programs beside the oldest Flask that takes the shorter way."""
    folder = pythons.apps_environment(python, "old-pins")
    return Runner(folder / "bin" / "python", mount, receiver.endpoint, tmp_path / "app")


@pytest.mark.parametrize("settings", SETTINGS)
def test_both_ways_emit_the_same(settings: str, framework_runner: Runner, receiver: Receiver) -> None:
    """Spans, metrics and logs are equal to the last field, under every setting that the shorter way knows."""
    _compare(framework_runner, receiver, SETTINGS[settings])


@pytest.mark.parametrize("settings", FEW)
def test_both_ways_emit_the_same_of_an_old_flask(settings: str, old_flask: Runner, receiver: Receiver) -> None:
    """The same with the oldest release of Flask that takes the shorter way."""
    _compare(old_flask, receiver, SETTINGS[settings])


def test_the_app_answers_as_without_us(framework_runner: Runner) -> None:
    """Every request is answered the same, and every exception reaches the server the same."""
    plain = framework_runner.run(CASES, injected=False)
    injected = framework_runner.run(CASES)
    assert plain.status == injected.status == 0, plain.stderr + injected.stderr
    answers = [[each for each in _answers(done) if "/spans" not in each] for done in (injected, plain)]
    assert _unlike(*answers) == []


@pytest.mark.parametrize(("lock", "statuses"), [("frameworks", [400, 400, 200]), ("old-pins", [200, 200])])
def test_a_request_without_a_url_is_answered_as_without_us(
    lock: str, statuses: list[int], python: Path, mount: Path, receiver: Receiver, tmp_path: Path
) -> None:
    """URLs are excluded, and these cannot be had: what is to be said of it the app says, and there is a span."""
    env = {"REFUSED": "1"}
    runner = Runner(
        pythons.apps_environment(python, lock) / "bin" / "python", mount, receiver.endpoint, tmp_path / "app"
    )
    plain = runner.run(CASES, injected=False, env=env)
    injected = runner.run(CASES, env=env)
    assert _unlike(_answers(injected), _answers(plain)) == []
    spans = sorted(receiver.spans, key=lambda span: span.start)
    assert [span.attributes.get("http.status_code") for span in spans[: len(statuses)]] == statuses


@pytest.mark.parametrize(
    "feature",
    [
        {"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "user-agent"},
        {"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE": "content-type"},
        {"OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS": "true"},
    ],
    ids=lambda feature: next(iter(feature)),
)
def test_what_is_not_known_is_upstreams(
    feature: Mapping[str, str], framework_runner: Runner, receiver: Receiver
) -> None:
    """Captured headers and unusual methods are there: upstream's own code does the work."""
    done = framework_runner.run(CASES, env=feature)
    assert "long:_decorator" in _ways(done) <= LONG
    told = json.dumps([[span.name, *span.attributes] for span in receiver.spans])
    assert any(
        each in told for each in ("http.request.header.user_agent", "http.response.header.content_type", "FOO /")
    )


def test_making_an_app_imports_no_sdk(framework_runner: Runner) -> None:
    """The shorter way is prepared with the app, and the SDK is imported with its first request."""
    program = """
        import sys
        import flask

        app = flask.Flask("shop")
        app.add_url_rule("/", view_func=lambda: "answered")
        for request in range(2):
            print(request, any(".opentelemetry.sdk." in each for each in sys.modules))
            app.test_client().get("/")
        """
    assert framework_runner.run(program).stdout.split() == ["0", "False", "1", "True"]


def _compare(runner: Runner, receiver: Receiver, settings: Mapping[str, str]) -> None:
    short, ours = _run(runner, receiver, settings)
    long, theirs = _run(runner, receiver, {**settings, **UPSTREAM})
    assert "short:server_spans" in _ways(short) <= SHORT
    assert "long:_decorator" in _ways(long) <= LONG
    assert _unlike(_answers(short), _answers(long)) == []
    assert _unlike(ours.spans, theirs.spans) == []
    assert _unlike(ours.logs, theirs.logs) == []
    assert len(ours.points) == len(theirs.points)
    for mine, other in zip(ours.points, theirs.points, strict=True):
        assert _unlike(mine, other) == []
    if "none" not in settings.values():
        assert len(ours.points) > 1
        assert "always_off" in str(settings) or len(ours.spans) > 100


def _run(runner: Runner, receiver: Receiver, settings: Mapping[str, str]) -> tuple[Finished, Exported]:
    receiver.clear()
    done = runner.run(CASES, env=settings)
    assert done.status == 0, done.stderr
    return done, Exported(receiver, ["opentelemetry.instrumentation.flask"])


def _answers(done: Finished) -> list[str]:
    """Return what was answered, without the way that the requests took."""
    return [
        "\t".join(each for index, each in enumerate(line.split("\t")) if index != 3)
        for line in done.stdout.splitlines()
    ]


def _ways(done: Finished) -> set[str]:
    """Return the ways that requests took."""
    columns = [line.split("\t") for line in done.stdout.splitlines()]
    return {each for line in columns if len(line) > 4 for each in line[3].split(",") if each}


def _unlike(ours: list[Any], theirs: list[Any]) -> list[Any]:
    """Return the first pairs that differ; equal lists have none."""
    return [pair for pair in zip_longest(ours, theirs) if pair[0] != pair[1]][:3]
