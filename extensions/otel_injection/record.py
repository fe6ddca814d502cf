"""Keeps a record of what was decided for this process and of its exports, for the doctor to read.

The record is an anonymous file in memory: it needs no writable file system, ends with the process, and others find it
as ``/proc/PID/fd/N``. Its number is high, so that the app's own files get the numbers that they get without us.

Each line is a JSON object that adds to those before it. The first, of a fixed length, holds the counts of what was
exported, and is overwritten. A forked child has its parent's file, in which the process id is not its own, until it has
something of its own to tell. An app that closes all files loses the record, and nothing else.
"""

from __future__ import annotations

import os
import sys
import time

from otel_injection import MOUNT

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

NAME = "otel-injection"
"""The name of the file; see memfd_create(2)."""
COUNTS = 2048
"""Length of the first line, in bytes."""
_HIGHEST, _TRIED = 1023, 16
_LIMIT = 300
"""Characters of a text that comes from outside."""

_number = -1
_identity: tuple[int, int] = (0, 0)
_pid = 0
_kept: list[bytes] = []
"""Lines that are written again into the file of a forked child."""
_counts: dict[str, dict[str, Any]] = {}
_told: set[tuple[int, str, str]] = set()


def decide(result: str, reason: str = "", details: str = "") -> None:
    """Record whether this process is injected: ``result`` and ``reason`` are for programs, ``details`` for people."""
    _write({"result": result, "reason": reason, "details": details[:_LIMIT]}, keep=True)


def library(name: str, result: str, details: str = "") -> None:
    """Record what became of an instrumentation, under the name of its entry point."""
    _write({"libraries": {name: {"result": result, "details": details[:_LIMIT]}}}, keep=True)


def sdk(**facts: Any) -> None:
    """Record with what the SDK of this process was set up; texts, numbers, lists and dictionaries."""
    _counts.clear()
    _write({"sdk": facts})


def instance(name: str) -> None:
    """Record the ``service.instance.id`` that this process has taken in place of its first one."""
    _write({"sdk": {"instance": name}})


def failed(error: str) -> None:
    """Record why the SDK of this process could not be set up."""
    _write({"sdk": {"error": error[:_LIMIT]}})


def app_provider(signal: str, kind: str) -> None:
    """Record, and say in one line, that the app has set a provider of its own for a signal, which wins."""
    if (os.getpid(), signal, kind) not in _told:
        _told.add((os.getpid(), signal, kind))
        _write({"app_providers": {signal: kind}})
        from otel_injection import guard, report

        if not guard.runs_text(sys.orig_argv):
            report.say(
                f"the app has set up OpenTelemetry itself ({kind}) and keeps its {signal}; "
                "OTEL_INJECTION_FORCE=true makes ours as well",
                kind="app provider",
            )


def count(signal: str, exported: int, rejected: int, failed: int, problem: str = "", errors: int = 0) -> None:
    """Record how many items of a signal were exported so far, why the last export failed, and the failed spans."""
    try:
        _counts[signal] = {
            "exported": exported,
            "rejected": rejected,
            "failed": failed,
            "errors": errors,
            "problem": problem[:_LIMIT],
            "at": int(time.time()),
        }
        if _pid == os.getpid() and _is_open():
            line = _json(dict(_counts)).encode("utf-8", "backslashreplace")
            if len(line) < COUNTS:
                os.pwrite(_number, line.ljust(COUNTS - 1) + b"\n", 0)
    except OSError:
        pass


def _write(facts: dict[str, Any], *, keep: bool = False) -> None:
    """Add a line, in a file of this process's own."""
    try:
        line = _json(facts).encode("utf-8", "backslashreplace") + b"\n"
        if keep:
            _kept.append(line)
        if _pid != os.getpid():
            _open(line if not keep else b"")
        elif _is_open():
            os.write(_number, line)
    except (OSError, AttributeError):  # an old kernel, a sandbox, another system
        pass


def _open(line: bytes) -> None:
    """Make the file, in place of the parent's, with all that holds for this process."""
    global _number, _identity, _pid
    parents = _number if _is_open() else None
    _number, _pid = -1, os.getpid()
    file = os.memfd_create(NAME)
    try:
        os.write(file, b" " * (COUNTS - 1) + b"\n" + _process() + b"".join(_kept) + line)
        limit = os.sysconf("SC_OPEN_MAX")
        highest = _HIGHEST if limit < 0 or limit > _HIGHEST else limit - 1
        for number in range(highest, max(highest - _TRIED, 2), -1):
            if number == parents or _is_free(number):
                os.dup2(file, number, inheritable=False)
                break
        else:
            return
        status = os.fstat(number)
        _number, _identity = number, (status.st_dev, status.st_ino)
    finally:
        os.close(file)


def _process() -> bytes:
    """Describe the process: a reader tells by number and time of start whether a file is a process's own."""
    facts = {
        "pid": _pid,
        "since_boot": int(time.clock_gettime(time.CLOCK_BOOTTIME) * 100),
        "python": sys.version.partition(" ")[0],
        "executable": sys.executable,
        "payload": MOUNT,
    }
    return _json(facts).encode("utf-8", "backslashreplace") + b"\n"


def _is_free(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False


def _is_open() -> bool:
    """Return whether the number is still that of our file: an app may have closed it, and another may have it now."""
    if _number < 0:
        return False
    try:
        status = os.fstat(_number)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == _identity


def _json(value: Any) -> str:
    """Return a value as JSON. Importing ``json`` would cost a bare process more than all of the injection."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(str(key))}:{_json(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_json, value)) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(each if each >= " " else f"\\u{ord(each):04x}" for each in text) + '"'
