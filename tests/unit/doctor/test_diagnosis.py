"""Findings name the cause: a table of what is known of a process, and the findings that follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from otel_injection.doctor import diagnosis
from otel_injection.doctor.diagnosis import ERROR, INFO, WARNING
from otel_injection.doctor.endpoints import Answer
from otel_injection.doctor.processes import Process

MOUNT = "/otel"
DOOR = f"{MOUNT}/opentelemetry/instrumentation/auto_instrumentation"
EXPORTERS = {"traces": "otlp", "metrics": "otlp", "logs": "otlp"}
Facts = Mapping[str, Any]


def process(**facts: Any) -> Process:
    """Return an app's process of which nothing else is known."""
    known: dict[str, Any] = {
        "pid": 7, "parent": 1, "user": 1000, "started": 50, "arguments": ["python", "app.py"],
        "executable": "/usr/bin/python3.13", "python": "3.13", "libc": "glibc", "environment": {}, "record": None,
        "hidden": False,
    }  # fmt: skip
    return Process(**{**known, **facts})


def injected(sdk: Facts | None = None, environment: Facts | None = None, **record: Any) -> Process:
    """Return an injected process with what it has recorded."""
    facts: dict[str, Any] = {"result": "injected", "pid": 7, "since_boot": 60, **record}
    if sdk is not None:
        facts["sdk"] = {"exporters": EXPORTERS, "sampler": "ParentBased{root:AlwaysOnSampler}", **sdk}
    return process(record=facts, environment=dict(environment or {}))


def counts(**changed: Any) -> dict[str, Any]:
    """Return the counts of one signal."""
    return {"exported": 0, "rejected": 0, "failed": 0, "errors": 0, "problem": "", **changed}


NOT_INJECTED = {
    "the kill switch": (
        {"record": {"result": "skipped", "reason": "disabled"}}, ERROR, "disabled", "OTEL_INJECTION_ENABLED",
    ),
    "OpenTelemetry is switched off": (
        {"record": {"result": "skipped", "reason": "sdk_disabled"}}, ERROR, "sdk_disabled", "OTEL_SDK_DISABLED",
    ),
    "a helper": (
        {"record": {"result": "skipped", "reason": "helper", "details": "python -c"}}, INFO, "helper", "python -c",
    ),
    "a tool": (
        {"record": {"result": "skipped", "reason": "tool", "details": "'pip' is a tool"}}, INFO, "tool", "'pip'",
    ),
    "a damaged payload": (
        {"record": {"result": "failed", "reason": "damaged", "details": "its files are damaged"}},
        ERROR, "damaged", "init container's log",
    ),
    "a process that has changed its user": (
        {"guarded": True, "hidden": True, "environment": None}, WARNING, "unreadable", "SYS_PTRACE",
    ),
    "a process of somebody else": (
        {"hidden": True, "environment": None}, WARNING, "unreadable", "it belongs to UID 1000",
    ),
    "an old Python": ({"python": "3.9"}, ERROR, "old_python", "3.10 or newer"),
    "PyPy": ({"python": "PyPy"}, ERROR, "old_python", "PyPy"),
    "settings without a path": (
        {"environment": {"OTEL_SERVICE_NAME": "shop"}}, ERROR, "path_lost", "OTEL_SERVICE_NAME is set but PYTHONPATH",
    ),
    "a path of the app's own": (
        {"environment": {"PYTHONPATH": "/app"}}, ERROR, "path_replaced", f"{MOUNT}/bin/opentelemetry-instrument",
    ),
    "nothing at all": ({}, ERROR, "not_injected", "annotations"),
    "an isolated interpreter": (
        {"environment": {"PYTHONPATH": DOOR}, "arguments": ["python", "-I", "app.py"]}, ERROR, "isolated", "-I",
    ),
    "options in one word": (
        {"environment": {"PYTHONPATH": DOOR}, "arguments": ["python", "-uE", "app.py"]}, ERROR, "isolated", "-E",
    ),
    "an option of the app": (
        {"environment": {"PYTHONPATH": DOOR}, "arguments": ["python", "app.py", "-I"]}, ERROR, "no_payload", DOOR,
    ),
    "an option behind a module": (
        {"environment": {"PYTHONPATH": DOOR}, "arguments": ["python", "-mflask", "-E"]}, ERROR, "no_payload", DOOR,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("facts", "level", "code", "text"), NOT_INJECTED.values(), ids=NOT_INJECTED)
def test_a_process_that_is_not_injected_has_one_cause(facts: Facts, level: str, code: str, text: str) -> None:
    (finding,) = diagnosis.diagnose(process(**facts), MOUNT)
    assert (finding.level, finding.code) == (level, code)
    assert text in finding.text


def test_a_process_that_should_be_injected_and_has_no_record_is_a_warning(tmp_path: Any) -> None:
    door = tmp_path / DOOR.removeprefix(MOUNT + "/")
    door.mkdir(parents=True)
    (door / "sitecustomize.py").touch()
    (finding,) = diagnosis.diagnose(process(environment={"PYTHONPATH": f"/app:{door}/"}), str(tmp_path))
    assert (finding.level, finding.code) == (WARNING, "no_record")


TRACED = {"traces": counts(exported=9)}
INJECTED: dict[str, tuple[Process, list[tuple[str, str]]]] = {
    "telemetry flows": (injected({}, counts=TRACED), []),
    "the SDK could not be set up": (
        injected({"error": "no memory", "exporters": {}}), [(ERROR, "sdk_failed")],
    ),
    "the app sets up OpenTelemetry": (
        injected(app_providers={"traces": "shop"}), [(WARNING, "own_opentelemetry")],
    ),
    "everything is disabled": (
        injected({}, {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "flask,*"}, counts=TRACED), [(ERROR, "all_disabled")],
    ),
    "a library of another version": (
        injected({}, libraries={"redis": {"result": "skipped", "details": "the app's version is 1"}}, counts=TRACED),
        [(WARNING, "library")],
    ),
    "nothing was recorded": (
        injected(libraries={"flask": {"result": "instrumented", "details": ""}}), [(INFO, "unused")],
    ),
    "nothing was imported": (injected(), [(WARNING, "nothing_to_instrument")]),
    "a forked child": (
        process(record={"result": "injected", "pid": 6, "sdk": {"exporters": {}}}), [(INFO, "unused")],
    ),
    "a number used again": (
        process(record={"result": "injected", "pid": 7, "since_boot": 40, "sdk": {}}), [(INFO, "unused")],
    ),
    "the collector is away": (
        injected({}, counts={"traces": counts(failed=3, problem="refused")}), [(ERROR, "export_failed")],
    ),
    "it failed once, nothing was lost": (
        injected({}, counts={"traces": counts(exported=3, problem="refused")}), [],
    ),
    "a part is rejected": (
        injected({}, counts={"metrics": counts(exported=3, rejected=1)}), [(WARNING, "rejected")],
    ),
    "all is rejected": (
        injected({}, counts={"metrics": counts(rejected=1, problem="too old")}), [(ERROR, "rejected")],
    ),
    "a configuration file": (
        injected({"file": "/etc/otel.yaml"}, counts=TRACED), [(INFO, "configuration_file")],
    ),
    "one signal is not exported": (
        injected({"exporters": {"traces": "otlp", "metrics": "otlp"}}, {"OTEL_LOGS_EXPORTER": "none"}, counts=TRACED),
        [(WARNING, "no_exporter")],
    ),
    "no signal is exported": (injected({"exporters": {}}, counts=TRACED), [(ERROR, "no_exporter")] * 3),
    "no span is sampled": (
        injected({"sampler": "ParentBased{root:AlwaysOffSampler,remoteParentSampled:AlwaysOnSampler}"},
                 counts={"logs": counts(exported=5)}),
        [(ERROR, "sampled_out")],
    ),
    "a ratio of nothing": (
        injected({"sampler": "TraceIdRatioBased{0.0}"}), [(ERROR, "sampled_out")],
    ),
    "a small ratio": (injected({"sampler": "TraceIdRatioBased{0.01}"}), []),
    "logs without a trace": (
        injected({}, counts={"logs": counts(exported=5)}), [(WARNING, "no_trace_ids")],
    ),
    "logs beside spans that were lost": (
        injected({}, counts={"logs": counts(exported=5), "traces": counts(failed=1)}), [],
    ),
    "the app fails": (
        injected({}, counts={"traces": counts(exported=9, errors=5)}), [(WARNING, "app_fails")],
    ),
    "the app fails now and then": (
        injected({}, counts={"traces": counts(exported=10, errors=5)}), [],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("known", "expected"), INJECTED.values(), ids=INJECTED)
def test_what_is_said_of_an_injected_process(known: Process, expected: list[tuple[str, str]]) -> None:
    assert [(each.level, each.code) for each in diagnosis.diagnose(known, MOUNT)] == expected


def test_what_a_file_is_to_blame_for_names_the_file() -> None:
    known = injected({"file": "/etc/otel.yaml", "exporters": {}, "sampler": "AlwaysOffSampler"})
    texts = {each.code: each.text for each in diagnosis.diagnose(known, MOUNT)}
    assert "/etc/otel.yaml has no exporter" in texts["no_exporter"]
    assert "the samplers in /etc/otel.yaml" in texts["sampled_out"]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"record": {"result": "injected"}}, True),
        ({"record": {"result": "skipped"}}, False),
        ({"record": {"pid": 7}}, False),
        ({}, False),
        ({"hidden": True}, None),
    ],
)
def test_whether_a_process_is_injected(facts: Facts, expected: bool | None) -> None:
    assert diagnosis.injected(process(**facts)) is expected


def test_no_telemetry_is_expected_of_helpers_and_tools() -> None:
    reasons = ["helper", "tool", "disabled", None]
    assert [diagnosis.is_app(process(record={"reason": each})) for each in reasons] == [False, False, True, True]
    assert diagnosis.is_app(process())


def test_signals_that_fail_alike_are_one_finding() -> None:
    def answer(signal: str, host: str, text: str) -> Answer:
        return Answer(signal, f"http://{host}:4318/v1/{signal}", "http/protobuf", False, text, [])

    alike = [answer("traces", "a", "refused"), answer("logs", "a", "refused")]
    findings = diagnosis.of_answers([*alike, answer("metrics", "b", "refused"), answer("metrics", "a", "404")])
    assert [each.text for each in findings] == [
        "traces, logs cannot be sent to http://a:4318: refused",
        "metrics cannot be sent to http://b:4318: refused",
        "metrics cannot be sent to http://a:4318: 404",
    ]
    assert {(each.level, each.code) for each in findings} == {(ERROR, "endpoint")}
