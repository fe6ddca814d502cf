"""Keeps the errors of processors from the app.

A processor that raises is passed over: the item goes on to the following one, and one line says so. One that fails
closed, such as ``mask``, is not passed over: the item is dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace.sampling import Sampler

from otel_injection import report


class Link:
    """A step whose errors are kept from the app: if it raises, the item goes on to the following link."""

    def __init__(self, step: Any, following: Any) -> None:
        self.step = step
        self.failed = 0
        self.reached = threading.local()
        """By thread, the item that this link was given last."""
        self._following = following
        self._passes_on = not getattr(step, "fails_closed", False)

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
        instead = "is passed over" if self._passes_on else "drops what it cannot change"
        report.say(f"processor '{name}' fails and {instead}: {type(error).__name__}: {error}", kind=f"step {name}")


class SpanLink(Link):
    """A step that is given spans."""

    def on_end(self, span: Any) -> None:
        """Give a span to the step, or to the following one where the step raises before."""
        self.reached.item = span.context
        following = self._following
        following.reached.item = None
        try:
            self.step.on_end(span)
        except Exception as error:
            self.report(error)
            if self._passes_on and following.reached.item is not span.context:
                following.on_end(span)


class LogLink(Link):
    """A step that is given log records."""

    def on_emit(self, log_record: Any) -> None:
        """Give a record to the step, or to the following one where the step raises before."""
        self.reached.item = log_record
        following = self._following
        following.reached.item = None
        try:
            self.step.on_emit(log_record)
        except Exception as error:
            self.report(error)
            if self._passes_on and following.reached.item is not log_record:
                following.on_emit(log_record)


class SamplerLink(Sampler):
    """A sampler whose errors are kept from the app: if it raises, the following one decides."""

    def __init__(self, link: Any, sampler: Any, following: Any) -> None:
        self._link = link
        self._sampler = sampler
        self._following = following

    def should_sample(self, *arguments: Any, **keywords: Any) -> Any:
        """Ask the step's sampler."""
        try:
            return self._sampler.should_sample(*arguments, **keywords)
        except Exception as error:
            self._link.report(error)
            return self._following.should_sample(*arguments, **keywords)

    def get_description(self) -> str:
        """Return the description of the step's sampler."""
        try:
            return str(self._sampler.get_description())
        except Exception:
            return type(self._sampler).__name__


class Exporting:
    """The end of the chain of spans."""

    def __init__(self, processors: Sequence[Any]) -> None:
        self.reached = threading.local()
        self._processors = processors

    def on_end(self, span: Any) -> None:
        """Give the span to the exporting processors."""
        self.reached.item = span.context
        for each in self._processors:
            each.on_end(span)


class Emitting:
    """The end of the chain of log records."""

    def __init__(self, processors: Sequence[Any]) -> None:
        self.reached = threading.local()
        self._processors = processors

    def on_emit(self, log_record: Any) -> None:
        """Give the record to the exporting processors."""
        self.reached.item = log_record
        for each in self._processors:
            each.on_emit(log_record)
