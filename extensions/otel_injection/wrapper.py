"""The ``opentelemetry-instrument`` command: sets the environment up and becomes the wrapped command."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

_USAGE = "usage: opentelemetry-instrument [--OPTION VALUE ...] COMMAND [ARGUMENT ...]"


def run(arguments: list[str], door: str, mount: str) -> NoReturn:
    """Put the payload on ``PYTHONPATH`` around what is there and execute the command in place of this process.

    ``--name value`` and ``--name=value`` before the command set ``OTEL_NAME``, or ``OTEL_PYTHON_NAME`` where upstream
    knows the setting under that name only. Ends with status 2 for unusable arguments, 127 for an unknown command.
    """
    arguments = list(arguments)
    while arguments and arguments[0].startswith("-"):
        option = arguments.pop(0)
        if option in ("-h", "--help"):
            print(_USAGE)
            sys.exit(0)
        if option == "--version":
            with open(os.path.join(mount, "version.txt"), encoding="utf-8") as file:
                print("opentelemetry-instrument", file.read().strip())
            sys.exit(0)
        name, equals, value = option.partition("=")
        if not name.startswith("--") or (not equals and not arguments):
            _fail(2, f"cannot use '{option}'; {_USAGE}")
        os.environ[_variable(name[2:])] = value if equals else arguments.pop(0)
    if not arguments:
        _fail(2, _USAGE)
    try:
        folder = os.getcwd()
    except OSError:  # the working directory has been deleted
        folder = ""
    os.environ["PYTHONPATH"] = python_path(os.environ.get("PYTHONPATH"), folder, door, mount)
    try:
        os.execvp(arguments[0], arguments)  # noqa: S606 - the command is the user's
    except OSError as error:
        _fail(127, f"cannot run '{arguments[0]}': {error.strerror}")


def python_path(current: str | None, folder: str, door: str, mount: str) -> str:
    """Return ``PYTHONPATH`` as the operator would have set it: the door, the app's own entries, the payload.

    The working ``folder`` is added because upstream's command adds it, and commands wrapped for years may count on it;
    it comes last, where it hides nothing.
    """
    own = [each for each in (current or "").split(os.pathsep) if each and each not in (door, folder, mount)]
    return os.pathsep.join(each for each in (door, *own, folder, mount) if each)


def _variable(option: str) -> str:
    name = option.upper().replace("-", "_")
    if name.startswith("OTEL_"):
        return name
    return f"OTEL_PYTHON_{name}" if name in _PYTHON_ONLY else f"OTEL_{name}"


_PYTHON_ONLY = frozenset(
    {
        "AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH",
        "CONFIGURATOR",
        "CONTEXT",
        "DISABLED_INSTRUMENTATIONS",
        "DISTRO",
        "EXCLUDED_URLS",
        "ID_GENERATOR",
        "LOGGING_AUTO_INSTRUMENTATION_ENABLED",
        "LOG_AUTO_INSTRUMENTATION",
        "LOG_CODE_ATTRIBUTES",
        "LOG_CORRELATION",
        "LOG_FORMAT",
        "LOG_HANDLER_LEVEL",
        "LOG_LEVEL",
        "METER_CONFIGURATOR",
        "METER_PROVIDER",
        "TRACER_CONFIGURATOR",
        "TRACER_PROVIDER",
    }
)
"""Settings that upstream reads under ``OTEL_PYTHON_`` and names without it on the command line."""


def _fail(status: int, message: str) -> NoReturn:
    print(f"otel-injection: {message}", file=sys.stderr)
    sys.exit(status)
