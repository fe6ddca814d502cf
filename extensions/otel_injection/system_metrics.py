"""Metrics of the process and its host, observed wherever the process exports metrics at all."""

from __future__ import annotations

from typing import Any

from otel_injection import ours, report
from otel_injection.settings import disabled_instrumentations, names


def observe(meter_provider: Any) -> None:
    """Register the observations of ``opentelemetry-instrumentation-system-metrics`` with an SDK.

    A new instrumentor for each SDK: it remembers the process that it was made in, and after a fork that is the parent.
    """
    if disabled_instrumentations() & {"*", "system_metrics"} or names("OTEL_METRICS_EXPORTER", "otlp") == ["none"]:
        return
    try:
        from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor

        SystemMetricsInstrumentor._instance = None
        SystemMetricsInstrumentor().instrument(meter_provider=meter_provider, skip_dep_check=True)
    except ours() as error:
        report.say(f"no system metrics: {type(error).__name__}: {error}", kind="system metrics")
