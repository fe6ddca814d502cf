"""What is exported, to where, and how much of it waits."""

from __future__ import annotations

from otel_injection.settings.table.variable import (
    ATTRIBUTES,
    CHOICE,
    ELSEWHERE,
    EXPORT,
    FLAG,
    INTEGER,
    LIMIT,
    LIMITS,
    NUMBER,
    TEXT,
    TRUE,
    WHAT,
    Variable,
)


def _otlp(part: str) -> tuple[str, ...]:
    return tuple(f"OTEL_EXPORTER_OTLP_{signal}_{part}" for signal in ("TRACES", "METRICS", "LOGS"))


VARIABLES = (
    Variable(
        WHAT,
        "OTEL_SDK_DISABLED",
        TRUE,
        "false",
        "`true` switches the injection off at the start of a process",
        stays=True,
    ),
    Variable(
        WHAT,
        "OTEL_CONFIG_FILE",
        ELSEWHERE,
        "",
        "a file of declarative configuration, in place of what is below, of the export, and of queues and limits: see "
        "[configuration-file.md](configuration-file.md)",
        stays=True,
    ),
    Variable(WHAT, "OTEL_SERVICE_NAME", TEXT, "unknown_service", "the name of the service"),
    Variable(
        WHAT,
        "OTEL_RESOURCE_ATTRIBUTES",
        ATTRIBUTES,
        "",
        "`key=value,...`; `service.instance.id` is kept for the first process of a container that serves; further "
        "ones, and masters that only supervise, get `-1`, `-2`, ... behind it",
    ),
    Variable(
        WHAT,
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
        ELSEWHERE,
        "otel",
        "`container`, `k8s`, `host`, `os`, `process`, `otel`, those of the app's packages, `*` for all; `process.pid` "
        "and `process.runtime.*` are always there",
    ),
    Variable(
        WHAT,
        "OTEL_RESOURCE_ATTRIBUTES_POD_NAME",
        TEXT,
        "",
        "what the operator takes from the downward API; the detector `k8s` makes `k8s.pod.name`, `k8s.pod.uid` and "
        "`k8s.node.name` of it, and finds the namespace and the UID by itself",
        also=("OTEL_RESOURCE_ATTRIBUTES_POD_UID", "OTEL_RESOURCE_ATTRIBUTES_NODE_NAME"),
        stays=True,
    ),
    Variable(
        WHAT,
        "OTEL_PROPAGATORS",
        ELSEWHERE,
        "tracecontext,baggage",
        "`tracecontext`, `baggage`, `b3`, `b3multi`, `jaeger`, `ottrace`, `xray`, `xray-lambda`, `none`; an unknown "
        "one is left out",
    ),
    Variable(
        WHAT,
        "OTEL_TRACES_SAMPLER",
        ELSEWHERE,
        "parentbased_always_on",
        "`always_on`, `always_off`, `traceidratio`, each also with `parentbased_` before it, or one of the app's "
        "packages",
    ),
    Variable(WHAT, "OTEL_TRACES_SAMPLER_ARG", ELSEWHERE, "1", "the ratio of `traceidratio`, from 0 to 1"),
    Variable(
        WHAT,
        "OTEL_PYTHON_ID_GENERATOR",
        ELSEWHERE,
        "random",
        "`random`, `xray` or one of the app's packages",
    ),
    Variable(
        WHAT,
        "OTEL_PYTHON_TRACER_CONFIGURATOR",
        ELSEWHERE,
        "",
        "an entry point of the app's packages that switches tracers off by their scope",
    ),
    Variable(WHAT, "OTEL_PYTHON_METER_CONFIGURATOR", ELSEWHERE, "", "the same for meters"),
    Variable(WHAT, "OTEL_PYTHON_LOGGER_CONFIGURATOR", ELSEWHERE, "", "the same for loggers"),
    Variable(
        WHAT, "OTEL_PYTHON_CONTEXT", ELSEWHERE, "contextvars_context", "where the current span is kept", stays=True
    ),
    Variable(
        WHAT,
        "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED",
        FLAG,
        "false",
        "metrics of the SDK itself, such as the length of its queues",
        stays=True,
    ),
    Variable(
        WHAT,
        "OTEL_METRICS_EXEMPLAR_FILTER",
        CHOICE,
        "trace_based",
        "which measurements are kept as exemplars",
        choices=("always_on", "always_off", "trace_based"),
    ),
    Variable(EXPORT, "OTEL_TRACES_EXPORTER", ELSEWHERE, "otlp", "`otlp`, `console`, `none`, or several of them"),
    Variable(EXPORT, "OTEL_METRICS_EXPORTER", ELSEWHERE, "otlp", "`otlp`, `console`, `prometheus`, `none`"),
    Variable(EXPORT, "OTEL_LOGS_EXPORTER", ELSEWHERE, "otlp", "`otlp`, `console`, `none`"),
    Variable(
        EXPORT,
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        ELSEWHERE,
        "http://localhost:4318",
        "where to send to, without a path such as `/v1/traces`; the endpoint for one signal is used as it is. For "
        "`grpc` the default is `http://localhost:4317`",
        also=_otlp("ENDPOINT"),
    ),
    Variable(
        EXPORT,
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        ELSEWHERE,
        "http/protobuf",
        "`http/protobuf` or `grpc`; with another one `http/protobuf` is used. Where that meets a port for gRPC, a "
        "process uses gRPC from then on and says so in one line",
        also=_otlp("PROTOCOL"),
    ),
    Variable(
        EXPORT,
        "OTEL_EXPORTER_OTLP_INSECURE",
        TRUE,
        "false",
        "for gRPC to an endpoint without `http://` or `https://`: `true` leaves TLS out",
        also=_otlp("INSECURE"),
    ),
    Variable(
        EXPORT,
        "OTEL_EXPORTER_OTLP_HEADERS",
        ELSEWHERE,
        "",
        "`name=value,...`, values encoded as in URLs; an unusable entry is left out",
        also=_otlp("HEADERS"),
        secret=True,
    ),
    Variable(
        EXPORT,
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        ELSEWHERE,
        "10",
        "for one export, all attempts together",
        also=_otlp("TIMEOUT"),
        unit="seconds",
    ),
    Variable(
        EXPORT,
        "OTEL_EXPORTER_OTLP_COMPRESSION",
        ELSEWHERE,
        "none",
        "`gzip`, `deflate` or `none`",
        also=_otlp("COMPRESSION"),
    ),
    Variable(
        EXPORT,
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        ELSEWHERE,
        "",
        "a file with the certificates to trust; it is read again for each connection",
        also=_otlp("CERTIFICATE"),
    ),
    Variable(
        EXPORT,
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        ELSEWHERE,
        "",
        "the file of the key for mutual TLS",
        also=_otlp("CLIENT_KEY"),
    ),
    Variable(
        EXPORT,
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        ELSEWHERE,
        "",
        "the file of the certificate for mutual TLS",
        also=_otlp("CLIENT_CERTIFICATE"),
    ),
    Variable(
        EXPORT,
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        ELSEWHERE,
        "cumulative",
        "`cumulative`, `delta` or `lowmemory`",
    ),
    Variable(
        EXPORT,
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        ELSEWHERE,
        "explicit_bucket_histogram",
        "or `base2_exponential_bucket_histogram`",
    ),
    Variable(
        EXPORT,
        "OTEL_METRIC_EXPORT_INTERVAL",
        NUMBER,
        "60000",
        "between two exports of metrics",
        unit="milliseconds",
        least=1,
    ),
    Variable(
        EXPORT,
        "OTEL_METRIC_EXPORT_TIMEOUT",
        NUMBER,
        "30000",
        "for one collection and export of metrics",
        unit="milliseconds",
        least=1,
    ),
    Variable(EXPORT, "OTEL_EXPORTER_PROMETHEUS_HOST", TEXT, "localhost", "where the exporter `prometheus` listens"),
    Variable(
        EXPORT, "OTEL_EXPORTER_PROMETHEUS_PORT", INTEGER, "9464", "the port that it listens on", least=1, most=65535
    ),
    *(
        variable
        for prefix, what, delay in (("OTEL_BSP", "spans", "5000"), ("OTEL_BLRP", "log records", "1000"))
        for variable in (
            Variable(
                LIMITS,
                f"{prefix}_SCHEDULE_DELAY",
                INTEGER,
                delay,
                f"between two exports of {what}",
                unit="milliseconds",
                least=1,
            ),
            Variable(
                LIMITS,
                f"{prefix}_EXPORT_TIMEOUT",
                INTEGER,
                "30000",
                f"for one export of {what}; upstream's SDK reads it and leaves the limit to the exporter",
                unit="milliseconds",
                least=1,
            ),
            Variable(
                LIMITS,
                f"{prefix}_MAX_QUEUE_SIZE",
                INTEGER,
                "2048",
                f"how many {what} wait for their export at most",
                least=1,
                most=1e9,
            ),
            Variable(
                LIMITS,
                f"{prefix}_MAX_EXPORT_BATCH_SIZE",
                INTEGER,
                "512",
                f"how many {what} one request holds at most; never more than the queue",
                least=1,
                most=1e9,
            ),
        )
    ),
    Variable(LIMITS, "OTEL_ATTRIBUTE_COUNT_LIMIT", LIMIT, "128", "attributes of a span, an event, a link"),
    Variable(LIMITS, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMIT, "none", "characters of an attribute's value"),
    Variable(LIMITS, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", LIMIT, "128", "attributes of a span"),
    Variable(LIMITS, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", LIMIT, "none", "characters of a span's attribute"),
    Variable(LIMITS, "OTEL_SPAN_EVENT_COUNT_LIMIT", LIMIT, "128", "events of a span"),
    Variable(LIMITS, "OTEL_SPAN_LINK_COUNT_LIMIT", LIMIT, "128", "links of a span"),
    Variable(LIMITS, "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", LIMIT, "128", "attributes of an event"),
    Variable(LIMITS, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", LIMIT, "128", "attributes of a link"),
    Variable(LIMITS, "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", LIMIT, "128", "attributes of a log record"),
    Variable(
        LIMITS,
        "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        LIMIT,
        "none",
        "characters of a log record's attribute",
    ),
)
