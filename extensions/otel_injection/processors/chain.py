"""Makes the chains of processors that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor

from otel_injection.processors.by_name import LOGS, METRICS, SPANS, Unprotected, fails_closed, left_out, makers
from otel_injection.processors.containment import Emitting, Exporting, Link, LogLink, SamplerLink, SpanLink
from otel_injection.settings import early


def span_chain(exporting: Sequence[Any], listed: Sequence[Any] = ()) -> SpanChain | None:
    """Return the chain of processors before the exporting ones, None if it is empty.

    It consists of what ``OTEL_INJECTION_SPAN_PROCESSORS`` names, then of what is ``listed``.
    """
    named = [*makers(SPANS, early.names(SPANS), strict=True), *listed]
    if not named:
        return None
    links, following = _linked(SPANS, named, SpanLink, Exporting(exporting))
    return SpanChain(links, following, exporting) if links else None


def log_chain(exporting: Sequence[Any], listed: Sequence[Any] = ()) -> LogChain | None:
    """Return the chain of log processors: those named, or those of the span processors that have a counterpart."""
    variable = LOGS if early.names(LOGS) else SPANS
    named = [*makers(LOGS, early.names(variable), strict=variable == LOGS, variable=variable), *listed]
    if not named:
        return None
    links, following = _linked(variable, named, LogLink, Emitting(exporting))
    return LogChain(links, following, exporting) if links else None


def metric_chain(meter_provider: Any, listed: Sequence[Any] = ()) -> list[Any]:
    """Put the steps that ``OTEL_INJECTION_METRIC_PROCESSORS`` names before all measurements; return their links."""
    from otel_injection.processors import of_metrics

    links = []
    for name, maker in [*makers(METRICS, early.names(METRICS), strict=True), *listed]:
        try:
            step = maker()
            step.name = name
            links.append(Link(step, None))
        except Exception as error:  # noqa: PERF203 - each gets its chance
            left_out(METRICS, name, error)
    if links:
        of_metrics.install(meter_provider, links)
    return links


def _linked(variable: str, named: Sequence[tuple[str, Any]], link: Any, last: Any) -> tuple[list[Any], Any]:
    links: list[Any] = []
    following = last
    for name, maker in reversed(named):
        try:
            step = maker(following)
            step.name = name
            following = link(step, following)
            links.insert(0, following)
        except Exception as error:  # noqa: PERF203 - each gets its chance
            if fails_closed(name, maker):
                raise Unprotected(f"processor '{name}' failed: {type(error).__name__}: {error}") from error
            left_out(variable, name, error)
    return links, following


class _Chain:
    def __init__(self, links: Sequence[Any], first: Any, exporting: Sequence[Any]) -> None:
        self.links = links
        self._first = first
        self._exporting = exporting

    def release(self) -> None:
        """Hand on what the steps hold back."""
        for link in self.links:
            link.tell("force_flush")

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Hand on what the steps hold back, and have it exported."""
        self.release()
        flushed = [each.force_flush(timeout_millis) for each in self._exporting]
        return all(flushed)

    def abandon(self) -> None:
        """Drop, in a forked child, what belongs to the parent."""
        for link in self.links:
            if hasattr(link.step, "abandon"):
                link.tell("abandon")


class SpanChain(_Chain, SpanProcessor):
    """The processors of spans, as one processor of the SDK's."""

    def __init__(self, links: Sequence[Any], first: Any, exporting: Sequence[Any]) -> None:
        super().__init__(links, first, exporting)
        self._starting = [each for each in links if _begins(each.step)]

    def sampler(self, last: Any) -> Any:
        """Return the configured sampler with those of the steps around it."""
        for link in reversed(self.links):
            if hasattr(link.step, "sampler"):
                made = link.tell("sampler", last)
                if made is not None and made is not last:
                    last = SamplerLink(link, made, last)
        return last

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Tell every step."""
        for link in self._starting:
            try:
                link.step.on_start(span, parent_context)
            except Exception as error:  # noqa: PERF203 - each gets its chance
                link.report(error)

    def on_end(self, span: Any) -> None:
        """Give the span to the first step."""
        self._first.on_end(span)


def _begins(step: Any) -> bool:
    """Return whether a step has an ``on_start`` to call; a processor of an app may not derive from ``SpanStep``."""
    return getattr(type(step), "on_start", SpanProcessor.on_start) is not SpanProcessor.on_start


class LogChain(_Chain, LogRecordProcessor):
    """The processors of log records, as one processor of the SDK's."""

    def on_emit(self, log_record: Any) -> None:
        """Give the record to the first step."""
        self._first.on_emit(log_record)

    def shutdown(self) -> None:
        """Do nothing: ``State.close`` ends the exporting processors."""


def observe(meter_provider: Any, **links: Sequence[Any]) -> None:
    """Show what the steps have dropped, and how often they failed, as metrics; ``links`` by the kind of their items."""
    meter = meter_provider.get_meter("otel_injection.processors")
    for kind, chosen in links.items():
        for name, what, value in (
            ("dropped", f"{kind}s that a processor dropped", lambda link: getattr(link.step, "dropped", 0)),
            ("failed", f"{kind}s for which a processor raised", lambda link: link.failed),
        ):
            if chosen:
                meter.create_observable_counter(
                    f"otel_injection.processor.{kind}.{name}",
                    callbacks=[_counting(chosen, value)],
                    unit=f"{{{kind}}}",
                    description=f"The number of {what}.",
                )


def _counting(links: Sequence[Any], value: Callable[[Any], int]) -> Callable[[Any], list[Observation]]:
    def observations(_options: Any) -> list[Observation]:
        return [Observation(value(link), {"otel.component.name": link.step.name}) for link in links]

    return observations
