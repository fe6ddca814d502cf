"""Makes the exporters that a file names: ours for ``otlp_http`` and ``otlp_grpc``, all others as upstream does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.configuration import _logger_provider, _meter_provider, _tracer_provider
from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter
from opentelemetry.sdk.trace.export import ConsoleSpanExporter
from opentelemetry.util._importlib_metadata import entry_points

from otel_injection import record, report
from otel_injection.otlp import OTLPLogExporter, OTLPMetricExporter, OTLPSpanExporter
from otel_injection.otlp.file_settings import PROTOCOLS, otlp

_OTLP: dict[str, Any] = {"traces": OTLPSpanExporter, "metrics": OTLPMetricExporter, "logs": OTLPLogExporter}
_UPSTREAMS: dict[str, Callable[[Any], Any]] = {
    "traces": _tracer_provider._create_span_exporter,
    "metrics": _meter_provider._create_push_metric_exporter,
    "logs": _logger_provider._create_log_record_exporter,
}
CONSOLES = (ConsoleSpanExporter, ConsoleLogRecordExporter)


def exporter(signal: str, config: Any) -> tuple[Any, Any]:
    """Make the exporter of a signal; return it with what the doctor shows of it."""
    for name in PROTOCOLS:
        section = getattr(config, name)
        if section is not None:
            preferences = _preferences(section) if signal == "metrics" else {}
            made = _OTLP[signal](report.say, given=otlp(signal, name, section), **preferences)
            made.counted = record.count
            return made, made.facts
    if config.otlp_file_development is not None:
        raise ValueError("otlp_file/development is not in this image; there are otlp_http, otlp_grpc and console")
    name = "console" if config.console is not None else next(iter(config.additional_properties))
    if name != "console" and not list(entry_points(group=f"opentelemetry_{signal}_exporter", name=name)):
        raise ValueError(f"exporter '{name}' is unknown; there are otlp_http, otlp_grpc, console and the app's own")
    return _UPSTREAMS[signal](config), {"exporter": name}


def _preferences(section: Any) -> dict[str, Any]:
    return {
        "temporality": _meter_provider._map_temporality(section.temporality_preference),
        "aggregation": _meter_provider._map_histogram_aggregation(section.default_histogram_aggregation),
    }
