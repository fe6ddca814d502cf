"""Spans below an excluded request are dropped under any sampler."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, DEFAULT_ON, Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, set_span_in_context

from otel_injection.sdk.excluded_sampler import EXCLUDED, drop_under_any


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_PYTHON_EXCLUDED_URLS", "OTEL_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "variable", ["OTEL_PYTHON_EXCLUDED_URLS", "OTEL_PYTHON_FLASK_EXCLUDED_URLS", "OTEL_CONFIG_FILE"]
)
def test_what_has_an_excluded_parent_is_dropped_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "healthz")
    sampler = drop_under_any(ALWAYS_ON)
    assert sampler.get_description() == ALWAYS_ON.get_description()
    for state, decision in ((EXCLUDED, Decision.DROP), (TraceState(), Decision.RECORD_AND_SAMPLE)):
        parent = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(0), trace_state=state)
        context = set_span_in_context(NonRecordingSpan(parent))
        assert sampler.should_sample(context, 1, "select").decision is decision
    assert sampler.should_sample(None, 1, "select").decision is Decision.RECORD_AND_SAMPLE


def test_a_sampler_that_drops_it_by_itself_stays_and_so_does_any_where_nothing_is_excluded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert drop_under_any(ALWAYS_ON) is ALWAYS_ON
    monkeypatch.setenv("OTEL_PYTHON_EXCLUDED_URLS", "healthz")
    assert drop_under_any(DEFAULT_ON) is DEFAULT_ON
