"""One current context for both APIs: ours keeps it, and the app's API shows it in its own form.

What both know is translated: the current span, the baggage and the suppression of instrumentations. Everything else
travels along: a context of the app holds the one of ours that it was made from, and the other way round.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from opentelemetry import baggage, context
from opentelemetry.context.context import Context
from opentelemetry.trace.propagation import _SPAN_KEY

from otel_injection.providers.bridge import span_contexts

_APPS = "otel_injection: context of the app"
_OURS = "otel_injection: context"

_classes: list[Any] = []
"""The class of the app's contexts."""

_PLAIN = (
    (baggage._BAGGAGE_KEY, "opentelemetry.baggage", "_BAGGAGE_KEY"),
    (context._SUPPRESS_INSTRUMENTATION_KEY, "opentelemetry.context", "_SUPPRESS_INSTRUMENTATION_KEY"),
    (context._SUPPRESS_HTTP_INSTRUMENTATION_KEY, "opentelemetry.context", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY"),
)
"""Our key, and where the app's API has its own, for values that are the same in both."""


def join(app: Any, _name: str) -> None:
    """Let the app's API keep its current context in ours."""
    _classes[:] = [sys.modules["opentelemetry.context.context"].Context]
    app._RUNTIME_CONTEXT = _RuntimeContext()


class _RuntimeContext:
    """See ``opentelemetry.context.context._RuntimeContext``."""

    def attach(self, context_of_app: Any) -> Any:
        """Make a context of the app's API the current one."""
        return context._RUNTIME_CONTEXT.attach(to_ours(context_of_app))

    def get_current(self) -> Any:
        """Return the current context in the app's form."""
        return to_apps(context.get_current())

    def detach(self, token: Any) -> None:
        """Make the context current that was so before."""
        context._RUNTIME_CONTEXT.detach(token)


def span_key() -> Any:
    """Return the key under which the app's contexts hold their span; None before its API has one."""
    found = sys.modules.get("opentelemetry.trace.propagation")
    return getattr(found, "_SPAN_KEY", None) or getattr(found, "SPAN_KEY", None)


def to_ours(context_of_app: Any) -> Context:
    """Return a context of the app's API as one of ours."""
    made = dict(context_of_app.get(_OURS) or {})
    made[_APPS] = context_of_app
    span = context_of_app.get(span_key())
    made[_SPAN_KEY] = None if span is None else span_contexts.span_to_ours(span)
    for key, module, name in _PLAIN:
        theirs = _value(module, name)
        if theirs is not None:
            made[key] = context_of_app.get(theirs)
    return Context({key: value for key, value in made.items() if value is not None})


def to_apps(context_of_ours: Any) -> Any:
    """Return a context of ours as one of the app's API: the one that it was made from, if that still fits."""
    base = context_of_ours.get(_APPS)
    changes = dict(_changes(context_of_ours, base or {}))
    if base is not None and not changes:
        return base
    made = {**(base or {}), **changes, _OURS: context_of_ours}
    return _classes[0]({key: value for key, value in made.items() if value is not None})


def _changes(context_of_ours: Any, base: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the keys of the app's context, and their values, that are not what ``base`` has; None for none."""
    key, span = span_key(), context_of_ours.get(_SPAN_KEY)
    held = base.get(key)
    if key is not None and (None if held is None else span_contexts.span_to_ours(held)) is not span:
        yield key, None if span is None else span_contexts.span_to_apps(span)
    for each, module, name in _PLAIN:
        theirs = _value(module, name)
        if theirs is not None and base.get(theirs) != context_of_ours.get(each):
            yield theirs, context_of_ours.get(each)


def _value(module: str, name: str) -> Any:
    found: ModuleType | None = sys.modules.get(module)
    return getattr(found, name, None)
