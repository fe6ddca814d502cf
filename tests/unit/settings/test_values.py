"""How each kind of value is read: which part is used, and the message about the rest."""

from __future__ import annotations

import os

import pytest

from otel_injection.settings import environment
from otel_injection.settings.environment import ENVIRON, Environ
from tests.unit.conftest import Said

NUMBER = "OTEL_METRIC_EXPORT_INTERVAL"
WHOLE = "OTEL_BSP_SCHEDULE_DELAY"
LIMIT = "OTEL_SPAN_EVENT_COUNT_LIMIT"
SWITCH = "OTEL_PYTHON_DJANGO_INSTRUMENT"
FILTER = "OTEL_METRICS_EXEMPLAR_FILTER"
URLS = "OTEL_PYTHON_EXCLUDED_URLS"
ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES"
FORMAT = "OTEL_PYTHON_LOG_FORMAT"
OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        (NUMBER, " 1.5 ", "1.5"),
        (WHOLE, "1", "1"),
        (LIMIT, "0", "0"),
        (LIMIT, "None", "none"),
        (SWITCH, "no", "False"),
        (SWITCH, "ON", "True"),
        (FILTER, "Always_On", "always_on"),
        (URLS, "/a$, /b", "/a$, /b"),
        (URLS, "(a,b)", "(a,b)"),
        (ATTRIBUTES, "a=1,b=x=y,c=", "a=1,b=x=y,c="),
        (FORMAT, "%(message)s %(otelTraceID)s", "%(message)s %(otelTraceID)s"),
        (OPT_IN, "http/dup", "http/dup"),
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST", "x-.*", "x-.*"),
        ("A_VARIABLE_OF_THE_APP", "x", "x"),
        ("OTEL_SERVICE_NAME", "", "default"),
        ("OTEL_SERVICE_NAME", " \t", "default"),
    ],
)
def test_a_usable_value_is_used(monkeypatch: pytest.MonkeyPatch, said: Said, name: str, text: str, value: str) -> None:
    monkeypatch.setenv(name, text)
    assert ENVIRON.get(name, "default") == value
    assert (name in ENVIRON) == (value != "default")
    assert said.getvalue() == ""


@pytest.mark.parametrize("name", [NUMBER, WHOLE, LIMIT, SWITCH, FILTER, FORMAT])
@pytest.mark.parametrize("text", ["pigeon", "-1", "nan", "inf", "9" * 5000, "%(x)s", os.fsdecode(b"\xff")])
def test_an_unusable_value_is_named_and_the_default_used(
    monkeypatch: pytest.MonkeyPatch, said: Said, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    assert [ENVIRON.get(name, "default") for _ in range(3)] == ["default"] * 3
    environment.name_the_unusable()
    shown = text[:100].encode(errors="backslashreplace").decode()
    assert said.getvalue().startswith(f"otel-injection: {name}: '{shown}")
    assert said.getvalue().count("\n") == 1
    assert len(said.getvalue()) < 700


@pytest.mark.parametrize(
    ("name", "text", "value", "left_out"),
    [
        (URLS, "/a,(,/b", "/a,/b", "("),
        (URLS, "[", "default", "["),
        (ATTRIBUTES, "a,b=1,=c,,d=\udcff,e=2", "b=1,e=2", "a,=c,d=\udcff"),
        (OPT_IN, "http,dove", "http", "dove"),
    ],
)
def test_of_a_list_is_used_what_can_be(
    monkeypatch: pytest.MonkeyPatch, said: Said, name: str, text: str, value: str, left_out: str
) -> None:
    monkeypatch.setenv(name, text)
    assert ENVIRON.get(name, "default") == value
    assert said.getvalue().count("\n") == 1
    assert repr(left_out) in said.getvalue()


@pytest.mark.parametrize(
    ("queue", "batch", "used", "lines"),
    [
        ("100", None, "100", 0),
        ("100", "50", "50", 0),
        (None, None, "512", 0),
        (None, "9999", "2048", 1),
        ("soon", "9999", "2048", 2),
    ],
)
def test_a_batch_fits_in_its_queue(
    monkeypatch: pytest.MonkeyPatch, said: Said, queue: str | None, batch: str | None, used: str, lines: int
) -> None:
    for name, value in (("OTEL_BSP_MAX_QUEUE_SIZE", queue), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", batch)):
        if value:
            monkeypatch.setenv(name, value)
    assert ENVIRON.get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512") == used
    assert said.getvalue().count("\n") == lines


def test_what_the_app_sets_later_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "1")
    assert ENVIRON[LIMIT] == "1"
    monkeypatch.setenv(LIMIT, "2")
    assert ENVIRON[LIMIT] == "2"
    monkeypatch.delenv(LIMIT)
    with pytest.raises(KeyError):
        ENVIRON[LIMIT]


def test_hidden_variables_are_as_if_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "host")
    assert Environ("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS").get("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "") == ""


def test_what_upstream_takes_for_yes_whatever_it_is_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS"
    monkeypatch.setenv(name, "false")
    assert ENVIRON.get(name) is None
    monkeypatch.setenv(name, "true")
    assert ENVIRON.get(name) == "True"


def test_what_has_no_effect_is_named(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    monkeypatch.setenv("OTEL_LOG_LEVEL", "debug")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/metrics")
    environment.name_the_unusable()
    assert said.getvalue().startswith("otel-injection: OTEL_LOG_LEVEL: has no effect here: ")
    assert said.getvalue().count("\n") == 1
    assert "PROMETHEUS_MULTIPROC_DIR" not in ENVIRON
