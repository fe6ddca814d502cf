"""Keeps errors of upstream's wrappers from the app's calls.

The wrappers look at arguments, connections and results that can be anything: a mock, bytes for text, a newer library.
All of them are called through this module. If a wrapper raises by itself before it has called the app's function, the
function is called without it; if it has called it, the outcome of that call stands. What the function itself raises,
and what a signal handler or another thread sends, reaches the app as it is; see ``contain``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CellType, FunctionType
from typing import Any

from otel_injection import ours, report

_NOTHING: Any = object()


class _Call:
    """One call of the app's function: the wrapper gets this in place of the function, and it keeps the outcome."""

    __slots__ = ("error", "function", "result")

    def __init__(self, function: Any) -> None:
        self.function = function
        self.result = _NOTHING
        self.error: BaseException | None = None

    def __call__(self, /, *arguments: Any, **keywords: Any) -> Any:
        try:
            result = self.result = self.function(*arguments, **keywords)
        except BaseException as error:
            self.result, self.error = _NOTHING, error
            raise
        self.error = None
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)

    def is_over(self) -> bool:
        """Return whether the function has been called and has come to an end."""
        return self.result is not _NOTHING or self.error is not None

    def outcome(self) -> Any:
        """Return what the function returned, or raise what it raised, with no trace of the wrapper's own error."""
        error, self.error = self.error, None
        if error is None:
            return self.result
        context = error.__context__
        try:
            raise error
        finally:
            error.__context__ = context
            del error


class _AwaitedCall(_Call):
    """The same for a coroutine function."""

    __slots__ = ()

    async def __call__(self, /, *arguments: Any, **keywords: Any) -> Any:
        try:
            result = self.result = await self.function(*arguments, **keywords)
        except BaseException as error:
            self.result, self.error = _NOTHING, error
            raise
        self.error = None
        return result


def guard(wrapper: Any) -> Any:
    """Return a wrapper for ``wrapt`` whose own errors do not fail the call."""
    code = getattr(inspect.unwrap(_function(wrapper)), "__code__", None)
    is_coroutine = code is not None and code.co_flags & inspect.CO_COROUTINE
    return _guarding_coroutine(wrapper) if is_coroutine else _guarding_function(wrapper)


def _guarding_function(wrapper: Any) -> Any:
    def guarded(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        call = _Call(wrapped)
        keywords = kwargs and dict(kwargs)
        try:
            try:
                return wrapper(call, instance, args, kwargs)
            except Exception as error:
                if error is call.error or not ours():
                    raise
                problem = described(error)
            if call.is_over():
                if call.error is None or described(call.error) != problem:  # such as the end of an iterator
                    tell(wrapper, *problem)
                return call.outcome()
            with _telling(wrapper, problem):
                return wrapped(*args, **keywords)
        finally:
            call.result, call.error = _NOTHING, None

    return guarded


def _guarding_coroutine(wrapper: Any) -> Any:
    async def guarded(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        call = _AwaitedCall(wrapped)
        keywords = kwargs and dict(kwargs)  # the wrapper may take some out
        try:
            try:
                return await wrapper(call, instance, args, kwargs)
            except Exception as error:
                if error is call.error or not ours():
                    raise
                problem = described(error)
            if call.is_over():
                if call.error is None or described(call.error) != problem:  # such as the end of an iterator
                    tell(wrapper, *problem)
                return call.outcome()
            with _telling(wrapper, problem):
                return await wrapped(*args, **keywords)
        finally:
            call.result, call.error = _NOTHING, None  # an error holds its frames, and the wrapper may keep the call

    return guarded


def guard_replacement(owner: Any, name: str, variable: str) -> None:
    """Guard a function with which upstream has replaced another one, which is a variable of its closure."""
    replacement: Any = getattr(owner, name)
    place = replacement.__code__.co_freevars.index(variable)
    cells = replacement.__closure__
    original = cells[place].cell_contents

    def wrapper(call: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        closure = (*cells[:place], CellType(call), *cells[place + 1 :])
        function = FunctionType(replacement.__code__, replacement.__globals__, name, replacement.__defaults__, closure)
        function.__kwdefaults__ = replacement.__kwdefaults__
        return function(*args, **kwargs)

    wrapper.__module__ = replacement.__globals__["__name__"]  # its own says whose place it takes
    guarded = guard(wrapper)

    @functools.wraps(replacement)
    def guarded_replacement(*args: Any, **kwargs: Any) -> Any:
        return guarded(original, None, args, kwargs)

    setattr(owner, name, guarded_replacement)


def guard_argument(owner: Any, name: str, place: int, given: Callable[[Any], Any] | None = None) -> None:
    """Guard a function of upstream's that is given the app's function as an argument.

    ``given`` picks, of all arguments, those that the app's function is to be called with: by default, what follows it.
    """
    setattr(owner, name, guarding_argument(getattr(owner, name), place, given or (lambda args: args[place + 1 :])))


def guarding_argument(replaced: Any, place: int, given: Callable[[Any], Any]) -> Any:
    """Return the guarded form of such a function."""

    def wrapper(call: Any, args: Any, _given: Any, kwargs: Any) -> Any:
        return replaced(*args[:place], call, *args[place + 1 :], **kwargs)

    async def awaited(call: Any, args: Any, given: Any, kwargs: Any) -> Any:
        return await wrapper(call, args, given, kwargs)

    wrapper.__module__ = awaited.__module__ = replaced.__globals__["__name__"]
    guarded = guard(awaited if inspect.iscoroutinefunction(replaced) else wrapper)

    @functools.wraps(replaced)
    def guarded_function(*args: Any, **kwargs: Any) -> Any:
        return guarded(args[place], args, given(args), kwargs)

    return guarded_function


def guarding_listener(listener: Any, instead: Callable[..., Any] = lambda *_, **__: None) -> Any:
    """Return the guarded form of a function of upstream's that is called beside the app's.

    Where it raises, it returns what ``instead`` returns.
    """

    @functools.wraps(listener)
    def guarded_listener(*args: Any, **kwargs: Any) -> Any:
        try:
            return listener(*args, **kwargs)
        except ours(Exception) as error:
            tell(listener, *described(error))
        return instead(*args, **kwargs)

    @functools.wraps(listener)
    async def guarded_coroutine(*args: Any, **kwargs: Any) -> Any:
        try:
            return await listener(*args, **kwargs)
        except ours(Exception) as error:
            tell(listener, *described(error))
        return instead(*args, **kwargs)

    return guarded_coroutine if inspect.iscoroutinefunction(listener) else guarded_listener


def _function(wrapper: Any) -> Any:
    while isinstance(wrapper, functools.partial):
        wrapper = wrapper.func
    return wrapper


def described(error: BaseException) -> tuple[str, str]:
    """Return an error's kind and text, without keeping it and the frames that it holds."""
    try:
        return type(error).__name__, str(error)
    except ours():
        return type(error).__name__, ""


@contextmanager
def _telling(wrapper: Any, problem: tuple[str, str]) -> Iterator[None]:
    """Print one line: the app's function is called without its wrapper.

    There is no line if the function then fails as its wrapper did, such as for an invalid URL.
    """
    try:
        yield
    except Exception as error:
        if described(error) != problem:
            tell(wrapper, *problem)
        raise
    tell(wrapper, *problem)


def tell(wrapper: Any, kind: str, text: str) -> None:
    """Print one line: something has no span."""
    try:
        module = str(getattr(_function(wrapper), "__module__", "")).partition(".instrumentation.")[2] or "a library"
        name = module.partition(".")[0]
        report.say(f"{name}: a call went on without its instrumentation: {kind}: {text}", kind=f"call {name} {kind}")
    except ours():
        pass
