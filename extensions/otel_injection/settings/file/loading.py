"""Reads the file, checks it against the schema, and makes upstream's model of it."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, get_type_hints

from opentelemetry.configuration import _conversion, models

from otel_injection.report import Refused
from otel_injection.settings.early import CONFIG_FILE
from otel_injection.settings.file.documents import Document, DocumentError
from otel_injection.settings.file.schema import problems

_LARGEST = 200_000
"""The most bytes of a file; reading that many takes two seconds."""
_FORMATS = ("1", 1)
"""The major version that is known, and the newest minor one."""

_UNSUPPORTED = frozenset(
    """producers cardinality_limits aggregation_cardinality_limit max_export_batch_size/development minimum_severity
    trace_based scope_info_enabled resource_constant_labels translation_strategy log_level
    instrumentation/development.general""".split()  # noqa: SIM905
)
"""Parts of the schema that neither upstream's SDK nor this one implements."""

# The annotations of private copies cannot be resolved: their modules are not imported under upstream's names.
_conversion.get_type_hints = partial(get_type_hints, globalns=vars(models))  # type: ignore[attr-defined]


class File:
    """A file that is in force: its ``model``, and what in it is ``unsupported``."""

    def __init__(self, name: str, document: Document) -> None:
        self.name = name
        self.model: Any = _conversion._dict_to_dataclass(document.data, models.OpenTelemetryConfiguration)
        self.unsupported = sorted(set(_unsupported(document.data)))
        self._lines = document.lines

    def instrumentation(self, name: str) -> dict[str, Any] | None:
        """Return the options for an instrumentation, None if it is switched off."""
        section = self.model.instrumentation_development
        options = dict((section.python if section is not None else None) or {}).get(name) or {}
        options = dict(options)
        return options if options.pop("enabled", True) is not False else None

    def distribution(self) -> dict[str, Any]:
        """Return what the file says to this distribution alone."""
        return dict((self.model.distribution or {}).get("autoinstrumentation-python") or {})

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Name the place in the file with whatever goes wrong."""
        try:
            yield
        except Refused:
            raise
        except Exception as error:
            raise refused(self.name, place, str(error) or type(error).__name__, self._lines) from None


def refused(name: str, place: str, cause: str, lines: Mapping[str, int]) -> Refused:
    """Return the refusal of a file; ``lines`` are known by place, and that of the nearest one is named."""
    known = place
    while known and known not in lines:
        known = re.sub(r"(\.[^.\[]*|\[\d+\]|^[^.\[]*)$", "", known)
    where = f"line {lines[known]}: " if known else ""
    return Refused(f"{CONFIG_FILE}: {name}: {where}{f'{place}: ' if place else ''}{cause}")


def read(name: str, environ: Mapping[str, str] = os.environ) -> File:
    """Read a file; ``environ`` is what stands in it as ``${NAME}``. Raises Refused."""
    try:
        text = _text(name)
    except OSError as error:
        raise refused(name, "", f"cannot be read: {error.strerror}", {}) from None
    except ValueError as error:
        raise refused(name, "", str(error), {}) from None
    try:
        document = Document(text, is_json=name.lower().endswith(".json"), environ=environ)
    except DocumentError as error:
        raise refused(name, error.place, str(error), {}) from None
    data = document.data
    if not isinstance(data, dict):
        raise refused(name, "", "is empty" if data is None else "must be a mapping", {})
    with open(os.path.join(os.path.dirname(models.__file__), "schema.json"), encoding="utf-8") as file:
        schema = json.load(file)
    for place, cause in problems(data, schema, schema):
        raise refused(name, place, cause, document.lines)
    major, _, minor = data["file_format"].partition("-")[0].partition(".")
    if major != _FORMATS[0] or not (minor or "0").isdigit():
        raise refused(name, "file_format", f"must be {_FORMATS[0]}.{_FORMATS[1]}", document.lines)
    return File(name, document)


def _text(name: str) -> str:
    """Return the text of a regular file; anything else could keep the app waiting."""
    status = os.stat(name)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("is no file")
    if status.st_size > _LARGEST:
        raise ValueError(f"is larger than {_LARGEST} bytes")
    with open(name, "rb") as file:
        content = file.read(_LARGEST + 1)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None


def _unsupported(value: Any, place: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            inner = f"{place}.{name}" if place else name
            if (name in _UNSUPPORTED or inner in _UNSUPPORTED) and each is not None:
                yield inner
            elif inner != "distribution":
                yield from _unsupported(each, inner)
    elif isinstance(value, list):
        for each in value:
            yield from _unsupported(each, place)
