"""Makes the chains of processors that the settings name, and keeps their errors from the app.

What raises is passed over: the item goes on to the following processor, and one line says so.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.util._importlib_metadata import entry_points

from otel_injection import report, settings

SPANS = "OTEL_INJECTION_SPAN_PROCESSORS"
LOGS = "OTEL_INJECTION_LOG_PROCESSORS"
METRICS = "OTEL_INJECTION_METRIC_PROCESSORS"
_GROUPS = {
    SPANS: "otel_injection_span_processor",
    LOGS: "otel_injection_log_processor",
    METRICS: "otel_injection_metric_processor",
}


def span_chain(exporting: Sequence[Any], listed: Sequence[Any] = ()) -> SpanChain | None:
    """Return the chain before those that export, None if it is empty.

    It consists of what ``OTEL_INJECTION_SPAN_PROCESSORS`` names, then of what is ``listed``.
    """
    makers = [*_makers(SPANS, settings.names(SPANS), strict=True), *listed]
    if not makers:
        return None
    links, following = _linked(SPANS, makers, _SpanLink, _Exporting(exporting))
    return SpanChain(links, following, exporting) if links else None


def log_chain(exporting: Sequence[Any], listed: Sequence[Any] = ()) -> LogChain | None:
    """Return the chain of log processors: those named, or those of the span processors that have a counterpart."""
    named = settings.names(LOGS)
    makers = [*_makers(LOGS, named or settings.names(SPANS), strict=bool(named)), *listed]
    if not makers:
        return None
    links, following = _linked(LOGS, makers, _LogLink, _Emitting(exporting))
    return LogChain(links, following, exporting) if links else None


def metric_chain(meter_provider: Any, listed: Sequence[Any] = ()) -> list[Any]:
    """Have measurements go through the steps that ``OTEL_INJECTION_METRIC_PROCESSORS`` names; return their links."""
    from otel_injection.processors import measuring

    links = []
    for name, maker in [*_makers(METRICS, settings.names(METRICS), strict=True), *listed]:
        try:
            step = maker()
            step.name = name
            links.append(_Link(step, None))
        except Exception as error:  # noqa: PERF203 - each gets its chance
            _left_out(METRICS, name, error)
    if links:
        measuring.install(meter_provider, links)
    return links


def listed(variable: str, name: str, options: dict[str, Any] | None) -> tuple[str, Any]:
    """Return what makes the processor that a configuration file names, with its options.

    Raises what is wrong with them: it is made once as a test. ``variable`` is what would name it in the environment.
    """
    maker = _find(variable, name, strict=True)
    if maker is None:
        known = sorted(each.name for each in entry_points(group=_GROUPS[variable]))
        raise ValueError(f"processor '{name}' is unknown; known are {', '.join(known)}")
    made = partial(maker, **(options or {}))
    try:
        if variable == METRICS:
            made()
        else:
            made(None)
    except Exception as error:
        raise ValueError(f"processor '{name}': {error}") from None
    return name, made


def _makers(variable: str, names: Sequence[str], *, strict: bool) -> list[tuple[str, Any]]:
    """Return the classes of processors by name: an entry point's, or ``package.module:Class``."""
    found = []
    for name in names:
        try:
            maker = _find(variable, name, strict)
            if maker is not None:
                found.append((name, maker))
            elif strict:
                report.say(f"{variable}: processor '{name}' is unknown and left out")
        except Exception as error:  # noqa: PERF203 - each gets its chance
            _left_out(variable, name, error)
    return found


def _find(variable: str, name: str, strict: bool) -> Any:
    if ":" in name:
        module, _, attribute = name.partition(":")
        return getattr(importlib.import_module(module), attribute) if strict else None
    entries = list(entry_points(group=_GROUPS[variable], name=name))
    return entries[0].load() if entries else None


def _linked(variable: str, makers: Sequence[tuple[str, Any]], link: Any, last: Any) -> tuple[list[Any], Any]:
    links: list[Any] = []
    following = last
    for name, maker in reversed(makers):
        try:
            step = maker(following)
            step.name = name
            following = link(step, following)
            links.insert(0, following)
        except Exception as error:  # noqa: PERF203 - each gets its chance
            _left_out(variable, name, error)
    return links, following


def _left_out(variable: str, name: str, error: Exception) -> None:
    report.say(f"{variable}: processor '{name}' failed and is left out: {type(error).__name__}: {error}")


class _Link:
    """A step that cannot hurt: what it raises stays here, and the item goes on to the following link."""

    def __init__(self, step: Any, following: Any) -> None:
        self.step = step
        self.failed = 0
        self.reached = threading.local()
        """By thread, the item that this link was given last."""
        self._following = following

    def tell(self, method: str, *arguments: Any) -> Any:
        """Call a method of the step; return None if it raises."""
        try:
            return getattr(self.step, method)(*arguments)
        except Exception as error:
            self.report(error)
            return None

    def report(self, error: Exception) -> None:
        """Count an error of the step's, and say so once."""
        self.failed += 1
        name = self.step.name
        report.say(f"processor '{name}' fails and is passed over: {type(error).__name__}: {error}", kind=f"step {name}")


class _SpanLink(_Link):
    def on_end(self, span: Any) -> None:
        self.reached.item = span.context
        following = self._following
        following.reached.item = None
        try:
            self.step.on_end(span)
        except Exception as error:
            self.report(error)
            if following.reached.item is not span.context:
                following.on_end(span)


class _LogLink(_Link):
    def on_emit(self, log_record: Any) -> None:
        self.reached.item = log_record
        following = self._following
        following.reached.item = None
        try:
            self.step.on_emit(log_record)
        except Exception as error:
            self.report(error)
            if following.reached.item is not log_record:
                following.on_emit(log_record)


class _Exporting:
    """The end of the chain of spans."""

    def __init__(self, processors: Sequence[Any]) -> None:
        self.reached = threading.local()
        self._processors = processors

    def on_end(self, span: Any) -> None:
        self.reached.item = span.context
        for each in self._processors:
            each.on_end(span)


class _Emitting:
    """The end of the chain of log records."""

    def __init__(self, processors: Sequence[Any]) -> None:
        self.reached = threading.local()
        self._processors = processors

    def on_emit(self, log_record: Any) -> None:
        self.reached.item = log_record
        for each in self._processors:
            each.on_emit(log_record)


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
        """Let go, in a forked child, of what is the parent's."""
        for link in self.links:
            if hasattr(link.step, "abandon"):
                link.tell("abandon")


class SpanChain(_Chain, SpanProcessor):
    """The processors of spans, as one processor of the SDK's."""

    def __init__(self, links: Sequence[Any], first: Any, exporting: Sequence[Any]) -> None:
        super().__init__(links, first, exporting)
        self._starting = [each for each in links if type(each.step).on_start is not SpanProcessor.on_start]

    def sampler(self, last: Any) -> Any:
        """Return the sampler that the steps make around the one of ``OTEL_TRACES_SAMPLER``."""
        for link in reversed(self.links):
            if hasattr(link.step, "sampler"):
                made = link.tell("sampler", last)
                if made is not None and made is not last:
                    last = _SamplerLink(link, made, last)
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


class LogChain(_Chain, LogRecordProcessor):
    """The processors of log records, as one processor of the SDK's."""

    def on_emit(self, log_record: Any) -> None:
        """Give the record to the first step."""
        self._first.on_emit(log_record)

    def shutdown(self) -> None:
        """End: what exports is ended by the process's end; see ``State.close``."""


class _SamplerLink(Sampler):
    """A sampler that cannot hurt: where it raises, the following one decides."""

    def __init__(self, link: Any, sampler: Any, following: Any) -> None:
        self._link = link
        self._sampler = sampler
        self._following = following

    def should_sample(self, *arguments: Any, **keywords: Any) -> Any:
        try:
            return self._sampler.should_sample(*arguments, **keywords)
        except Exception as error:
            self._link.report(error)
            return self._following.should_sample(*arguments, **keywords)

    def get_description(self) -> str:
        try:
            return str(self._sampler.get_description())
        except Exception:
            return type(self._sampler).__name__


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
