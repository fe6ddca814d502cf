"""Changes a span that has ended.

The SDK ends a span before any processor hears of it, in ``_on_ending`` as in ``on_end``: its attributes are sealed
then. What ``on_end`` is given is a view made for the processors; a changed span is another view, and the app's own
span stays as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util import BoundedList


def changed(
    span: ReadableSpan,
    *,
    name: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    events: Sequence[Any] | None = None,
    status: Any = None,
) -> ReadableSpan:
    """Return the span with other values; what is not named stays, the counts of what limits have dropped as well."""
    other = copy.copy(span)
    if name is not None:
        other._name = name
    if attributes is not None:
        other._attributes = sealed(attributes, span.dropped_attributes)
    if events is not None:
        kept: BoundedList[Any] = BoundedList.from_seq(None, events)
        kept.dropped = span.dropped_events
        other._events = kept
    if status is not None:
        other._status = status
    return other


def sealed(attributes: Mapping[str, Any], dropped: int) -> BoundedAttributes:
    """Return attributes as the SDK has them at the end of a span."""
    result = BoundedAttributes(attributes=None, immutable=True)
    result._dict = dict(attributes)
    result.dropped = dropped
    return result
