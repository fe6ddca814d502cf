"""Settings that are not of OpenTelemetry, and those that have no effect."""

from __future__ import annotations

from otel_injection.settings.table.variable import ELSEWHERE, OTHERS, TEXT, UNUSED, Variable

_NO_PROVIDER = "the app's own provider wins by itself, and ours needs no name"
_NO_CREDENTIALS = "upstream's exporters, which take credentials from a plug-in, are not there; use headers or TLS files"
_NO_EXPORTER = "there is no such exporter in the payload"
_OWN_PROMETHEUS = "the app's own `prometheus_client` reads it; our private copy does not"

VARIABLES = (
    Variable(
        OTHERS,
        "http_proxy",
        ELSEWHERE,
        "",
        "the proxy for the export, as `requests` reads them; addresses of this machine are spoken to directly",
        also=("https_proxy", "all_proxy", "no_proxy"),
    ),
    Variable(
        OTHERS,
        "REQUESTS_CA_BUNDLE",
        ELSEWHERE,
        "",
        "the certificates to trust where `OTEL_EXPORTER_OTLP_CERTIFICATE` is not set",
        also=("CURL_CA_BUNDLE",),
    ),
    Variable(OTHERS, "_X_AMZN_TRACE_ID", TEXT, "", "the parent of the spans, for the propagator `xray-lambda`"),
    Variable(UNUSED, "OTEL_LOG_LEVEL", TEXT, "", "upstream's SDK has none either; `OTEL_INJECTION_DEBUG` prints more"),
    Variable(
        UNUSED,
        "OTEL_PYTHON_DISTRO",
        TEXT,
        "",
        "the distribution is this image; an app that brings one of its own under its own command is left alone",
        also=("OTEL_PYTHON_CONFIGURATOR",),
    ),
    Variable(
        UNUSED,
        "OTEL_PYTHON_TRACER_PROVIDER",
        TEXT,
        "",
        _NO_PROVIDER,
        also=("OTEL_PYTHON_METER_PROVIDER", "OTEL_PYTHON_LOGGER_PROVIDER"),
    ),
    Variable(
        UNUSED,
        "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED",
        TEXT,
        "",
        "it is upstream's older way to export logs, which are exported; `OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION=false` "
        "stops that",
    ),
    Variable(
        UNUSED,
        "OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH",
        TEXT,
        "",
        "apps that use gevent patch by themselves, before or after us",
    ),
    Variable(
        UNUSED,
        "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
        TEXT,
        "",
        _NO_CREDENTIALS,
        also=tuple(
            f"OTEL_PYTHON_EXPORTER_OTLP_{protocol}_{signal}CREDENTIAL_PROVIDER"
            for protocol in ("HTTP", "GRPC")
            for signal in ("", "TRACES_", "METRICS_", "LOGS_")
        )[1:],
    ),
    Variable(
        UNUSED,
        "OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES",
        TEXT,
        "",
        "the codes of the specification are retried",
    ),
    Variable(UNUSED, "OTEL_EXPORTER_ZIPKIN_ENDPOINT", TEXT, "", _NO_EXPORTER, also=("OTEL_EXPORTER_ZIPKIN_TIMEOUT",)),
    Variable(
        UNUSED,
        "PROMETHEUS_MULTIPROC_DIR",
        TEXT,
        "",
        _OWN_PROMETHEUS,
        also=("prometheus_multiproc_dir", "PROMETHEUS_DISABLE_CREATED_SERIES", "PROMETHEUS_LEGACY_NAME_VALIDATION"),
    ),
    Variable(UNUSED, "WRAPT_DISABLE_EXTENSIONS", TEXT, "", "the app's own `wrapt` reads it; ours has no extension"),
)
