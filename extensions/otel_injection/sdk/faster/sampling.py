"""The decisions of the specification's samplers, without an object for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace.sampling import Decision, ParentBased, StaticSampler, TraceIdRatioBased

Decide = Callable[[Any, int], bool]
"""Decides, from the parent's span context (None for a root) and a trace id, whether a span is recorded and sampled."""


def compiled(sampler: Any) -> Decide | None:
    """Return a function that decides as the sampler does; None for an unknown sampler, or one that adds to spans."""
    decides = type(sampler).should_sample  # a sampler that the environment names is of a class derived from these
    if decides is StaticSampler.should_sample and sampler._decision is not Decision.RECORD_ONLY:
        sampled = sampler._decision is Decision.RECORD_AND_SAMPLE
        return lambda _parent, _trace_id: sampled
    if decides is TraceIdRatioBased.should_sample:
        bound, limit = sampler.bound, sampler.TRACE_ID_LIMIT
        return lambda _parent, trace_id: trace_id & limit < bound
    if decides is ParentBased.should_sample:
        return _parent_based(sampler)
    return None


def _parent_based(sampler: Any) -> Decide | None:
    root = compiled(sampler._root)
    delegates: list[Any] = [  # by remote (2) and sampled (1)
        compiled(each)
        for each in (
            sampler._local_parent_not_sampled,
            sampler._local_parent_sampled,
            sampler._remote_parent_not_sampled,
            sampler._remote_parent_sampled,
        )
    ]
    if root is None or None in delegates:
        return None

    def decide(parent: Any, trace_id: int) -> bool:
        if parent is None:
            return root(parent, trace_id)
        chosen: Decide = delegates[(2 if parent[2] else 0) + (parent[3] & 1)]
        return chosen(parent, trace_id)

    return decide


def decision(sampled: bool) -> Decision:
    """Return the decision in the specification's terms."""
    return Decision.RECORD_AND_SAMPLE if sampled else Decision.DROP
