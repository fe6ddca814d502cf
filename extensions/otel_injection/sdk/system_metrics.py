"""Metrics of the process and its host, observed wherever the process exports metrics at all."""

from __future__ import annotations

from typing import Any

from otel_injection import ours, report
from otel_injection.settings import file as configuration
from otel_injection.settings.early import disabled_instrumentations, names


def _wanted() -> bool:
    if configuration.path():
        file = configuration.load()
        return file.model.meter_provider is not None and file.instrumentation("system_metrics") is not None
    return names("OTEL_METRICS_EXPORTER", "otlp") != ["none"]


def observe(meter_provider: Any) -> None:
    """Register the observations of ``opentelemetry-instrumentation-system-metrics`` with an SDK.

    Each SDK gets a new instrumentor: one remembers the process that it was made in, which after a fork is the parent.
    """
    if disabled_instrumentations() & {"*", "system_metrics"} or not _wanted():
        return
    try:
        from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor

        SystemMetricsInstrumentor._instance = None
        SystemMetricsInstrumentor().instrument(meter_provider=meter_provider, skip_dep_check=True)
    except ours() as error:
        report.say(f"no system metrics: {type(error).__name__}: {error}", kind="system metrics")
