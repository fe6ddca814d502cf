"""Takes the records of ``logging`` on their way to the handlers; see ``logs`` for what becomes of them."""

from __future__ import annotations

import sys

from otel_injection import ours, report
from otel_injection.settings import file
from otel_injection.settings.early import disabled_instrumentations, flag, names
from otel_injection.waiting import NAMES, give_up

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any


def hook(logging: Any, _name: str) -> None:
    """Set the hook, unless that is disabled."""
    from functools import wraps  # costs what logging has paid already

    if not disabled_instrumentations().isdisjoint(("*", "logging")):
        return
    if flag("OTEL_PYTHON_LOG_CORRELATION"):
        from otel_injection.logs import correlation

        correlation.hook(logging)
    named = ["otlp"] if file.path() else names("OTEL_LOGS_EXPORTER", "otlp")
    wanted = flag("OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION", True) and named != ["none"]
    original = logging.Logger.callHandlers
    if getattr(original, "_otel_injection", False):
        return

    @wraps(original)
    def callHandlers(self: Any, record: Any) -> Any:  # noqa: N802 - the name that it has in logging
        try:
            if record.name.startswith("opentelemetry.") and _comes_of_the_injection():
                report.say(record.getMessage(), kind=f"{record.name}: {record.msg}")
                return None
            if wanted:
                _record(record)
        except ours() as error:
            report.debug(f"a log record was not recorded: {type(error).__name__}: {error}")
        return original(self, record)

    callHandlers._otel_injection = True  # type: ignore[attr-defined]
    # A frame of logging, for those who look: handlers that fail print the stack without logging's own frames.
    code: Any = callHandlers.__code__  # type: ignore[attr-defined]
    callHandlers.__code__ = code.replace(co_filename=original.__code__.co_filename)  # type: ignore[attr-defined]
    logging.Logger.callHandlers = callHandlers


def _comes_of_the_injection() -> bool:
    """Return whether what the API, which is shared, logs comes of what the injection does, not of what the app does."""
    frame: Any = sys._getframe(2)
    package = "logging"
    while frame is not None and package in ("logging", "opentelemetry", "importlib"):
        package = (frame.f_globals.get("__package__") or "").partition(".")[0]
        frame = frame.f_back
    return package == "otel_injection"


_recorder: Any = None


def _record(record: Any) -> None:
    if _recorder is None:
        _prepare()
    if _recorder:
        _recorder.record(record)


def _prepare() -> None:
    global _recorder
    if not NAMES:  # given up meanwhile
        _recorder = False
        return
    try:
        from otel_injection.sdk.pipeline import PIPELINE
    except ours() as error:
        _recorder = False
        give_up(error)
    else:
        PIPELINE.exclusively(_make_recorder)  # does nothing for what our own imports log


def _make_recorder() -> None:
    global _recorder
    if _recorder is None:
        try:
            from otel_injection.logs.recorder import Recorder

            _recorder = Recorder()
        except ours() as error:
            _recorder = False
            if NAMES:  # else all has been given up meanwhile, which has been said
                report.say(f"logs are not recorded: {type(error).__name__}: {error}", kind="logs")
