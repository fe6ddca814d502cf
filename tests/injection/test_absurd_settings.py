"""A setting that cannot be used costs one line that names it, and nothing else."""

from __future__ import annotations

import pytest

from tests.injection.running import Runner
from tests.injection.test_exit import WORK, check_work
from tests.receiver import Receiver

ABSURD = {
    "OTEL_TRACES_SAMPLER": "sometimes",
    "OTEL_TRACES_SAMPLER_ARG": "much",
    "OTEL_PROPAGATORS": "tracecontext,pigeon",
    "OTEL_PYTHON_ID_GENERATOR": "dice",
    "OTEL_BSP_SCHEDULE_DELAY": "soon",
    "OTEL_BSP_MAX_QUEUE_SIZE": "-1",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "999999999",
    "OTEL_BSP_EXPORT_TIMEOUT": "0",
    "OTEL_BLRP_SCHEDULE_DELAY": "soon",
    "OTEL_BLRP_MAX_QUEUE_SIZE": "-1",
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "999999999",
    "OTEL_METRIC_EXPORT_INTERVAL": "-1",
    "OTEL_METRIC_EXPORT_TIMEOUT": "soon",
    "OTEL_METRICS_EXEMPLAR_FILTER": "beautiful",
    "OTEL_SPAN_EVENT_COUNT_LIMIT": "-1",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "short",
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": "few",
    "OTEL_RESOURCE_ATTRIBUTES": "a,c=d=e",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "crystal_ball",
    "OTEL_INJECTION_EXIT_TIMEOUT": "never",
    "OTEL_PYTHON_LOG_HANDLER_LEVEL": "loud",
    "OTEL_PYTHON_TRACER_CONFIGURATOR": "nothing",
    "OTEL_PYTHON_METER_CONFIGURATOR": "nothing",
    "OTEL_PYTHON_LOGGER_CONFIGURATOR": "nothing",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "soon",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "hard",
    "OTEL_EXPORTER_OTLP_HEADERS": "nonsense",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "pigeon",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "everything",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "nothing,at,all",
    "OTEL_CONFIG_FILE": "/nowhere",
    "OTEL_PYTHON_CONTEXT": "nothing",
    "OTEL_PYTHON_TRACER_PROVIDER": "nothing",
    "OTEL_PYTHON_METER_PROVIDER": "nothing",
}


@pytest.mark.parametrize("name", ABSURD)
def test_it_costs_a_line_at_most_and_no_telemetry(runner: Runner, receiver: Receiver, name: str) -> None:
    done = runner.run(f"{WORK}\n    work('sold')", env={name: ABSURD[name]})
    assert done.own == (0, "", "sold\n")
    check_work(receiver, "sold")
    assert len(done.lines) <= 1
    assert all(name in line or ABSURD[name] in line or "key value resource attribute" in line for line in done.lines)


def test_empty_settings_are_as_if_not_set(runner: Runner, receiver: Receiver) -> None:
    done = runner.run(f"{WORK}\n    work('sold')", env=dict.fromkeys(ABSURD, ""))
    assert (done.status, done.stderr) == (0, "sold\n")
    check_work(receiver, "sold")
