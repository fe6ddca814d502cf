"""Answers entry-point look-ups from the index made at build time, then from the app's own distributions.

OpenTelemetry finds propagators, samplers, exporters and so on by their entry points. The payload brings no metadata of
distributions, so that the app sees none that are not its own; the look-ups of whichever API copy is loaded, and of the
private SDK, are answered here.
"""

from __future__ import annotations

from otel_injection import report
from otel_injection._index import ENTRY_POINTS

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def install(module: Any) -> None:
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
            return collection([entry_point(name, known[name], params["group"])])
        found = list(original(**params))
        if name is None:
            own = [entry_point(each, target, params.get("group")) for each, target in known.items()]
            return collection(own + [each for each in found if each.name not in known])
        if not found and params.get("group") == "opentelemetry_propagator":
            # The look-up is made while the app imports opentelemetry.propagate: nothing found would be the app's error.
            report.say(f"OTEL_PROPAGATORS: '{name}' is unknown and left out; known are {', '.join(sorted(known))}")
            return collection(
                [entry_point(name, "otel_injection.propagation:NoPropagator", "opentelemetry_propagator")]
            )
        return collection(found)

    entry_points._otel_injection = True  # type: ignore[attr-defined]
    return entry_points
