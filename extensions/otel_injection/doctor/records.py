"""Reads the record that an injected process keeps; see ``otel_injection.record``, which writes it."""

import json
import os
from typing import Any, Dict, Optional

_NAME = "/memfd:otel-injection"
_HEAD = 2048


def read(pid: int, proc: str = "/proc") -> Optional[Dict[str, Any]]:
    """Return what a process has recorded, or None if it has recorded nothing.

    ``counts`` are those of its exports. Raises PermissionError if the process belongs to somebody else.
    """
    folder = os.path.join(proc, str(pid), "fd")
    for number in sorted(map(int, os.listdir(folder)), reverse=True):  # the record's number is high
        path = os.path.join(folder, str(number))
        try:
            if os.readlink(path).startswith(_NAME):
                with open(path, "rb") as file:
                    return _parse(file.read(1 << 20))
        except FileNotFoundError:  # closed meanwhile
            continue
    return None


def _parse(content: bytes) -> Dict[str, Any]:
    record = {"counts": {}}  # type: Dict[str, Any]
    for line in content[_HEAD:].splitlines():
        try:
            _merge(record, json.loads(line.decode()))
        except ValueError:  # noqa: PERF203 - it is being written at this moment
            continue
    try:
        record["counts"] = json.loads(content[:_HEAD].decode())
    except ValueError:  # nothing was exported yet
        pass
    return record


def _merge(record: Dict[str, Any], facts: Dict[str, Any]) -> None:
    for name, value in facts.items():
        if isinstance(value, dict) and isinstance(record.get(name), dict):
            _merge(record[name], value)
        else:
            record[name] = value
