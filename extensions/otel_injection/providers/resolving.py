"""Which provider stands behind a tracer, meter or logger of ours: the app's, the SDK's, or none."""

from __future__ import annotations

from typing import Any

from otel_injection import record
from otel_injection.settings.early import forced

NOTHING: Any = None
"""Our instrumentations make nothing beside a provider of the app's, and nothing where there is no SDK."""


def resolve(
    signal: str, set_provider: Any, placeholder: Any, from_sdk: Any, kind: type[Any], *, is_the_apps: bool
) -> Any:
    """Return the provider to ask, or ``NOTHING``.

    ``set_provider`` is what the API has as its global one, ``placeholder`` ours that stands there while the app has set
    none, ``from_sdk`` that of the SDK. ``kind`` is the class of our API that it must be of, not of another API.
    ``is_the_apps`` says who asks: the app, or an instrumentation of ours.
    """
    if set_provider is not placeholder and set_provider is not None and not forced():
        record.app_provider(signal, type(set_provider).__module__)
        return set_provider if is_the_apps and isinstance(set_provider, kind) else NOTHING
    return from_sdk
