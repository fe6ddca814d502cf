"""A signal whose chain of processors cannot be made is exported without it, unless the chain masks."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_injection.processors import SpanStep, by_name, chain
from otel_injection.sdk import processor_chains
from tests.unit.conftest import Said


class Exporting:
    """What exports, as far as chains know it."""

    def __init__(self) -> None:
        self.ended = False

    def shutdown(self) -> None:
        self.ended = True


class FailsAtItsStart(SpanStep):
    def __init__(self, following: Any) -> None:
        super().__init__(following)
        raise OSError("no rules")


class Protects(FailsAtItsStart):
    fails_closed = True


class RaisesLater(SpanStep):
    def on_end(self, span: Any) -> None:
        raise OSError(f"no rules for {span.name}")


class ProtectsAndRaises(RaisesLater):
    fails_closed = True


STEPS = {each.__name__: each for each in (SpanStep, FailsAtItsStart, Protects, RaisesLater, ProtectsAndRaises)}


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("SPAN", "LOG", "METRIC"):
        monkeypatch.delenv(f"OTEL_INJECTION_{kind}_PROCESSORS", raising=False)
    monkeypatch.setattr(by_name, "_find", lambda _kind, name, _strict: STEPS.get(name))


def test_without_processors_there_is_no_chain_and_nothing_is_said(said: Said) -> None:
    exporting = [Exporting()]
    assert processor_chains.of_spans(exporting, ()) is None
    assert processor_chains.of_logs(exporting, ()) is None
    assert processor_chains.of_metrics(MeterProvider(), ()) == ()
    assert (len(exporting), said.getvalue()) == (1, "")


@pytest.mark.parametrize(
    ("named", "stops"),
    [("SpanStep,mask", True), ("mask", True), ("SpanStep", False), ("SpanStep,unmasked", False)],
)
def test_a_chain_that_fails_as_a_whole_stops_the_export_if_it_masks(
    monkeypatch: pytest.MonkeyPatch, said: Said, named: str, stops: bool
) -> None:
    def fail(*_: Any) -> Any:
        raise OSError("no chain")

    monkeypatch.setattr(chain, "span_chain", fail)
    monkeypatch.setattr(chain, "log_chain", fail)
    monkeypatch.setenv("OTEL_INJECTION_SPAN_PROCESSORS", named)
    for of, signal in ((processor_chains.of_spans, "traces"), (processor_chains.of_logs, "logs")):
        one = Exporting()
        exporting: list[Any] = [one]
        assert of(exporting, ()) is None
        assert (exporting == [], one.ended) == (stops, stops)
        what = "are not exported, since they cannot be masked" if stops else "go through no processor"
        assert f"OTEL_INJECTION_SPAN_PROCESSORS: {signal} {what}: OSError: no chain" in said.getvalue()


def test_the_variable_that_names_the_processors_is_named(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    monkeypatch.setenv("OTEL_INJECTION_SPAN_PROCESSORS", "SpanStep")
    monkeypatch.setenv("OTEL_INJECTION_LOG_PROCESSORS", "Protects")
    exporting: list[Any] = [Exporting()]
    assert processor_chains.of_logs(exporting, ()) is None
    assert exporting == []
    assert "OTEL_INJECTION_LOG_PROCESSORS: logs are not exported" in said.getvalue()


def test_one_step_that_cannot_be_made_is_left_out_unless_nothing_may_be_exported_without_it(
    monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    monkeypatch.setenv("OTEL_INJECTION_SPAN_PROCESSORS", "FailsAtItsStart,SpanStep")
    exporting: list[Any] = [Exporting()]
    made = processor_chains.of_spans(exporting, ())
    assert [link.step.name for link in made.links] == ["SpanStep"]
    assert "processor 'FailsAtItsStart' failed and is left out" in said.getvalue()
    assert processor_chains.of_spans(exporting, [("Protects", Protects)]) is None
    assert exporting == []


@pytest.mark.parametrize(("step", "arrives"), [(RaisesLater, True), (ProtectsAndRaises, False)])
def test_what_raises_is_passed_over_unless_nothing_may_pass_without_it(
    said: Said, step: type[SpanStep], arrives: bool
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor_chains.of_spans([SimpleSpanProcessor(exporter)], [(step.__name__, step)]))
    provider.get_tracer("shop").start_span("sold").end()
    assert bool(exporter.get_finished_spans()) == arrives
    assert ("is passed over" in said.getvalue()) == arrives
