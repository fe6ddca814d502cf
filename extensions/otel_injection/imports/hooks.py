"""Runs functions when the app imports a module: before its code and after.

``start.Finder`` is first on ``sys.meta_path`` and calls ``find`` here for modules that are waited for. ``find`` asks
the other finders, and has the loader that they give report the end of the module's execution. Loader, spec and module
stay the app's.

A table made at build time, ``_names.AFTER``, says what waits from the start: by module, functions of ours as
``module:function``. Each is imported when it is called, with the module and its name.
"""

from __future__ import annotations

import sys
from _thread import get_ident

from otel_injection import ours, report
from otel_injection.report import debug, say  # noqa: F401 - a report without them is noticed here
from otel_injection.waiting import NAMES, give_up, is_finder

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

FIRST_TELEMETRY = "otel_injection:first_telemetry"
"""An event in the table that is no import: the first instrumentation acts, or the SDK is set up."""

_before: dict[str, list[Callable[[], None]]] = {}
_after: dict[str, list[Callable[[Any], None]]] = {}
_running: set[str] = set()
"""Watched modules that are being executed."""
_postponed: dict[str, list[str]] = {}
"""By package: its modules that were executed while the package itself was still being executed."""
_happened: set[str] = set()
"""Events that are no imports and have happened."""
_searching: set[tuple[str, int]] = set()
"""Modules that the other finders are being asked for, and the threads that ask."""


def after(name: str, action: Callable[[Any], None]) -> None:
    """Call ``action`` with module ``name`` each time it and the packages that hold it have been executed.

    At once if that is the case already. ``name`` may also be an event that is no import, which happens once.
    """
    _after.setdefault(name, []).append(action)
    for each in (*_ancestors(name), name):
        NAMES.setdefault(each, ())
    module = sys.modules.get(name)
    if name in _happened or (module is not None and _is_complete(name)):
        _run(name, action, module)


def before(name: str, action: Callable[[], None]) -> None:
    """Call ``action`` each time module ``name`` is about to be executed."""
    _before.setdefault(name, []).append(action)
    NAMES.setdefault(name, ())


def catch_up(names: Iterable[str]) -> None:
    """Run the hooks of modules that were executed before anything waited for them."""
    if "opentelemetry" in names:
        _share_api()
    for name in sorted(names):
        _act(name, sys.modules[name])


def happened(event: str) -> None:
    """Run the hooks of an event that is no import, the first time that it happens in this process or in its parent.

    It counts as not happened where nothing waits for it, because the payload has been found damaged.
    """
    if event in _happened or event not in NAMES:
        return
    _happened.add(event)
    for action in tuple(_after.get(event, ())):
        _run(event, action, None)
    _act(event, None)


def interrupted(name: str) -> None:
    """Forget, in a child of a fork, that a module is being executed: the thread that executed it is not there."""
    _running.discard(name)
    _postponed.pop(name, None)


def _ancestors(name: str) -> list[str]:
    """Return the packages that hold a module, the outermost first."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _is_complete(name: str) -> bool:
    """Return whether the execution of a module, and of the packages that hold it, has ended."""
    return name not in _running and _running.isdisjoint(_ancestors(name))


def _finished(name: str, module: Any) -> None:
    """Run the hooks of a module whose execution has ended, and of the modules in it that waited for this."""
    for package in _ancestors(name):
        if package in _running:  # its names are not bound yet
            _postponed.setdefault(package, []).append(name)
            return
    module = sys.modules.get(name, module)
    parent, _, child = name.rpartition(".")
    if parent in sys.modules and child not in vars(sys.modules[parent]):  # hasattr would run the package's __getattr__
        setattr(sys.modules[parent], child, module)  # as the import system is about to do
    for action in tuple(_after.get(name, ())):
        _run(name, action, module)
    _act(name, module)
    for waiting in _postponed.pop(name, ()):
        if waiting in sys.modules:
            _finished(waiting, sys.modules[waiting])


def _run(name: str, action: Callable[..., None], *arguments: Any) -> None:
    try:
        action(*arguments)
    except ours() as error:
        reason = f"{type(error).__name__}: {error}"
        report.say(f"'{name}' is not instrumented: {reason}", kind=f"hook {reason}")  # one reason may hold for several


def _act(name: str, module: Any) -> None:
    """Call the functions of ours that the table names."""
    for reference in NAMES.get(name, ()):
        path, _, function = reference.partition(":")
        try:
            __import__(f"otel_injection.{path}")
        except ours() as error:
            give_up(error)
            report.debug(f"'{name}': {path} cannot be imported: {type(error).__name__}: {error}")
            if not NAMES:  # the payload has been found damaged
                return
        else:
            _run(name, getattr(sys.modules[f"otel_injection.{path}"], function), module, name)


def _share_api() -> None:
    try:
        from otel_injection.imports import shared_api

        shared_api.share()
    except ours() as error:
        give_up(error)


def find(fullname: str, path: Any, target: Any) -> Any:
    """Return what the other finders find of a module that is waited for, with a loader that reports."""
    key = (fullname, get_ident())
    if key in _searching:
        return None
    _searching.add(key)
    try:
        if fullname == "opentelemetry":
            _share_api()
        spec = _find(fullname, path, target)
    finally:
        _searching.discard(key)
    if spec is not None and spec.loader is not None:
        try:
            _watch(spec.loader, fullname)
        except ours() as error:
            report.debug(f"'{fullname}' cannot be watched: {type(error).__name__}: {error}")
    return spec


def _find(fullname: str, path: Any, target: Any) -> Any:
    """Ask the other finders, as the import system would have done next."""
    for finder in list(sys.meta_path):
        if not is_finder(finder):
            find = getattr(finder, "find_spec", None)
            if find is None and hasattr(finder, "find_module"):
                return None  # has no find_spec: Python before 3.12 asks it itself, then the others
            spec = find(fullname, path, target) if find is not None else None
            if spec is not None:
                return spec
    return None


def _watch(loader: Any, name: str) -> None:
    """Have a loader report the execution of one module; many modules may share a loader, as in a zip archive."""
    if isinstance(loader, type) or not hasattr(loader, "exec_module"):
        return  # a built-in module, or a loader without exec_module
    executing: Any = getattr(loader, "__dict__", {}).get("exec_module")
    if not hasattr(executing, "_watched"):
        executing = _reporting(loader, loader.exec_module)
        try:
            loader.exec_module = executing
        except (AttributeError, TypeError):
            report.debug(f"the loader of '{name}' cannot be watched")
            return
    executing._watched.add(name)


def _reporting(loader: Any, execute: Callable[[Any], None]) -> Any:
    watched: set[str] = set()

    def exec_module(module: Any) -> None:
        name = getattr(getattr(module, "__spec__", None), "name", None)
        if name not in watched:
            execute(module)
            return
        watched.discard(name)
        if not watched and vars(loader).get("exec_module") is exec_module:
            del loader.exec_module
        for action in _before.get(name, ()):
            _run(name, action)
        _running.add(name)
        try:
            execute(module)
        finally:
            _running.discard(name)
        try:
            _finished(name, module)
        except ours() as error:
            report.debug(f"after '{name}': {type(error).__name__}: {error}")

    # A frame of the import system, for those who look: the app's tracebacks are shortened, and its warnings are
    # attributed to the importing line, as without us.
    exec_module.__code__ = exec_module.__code__.replace(co_filename="<frozen importlib._bootstrap>")
    exec_module._watched = watched  # type: ignore[attr-defined]
    return exec_module
