"""What the doctor prints: aligned text for people, JSON for programs."""

import json
from typing import Any, Dict, Iterator, List

_MARKS = {"error": "ERROR", "warning": "note", "info": "-"}


def as_json(report: Dict[str, Any]) -> str:
    """Return the report for programs."""
    return json.dumps(report, indent=2, sort_keys=True)


def as_text(report: Dict[str, Any]) -> str:
    """Return the report for people."""
    lines = ["payload {version} in {mount}, looked at by UID {user} with Python {python}".format(**report)]
    for process in report["processes"]:
        lines.append("")
        lines += _process(process)
    if not report["processes"]:
        lines += ["", "no Python process runs here that this user can see"]
    lines += ["", report["verdict"]]
    return "\n".join(lines)


def _process(process: Dict[str, Any]) -> Iterator[str]:
    state = {True: "injected", False: "NOT injected", None: "perhaps injected"}[process["injected"]]
    yield "{}  {}  {}".format(process["pid"], state, process["command"])
    facts = [("Python", " ".join(filter(None, (process["python"], process["libc"]))))]
    facts += [(name, process[name]) for name in ("service", "instance") if process[name]]
    for name, value in facts:
        yield _row(name, value)
    for finding in process["findings"]:
        yield _row(_MARKS[finding["level"]], finding["text"])
    libraries = process["libraries"]
    for result in sorted({each["result"] for each in libraries.values()}):
        named = sorted((name, each["details"]) for name, each in libraries.items() if each["result"] == result)
        yield _row(result, _listed(named, result == "instrumented"))
    for answer in process["requests"]:
        place = "{} {} ({})".format(answer["signal"], answer["endpoint"], answer["protocol"])
        yield _row("request", "{}: {}".format(place, answer["text"]))
        for note in answer["notes"]:
            yield _row("", note)
    for signal, count in sorted(process["counts"].items()):
        text = "{}: {exported} exported, {failed} failed, {rejected} rejected"
        yield _row("counts", text.format(signal, **count))
    for name, value in process["settings"]:
        yield _row("setting", "{}={}".format(name, value))


def _listed(named: List[Any], with_details: bool) -> str:
    if with_details:
        return ", ".join("{} ({})".format(name, details) if details else name for name, details in named)
    return ", ".join(name for name, _ in named)


def _row(name: str, text: str) -> str:
    return "    {:<13} {}".format(name, text)
