"""Replaces the SDK's slowest code by faster code with the same results, each with upstream's own as its fall-back.

What is known here is one release of the SDK, and what most often comes: attributes that are a dictionary of texts and
numbers, the samplers and exemplars of the specification. For all else, and for another release, upstream's code runs.
"""

from __future__ import annotations

from opentelemetry.sdk.version import __version__

from otel_injection.sdk.faster import attributes, measurements, spans

_KNOWN = ("1.45.",)
"""Releases of the SDK that the replacements were written for."""


def use() -> None:
    """Put the replacements in place, unless the SDK or the API is built otherwise than is known here."""
    attributes.use()
    if __version__.startswith(_KNOWN):
        spans.use()
        measurements.use()
