"""Puts the chains of processors before the exporting ones.

Privacy fails closed: if a chain with ``mask`` cannot be made, its signal is not exported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from otel_injection import report
from otel_injection.settings.early import names

_SPANS, _LOGS, _METRICS = (f"OTEL_INJECTION_{kind}_PROCESSORS" for kind in ("SPAN", "LOG", "METRIC"))

Steps = Sequence[tuple[str, Any]]
"""Processors of a configuration file, by name: they come after those that the environment names."""


def of_spans(exporting: list[Any], steps: Steps) -> Any:
    """Return the chain before what exports spans, None for none; nothing is left in ``exporting`` if it must not."""
    return _made(_SPANS, "traces", names(_SPANS), steps, exporting, lambda chain: chain.span_chain(exporting, steps))


def of_logs(exporting: list[Any], steps: Steps) -> Any:
    """Return the chain before what exports log records; see ``of_spans``. Those of spans with a counterpart serve."""
    variable = _LOGS if names(_LOGS) else _SPANS
    return _made(variable, "logs", names(variable), steps, exporting, lambda chain: chain.log_chain(exporting, steps))


def of_metrics(meter_provider: Any, steps: Steps) -> Sequence[Any]:
    """Have measurements go through their processors; return the links of these."""
    made = _made(
        _METRICS, "metrics", names(_METRICS), steps, [], lambda chain: chain.metric_chain(meter_provider, steps)
    )
    return made or ()


def observe(meter_provider: Any, span_chain: Any, log_chain: Any, metric_links: Sequence[Any]) -> None:
    """Show what the processors drop, and how often they fail, as metrics."""
    links = {
        "span": span_chain.links if span_chain is not None else (),
        "log": log_chain.links if log_chain is not None else (),
        "metric": metric_links,
    }
    if any(links.values()):
        try:
            from otel_injection.processors import chain

            chain.observe(meter_provider, **links)
        except Exception as error:
            report.say(f"what processors drop is not counted: {type(error).__name__}: {error}")


def _made(
    variable: str, signal: str, named: Sequence[str], steps: Steps, exporting: list[Any], make: Callable[[Any], Any]
) -> Any:
    if not named and not steps:
        return None
    try:
        from otel_injection.processors import chain  # here: what asks for none imports none

        return make(chain)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        if "mask" in named or "mask" in dict(steps) or getattr(error, "fails_closed", False):
            report.say(f"{variable}: {signal} are not exported, since they cannot be masked: {reason}")
            for each in exporting:
                each.shutdown()
            exporting.clear()
        else:
            report.say(f"{variable}: {signal} go through no processor: {reason}")
        return None
