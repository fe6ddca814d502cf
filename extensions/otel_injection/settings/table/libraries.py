"""Logs, and the instrumentations of libraries."""

from __future__ import annotations

from otel_injection.settings.table.variable import (
    CHOICE,
    FLAG,
    FORMAT,
    INTEGER,
    LIBRARIES,
    LOGGING,
    NAMES,
    REGEXES,
    TEXT,
    Variable,
)


def _libraries(part: str, libraries: str) -> tuple[str, ...]:
    return tuple(f"OTEL_PYTHON_{library}_{part}" for library in libraries.split())


_WITH_URLS = (
    "AIOHTTP_CLIENT AIOHTTP_SERVER DJANGO FALCON FASTAPI FLASK HTTPX PYRAMID REQUESTS STARLETTE TORNADO URLLIB "
    "URLLIB3 WSGI"
)
_HEADERS = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_"
_LEVELS = ("notset", "debug", "info", "warn", "warning", "error", "critical", "fatal")

VARIABLES = (
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
    Variable(LOGGING, "OTEL_PYTHON_LOG_CORRELATION", FLAG, "false", "adds trace and span ids to the app's log records"),
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
        LIBRARIES,
        f"{_HEADERS}SANITIZE_FIELDS",
        REGEXES,
        "",
        "regular expressions of names of headers whose values are replaced by `[REDACTED]`",
    ),
    Variable(
        LIBRARIES,
        "OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS",
        FLAG,
        "false",
        "unknown HTTP methods are exported as they are, not as `_OTHER`",
    ),
    Variable(LIBRARIES, "OTEL_PYTHON_DJANGO_INSTRUMENT", FLAG, "true", "`false` leaves Django alone"),
    Variable(
        LIBRARIES,
        "OTEL_PYTHON_DJANGO_MIDDLEWARE_POSITION",
        INTEGER,
        "0",
        "the position of our middleware in the app's list",
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
        "exports the messages to and from language models (botocore)",
    ),
)
