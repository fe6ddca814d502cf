"""The environment as OpenTelemetry's private copies see it, without empty variables and without unusable values.

The specification wants both to count as not set; upstream raises for some, which would leave the process without any
telemetry. In the private copies ``os.environ`` is rewritten to ``ENVIRON``. Each variable is read when it is asked for,
since apps change their environment after their start.
"""

from __future__ import annotations

import os

from otel_injection import report
from otel_injection.settings import file

_QUEUES = {f"{each}_MAX_EXPORT_BATCH_SIZE": f"{each}_MAX_QUEUE_SIZE" for each in ("OTEL_BSP", "OTEL_BLRP")}
_ANY_TEXT_IS_YES = "OTEL_PYTHON_INSTRUMENTATION_HTTP_CAPTURE_ALL_METHODS"


class Environ:
    """What private copies use of ``os.environ``; ``hidden`` variables are as if not set."""

    def __init__(self, *hidden: str) -> None:
        self._hidden = hidden

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return what of a variable's value is usable, or ``default`` if nothing is."""
        value = _read(name)  # some are read for each request, and are rarely set
        if name in _QUEUES:
            return _no_more_than_the_queue(name, value or default)
        if value is None or name in self._hidden or (name == _ANY_TEXT_IS_YES and value == "False"):
            return default
        return value

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value


ENVIRON = Environ()

_known: dict[str, tuple[str, str | None]] = {}
"""By variable: the text that was read last, and the usable part of it."""


def name_the_unusable() -> None:
    """Print one line, once, for each variable in the table whose value is unusable, whatever reads it later."""
    from otel_injection.settings.table import TABLE

    for name in tuple(os.environ):
        if name in TABLE:
            _read(name)


def _read(name: str) -> str | None:
    text = os.environ.get(name)
    if not text or text.isspace():
        return None
    known = _known.get(name)
    if known is None or known[0] != text:
        known = _known[name] = (text, _usable(name, text.strip()))
    return known[1]


def _usable(name: str, text: str) -> str | None:
    from otel_injection.settings.table import TABLE
    from otel_injection.settings.table.variable import UNUSED
    from otel_injection.settings.values import read

    variable = TABLE.get(name)
    if variable is None:
        return text
    if variable.yields and file.path():
        return None
    usable, wrong = read(variable, text)
    if wrong and (usable is not None or variable.section == UNUSED):
        report.say(f"{name}: {wrong}")
    elif wrong:
        instead = f"{variable.default} is used" if variable.default else "it is ignored"
        shown = "its value" if variable.secret else f"'{text}'"
        report.say(f"{name}: {shown} {wrong}; {instead}", kind=f"{name}={text}")
    return usable


def _no_more_than_the_queue(name: str, value: str | None) -> str | None:
    """Return the size of a batch, reduced to that of its queue: upstream refuses a larger one."""
    from otel_injection.settings.table import default

    queue = _read(_QUEUES[name]) or default(_QUEUES[name])
    if value is None or int(value) <= int(queue):
        return value
    if _read(name):
        report.say(f"{name}: '{value}' is more than the queue holds; {queue} is used")
    return queue
