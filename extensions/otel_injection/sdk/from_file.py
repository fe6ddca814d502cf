"""Makes the plan of the SDK from a configuration file, as ``from_environment`` does from the environment.

If any part of the file is unusable, there is no SDK: see ``settings.file``. Our processors come before the exporting
ones, in their order, wherever they stand in the list; those that ``OTEL_INJECTION_*_PROCESSORS`` name come first.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from opentelemetry.configuration import _logger_provider, _meter_provider, _resource, _tracer_provider, models
from opentelemetry.configuration._exceptions import ConfigurationError
from opentelemetry.sdk.metrics import TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace.sampling import DEFAULT_ON

from otel_injection import ours, report
from otel_injection.lifecycle import supervisors
from otel_injection.processors import by_name
from otel_injection.sdk import resource
from otel_injection.sdk.file_exporters import CONSOLES, exporter
from otel_injection.sdk.plan import Export, Logs, Metrics, Plan, Reader, Traces
from otel_injection.settings.file.loading import File

_DELAYS = {"traces": 5000, "logs": 1000}
"""By signal, the milliseconds between two exports."""
_QUEUE, _BATCH, _TIMEOUT, _INTERVAL = 2048, 512, 30_000, 60_000
_run_detectors = _resource._run_detectors


def plan(file: File) -> Plan:
    """Return what a file says the SDK is to be made of; raises ``report.Refused``."""
    with file.at("resource"):
        shared = resource.create(_described(file.model.resource))
    return Plan(
        resource=shared,
        metrics=_metrics(file),
        traces=_traces(file),
        logs=_logs(file),
        file=file.name,
        at=file.at,
    )


def _described(config: models.Resource | None) -> Any:
    """Return the resource of the file; a detector that fails costs its own attributes."""
    _resource._RESOURCE_DETECTOR_REGISTRY["service"] = resource.service_of_the_environment
    _resource._run_detectors = _detect  # type: ignore[assignment]
    return _resource.create_resource(config)


def _detect(config: Any, found: dict[str, object]) -> None:
    try:
        _run_detectors(config, found)
    except ConfigurationError:
        raise
    except ours() as error:
        report.say(f"OTEL_CONFIG_FILE: a resource detector failed: {type(error).__name__}: {error}")


def _traces(file: File) -> Traces | None:
    config = file.model.tracer_provider
    if config is None:
        return None
    with file.at("tracer_provider.sampler"):
        sampler = _tracer_provider._create_sampler(config.sampler) if config.sampler else DEFAULT_ON
    steps, exports = _processors(file, "tracer_provider", "traces")
    with file.at("tracer_provider"):
        generator, configurator = config.id_generator, config.tracer_configurator_development
        return Traces(
            sampler=sampler,
            exports=exports,
            steps=steps,
            limits=_tracer_provider._create_span_limits(
                config.limits or models.SpanLimits(), file.model.attribute_limits
            ),
            id_generator=_tracer_provider._create_id_generator(generator) if generator else None,
            configurator=configurator and _tracer_provider._create_tracer_configurator(configurator),
        )


def _logs(file: File) -> Logs | None:
    config = file.model.logger_provider
    if config is None:
        return None
    steps, exports = _processors(file, "logger_provider", "logs")
    with file.at("logger_provider"):
        configurator = config.logger_configurator_development
        return Logs(
            exports=exports,
            steps=steps,
            limits=_logger_provider._create_log_record_limits(
                config.limits or models.LogRecordLimits(), file.model.attribute_limits
            ),
            configurator=configurator and _logger_provider._create_logger_configurator(configurator),
        )


def _processors(file: File, section: str, signal: str) -> tuple[list[Any], list[Export]]:
    """Return our steps, by name and with their options, and what exports."""
    variable = by_name.SPANS if signal == "traces" else by_name.LOGS
    steps, exports = [], []
    for position, each in enumerate(getattr(file.model, section).processors):
        place = f"{section}.processors[{position}]"
        with file.at(place):
            if each.batch is not None:
                made, facts = exporter(signal, each.batch.exporter)
                exports.append(Export(made, facts, _batching(signal, each.batch), place))
            elif each.simple is not None:
                made, facts = exporter(signal, each.simple.exporter)
                exports.append(Export(made, facts, _singly(signal, made), place))
            elif each.additional_properties:
                steps.append(by_name.listed(variable, *next(iter(each.additional_properties.items()))))
            else:
                raise ValueError("is of no kind that is known here")
    return steps, exports


def _batching(signal: str, config: Any) -> dict[str, Any]:
    queue = _QUEUE if config.max_queue_size is None else config.max_queue_size
    delay = _DELAYS[signal] if config.schedule_delay is None else config.schedule_delay
    largest = min(_BATCH, queue) if config.max_export_batch_size is None else config.max_export_batch_size
    return {
        "max_queue_size": queue,
        "schedule_delay_millis": max(delay, 1),
        "export_timeout_millis": config.export_timeout or _TIMEOUT,
        "max_export_batch_size": largest,
    }


def _singly(signal: str, made: Any) -> dict[str, Any] | None:
    """Return how each item is exported by itself: on the console at once, else in a thread, for which no app waits."""
    if isinstance(made, CONSOLES):
        return None
    return {"max_queue_size": _QUEUE, "schedule_delay_millis": _DELAYS[signal], "max_export_batch_size": 1}


def _metrics(file: File) -> Metrics | None:
    config = file.model.meter_provider
    if config is None:
        return None
    readers: list[Reader] = []
    for position, each in enumerate(config.readers):
        with file.at(f"meter_provider.readers[{position}]"):
            if each.periodic is not None:
                made, facts = exporter("metrics", each.periodic.exporter)
                interval = _INTERVAL if each.periodic.interval is None else max(each.periodic.interval, 1)
                timeout = each.periodic.timeout or _TIMEOUT
                readers.append(Reader(PeriodicExportingMetricReader(made, interval, timeout), facts))
            elif not supervisors.supervises():  # it listens on a port, which is for a process that serves
                readers += _pulled(each.pull)
    with file.at("meter_provider"):
        exemplars: Any = TraceBasedExemplarFilter()
        if config.exemplar_filter:
            exemplars = _meter_provider._create_exemplar_filter(config.exemplar_filter)
        configurator = config.meter_configurator_development
        return Metrics(
            readers=readers,
            steps=_metric_steps(file),
            views=[_view(each) for each in config.views or ()],
            exemplar_filter=exemplars,
            configurator=configurator and _meter_provider._create_meter_configurator(configurator),
        )


def _pulled(config: Any) -> list[Reader]:
    try:
        return [Reader(_meter_provider._create_pull_metric_exporter(config.exporter), {"exporter": "prometheus"})]
    except OSError as error:  # the port is another process's
        report.say(f"OTEL_CONFIG_FILE: a pull reader is left out: {error}")
        return []


def _metric_steps(file: File) -> list[Any]:
    place = "distribution.autoinstrumentation-python"
    with file.at(place):
        section = file.distribution()
        given = section.pop("metric_processors", None) or []
        if (
            section
            or not isinstance(given, list)
            or not all(isinstance(each, dict) and len(each) == 1 for each in given)
        ):
            raise ValueError("may hold metric_processors alone, a list of mappings with one entry each")
    steps = []
    for position, each in enumerate(given):
        with file.at(f"{place}.metric_processors[{position}]"):
            steps.append(by_name.listed(by_name.METRICS, *next(iter(each.items()))))
    return steps


def _view(config: Any) -> Any:
    """Make a view; upstream leaves out which attributes are excluded, and patterns."""
    keys, config.stream.attribute_keys = config.stream.attribute_keys, None
    view = _meter_provider._create_view(config)
    config.stream.attribute_keys = keys
    if keys is not None:
        view._attribute_keys = _Keys(keys.included, keys.excluded)  # type: ignore[assignment]
    return view


class _Keys:
    """The keys of attributes that a view keeps; ``*`` and ``?`` in a pattern stand for any."""

    def __init__(self, included: list[str] | None, excluded: list[str] | None) -> None:
        self._included = included
        self._excluded = excluded or ()

    def __contains__(self, key: str) -> bool:
        if any(fnmatchcase(key, each) for each in self._excluded):
            return False
        return self._included is None or any(fnmatchcase(key, each) for each in self._included)
