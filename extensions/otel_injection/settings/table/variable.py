"""What is known of an environment variable: its section, its kind, its default and what it means."""

from __future__ import annotations

TEXT, ELSEWHERE = "text", "elsewhere"
FLAG, TRUE = "flag", "true"
INTEGER, NUMBER, LIMIT = "integer", "number", "limit"
CHOICE, NAMES, REGEXES, ATTRIBUTES, FORMAT = "choice", "names", "regexes", "attributes", "format"
PATTERNS = "patterns"
"""Kinds of values; see ``values``. ``ELSEWHERE``: what reads the variable says what is wrong with its value."""

IMAGE = "Of this image"
WHAT = "What is exported, and whose"
EXPORT = "The export"
LIMITS = "Queues and limits"
LOGGING = "Logs"
LIBRARIES = "The instrumentations"
PROCESSORS = "Processors"
OTHERS = "Not of OpenTelemetry"
UNUSED = "Without effect"
SECTIONS = (IMAGE, WHAT, EXPORT, LIMITS, LOGGING, LIBRARIES, PROCESSORS, OTHERS, UNUSED)


_YIELDING = (WHAT, EXPORT, LIMITS)


class Variable:
    """A variable, or several that are read alike; ``names[0]`` is the one for all signals or libraries.

    ``least`` and ``most`` are the bounds of a number, ``choices`` the names that a value may be made of. The value of a
    ``secret`` is never shown. One that ``yields`` is ignored where a configuration file is in force.
    """

    __slots__ = (
        "choices",
        "default",
        "kind",
        "least",
        "meaning",
        "most",
        "names",
        "secret",
        "section",
        "unit",
        "yields",
    )

    def __init__(
        self,
        section: str,
        name: str,
        kind: str,
        default: str,
        meaning: str,
        *,
        also: tuple[str, ...] = (),
        unit: str = "",
        least: float = 0,
        most: float = 1e12,
        choices: tuple[str, ...] = (),
        secret: bool = False,
        stays: bool = False,
    ) -> None:
        self.section = section
        self.names = (name, *also)
        self.kind = kind
        self.default = default
        self.meaning = meaning
        self.unit = unit
        self.least = least
        self.most = most
        self.choices = choices
        self.secret = secret
        self.yields = section in _YIELDING and not stays
