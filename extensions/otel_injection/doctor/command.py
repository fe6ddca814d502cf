"""The command: ``python <mount>/doctor [--json]``."""

import os
import sys
from typing import Any, Dict, List

from otel_injection.doctor import diagnosis, endpoints, output, process_settings, processes

_USAGE = """usage: python {} [--json] [--no-requests] [PID ...]

Says of each Python process of this container, or of those given, whether it is injected and what it exports, and if
not, why.
Ends with status 0 if telemetry flows, 1 if it does not, 2 for unknown options.
"""


def main(arguments: List[str], mount: str) -> int:
    """Print the report on this container, and return the status to end with."""
    pids = [int(each) for each in arguments if each.isdigit()]
    if {each for each in arguments if not each.isdigit()} - {"--json", "--no-requests"}:
        print(_USAGE.format(os.path.join(mount, "doctor")).rstrip())
        return 0 if set(arguments) <= {"-h", "--help"} else 2
    found = examine(mount, pids, ask="--no-requests" not in arguments)
    print(output.as_json(found) if "--json" in arguments else output.as_text(found))
    return 0 if found["flows"] else 1


def examine(mount: str, pids: List[int], ask: bool) -> Dict[str, Any]:
    """Return the report on these processes, or on all; requests only if ``ask``, one for each set of settings."""
    known = {}  # type: Dict[Any, List[Any]]
    described = [_describe(each, mount, known if ask else None) for each in processes.find(pids)]
    flows = _flows(described)
    return {
        "version": _version(mount),
        "mount": mount,
        "user": os.getuid(),
        "python": sys.version.split()[0],
        "processes": described,
        "flows": flows,
        "verdict": _verdict(described, flows, ask),
    }


def _describe(process: processes.Process, mount: str, known: Any) -> Dict[str, Any]:
    record = process.record or {}
    sdk = {} if process.inherited else record.get("sdk", {})
    environment = process.environment or {}
    injected = diagnosis.injected(process)
    findings = diagnosis.diagnose(process, mount)
    answers = []  # type: List[Any]
    if known is not None and injected and endpoints.possible():
        answers = _ask(environment, known)
        failed = [each for each in answers if not each.accepted]
        if failed and (not process.inherited or sdk):
            findings = [each for each in findings if each.code != "export_failed"]  # the new request tells why
            findings = diagnosis.of_answers(failed) + findings
    return {
        "pid": process.pid,
        "command": process.command,
        "user": process.user,
        "injected": injected,
        "app": diagnosis.is_app(process),
        "result": record.get("result", ""),
        "reason": record.get("reason", ""),
        "python": process.python,
        "libc": process.libc,
        "service": sdk.get("service") or environment.get("OTEL_SERVICE_NAME", ""),
        "instance": sdk.get("instance", ""),
        "libraries": _libraries(record, injected, environment),
        "exporters": sdk.get("exporters", {}),
        "counts": record.get("counts", {}) if sdk else {},
        "findings": [each._asdict() for each in findings],
        "requests": [each._asdict() for each in answers],
        "settings": process_settings.in_force(environment),
    }


def _ask(environment: Dict[str, str], known: Any) -> List[Any]:
    names = [each for each in sorted(environment) if each.startswith("OTEL_") or each.upper().endswith("_PROXY")]
    used = tuple((each, environment[each]) for each in names)
    if used not in known:
        known[used] = endpoints.send(environment)
    return list(known[used])


def _libraries(record: Dict[str, Any], injected: Any, environment: Dict[str, str]) -> Dict[str, Any]:
    """Return what became of each instrumentation of the payload."""
    libraries = dict(record.get("libraries", {}))
    if not injected or sys.version_info < (3, 10):
        return libraries
    from otel_injection._index import INSTRUMENTATIONS

    disabled = {each.strip() for each in environment.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")}
    for name, *_ in INSTRUMENTATIONS:
        result = "disabled" if disabled & {name, "*"} else "not imported"
        libraries.setdefault(name, {"result": result, "details": ""})
    return libraries


def _flows(described: List[Dict[str, Any]]) -> bool:
    apps = [each for each in described if each["app"]]
    failing = any(finding["level"] == diagnosis.ERROR for each in apps for finding in each["findings"])
    alive = [each for each in apps if each["injected"]]
    exported = any(count["exported"] for each in alive for count in each["counts"].values())
    arrived = exported or any(answer["accepted"] for each in alive for answer in each["requests"])
    return arrived and not failing


def _verdict(described: List[Dict[str, Any]], flows: bool, asked: bool) -> str:
    if flows:
        return "telemetry flows"
    text = "telemetry does not flow"
    if asked and not endpoints.possible() and any(each["injected"] for each in described):
        text += "; no request was made, since that needs Python 3.10: run the doctor with the app's own Python"
    return text


def _version(mount: str) -> str:
    try:
        with open(os.path.join(mount, "version.txt")) as file:
            return file.read(100).strip()
    except OSError:
        return "unknown"
