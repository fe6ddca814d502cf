"""Reads the settings of our exporters from a configuration file; the doctor uses this without setting up an SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_injection import report
from otel_injection.otlp import exporter_settings
from otel_injection.settings.file.loading import File

PROTOCOLS = {"otlp_http": "http/protobuf", "otlp_grpc": "grpc"}
_PROVIDERS = {"traces": "tracer_provider", "metrics": "meter_provider", "logs": "logger_provider"}


def otlp(signal: str, name: str, section: Any) -> exporter_settings.Settings:
    """Return the settings of ``otlp_http`` or ``otlp_grpc``; raises ValueError."""
    if getattr(section, "encoding", None) is not None and section.encoding.value != "protobuf":
        report.say("OTEL_CONFIG_FILE: encoding json is not supported; protobuf is used")
    tls = section.tls
    headers = {}
    if section.headers_list:
        headers.update(exporter_settings.headers(section.headers_list))
    for pair in section.headers or ():
        headers.update([exporter_settings.header(pair.name, pair.value or "")])
    return exporter_settings.given(
        signal,
        PROTOCOLS[name],
        endpoint=section.endpoint,
        insecure=bool(tls is not None and getattr(tls, "insecure", None)),
        headers=headers,
        timeout=section.timeout,
        compression=section.compression,
        certificate=tls.ca_file if tls is not None else None,
        client_key=tls.key_file if tls is not None else None,
        client_certificate=tls.cert_file if tls is not None else None,
    )


def destinations(file: File, signal: str) -> Iterator[exporter_settings.Settings]:
    """Yield the settings of all exporters of ours that a file has for a signal."""
    provider = getattr(file.model, _PROVIDERS[signal])
    if provider is None:
        return
    for each in provider.readers if signal == "metrics" else provider.processors:
        holder = each.periodic if signal == "metrics" else each.batch or each.simple
        for name in PROTOCOLS:
            section = getattr(holder.exporter, name) if holder is not None else None
            if section is not None:
                yield otlp(signal, name, section)
