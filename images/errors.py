"""The one kind of error that is shown to a person, as one line without a traceback."""

from __future__ import annotations


class UserError(Exception):
    """A mistake or a circumstance that the person at the terminal can do something about.

    The message is one line: what happened, which setting or file, what to do. Command lines print it after ``error: ``
    and end with status 1.
    """
