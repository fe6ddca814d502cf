"""Not every Python process is an app: which ones are left alone, and why."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FALSE = frozenset({"0", "false", "no", "off"})

MODULES = frozenset(
    {
        "build",
        "compileall",
        "ensurepip",
        "idlelib",
        "pip",
        "pipenv",
        "pipx",
        "poetry",
        "py_compile",
        "pydoc",
        "site",
        "sysconfig",
        "uv",
        "venv",
        "virtualenv",
    }
)
"""Tools that do not serve: started by ``python -m NAME`` or by a script of that name."""

COMMANDS = ("from multiprocessing.resource_tracker import", "from multiprocessing.semaphore_tracker import")
"""How the standard library's own helper processes begin when started by ``python -c``."""


def reason_to_skip(environment: Mapping[str, str], argv: Sequence[str]) -> str | None:
    """Return why this process is not instrumented, or None if it is to be.

    ``argv`` is ``sys.orig_argv``: the interpreter with its options, then the script and its arguments.
    ``OTEL_INJECTION_SKIP`` adds further module or script names, separated by commas.
    """
    if environment.get("OTEL_INJECTION_ENABLED", "true").strip().lower() in _FALSE:
        return "OTEL_INJECTION_ENABLED is false"
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return "OTEL_SDK_DISABLED is true"
    program, kind = _program(argv)
    if kind == "-c":
        return "a helper of multiprocessing" if program.startswith(COMMANDS) else None
    name = program.partition(".")[0] if kind == "-m" else os.path.basename(program).removesuffix(".py")
    skipped = {each.strip() for each in environment.get("OTEL_INJECTION_SKIP", "").split(",")}
    if name and (name in MODULES or name in skipped or _without_version(name) in MODULES):
        return f"'{name}' is a tool, not an app"
    return None


def _program(argv: Sequence[str]) -> tuple[str, str]:
    """Find what an interpreter's command line runs: a script, or what follows ``-m`` or ``-c``."""
    arguments = iter(argv[1:])
    for argument in arguments:
        if argument in ("-W", "-X", "--check-hash-based-pycs"):
            next(arguments, None)
        elif argument.startswith("-") and not argument.startswith("--") and argument != "-":
            for position, letter in enumerate(argument[1:], start=2):
                if letter in "cm":  # may end a group of options, and may have its value attached
                    return argument[position:] or next(arguments, ""), f"-{letter}"
                if letter in "WX":
                    break
        elif not argument.startswith("--"):
            return argument, ""
    return "", ""


def _without_version(name: str) -> str:
    """``pip3.11`` is ``pip``."""
    return name.rstrip("0123456789.")
