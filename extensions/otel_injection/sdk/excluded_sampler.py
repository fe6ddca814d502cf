"""Drops all spans below an excluded request, under any sampler.

``instrumentations.excluded_urls`` gives these spans a parent that is not sampled. A parent-based sampler drops them by
itself; this one is put around all others.
"""

from __future__ import annotations

import os
from typing import Any

from opentelemetry.trace import TraceState, get_current_span

from otel_injection.settings import file


class _State(TraceState):
    pass


EXCLUDED = _State()
"""The trace state of the parent of all spans below an excluded request."""


def _are_asked_for() -> bool:
    """Return whether URLs may be excluded: a configuration file may say so to each instrumentation."""
    return bool(file.path()) or any(
        name.startswith("OTEL_PYTHON_") and name.endswith("EXCLUDED_URLS") for name in os.environ
    )


def drop_under_any(sampler: Any) -> Any:
    """Return a sampler that drops spans with such a parent and asks ``sampler`` for all others."""
    from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult

    if isinstance(sampler, ParentBased) or not _are_asked_for():
        return sampler

    class _Sampler(Sampler):
        def should_sample(self, parent_context: Any, *arguments: Any, **keywords: Any) -> SamplingResult:
            state = get_current_span(parent_context).get_span_context().trace_state
            if type(state) is _State:
                return SamplingResult(Decision.DROP, None, state)
            return sampler.should_sample(parent_context, *arguments, **keywords)  # type: ignore[no-any-return]

        def get_description(self) -> str:
            return str(sampler.get_description())

    return _Sampler()
