"""Decides which Python processes are no apps (tools, helpers) and are left alone, and says why."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})
"""How a switch is set, in any case of letters; see docs/settings.md."""

MODULES = frozenset(
    {
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
        "venv",
        "virtualenv",
    }
)
"""Modules that are tools when they are run by ``python -m``."""

SCRIPTS = frozenset({"pip", "pipenv", "pipx", "poetry", "pydoc", "virtualenv"})
"""The same by the name of their console script, which may end in a version. An app's own ``site.py`` is no tool."""

COMMANDS = ("from multiprocessing.resource_tracker import", "from multiprocessing.semaphore_tracker import")
"""How the standard library's own helper processes begin when started by ``python -c``."""


def reason_to_skip(environment: Mapping[str, str], argv: Sequence[str]) -> tuple[str, str] | None:
    """Return why this process is not instrumented, for programs and for people, or None if it is to be.

    ``argv`` is ``sys.orig_argv``: the interpreter with its options, then the script and its arguments.
    ``OTEL_INJECTION_SKIP`` adds further module or script names, separated by commas.
    """
    if environment.get("OTEL_INJECTION_ENABLED", "true").strip().lower() in FALSE:
        return "disabled", "OTEL_INJECTION_ENABLED is false"
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return "sdk_disabled", "OTEL_SDK_DISABLED is true"
    program, kind = _program(argv)
    if kind == "-c":
        return ("helper", "a helper of multiprocessing") if program.startswith(COMMANDS) else None
    skipped = {each.strip() for each in environment.get("OTEL_INJECTION_SKIP", "").split(",")} - {""}
    if kind == "-m":
        name = program.partition(".")[0]
        tool = name in MODULES or name in skipped
    else:
        name = os.path.basename(program)
        tool = name.rstrip("0123456789.") in SCRIPTS or name in skipped or name.removesuffix(".py") in skipped
        tool = tool or (name == "doctor" and os.path.exists(os.path.join(os.path.dirname(program), "otel_injection")))
    return ("tool", f"'{name}' is a tool, not an app") if tool else None


def runs_text(argv: Sequence[str]) -> bool:
    """Return whether a process runs ``python -c``: a helper, whose output a program may read."""
    return _program(argv)[1] == "-c"


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
