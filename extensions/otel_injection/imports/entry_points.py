"""Answers entry-point look-ups from the index made at build time, then from the app's own distributions.

OpenTelemetry finds propagators, samplers, exporters and so on by their entry points. The payload brings no metadata of
distributions, so that the app sees none that are not its own; the look-ups of whichever API copy is loaded, and of the
private SDK, are answered here.
"""

from __future__ import annotations

from otel_injection import report
from otel_injection._index import ENTRY_POINTS
from otel_injection.imports import private_api
from otel_injection.settings import file
from otel_injection.settings.early import text

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any


def install(module: Any, _name: str) -> None:
    """Replace ``entry_points`` of ``opentelemetry.util._importlib_metadata``."""
    original = module.entry_points
    if getattr(original, "_otel_injection", False):
        return
    module.entry_points = _answering(original, module.EntryPoint, module.EntryPoints)


def _answering(original: Callable[..., Any], entry_point: Any, collection: Any) -> Callable[..., Any]:
    def entry_points(**params: Any) -> Any:
        """Select entry points by ``group`` and ``name``, as ``importlib.metadata.entry_points`` does."""
        known = ENTRY_POINTS.get(params.get("group", ""), {})
        name = params.get("name")
        if name in known:
            return collection([entry_point(name, private_api.target(known[name]), params["group"])])
        found = list(original(**params))
        if name is None:
            own = [entry_point(each, private_api.target(known[each]), params.get("group")) for each in known]
            return collection(own + [each for each in found if each.name not in known])
        instead = None if found else _INSTEAD.get(params.get("group", ""))
        if instead is not None:
            # The app's import of OpenTelemetry's API makes this look-up, and would fail if nothing were found.
            target = instead(name, known, lambda each: bool(list(original(group=params["group"], name=each))))
            return collection([entry_point(name, target, params["group"])])
        return collection(found)

    entry_points._otel_injection = True  # type: ignore[attr-defined]
    return entry_points


def _propagator(name: str, known: Collection[str], is_the_apps: Callable[[str], bool]) -> str:
    """Return a propagator in place of an unknown one: one that does nothing, or the usual ones if it is alone."""
    names = [each.strip() for each in text("OTEL_PROPAGATORS").split(",")]
    left = [each for each in names if each in known or each.lower() == "none" or (each and is_the_apps(each))]
    if name and not file.path():
        instead = " and left out" if left else "; tracecontext,baggage is used"
        report.say(f"OTEL_PROPAGATORS: '{name}' is unknown{instead}; known are {', '.join(sorted(known))}")
    return "otel_injection.providers.propagators:" + ("NoPropagator" if left or name != names[0] else "usual")


def _context(name: str, known: Mapping[str, str], _is_the_apps: object) -> str:
    if name.strip():
        report.say(f"OTEL_PYTHON_CONTEXT: '{name}' is unknown; contextvars_context is used")
    return private_api.target(known["contextvars_context"])


_INSTEAD: dict[str, Any] = {"opentelemetry_propagator": _propagator, "opentelemetry_context": _context}
"""By group: a function that returns a target for an unknown name."""
