"""Makes the plan of the SDK from the environment: upstream's settings with upstream's meaning.

A sampler, exporter or id generator that is unknown or fails costs its own function and one line that names the
variable; everything else goes on with its defaults (python issue 3250, operator issue 654).

A configuration file stands in the environment's place: see ``from_file``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opentelemetry.sdk import _configuration as upstream
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.util._importlib_metadata import entry_points

from otel_injection import ours, record, report
from otel_injection.lifecycle import supervisors
from otel_injection.sdk import resource
from otel_injection.sdk.plan import Export, Logs, Metrics, Plan, Reader, Traces
from otel_injection.settings.early import names, text
from otel_injection.settings.table import default

_OTLP = {"otlp": None, "otlp_proto_http": "http/protobuf", "otlp_proto_grpc": "grpc"}
"""Names of our own exporters; None: the protocol is the environment's."""


def plan() -> Plan:
    """Return what the environment says the SDK is to be made of."""
    return Plan(
        resource=resource.create(),
        metrics=Metrics(
            readers=[
                Reader(made if isinstance(made, MetricReader) else PeriodicExportingMetricReader(made), facts)
                for made, facts in _exporters("metrics")
            ],
            configurator=upstream._import_meter_configurator(upstream._get_meter_configurator()),
        ),
        traces=Traces(
            sampler=_sampler(),
            exports=[Export(*each) for each in _exporters("traces")],
            id_generator=_id_generator(),
            configurator=upstream._import_tracer_configurator(upstream._get_tracer_configurator()),
        ),
        logs=Logs(
            exports=[Export(*each) for each in _exporters("logs")],
            configurator=upstream._import_logger_configurator(upstream._get_logger_configurator()),
        ),
    )


def _exporters(signal: str) -> Iterator[tuple[Any, Any]]:
    """Make the exporters that ``OTEL_<SIGNAL>_EXPORTER`` names, ``otlp`` if it names none that is known.

    Yields each with what the doctor shows of it.
    """
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    chosen = names(variable, default(variable))
    found = {name: _find_exporter(signal, name) for name in chosen if name.lower() != "none"}
    unknown = [name for name, entry_point in found.items() if entry_point is None]
    if unknown:
        instead = " and left out" if len(unknown) < len(chosen) else f"; {default(variable)} is used"
        report.say(f"{variable}: '{','.join(unknown)}' is unknown{instead}")
        if len(unknown) == len(chosen):
            found = {default(variable): _find_exporter(signal, default(variable))}
    for name, entry_point in found.items():
        if entry_point is None:
            continue
        try:
            exporter = entry_point.load()
            if isinstance(exporter, type) and issubclass(exporter, MetricReader) and supervisors.supervises():
                continue  # it listens on a port, which is for a process that serves
            if exporter.__module__.startswith("otel_injection.otlp"):
                made = exporter(report.say, _OTLP.get(name))
                made.counted = record.count
                facts = made.facts
            else:
                made, facts = exporter(), {"exporter": name}
        except ours() as error:
            report.say(f"{variable}: exporter '{name}' failed and is left out: {type(error).__name__}: {error}")
        else:
            yield made, facts


def _find_exporter(signal: str, name: str) -> Any:
    name = "otlp" if name in _OTLP else name
    return next(iter(entry_points(group=f"opentelemetry_{signal}_exporter", name=name)), None)


def _sampler() -> Any:
    name = text("OTEL_TRACES_SAMPLER")
    if not name:
        return DEFAULT_ON
    argument: Any = text("OTEL_TRACES_SAMPLER_ARG") or None
    if name in ("traceidratio", "parentbased_traceidratio"):
        argument = _ratio(argument)
    try:
        found = list(entry_points(group="opentelemetry_traces_sampler", name=name))
        if found:
            return found[0].load()(argument)
        report.say(f"OTEL_TRACES_SAMPLER: '{name}' is unknown; parentbased_always_on is used")
    except ours() as error:
        report.say(f"OTEL_TRACES_SAMPLER: '{name}' failed ({error}); parentbased_always_on is used")
    return DEFAULT_ON


def _ratio(given: str | None) -> float:
    try:
        ratio = float(given) if given else 1.0
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        report.say(f"OTEL_TRACES_SAMPLER_ARG: '{given}' is not a ratio from 0 to 1; 1 is used")
        return 1.0
    return ratio


def _id_generator() -> Any:
    name = text("OTEL_PYTHON_ID_GENERATOR")
    if not name or name == "random":
        return None
    try:
        return next(iter(entry_points(group="opentelemetry_id_generator", name=name))).load()()
    except StopIteration:
        report.say(f"OTEL_PYTHON_ID_GENERATOR: '{name}' is unknown; random is used")
    except ours() as error:
        report.say(f"OTEL_PYTHON_ID_GENERATOR: '{name}' failed ({error}); random is used")
    return None
