"""Makes changed copies of a span that has ended.

When a processor gets a span in ``on_end``, the SDK has sealed its attributes already. Processors get a view of the
span; a changed span is another view, and the app's own span stays as it was.
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
    """Return a view of the span with other values; all else stays, such as the counts of what limits have dropped."""
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
