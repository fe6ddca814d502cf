"""Which frameworks make the server spans of their apps themselves."""

from __future__ import annotations

import sys

_FRAMEWORKS = (
    *("django", "falcon", "flask", "pyramid"),
    ".".join(("opentelemetry", "instrumentation", "wsgi")),  # the app's own middleware; text is not rewritten here
)
"""Modules that make the server spans of the process in which they are, or are told not to."""


def is_claimed() -> bool:
    """Return whether a framework in this process makes its own server spans."""
    return any(each in sys.modules for each in _FRAMEWORKS)
