"""Lets each instrumentation of the payload act when the app has imported the library that it patches."""

from __future__ import annotations

import sys

from otel_injection import ours, record, report
from otel_injection._index import INSTRUMENTATIONS
from otel_injection.imports import hooks
from otel_injection.instrumentations import adaptations
from otel_injection.lifecycle import ending
from otel_injection.settings import file
from otel_injection.settings.early import CONFIG_FILE, disabled_instrumentations
from otel_injection.stand_ins import for_packaging_version as versions
from otel_injection.waiting import NAMES

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from otel_injection.stand_ins.for_packaging_version import Requirement

_met: dict[str, Instrumentation] = {}
"""By name: the instrumentations for which the app has imported at least one trigger."""


def arrived(_module: Any, trigger: str) -> None:
    """Note that a trigger has been executed; instrumentations without an open trigger act, unless disabled."""
    disabled = disabled_instrumentations()
    if "*" in disabled:
        return
    for name, target, triggers, requires in INSTRUMENTATIONS:
        if trigger in triggers and name not in disabled:
            if name not in _met:
                _met[name] = Instrumentation(name, target, triggers, requires)
            _met[name].arrived(trigger)


class Instrumentation:
    """One instrumentor and what it waits for.

    ``target`` is ``module:class``; ``requires`` are groups of requirements, of each of which one must be met.
    """

    def __init__(
        self, name: str, target: str, triggers: Sequence[str], requires: Sequence[Sequence[Requirement]]
    ) -> None:
        self.name = name
        self._target = target
        self._missing = set(triggers)
        self._requires = requires
        self._acted = False

    def arrived(self, trigger: str) -> None:
        """Act once all triggers have been executed."""
        self._missing.discard(trigger)
        for each in tuple(self._missing):
            hooks.after(each, self._when(each))
        if not self._missing and not self._acted:
            self._acted = True
            try:
                adaptations.when_ready(self.name, self.act)
            except BaseException:  # sent by the app: its import fails, and the app may try it again
                self._acted = False
                raise

    def _when(self, trigger: str) -> Callable[[Any], None]:
        return lambda _module: self.arrived(trigger)

    def act(self) -> None:
        """Instrument the library, unless its version is not supported; never raises."""
        try:
            if ending.begun():  # a library that is imported while the process ends
                return
            found: dict[str, str] = {}
            conflict = next(
                (group for group in self._requires if not any(versions.met(each, found) for each in group)),
                None,
            )
            installed = ", ".join(f"{name} {version}" for name, version in found.items())
            if conflict is not None:
                needed = " or ".join(each[0] for each in conflict)
                report.debug(f"{self.name}: not instrumented: the app's version is not {needed}")
                record.library(
                    self.name, "skipped", f"{installed or 'no known version'} is installed, needed is {needed}"
                )
                return
            options = file.options(self.name) if file.path() else {}
            if options is None:
                record.library(self.name, "skipped", f"{CONFIG_FILE} switches it off")
                return
            hooks.happened(hooks.FIRST_TELEMETRY)
            if not NAMES:  # the payload is damaged, for which there was a line
                return
            from otel_injection.instrumentations import replacements
            from otel_injection.instrumentations.distro import Distro

            replacements.before(self.name)
            Distro().load_instrumentor(self, skip_dep_check=True, **options)
            replacements.after(self.name)
            report.debug(f"{self.name}: instrumented")
            record.library(self.name, "instrumented", installed)
        except report.Refused as refused:
            record.failed(str(refused))
        except ours() as error:
            if isinstance(error, ModuleNotFoundError) and _own_module(error.name):
                report.debug(f"{self.name}: not instrumented: the app has a module of its own of that name")
                record.library(self.name, "skipped", "the app has a module of its own of that name")
                return
            reason = f"{type(error).__name__}: {error}"
            record.library(self.name, "failed", reason)
            report.say(f"{self.name} is not instrumented: {reason}", kind=f"act {reason}")  # it may hold for several

    def load(self) -> Any:
        """Import and return the instrumentor's class, as an entry point would."""
        module, _, attribute = self._target.partition(":")
        __import__(module)
        instrumentor = getattr(sys.modules[module], attribute)
        if vars(instrumentor).get("_module", self) is None:  # one of two libraries, the other was imported before
            instrumentor._module = sys.modules[self.name]
        return instrumentor


def _own_module(missing: str | None) -> bool:
    """Return whether the missing module's parent is no package: a file of the app hides the library."""
    parent = sys.modules.get((missing or "").partition(".")[0])
    return parent is not None and parent.__name__ != missing and not hasattr(parent, "__path__")
