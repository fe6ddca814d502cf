"""Whose exception is it? What our code raises never reaches the app; what is the app's passes through our code.

The app's own signal handler runs wherever the main thread happens to be, and what it raises comes out there: a
request's time limit, the end that a server asks for. Ours is everything else that comes out of our code, ``SystemExit``
included.

``except otel_injection.ours() as error`` asks this module, catches the one and lets the other pass. Nothing here runs
unless there is an exception. When the tree is assembled, the other handlers of the payload that would swallow an app's
exception get the same question to ask (``images/payload/swallowing.py``).
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType
    from typing import Any

_PACKAGE = "otel_injection"
_DEPTH = 5
"""How many layers between a signal and its handler are looked through: partial objects, methods, callers."""


def is_the_apps(error: BaseException) -> bool:
    """Return whether an exception that comes out of our code was sent there by the app.

    Either a signal handler of the app raised it, or another thread or greenlet sent it, as the time limits of gevent
    do: those are of a class that no code of ours raises.
    """
    if isinstance(error, KeyboardInterrupt):
        return True
    frames = list(_frames(error))
    if any(map(_handles_signal, frames)):
        return True
    kind = type(error)
    if kind.__module__.startswith(_PACKAGE):
        return False
    if not isinstance(error, (Exception, SystemExit, GeneratorExit)):
        return True
    return _is_an_apps(kind.__module__) and not any(_is_an_apps(_module(each)) for each in frames)


def _frames(error: BaseException) -> Iterator[FrameType]:
    """Walk from the frame that catches to the one that raised."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _is_an_apps(module: str) -> bool:
    """Return whether a module is one that an app brings, written in Python.

    An error of such a class, with no frame of the app in the traceback, cannot have been raised by what our code
    called: it was sent from outside.
    """
    package = module.partition(".")[0]
    if package in ("__main__", "__mp_main__"):
        return True
    if package in sys.stdlib_module_names or package in (_PACKAGE, "opentelemetry"):
        return False
    return (getattr(sys.modules.get(module), "__file__", None) or "").endswith((".py", ".pyc"))


def _handles_signal(frame: FrameType) -> bool:
    """Return whether a frame is that of a signal handler of the app's: it was called with the frame it interrupted.

    The interrupted frame need not be in the traceback: the import system removes its own frames from there.
    """
    if _module(frame).partition(".")[0] == _PACKAGE:
        return False
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[: count + bool(code.co_flags & 4)]  # with *arguments, of which there is no public constant
    values: list[Any] = []
    for name in names:
        value = frame.f_locals.get(name)
        values += value if isinstance(value, tuple) else (value,)
    for place, number in enumerate(values[:-1]):
        if isinstance(number, int) and any(values[place + 1] is each for each in _callers(frame)):
            return True
    return code in set(_registered())  # the handler may have assigned to its arguments


def _callers(frame: FrameType) -> Iterator[FrameType]:
    """Yield the callers of a frame, as many as may stand between a signal and its handler."""
    caller = frame.f_back
    for _ in range(_DEPTH):
        if caller is None:
            return
        yield caller
        caller = caller.f_back


def _registered() -> Iterator[CodeType]:
    """Find the code of the signal handlers that are set now."""
    import _signal  # type: ignore[import-not-found] # built in; what the app's signal module is made of

    for number in range(1, _signal.NSIG):
        try:
            handler = _signal.getsignal(number)
        except ValueError:  # a signal that the C library uses itself
            continue
        if callable(handler) and not isinstance(handler, int):
            yield from _codes(handler)


def _codes(function: Any) -> Iterator[CodeType]:
    """Find the code that runs when a handler is called: of a function, a method, an object; or behind a partial one."""
    for _ in range(_DEPTH):
        for each in (function, getattr(type(function), "__call__", None)):  # noqa: B004 - not whether: which
            code = getattr(each, "__code__", None)
            if code is not None and not str(getattr(each, "__module__", "")).startswith(_PACKAGE):
                yield code
        inner = [getattr(function, name, None) for name in ("__func__", "func", "__wrapped__")]
        function = next(filter(None, inner), None)
