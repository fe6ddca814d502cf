"""Resource detectors run one after the other, not in a thread pool as in the SDK."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk import resources
from opentelemetry.sdk.resources import _DEFAULT_RESOURCE, Resource

from otel_injection import ours, report
from otel_injection.settings.environment import Environ

VARIABLE = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"


def replace() -> None:
    """Let the SDK detect without threads; to be called before its other modules, which detect at import."""
    resources.get_aggregated_resources = in_turn
    resources.environ = Environ(VARIABLE)  # type: ignore[attr-defined, assignment]


def in_turn(detectors: Any, initial_resource: Resource | None = None, timeout: int = 5) -> Resource:  # noqa: ARG001
    """Merge what the detectors find, one after the other.

    The SDK does so in threads, even when it is imported. A process that is ending can start none, and a thread that
    needed the SDK while its set-up waited for that thread held the app for seconds.
    """
    found = initial_resource or _DEFAULT_RESOURCE
    for detector in detectors:
        try:
            found = found.merge(detector.detect())
        except ours() as error:  # noqa: PERF203 - each gets its chance
            report.say(f"{VARIABLE}: {type(detector).__name__} failed: {type(error).__name__}: {error}")
    return found
