"""The SDK's exporter interfaces over the encoders and the sender."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_injection.otlp import exporter_settings
from otel_injection.otlp.encode_logs import encode_logs
from otel_injection.otlp.encode_metrics import encode_metrics
from otel_injection.otlp.encode_traces import encode_spans
from otel_injection.otlp.exporter_settings import Report, Settings
from otel_injection.otlp.outcome import Outcome
from otel_injection.otlp.sender import Sender
from otel_injection.otlp.undelivered import Kept, Undelivered
from otel_injection.settings.early import number, text

MAX_BYTES = "OTEL_INJECTION_UNDELIVERED_MAX_BYTES"
_MAX_BYTES = 16 * 1024 * 1024
_REMEMBERED = 300.0
"""Seconds for which a size that was too large for the server is not tried again."""

Encode = Callable[[Any, Callable[[Exception], None]], bytes]
Counted = Callable[[str, int, int, int, str, int], object]

_TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_HISTOGRAM = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"


class _Exporter:
    """Counts what became of the items (spans, data points, log records) and reports failures as single lines.

    ``exported`` were accepted, ``rejected`` were refused by the collector in an answer that is otherwise a success,
    ``failed`` did not arrive, among them those that could not be encoded. ``protocol`` overrides the environment's,
    ``given`` settings are used in place of it.
    ``errors`` is the number of spans that stand for what failed. ``counted`` is called after each export with the
    signal, the first three (``failed`` with what waits for another attempt), what went wrong, and the last.
    """

    counted: Counted | None = None

    _parted = True
    """Whether a batch is a sequence of items, which can be sent in parts, and later, as they are."""

    def _prepare(self, signal: str, report: Report | None, protocol: str | None, given: Settings | None) -> None:
        self.exported = 0
        self.rejected = 0
        self.failed = 0
        self.errors = 0
        self._signal = signal
        self._report = report or (lambda _: None)
        read = given or exporter_settings.read(signal, self._report, protocol=protocol)
        self._url = read.endpoint.url
        self._sender = Sender(read, self._report)
        self._shutdown = False
        self._problem = ""
        self._too_large = (math.inf, 0.0)
        self._how: tuple[Encode, Callable[[Any], int]] = (lambda *_: b"", len)
        self._undelivered = Undelivered(number(MAX_BYTES, _MAX_BYTES)) if self._parted else None

    def _export(self, encode: Encode, batch: Any, size: Callable[[Any], int], timeout: float = math.inf) -> bool:
        """Send what is in ``batch``, or keep it for a later attempt; return whether it arrived."""
        self._how = (encode, size)
        kept = self._undelivered
        if kept is not None and (len(kept) or time.monotonic() < kept.due):
            self._keep(batch, size(batch), 0)
            self.retry()
            self._count(self._problem)
            return not len(kept)
        done, problem = self._try(encode, batch, size, timeout)
        self._count(problem)
        return done

    def _count(self, problem: str) -> None:
        if self.counted is not None:
            waiting = len(self._undelivered) if self._undelivered is not None and not self._shutdown else 0
            self.counted(self._signal, self.exported, self.rejected, self.failed + waiting, problem, self.errors)

    def next_attempt(self) -> float:
        """Return when ``retry`` is to be called, on the monotonic clock; infinity if nothing waits."""
        return self._undelivered.next_attempt() if self._undelivered is not None else math.inf

    def retry(self) -> None:
        """Send what is kept, the oldest first, until one attempt fails or nothing is left; at the end, at once."""
        kept = self._undelivered
        while kept is not None and not self._ended and (self._sender.closing or time.monotonic() >= kept.due):
            waiting = kept.take()
            if waiting is None:
                return
            done, problem = self._try(self._how[0], waiting.items, self._how[1], math.inf, first=True)
            self._count(problem)
            if not done and self._sender.closing:
                return

    @property
    def _ended(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._shutdown or self._sender.expired

    def _keep(self, batch: Any, count: int, size: int, *, first: bool = False) -> None:
        assert self._undelivered is not None
        lost = self._undelivered.keep(Kept(batch, count, size), first=first)
        if lost:
            self.failed += lost
            self._report(
                f"{self._signal} do not reach {self._url}, and what waits exceeds its bounds: the oldest are given up; "
                f"see {MAX_BYTES}"
            )

    def _try(
        self, encode: Encode, batch: Any, size: Callable[[Any], int], timeout: float, *, first: bool = False
    ) -> tuple[bool, str]:
        """Send a batch, in parts where it is too large; keep it if another attempt may succeed.

        ``first``: it was kept before.
        """
        count = 0
        body = b""
        try:
            count = size(batch)
            if self._shutdown:
                self.failed += count
                return False, "the process is ending"
            skipped: list[Exception] = []
            body = encode(batch, skipped.append)
            if skipped:
                self._report(f"some {self._signal} cannot be encoded and are left out: {_named(skipped[0])}")
                count = max(count - len(skipped), 0)
                self.failed += len(skipped)
            if not body:
                return not skipped, ""
            outcome = self._send(body, count, timeout)
        except Exception as error:
            outcome = Outcome(False, 0, _named(error))
        if outcome.too_large and self._parted and count > 1:
            return self._try_parts(encode, batch, size, timeout)
        if not outcome.success:
            return False, self._failed(outcome, batch, count, len(body), first=first)
        if self._undelivered is not None:
            self._undelivered.recovered()
        self.rejected += outcome.rejected
        self.exported += max(count - outcome.rejected, 0)
        if outcome.rejected:
            self._report(f"{self._url} rejects some {self._signal}: {outcome.problem or 'it does not say why'}")
        elif outcome.problem:
            self._report(f"{self._url} warns about {self._signal}: {outcome.problem}")
        return True, outcome.problem

    def _send(self, body: bytes, count: int, timeout: float) -> Outcome:
        """Send a request, unless one of this size has been found too large lately."""
        if len(body) >= self._too_large[0] and time.monotonic() < self._too_large[1] and self._parted and count > 1:
            return Outcome(False, 0, "", too_large=True)
        outcome = self._sender.send(body, timeout)
        if outcome.too_large:
            self._too_large = (len(body), time.monotonic() + _REMEMBERED)
        return outcome

    def _try_parts(self, encode: Encode, batch: Any, size: Callable[[Any], int], timeout: float) -> tuple[bool, str]:
        """Send the halves of a batch that is too large for the server."""
        half = len(batch) // 2
        parts = [self._try(encode, part, size, timeout) for part in (batch[:half], batch[half:])]
        return all(done for done, _ in parts), next((problem for done, problem in parts if not done), "")

    def _failed(self, outcome: Outcome, batch: Any, count: int, size: int, *, first: bool) -> str:
        """Keep a batch that may be sent later, give up any other one, and say so."""
        self._problem = outcome.problem
        if outcome.retryable and self._undelivered is not None and not self._shutdown:
            self._undelivered.postpone(outcome.wait)
            self._keep(batch, count, size, first=first)
            self._report(f"{self._signal} do not reach {self._url}: {outcome.problem}")
        else:
            self.failed += count
            of = f", {size} bytes" if outcome.too_large else ""
            self._report(f"{self._signal} do not reach {self._url}{of}: {outcome.problem}")
        return outcome.problem

    @property
    def facts(self) -> dict[str, str]:
        """Where the signal is sent to, and how."""
        return {"exporter": "otlp", "protocol": self._sender.settings.protocol, "endpoint": self._url}

    def close_by(self, moment: float) -> None:
        """Let no request and no pause run past a moment on the monotonic clock, also those that are under way."""
        self._sender.close_by(moment)

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:  # noqa: ARG002 -- the interface's
        """End at once what is under way, and take nothing more."""
        self._shutdown = True
        if self._undelivered is not None and len(self._undelivered):
            self.failed += len(self._undelivered)
            self._count(self._problem)
        self._sender.shutdown()

    def force_flush(self, timeout_millis: float = 30_000) -> bool:  # noqa: ARG002 -- the interface's
        """Return True: exporters hold nothing back."""
        return True


class OTLPSpanExporter(_Exporter, SpanExporter):
    """Exports spans."""

    def __init__(
        self, report: Report | None = None, protocol: str | None = None, given: Settings | None = None
    ) -> None:
        self._prepare("traces", report, protocol, given)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; never raise."""
        self.errors += sum(1 for each in spans if not getattr(getattr(each, "status", None), "is_ok", True))
        done = self._export(encode_spans, spans, len)
        return SpanExportResult.SUCCESS if done else SpanExportResult.FAILURE


class OTLPLogExporter(_Exporter, LogRecordExporter):
    """Exports log records."""

    def __init__(
        self, report: Report | None = None, protocol: str | None = None, given: Settings | None = None
    ) -> None:
        self._prepare("logs", report, protocol, given)

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Send log records; never raise."""
        done = self._export(encode_logs, batch, len)
        return LogRecordExportResult.SUCCESS if done else LogRecordExportResult.FAILURE


class OTLPMetricExporter(_Exporter, MetricExporter):
    """Exports metrics; unless given, the temporality and the histograms' aggregation are those of the environment.

    Nothing is kept for later: the next points say what these would have said.
    """

    _parted = False

    def __init__(
        self,
        report: Report | None = None,
        protocol: str | None = None,
        given: Settings | None = None,
        temporality: dict[type, AggregationTemporality] | None = None,
        aggregation: dict[type, Aggregation] | None = None,
    ) -> None:
        self._prepare("metrics", report, protocol, given)
        MetricExporter.__init__(
            self,
            preferred_temporality=temporality or _temporality(self._report),
            preferred_aggregation=aggregation or _aggregation(self._report),
        )

    def export(self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **_: Any) -> MetricExportResult:
        """Send metrics; never raise."""
        timeout = math.inf if timeout_millis is None else timeout_millis / 1000
        done = self._export(encode_metrics, metrics_data, _points, timeout)
        return MetricExportResult.SUCCESS if done else MetricExportResult.FAILURE


def _points(data: MetricsData) -> int:
    return sum(
        len(getattr(metric.data, "data_points", ()))
        for resource_metrics in data.resource_metrics
        for scope_metrics in resource_metrics.scope_metrics
        for metric in scope_metrics.metrics
    )


def _temporality(report: Report) -> dict[type, AggregationTemporality]:
    given = text(_TEMPORALITY)
    delta: tuple[type, ...] = ()
    if given.upper() == "DELTA":
        delta = (Counter, Histogram, ObservableCounter)
    elif given.upper() == "LOWMEMORY":
        delta = (Counter, Histogram)
    elif given and given.upper() != "CUMULATIVE":
        report(f"{_TEMPORALITY}: '{given}' is unknown; cumulative is used")
    kinds = (Counter, UpDownCounter, Histogram, ObservableCounter, ObservableUpDownCounter, ObservableGauge)
    return {
        kind: AggregationTemporality.DELTA if kind in delta else AggregationTemporality.CUMULATIVE for kind in kinds
    }


def _aggregation(report: Report) -> dict[type, Aggregation]:
    given = text(_HISTOGRAM)
    if given.lower() == "base2_exponential_bucket_histogram":
        return {Histogram: ExponentialBucketHistogramAggregation()}
    if given and given.lower() != "explicit_bucket_histogram":
        report(f"{_HISTOGRAM}: '{given}' is unknown; explicit_bucket_histogram is used")
    return {Histogram: ExplicitBucketHistogramAggregation()}


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
