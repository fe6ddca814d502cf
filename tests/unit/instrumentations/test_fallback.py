"""A wrapper that fails by itself does not fail the app's call; errors of the call itself reach the app unchanged."""

from __future__ import annotations

import asyncio
import functools
import gc
import signal
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from otel_injection import report
from otel_injection.instrumentations import fallback

GIVEN = (1, 2)


class Function:
    """The app's function: counts its calls, and returns or raises."""

    def __init__(self, outcome: Any = "sold") -> None:
        self.calls: list[Any] = []
        self.outcome = outcome

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((args, kwargs))
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome

    async def awaited(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return self(*args, **kwargs)


def before(_wrapped: Any, _instance: Any, _args: Any, kwargs: Any) -> Any:
    kwargs.clear()
    raise AttributeError("a bug")


def after(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    wrapped(*args, **kwargs)
    raise AttributeError("a bug")


def instead(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    try:
        return wrapped(*args, **kwargs)
    except LookupError as error:
        raise AttributeError("a bug") from error


def changing(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    return [wrapped(*args, more=len(kwargs)), wrapped.__name__ if hasattr(wrapped, "__name__") else None]


def twice(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
    with suppress(LookupError):
        wrapped(*args, **kwargs)
    return after(wrapped, None, args, kwargs)


def awaiting(wrapper: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same wrapper for functions that are awaited."""

    async def awaited(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        if wrapper is before:
            return before(wrapped, instance, args, kwargs)
        try:
            await wrapped(*args, **kwargs)
        except LookupError as error:
            raise (AttributeError("a bug") if wrapper is instead else error) from None
        raise AttributeError("a bug")

    return functools.partial(awaited)


@pytest.fixture(params=[False, True], ids=["called", "awaited"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Calls a function through a wrapper."""

    def call(wrapper: Any, function: Function) -> Any:
        if request.param:
            return asyncio.run(fallback.guard(awaiting(wrapper))(function.awaited, None, GIVEN, {"more": 3}))
        return fallback.guard(wrapper)(function, None, GIVEN, {"more": 3})

    return call


@pytest.mark.parametrize("wrapper", [before, after])
def test_the_function_is_called_once_with_what_it_was_given(call: Callable[..., Any], wrapper: Any) -> None:
    function = Function()
    assert call(wrapper, function) == "sold"
    assert function.calls == [(GIVEN, {"more": 3})]


@pytest.mark.parametrize("wrapper", [before, instead])
def test_what_the_function_raises_is_raised_as_it_is(call: Callable[..., Any], wrapper: Any) -> None:
    error, context = LookupError("no stock"), ValueError("of the app's")
    error.__context__ = context
    function = Function(error)
    with pytest.raises(LookupError) as raised:
        call(wrapper, function)
    assert raised.value is error
    assert error.__context__ is context
    assert (error.__cause__, len(function.calls)) == (None, 1)


def test_a_wrapper_may_change_arguments_and_result_and_see_the_function() -> None:
    def sell(*args: Any, more: int) -> Any:
        return args, more

    assert fallback.guard(changing)(sell, None, GIVEN, {"x": 1}) == [(GIVEN, 1), "sell"]


def test_the_last_call_counts() -> None:
    class Once(Function):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            self.outcome = "sold" if self.calls else LookupError()
            return super().__call__(*args, **kwargs)

    function = Once()
    assert fallback.guard(twice)(function, None, GIVEN, {}) == "sold"
    assert len(function.calls) == 2


def test_none_is_a_result(call: Callable[..., Any]) -> None:
    function = Function(None)
    assert call(after, function) is None
    assert len(function.calls) == 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, asyncio.CancelledError, SystemExit])
def test_what_ends_the_program_passes(kind: type[BaseException]) -> None:
    def wrapper(*_: Any) -> Any:
        raise kind

    with pytest.raises(kind):
        fallback.guard(wrapper)(Function(), None, GIVEN, {})


def test_what_a_signal_handler_raises_in_the_wrapper_passes() -> None:
    class TimeError(Exception):
        pass

    def handler(_number: int, _frame: object) -> None:
        raise TimeError

    def wrapper(*_: Any) -> Any:
        signal.raise_signal(signal.SIGUSR1)

    function, previous = Function(), signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(TimeError):
            fallback.guard(wrapper)(function, None, GIVEN, {})
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert not function.calls


def test_what_a_function_raises_is_gone_when_the_app_lets_go_of_it() -> None:
    """At once, not when Python looks for cycles: such an error holds all that is in its frames."""
    raised: list[weakref.ref[Any]] = []

    class LostError(LookupError):
        def __init__(self) -> None:
            raised.append(weakref.ref(self))

    def lose(**_: Any) -> None:
        raise LostError

    gc.disable()
    try:
        with suppress(LostError):
            fallback.guard(changing)(lose, None, (), {})
        assert [each() for each in raised] == [None]
    finally:
        gc.enable()


def test_functions_that_were_put_in_the_place_of_others_are_guarded() -> None:
    class Session:
        def send(self, request: str, *, stream: bool = False) -> Any:
            return self, request, stream

    original = Session.send

    @functools.wraps(original)
    def replacement(self: Any, request: str, **kwargs: Any) -> Any:
        if request == "odd":
            raise AttributeError("a bug")
        return original(self, f"{request} traced", **kwargs)

    Session.send = replacement  # type: ignore[method-assign]
    fallback.guard_replacement(Session, "send", "original")
    session = Session()
    assert session.send("plain") == (session, "plain traced", False)
    assert session.send("odd", stream=True) == (session, "odd", True)
    assert Session.send.__wrapped__.__wrapped__ is original  # type: ignore[attr-defined]


@pytest.mark.parametrize("fails", [False, True])
def test_functions_that_are_given_the_apps_function_are_guarded(fails: bool) -> None:
    class Tracer:
        def execute(self, cursor: str, method: Any, *args: Any) -> Any:
            if fails:
                raise AttributeError(cursor)
            return method(*args), self

        async def execute_async(self, cursor: str, method: Any, *args: Any) -> Any:
            if fails:
                raise AttributeError(cursor)
            return await method(*args), self

    fallback.guard_argument(Tracer, "execute", 2)
    fallback.guard_argument(Tracer, "execute_async", 2, lambda args: args[3:])
    tracer, function = Tracer(), Function()
    expected = "sold" if fails else ("sold", tracer)
    assert tracer.execute("cursor", function, *GIVEN) == expected
    assert asyncio.run(tracer.execute_async("cursor", function.awaited, *GIVEN)) == expected
    assert function.calls == [(GIVEN, {})] * 2


def test_listeners_are_guarded() -> None:
    def listener(value: int) -> int:
        return 1 // value

    async def awaited(value: int) -> int:
        return 1 // value

    guarded = fallback.guarding_listener(listener, lambda value: value)
    assert (guarded(1), guarded(0)) == (1, 0)
    assert asyncio.run(fallback.guarding_listener(awaited)(0)) is None


def test_one_line_says_so(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_last", {})
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
    before.__module__ = "otel_injection._vendor.opentelemetry.instrumentation.shop.utils"
    for _ in range(3):
        fallback.guard(before)(Function(), None, GIVEN, {})
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("otel-injection: ")]
    assert lines == ["otel-injection: shop: a call went on without its instrumentation: AttributeError: a bug"]


def test_nothing_is_said_where_the_function_fails_as_its_wrapper_did(
    call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(report, "say", lambda text, **_: said.append(text))
    for error, lines in ((AttributeError("a bug"), 0), (AttributeError("another"), 1)):
        with pytest.raises(AttributeError) as raised:
            call(before, Function(error))
        assert raised.value is error
        assert len(said) == lines


@pytest.mark.parametrize("kind", [StopAsyncIteration, LookupError])
def test_what_the_function_has_raised_is_not_told_of_when_its_wrapper_raises_it_anew(
    capfd: pytest.CaptureFixture[str], kind: type[Exception]
) -> None:
    """As upstream's for asyncpg does at the end of a cursor."""

    async def wrapper(wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        with suppress(kind):
            return await wrapped(*args, **kwargs)
        raise kind

    async def ends() -> None:
        raise kind

    report._last.clear()
    with pytest.raises(kind):
        asyncio.run(fallback.guard(wrapper)(ends, None, (), {}))
    assert capfd.readouterr().err == ""
