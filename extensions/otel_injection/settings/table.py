"""Every environment variable that the payload reads: its default, how its value is read, and what it means.

``docs/settings.md`` is written from this table (``images/settings_page.py``), ``environment`` reads by it. What decides
whether a process is an app at all (``guard``, ``settings``) does without it: a process that is none pays nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT, ELSEWHERE = "text", "elsewhere"
FLAG, TRUE = "flag", "true"
INTEGER, NUMBER, LIMIT = "integer", "number", "limit"
CHOICE, NAMES, REGEXES, ATTRIBUTES, FORMAT = "choice", "names", "regexes", "attributes", "format"
PATTERNS = "patterns"
"""Kinds of values; see ``values``. ``ELSEWHERE``: what reads the variable says what is wrong with its value."""

IMAGE = "Of this image"
WHAT = "What is exported, and whose"
EXPORT = "The export"
LIMITS = "Queues and limits"
LOGGING = "Logs"
LIBRARIES = "The instrumentations"
PROCESSORS = "Processors"
OTHERS = "Not of OpenTelemetry"
UNUSED = "Without effect"
SECTIONS = (IMAGE, WHAT, EXPORT, LIMITS, LOGGING, LIBRARIES, PROCESSORS, OTHERS, UNUSED)


_YIELDING = (WHAT, EXPORT, LIMITS)


class Variable:
    """A variable, or several that are read alike; ``names[0]`` is the one for all signals or libraries.

    ``least`` and ``most`` are the bounds of a number, ``choices`` the names that a value may be made of. The value of a
    ``secret`` is never shown. One that ``yields`` is ignored where a configuration file is in force.
    """

    __slots__ = (
        "choices",
        "default",
        "kind",
        "least",
        "meaning",
        "most",
        "names",
        "secret",
        "section",
        "unit",
        "yields",
    )

    def __init__(
        self,
        section: str,
        name: str,
        kind: str,
        default: str,
        meaning: str,
        *,
        also: tuple[str, ...] = (),
        unit: str = "",
        least: float = 0,
        most: float = 1e12,
        choices: tuple[str, ...] = (),
        secret: bool = False,
        stays: bool = False,
    ) -> None:
        self.section = section
        self.names = (name, *also)
        self.kind = kind
        self.default = default
        self.meaning = meaning
        self.unit = unit
        self.least = least
        self.most = most
        self.choices = choices
        self.secret = secret
        self.yields = section in _YIELDING and not stays


def _otlp(part: str) -> tuple[str, ...]:
    return tuple(f"OTEL_EXPORTER_OTLP_{signal}_{part}" for signal in ("TRACES", "METRICS", "LOGS"))


def _libraries(part: str, libraries: str) -> tuple[str, ...]:
    return tuple(f"OTEL_PYTHON_{library}_{part}" for library in libraries.split())


_WITH_URLS = (
    "AIOHTTP_CLIENT AIOHTTP_SERVER DJANGO FALCON FASTAPI FLASK HTTPX PYRAMID REQUESTS STARLETTE TORNADO URLLIB URLLIB3"
)
_HEADERS = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_"
_LEVELS = ("notset", "debug", "info", "warn", "warning", "error", "critical", "fatal")
_NO_PROVIDER = "the app's own provider wins by itself, and ours needs no name"
_NO_CREDENTIALS = "upstream's exporters, which take credentials from a plug-in, are not there; use headers or TLS files"
_NO_EXPORTER = "there is no such exporter in the payload"
_OWN_PROMETHEUS = "the app's own `prometheus_client` reads it; our private copy does not"

VARIABLES = (
    Variable(IMAGE, "OTEL_INJECTION_ENABLED", FLAG, "true", "`false` leaves every process as it is without injection"),
    Variable(
        IMAGE,
        "OTEL_INJECTION_DEBUG",
        FLAG,
        "false",
        "prints each decision on stderr, with the prefix `otel-injection:`",
    ),
    Variable(
        IMAGE,
        "OTEL_INJECTION_SKIP",
        TEXT,
        "",
        "further modules or scripts, separated by commas, whose processes are left alone",
    ),
    Variable(
        IMAGE,
        "OTEL_INJECTION_FORCE",
        FLAG,
        "false",
        "makes our telemetry even where the app has set up OpenTelemetry itself",
    ),
    Variable(
        IMAGE,
        "OTEL_INJECTION_EXIT_TIMEOUT",
        NUMBER,
        "2",
        "how long a process may take at its end to send what is buffered, for all signals together",
        unit="seconds",
        most=1e9,
    ),
    Variable(WHAT, "OTEL_SDK_DISABLED", TRUE, "false", "`true` is honoured before anything is imported", stays=True),
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
    Variable(LOGGING, "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION", FLAG, "true", "`false` stops the export of log records"),
    Variable(
        LOGGING,
        "OTEL_PYTHON_LOG_HANDLER_LEVEL",
        CHOICE,
        "notset",
        "log records below this level are not exported",
        choices=_LEVELS,
    ),
    Variable(LOGGING, "OTEL_PYTHON_LOG_CODE_ATTRIBUTES", FLAG, "false", "exports the place in the code as well"),
    Variable(
        LOGGING, "OTEL_PYTHON_LOG_CORRELATION", FLAG, "false", "adds trace and span ids to the app's own log records"
    ),
    Variable(
        LOGGING,
        "OTEL_PYTHON_LOG_FORMAT",
        FORMAT,
        "",
        "the format of the app's log where `OTEL_PYTHON_LOG_CORRELATION` is on and the app sets none; by default "
        "upstream's, with the ids in it",
    ),
    Variable(
        LOGGING,
        "OTEL_PYTHON_LOG_LEVEL",
        CHOICE,
        "",
        "the level of the root logger in the same case; what the app sets wins",
        choices=_LEVELS,
    ),
    Variable(
        LIBRARIES,
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS",
        TEXT,
        "",
        "names separated by commas, such as `flask,logging,system_metrics`; `*` for all",
    ),
    Variable(
        LIBRARIES,
        "OTEL_SEMCONV_STABILITY_OPT_IN",
        NAMES,
        "",
        "newer names of attributes and metrics: `http`, `database`, with `/dup` behind it beside the older ones, "
        "`gen_ai_latest_experimental`",
        choices=("http", "http/dup", "database", "database/dup", "gen_ai_latest_experimental"),
    ),
    Variable(
        LIBRARIES,
        "OTEL_PYTHON_EXCLUDED_URLS",
        REGEXES,
        "",
        "regular expressions, separated by commas, of URLs that make no spans: neither for the requests that the app "
        "serves nor for those that it sends; with the name of a library in it (`OTEL_PYTHON_FLASK_EXCLUDED_URLS`), for "
        "that one alone and instead",
        also=_libraries("EXCLUDED_URLS", _WITH_URLS),
    ),
    Variable(
        LIBRARIES,
        "OTEL_PYTHON_DJANGO_TRACED_REQUEST_ATTRS",
        TEXT,
        "",
        "attributes of the framework's request that its spans get",
        also=_libraries("TRACED_REQUEST_ATTRS", "FALCON TORNADO"),
    ),
    Variable(
        LIBRARIES,
        f"{_HEADERS}SERVER_REQUEST",
        REGEXES,
        "",
        "regular expressions of names of headers that spans get",
        also=tuple(f"{_HEADERS}{each}" for each in ("SERVER_RESPONSE", "CLIENT_REQUEST", "CLIENT_RESPONSE")),
    ),
    Variable(
        LIBRARIES, f"{_HEADERS}SANITIZE_FIELDS", REGEXES, "", "of these headers the value is shown as `[REDACTED]`"
    ),
    Variable(
        LIBRARIES,
        "OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS",
        FLAG,
        "false",
        "HTTP methods that no standard knows are shown as they are, not as `_OTHER`",
    ),
    Variable(LIBRARIES, "OTEL_PYTHON_DJANGO_INSTRUMENT", FLAG, "true", "`false` leaves Django alone"),
    Variable(
        LIBRARIES,
        "OTEL_PYTHON_DJANGO_MIDDLEWARE_POSITION",
        INTEGER,
        "0",
        "where among the app's middleware ours stands",
        most=1e6,
    ),
    Variable(
        LIBRARIES, "OTEL_PYTHON_GRPC_EXCLUDED_SERVICES", TEXT, "", "gRPC services, separated by commas, without spans"
    ),
    Variable(
        LIBRARIES,
        "OTEL_PYTHON_ASYNCIO_COROUTINE_NAMES_TO_TRACE",
        TEXT,
        "",
        "coroutines, separated by commas, that get spans",
    ),
    Variable(LIBRARIES, "OTEL_PYTHON_ASYNCIO_FUTURE_TRACE_ENABLED", FLAG, "false", "futures get spans"),
    Variable(
        LIBRARIES,
        "OTEL_PYTHON_ASYNCIO_TO_THREAD_FUNCTION_NAMES_TO_TRACE",
        TEXT,
        "",
        "functions, separated by commas, that get spans in `asyncio.to_thread`",
    ),
    Variable(
        LIBRARIES,
        "OTEL_PYTHON_SYSTEM_METRICS_EXCLUDED_METRICS",
        TEXT,
        "",
        "patterns such as `system.network.*`, separated by commas, of metrics that are not observed",
    ),
    Variable(
        LIBRARIES,
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
        FLAG,
        "false",
        "exports what is said to language models and by them (botocore)",
    ),
    Variable(PROCESSORS, "OTEL_INJECTION_SPAN_PROCESSORS", ELSEWHERE, "", "the processors of spans, in their order"),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_LOG_PROCESSORS",
        ELSEWHERE,
        "",
        "the processors of log records, in their order; by default those of spans that exist for logs",
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_PROBE_USER_AGENTS",
        TEXT,
        "kube-probe/",
        "`drop_probes`: what the `User-Agent` of a probe begins with",
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_DROP_URLS",
        PATTERNS,
        "",
        "`drop_urls`: regular expressions, searched for in the path, in the path with the query, and in the URL",
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_ATTRIBUTES",
        ATTRIBUTES,
        "",
        "`add_attributes`: `key=value`, percent-encoded as in `OTEL_RESOURCE_ATTRIBUTES`",
    ),
    Variable(PROCESSORS, "OTEL_INJECTION_ATTRIBUTES_FROM_ENV", ATTRIBUTES, "", "`add_attributes`: `key=VARIABLE`"),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_ATTRIBUTES_FROM_BAGGAGE",
        TEXT,
        "",
        "`add_attributes`: keys of the baggage, or `attribute=key`",
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_FAST",
        NUMBER,
        "0.01",
        "`drop_fast`: requests that take less are dropped",
        unit="seconds",
        most=1e9,
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_FAST_PATHS",
        TEXT,
        "/",
        "`drop_fast`: what the paths of those requests begin with",
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_TAIL_RATIO",
        NUMBER,
        "0.1",
        "`tail_sampling`: how much of what was neither slow nor failed is kept",
        most=1,
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_TAIL_SLOW",
        NUMBER,
        "1",
        "`tail_sampling`: what takes as long is kept",
        unit="seconds",
        most=1e9,
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_MAX_HELD_SPANS",
        INTEGER,
        "2048",
        "`drop_fast`, `tail_sampling`: spans that wait for their verdict at most",
        least=1,
        most=1e9,
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_MASK_QUERY",
        TEXT,
        "",
        "`mask`: parameters of queries instead of the usual ones; `*` for all, `none` for none",
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_MASK_HEADERS",
        TEXT,
        "",
        "`mask`: headers instead of the usual ones; `*` for all that are captured, `none` for none",
    ),
    Variable(PROCESSORS, "OTEL_INJECTION_MASK_SQL", FLAG, "true", "`mask`: replaces literals in SQL by `?`"),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_MASK_ATTRIBUTES",
        PATTERNS,
        "",
        "`mask`: regular expressions; attributes whose keys match are replaced",
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_MASK_VALUES",
        PATTERNS,
        "",
        "`mask`: regular expressions; what matches is replaced wherever it stands",
    ),
    Variable(
        PROCESSORS, "OTEL_INJECTION_METRIC_PROCESSORS", ELSEWHERE, "", "the processors of measurements, in their order"
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_METRIC_DROP_ATTRIBUTES",
        TEXT,
        "",
        "`drop_attributes`: keys, such as `http.target,net.host.port`",
    ),
    Variable(
        PROCESSORS,
        "OTEL_INJECTION_METRIC_CARDINALITY_LIMIT",
        INTEGER,
        "2000",
        "`limit_cardinality`: sets of attributes by instrument; the rest carries `otel.metric.overflow=true`",
        least=1,
        most=1e9,
    ),
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
        "what is tried again is what the specification says",
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

TABLE: Mapping[str, Variable] = {name: variable for variable in VARIABLES for name in variable.names}
"""By name."""


def default(name: str) -> str:
    """Return the default of a variable as it would stand in the environment."""
    return TABLE[name].default
