"""Sets the SDK up from the environment: upstream's settings with upstream's meaning, failures contained singly.

A sampler, exporter or id generator that is unknown or fails costs its own function and one line that names the
variable; everything else goes on with its defaults (python issue 3250, operator issue 654).

A configuration file stands in the environment's place; see ``configuration``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from opentelemetry.sdk import _configuration as upstream
from opentelemetry.sdk._configuration import _BaseConfigurator
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk._shared_internal import BatchProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.util._importlib_metadata import entry_points

from otel_injection import ours, record, report
from otel_injection.lifecycle import supervisors
from otel_injection.sdk import export_threads, resource
from otel_injection.sdk.assembled import State
from otel_injection.sdk.excluded_sampler import drop_under_any
from otel_injection.sdk.faster import replacing
from otel_injection.sdk.faster.spans import Processors
from otel_injection.settings import environment
from otel_injection.settings import file as configuration
from otel_injection.settings.early import names
from otel_injection.settings.table import default

_OTLP = {"otlp": None, "otlp_proto_http": "http/protobuf", "otlp_proto_grpc": "grpc"}
"""Names of our own exporters; None: the protocol is the environment's."""


class Configurator(_BaseConfigurator):
    """The configurator of this distribution; see ``opentelemetry.sdk._configuration._BaseConfigurator``."""

    def _configure(self, **_kwargs: Any) -> State:
        _keep_forks_quiet()
        replacing.use()
        export_threads.use(standing=not supervisors.supervises())
        environment.name_the_unusable()
        if configuration.path():
            file = configuration.load()
            from otel_injection.sdk.from_file import build

            return build(file)
        used: dict[str, Any] = {}
        shared = resource.create()
        meter_provider, readers = _metrics(shared, used)
        spans = [BatchSpanProcessor(each, meter_provider=meter_provider) for each in _exporters("traces", used)]
        records = [BatchLogRecordProcessor(each, meter_provider=meter_provider) for each in _exporters("logs", used)]
        span_chain, log_chain = _chains(spans, records, meter_provider)
        tracer_provider = TracerProvider(
            sampler=drop_under_any(span_chain.sampler(_sampler()) if span_chain is not None else _sampler()),
            resource=shared,
            shutdown_on_exit=False,
            active_span_processor=Processors(),
            id_generator=_id_generator(),
            meter_provider=meter_provider,
            _tracer_configurator=upstream._import_tracer_configurator(upstream._get_tracer_configurator()),
        )
        for span_processor in (span_chain,) if span_chain is not None else spans:
            tracer_provider.add_span_processor(span_processor)
        logger_provider = LoggerProvider(
            resource=shared,
            shutdown_on_exit=False,
            meter_provider=meter_provider,
            _logger_configurator=upstream._import_logger_configurator(upstream._get_logger_configurator()),
        )
        for record_processor in (log_chain,) if log_chain is not None else records:
            logger_provider.add_log_record_processor(record_processor)
        record.sdk(
            service=shared.attributes.get("service.name"),
            instance=shared.attributes.get("service.instance.id"),
            sampler=tracer_provider.sampler.get_description(),
            exporters=used,
        )
        batches = [each._batch_processor for each in spans] + [each._batch_processor for each in records]
        chains = [each for each in (span_chain, log_chain) if each is not None]
        return State(shared, tracer_provider, meter_provider, logger_provider, batches, readers, chains)

    def configure(self, **kwargs: Any) -> State:
        """Set the SDK up and return it; nothing global is set."""
        return self._configure(**kwargs)


def _chains(spans: list[Any], records: list[Any], meter_provider: Any) -> tuple[Any, Any]:
    """Return the chains of processors before those that export; None where the settings name no processor."""
    if not any(names(f"OTEL_INJECTION_{signal}_PROCESSORS") for signal in ("SPAN", "LOG", "METRIC")):
        return None, None
    try:
        from otel_injection.processors import chain

        made = chain.span_chain(spans), chain.log_chain(records)
        of_spans, of_logs = (each.links if each is not None else () for each in made)
        chain.observe(meter_provider, span=of_spans, log=of_logs, metric=chain.metric_chain(meter_provider))
    except Exception as error:
        report.say(f"OTEL_INJECTION_SPAN_PROCESSORS: there are none: {type(error).__name__}: {error}")
        return None, None
    return made


def _keep_forks_quiet() -> None:
    """Stop the SDK's own fork hooks: they would start export threads for an SDK that a child has abandoned."""
    for part in (BatchProcessor, PeriodicExportingMetricReader):
        setattr(part, "_at_fork_reinit", _nothing)  # noqa: B010 - a method of a foreign class
    for provider in (TracerProvider, MeterProvider, LoggerProvider):
        setattr(provider, "_handle_fork", _nothing)  # noqa: B010


def _nothing(self: Any) -> None:
    """Stand in for a fork hook."""


def _metrics(shared: Any, used: dict[str, Any]) -> tuple[MeterProvider, list[MetricReader]]:
    readers = [
        each if isinstance(each, MetricReader) else PeriodicExportingMetricReader(each)
        for each in _exporters("metrics", used)
    ]
    configurator = upstream._import_meter_configurator(upstream._get_meter_configurator())
    return MeterProvider(readers, shared, shutdown_on_exit=False, _meter_configurator=configurator), readers


def _exporters(signal: str, used: dict[str, Any]) -> Iterator[Any]:
    """Make the exporters that ``OTEL_<SIGNAL>_EXPORTER`` names, ``otlp`` if it names none that is known.

    What is made is noted in ``used``.
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
                used.setdefault(signal, []).append(made.facts)
            else:
                made = exporter()
                used.setdefault(signal, []).append({"exporter": name})
            yield made
        except ours() as error:
            report.say(f"{variable}: exporter '{name}' failed and is left out: {type(error).__name__}: {error}")


def _find_exporter(signal: str, name: str) -> Any:
    name = "otlp" if name in _OTLP else name
    return next(iter(entry_points(group=f"opentelemetry_{signal}_exporter", name=name)), None)


def _sampler() -> Any:
    name = os.environ.get("OTEL_TRACES_SAMPLER", "").strip()
    if not name:
        return DEFAULT_ON
    argument: Any = os.environ.get("OTEL_TRACES_SAMPLER_ARG")
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


def _ratio(text: str | None) -> float:
    try:
        ratio = float(text) if text else 1.0
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        report.say(f"OTEL_TRACES_SAMPLER_ARG: '{text}' is not a ratio from 0 to 1; 1 is used")
        return 1.0
    return ratio


def _id_generator() -> Any:
    name = os.environ.get("OTEL_PYTHON_ID_GENERATOR", "").strip()
    if not name or name == "random":
        return None
    try:
        return next(iter(entry_points(group="opentelemetry_id_generator", name=name))).load()()
    except StopIteration:
        report.say(f"OTEL_PYTHON_ID_GENERATOR: '{name}' is unknown; random is used")
    except ours() as error:
        report.say(f"OTEL_PYTHON_ID_GENERATOR: '{name}' failed ({error}); random is used")
    return None
