"""Searches untrusted texts for the regular expressions of settings, within a limited time.

Expressions that can take exponential time are refused at the start (``settings.values``). Others may take the square or
the cube of a text's length: they are tried on the beginning of a long text first. One that takes too long is given up,
with one line.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from otel_injection import report

_STAGES = (64, 512, 4096)
"""Lengths of the beginnings of a text that are tried before the whole."""
_SECONDS = 0.01
"""Time of this thread that one attempt may take; a text of 4,096 characters takes a hundredth of it."""
_LONGEST = 32_768
"""Characters that are searched at a time."""


class Search:
    """An expression, whose methods return None if the answer would take too long."""

    def __init__(self, text: str, variable: str, flags: int = 0) -> None:
        self.pattern = text
        self._variable = variable
        self._expression = re.compile(text, flags)
        self._given_up = False

    def found_in(self, text: str) -> bool | None:
        """Return whether it matches in the first 32,768 characters of a text."""
        found = self._within_time(self._expression.search, text[:_LONGEST])
        return None if found is self else found is not None

    def replaced(self, text: str, by: str) -> str | None:
        """Return the text with all matches replaced; it is searched in pieces of 32,768 characters."""
        parts = []
        for begin in range(0, len(text) or 1, _LONGEST):
            part = self._within_time(lambda each: self._expression.sub(by, each), text[begin : begin + _LONGEST])
            if part is self:
                return None
            parts.append(part)
        return "".join(parts)

    def _within_time(self, attempt: Callable[[str], Any], text: str) -> Any:
        """Return the answer for the text, or this object itself if that takes too long."""
        for length in _STAGES:
            if length < len(text) and not self._is_quick(attempt, text[:length]):
                return self
        if self._given_up and len(text) > _STAGES[0]:
            return self
        return attempt(text)

    def _is_quick(self, attempt: Callable[[str], Any], text: str) -> bool:
        if self._given_up:
            return False
        start = time.thread_time()
        attempt(text)
        if time.thread_time() - start > _SECONDS:
            self._given_up = True
            report.say(
                f"{self._variable}: '{self.pattern}' takes too long on a text of {len(text)} characters: it is not "
                "searched for in long texts any more; mask replaces them as a whole"
            )
        return not self._given_up
