"""Adds the ids of the current span to the records of ``logging``: what ``OTEL_PYTHON_LOG_CORRELATION`` asks for.

Upstream does so by a record factory, which an app may replace, and by ``basicConfig``, whose handler makes that of the
app do nothing. Here every record has the attributes, whatever factory makes it; an app's own format stays, and where it
has set none, the one with the ids takes the place of the default ones.
"""

from __future__ import annotations

import functools

from otel_injection.imports import private_api
from otel_injection.lifecycle import events
from otel_injection.settings.environment import ENVIRON

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

FORMAT = (
    "%(asctime)s %(levelname)s [%(name)s] [%(filename)s:%(lineno)d] [trace_id=%(otelTraceID)s span_id=%(otelSpanID)s "
    "resource.service.name=%(otelServiceName)s trace_sampled=%(otelTraceSampled)s] - %(message)s"
)
"""Upstream's default for ``OTEL_PYTHON_LOG_FORMAT``."""

NAMES = frozenset({"otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName"})


_service: str | None = None
"""The service's name, once the SDK has been set up."""


def hook(logging: Any) -> None:
    """Have each record carry the attributes, and show them where the app has no format of its own."""
    events.sdk_is_set_up.register(_remember_service)
    _extend_records(logging)
    _let_extra_win(logging.Logger)
    text = ENVIRON.get("OTEL_PYTHON_LOG_FORMAT") or FORMAT
    logging.lastResort.setFormatter(logging.Formatter(text))
    logging._STYLES["%"] = (logging._STYLES["%"][0], text)  # what basicConfig takes where it is given no format
    level = logging.getLevelName((ENVIRON.get("OTEL_PYTHON_LOG_LEVEL") or "").upper())
    if isinstance(level, int) and level:
        logging.root.setLevel(level)


def _remember_service(state: Any) -> None:
    global _service
    _service = str(state.resource.attributes.get("service.name", ""))


def _extend_records(logging: Any) -> None:
    original = logging.LogRecord.__init__

    @functools.wraps(original)
    def initialize(self: Any, *arguments: Any, **keywords: Any) -> None:
        original(self, *arguments, **keywords)
        try:
            vars(self).update(_attributes())
        except Exception:
            pass

    logging.LogRecord.__init__ = initialize


def _let_extra_win(logger: Any) -> None:
    """Let an app set the attributes by ``extra``, which ``logging`` forbids for those that a record has already."""
    original = logger.makeRecord

    @functools.wraps(original)
    def make_record(self: Any, *arguments: Any, **keywords: Any) -> Any:
        extra = keywords.get("extra") or (arguments[8] if len(arguments) > 8 else None)
        if not extra or NAMES.isdisjoint(extra):
            return original(self, *arguments, **keywords)
        rest = {key: value for key, value in extra.items() if key not in NAMES}
        if "extra" in keywords:
            keywords["extra"] = rest
        else:
            arguments = (*arguments[:8], rest, *arguments[9:])
        record = original(self, *arguments, **keywords)
        vars(record).update({key: extra[key] for key in NAMES if key in extra})
        return record

    logger.makeRecord = make_record


def _attributes() -> dict[str, Any]:
    """Return the attributes for a record that is made now; "0" stands for no span, as upstream has it."""
    found: dict[str, Any] = {
        "otelSpanID": "0",
        "otelTraceID": "0",
        "otelTraceSampled": False,
        "otelServiceName": _service_name(),
    }
    current = getattr(private_api.module("opentelemetry.trace"), "get_current_span", None)
    context = current().get_span_context() if current is not None else None
    if context is not None and context.is_valid:
        found["otelSpanID"] = format(context.span_id, "016x")
        found["otelTraceID"] = format(context.trace_id, "032x")
        found["otelTraceSampled"] = context.trace_flags.sampled
    return found


def _service_name() -> str:
    """Return the service's name, as far as it is known before the SDK is set up."""
    if _service is not None:
        return _service
    name = ENVIRON.get("OTEL_SERVICE_NAME")
    for pair in (ENVIRON.get("OTEL_RESOURCE_ATTRIBUTES") or "").split(","):
        key, _, value = pair.partition("=")
        if key.strip() == "service.name" and not name:
            name = value.strip()
    return name or "unknown_service"
