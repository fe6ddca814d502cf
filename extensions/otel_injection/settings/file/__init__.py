"""Declarative configuration: the file that ``OTEL_CONFIG_FILE`` names, in place of the other variables.

See https://opentelemetry.io/docs/specs/otel/configuration/. The file is read when the app first imports something of
OpenTelemetry, or something that is instrumented. If any part of it is unusable, there is no telemetry, and one line
names the file, the place and the cause: a part of a configuration is not what its author wanted.
"""

from __future__ import annotations

from otel_injection import report
from otel_injection.report import Refused
from otel_injection.settings.early import CONFIG_FILE, text

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

    from otel_injection.settings.file.loading import File

_known: dict[str, File | Refused] = {}


def path() -> str:
    """Return the name of the configuration file in force, "" if there is none."""
    return text(CONFIG_FILE)


def load() -> File:
    """Return the configuration. If it is unusable, say why in one line and raise Refused."""
    name = path()
    known = _known.get(name)
    if known is None:
        known = _known[name] = _read(name)
        if isinstance(known, Refused):
            known.say()
    if isinstance(known, Refused):
        raise known
    return known


def options(instrumentation: str) -> dict[str, Any] | None:
    """Return what the file says of an instrumentation, by the name of its entry point; None if it is to be left out.

    Raises Refused.
    """
    return load().instrumentation(instrumentation)


def propagate(module: Any, _name: str) -> None:
    """Put the file's propagators in place of those of ``OTEL_PROPAGATORS`` in ``opentelemetry.propagate``."""
    if not path():
        return
    try:
        file = load()
        from opentelemetry.configuration import _propagator

        _propagator.load_entry_point = _known_propagator  # type: ignore[attr-defined]
        with file.at("propagator"):
            module.set_global_textmap(_propagator.create_propagator(file.model.propagator))
    except Refused as refused:
        _known[path()] = refused
        refused.say()


def _known_propagator(group: str, name: str) -> Any:
    """Load a propagator; for an unknown one the look-up answers with one that does nothing."""
    from opentelemetry.configuration._common import load_entry_point

    found = load_entry_point(group, name)
    if found.__module__ == "otel_injection.providers.propagators":
        raise ValueError(f"propagator '{name}' is unknown")
    return found


def _read(name: str) -> File | Refused:
    try:
        from otel_injection.settings.file.loading import read

        file = read(name)
    except Refused as refused:
        return refused
    if file.model.disabled:
        return Refused(f"{CONFIG_FILE}: {name} says disabled: true", wanted=True)
    if file.unsupported:
        report.say(f"{CONFIG_FILE}: {name}: not supported here and ignored: {', '.join(file.unsupported)}")
    return file
