"""Explains why a process does or does not export: each finding is one line that names the cause and what to do."""

import os
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional

from otel_injection.doctor.processes import Process

ERROR, WARNING, INFO = "error", "warning", "info"
_SIGNALS = ("traces", "metrics", "logs")
_DOOR = "opentelemetry/instrumentation/auto_instrumentation"
_OLDEST = (3, 10)

_SKIPPED = {
    "disabled": (ERROR, "OTEL_INJECTION_ENABLED switches the injection off; take it away"),
    "sdk_disabled": (ERROR, "OTEL_SDK_DISABLED switches OpenTelemetry off; take it away"),
    "helper": (INFO, "left alone: {details}"),
    "tool": (INFO, "left alone: {details}; OTEL_INJECTION_SKIP and a list of tools decide that"),
}


class Finding(NamedTuple):
    """``level`` is error, warning or info; ``code`` names the cause for programs, ``text`` for people."""

    level: str
    code: str
    text: str


def injected(process: Process) -> Optional[bool]:
    """Return whether a process is injected; None if that cannot be known."""
    if process.record and "result" in process.record:
        return bool(process.record["result"] == "injected")
    return None if process.hidden else False


def is_app(process: Process) -> bool:
    """Return whether telemetry is expected of a process, as far as is known."""
    record = process.record or {}
    return record.get("reason") not in ("helper", "tool")


def diagnose(process: Process, mount: str) -> List[Finding]:
    """Return what there is to say of a process; ``mount`` is the folder of the payload."""
    if injected(process):
        return list(_of_injected(process))
    return [_of_not_injected(process, mount)]


def of_answers(failed: Iterable[Any]) -> List[Finding]:
    """Return one finding for all signals whose requests failed in the same way."""
    alike = {}  # type: Dict[Any, List[str]]
    for answer in failed:
        place = answer.endpoint.replace("/v1/" + answer.signal, "")
        alike.setdefault((place, answer.text), []).append(answer.signal)
    text = "{} cannot be sent to {}: {}"
    return [
        Finding(ERROR, "endpoint", text.format(", ".join(signals), place, problem))
        for (place, problem), signals in alike.items()
    ]


def _of_not_injected(process: Process, mount: str) -> Finding:
    record = process.record or {}
    reason, details = record.get("reason"), record.get("details", "")
    if reason in _SKIPPED:
        level, text = _SKIPPED[reason]
        return Finding(level, reason, text.format(details=details))
    if record.get("result") == "failed":
        return Finding(ERROR, "damaged", "{}; look at the init container's log and at the volume".format(details))
    if process.guarded:
        text = "it has changed its user after its start, to UID {}: only the capability SYS_PTRACE lets one see why"
        return Finding(WARNING, "unreadable", text.format(process.user))
    if process.hidden:
        text = "it belongs to UID {}, this is {}: run the doctor as that user to see why"
        return Finding(WARNING, "unreadable", text.format(process.user, os.getuid()))
    if not _is_supported(process.python):
        text = "Python {} is not supported: CPython {}.{} or newer is needed"
        return Finding(ERROR, "old_python", text.format(process.python, *_OLDEST))
    return _of_start(process, mount)


def _of_start(process: Process, mount: str) -> Finding:
    """Explain from the way a process was started why nothing of the payload ran in it."""
    environment = process.environment or {}
    option = _isolating(process.arguments)
    path = environment.get("PYTHONPATH")
    doors = [each for each in (path or "").split(os.pathsep) if each.rstrip("/").endswith(_DOOR)]
    if not doors:
        return _of_lost_path(environment, path, mount)
    if option:
        text = "it was started with {}, by which Python ignores PYTHONPATH; start it without"
        return Finding(ERROR, "isolated", text.format(option))
    if environment.get("PYTHONSAFEPATH") is None and not os.path.exists(os.path.join(doors[0], "sitecustomize.py")):
        text = "PYTHONPATH names {}, where no payload is; mount the volume there, and see that the init container ran"
        return Finding(ERROR, "no_payload", text.format(doors[0]))
    text = "it should be injected but keeps no record: it began before the payload was there, or closes all files"
    return Finding(WARNING, "no_record", text)


def _of_lost_path(environment: Dict[str, str], path: Optional[str], mount: str) -> Finding:
    settings = sorted(name for name in environment if name.startswith("OTEL_"))
    settings = [each for each in settings if each in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME")] + settings
    if settings and path is None:
        text = "{} is set but PYTHONPATH is not: it got lost on the way, perhaps in an entrypoint with env -i or sudo"
        return Finding(ERROR, "path_lost", text.format(settings[0]))
    if path is not None:
        text = (
            "PYTHONPATH is '{}', without the payload: the image, envFrom or an entrypoint replaces it; "
            "set it in the pod's env as a literal value, or wrap the command with {}/bin/opentelemetry-instrument"
        )
        return Finding(ERROR, "path_replaced", text.format(path, mount))
    text = (
        "the payload lies in {} but nothing of it reached this process, neither PYTHONPATH nor OTEL_*: "
        "see the pod's annotations and which container they name, or an entrypoint that clears the environment"
    )
    return Finding(ERROR, "not_injected", text.format(mount))


def _is_supported(version: str) -> bool:
    try:
        return tuple(int(each) for each in version.split(".")[:2]) >= _OLDEST
    except ValueError:
        return version != "PyPy"


def _isolating(arguments: List[str]) -> str:
    """Return the option by which Python ignores PYTHONPATH or sitecustomize, if there is one."""
    for argument in arguments[1:]:
        if not argument.startswith("-") or argument.startswith("--") or argument[1:2] in ("c", "m", "W", "X", ""):
            return ""
        for letter in argument[1:]:
            if letter in "IES":
                return "-" + letter
            if letter in "cmWX":
                return ""
    return ""


def _of_injected(process: Process) -> Iterator[Finding]:
    record = process.record or {}
    environment = process.environment or {}
    sdk = {} if process.inherited else record.get("sdk", {})
    if "error" in sdk:
        yield Finding(ERROR, "sdk_failed", "the SDK could not be set up: {}".format(sdk["error"]))
    for signal, module in sorted(record.get("app_providers", {}).items()):
        text = "the app sets up OpenTelemetry for {} itself ({}), which wins; OTEL_INJECTION_FORCE=true uses ours"
        yield Finding(WARNING, "own_opentelemetry", text.format(signal, module))
    if "*" in environment.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(","):
        yield Finding(ERROR, "all_disabled", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=* disables all instrumentations")
    for name, library in sorted(record.get("libraries", {}).items()):
        if library["result"] != "instrumented":
            yield Finding(WARNING, "library", "{} is not instrumented: {}".format(name, library["details"]))
    if not sdk and not record.get("app_providers"):
        yield _of_unused(process, record)
    else:
        for finding in _of_exports(record, sdk, environment):
            yield finding


def _of_unused(process: Process, record: Dict[str, Any]) -> Finding:
    ready = sorted(name for name, each in record.get("libraries", {}).items() if each["result"] == "instrumented")
    if process.inherited:
        return Finding(INFO, "unused", "a forked child that has made no span, measurement or log record yet")
    if ready:
        text = "nothing has been recorded yet; send it a request; instrumented are {}"
        return Finding(INFO, "unused", text.format(", ".join(ready)))
    return Finding(WARNING, "nothing_to_instrument", "it has imported nothing that is instrumented")


def _of_exports(record: Dict[str, Any], sdk: Dict[str, Any], environment: Dict[str, str]) -> Iterator[Finding]:
    counts = record.get("counts", {}) if sdk else {}
    for signal, count in sorted(counts.items()):
        if count["problem"] and count["failed"]:
            text = "{} do not arrive ({} lost so far): {}"
            yield Finding(ERROR, "export_failed", text.format(signal, count["failed"], count["problem"]))
        elif count["rejected"]:
            text = "the collector accepted {} {} and rejected {}: {}"
            level = WARNING if count["exported"] else ERROR
            reason = count["problem"] or "it did not say why the last time"
            text = text.format(count["exported"], signal, count["rejected"], reason)
            yield Finding(level, "rejected", text)
    file = sdk.get("file")
    if file:
        yield Finding(INFO, "configuration_file", "{} is in force, in place of other OTEL_* variables".format(file))
    silent = [each for each in _SIGNALS if sdk and "error" not in sdk and each not in sdk.get("exporters", {})]
    for signal in silent:
        variable = "OTEL_{}_EXPORTER".format(signal.upper())
        cause = "{} is '{}'".format(variable, environment.get(variable, ""))
        cause = "{} has no exporter for them".format(file) if file else cause
        text = "no {} leave the process: {}".format(signal, cause)
        yield Finding(ERROR if len(silent) == len(_SIGNALS) else WARNING, "no_exporter", text)
    root = str(sdk.get("sampler")).replace("ParentBased{root:", "", 1)
    sampled_out = root.startswith(("AlwaysOff", "TraceIdRatioBased{0}", "TraceIdRatioBased{0.0}"))
    if sampled_out:
        text = "no span is kept: {} make {}"
        cause = "the samplers in {}".format(file) if file else "OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG"
        yield Finding(ERROR, "sampled_out", text.format(cause, root.partition(",")[0]))
    spans, logs = counts.get("traces", {}), counts.get("logs", {})
    traced = any(spans.get(each) for each in ("exported", "failed", "rejected"))
    if logs.get("exported") and not traced and not sampled_out and "traces" not in silent:
        text = "log records have trace_id=0: no span was made, so they were written outside of requests, or {}"
        yield Finding(WARNING, "no_trace_ids", text.format("what serves the requests is not instrumented"))
    if spans.get("errors", 0) * 2 > spans.get("exported", 0) + spans.get("failed", 0) > 0:
        text = "the app itself is failing: {} of {} spans of requests that it served, or calls that it made, are errors"
        yield Finding(WARNING, "app_fails", text.format(spans["errors"], spans["exported"] + spans["failed"]))
