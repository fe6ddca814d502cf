"""Stands in for ``logging.getLogger`` in private copies: their loggers print our single lines.

Upstream's loggers belong to the app's hierarchy: what they say of our settings and our collector would appear in the
app's log, with tracebacks, in the app's format, and would be exported as the app's. The build rewrites
``getLogger(__name__)`` to ``get_logger``.
"""

from __future__ import annotations

import errno
import logging

from otel_injection import report

_USED_UP = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""What fails since the app has used up its files or its memory says nothing of us: its own code fails by it as well."""


class _Journal(logging.Logger):
    """A logger outside of the app's hierarchy; it prints warnings and what is more severe."""

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that it has in logging
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, OSError) and error.errno in _USED_UP:
            report.debug(f"{record.getMessage()}: {error}")
            return
        reason = f" ({type(error).__name__}: {error})" if error else ""
        report.say(f"{record.getMessage()}{reason}", kind=f"{record.name}: {record.msg}")


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a private module."""
    return _Journal(name, logging.WARNING)
