"""Work in a thread pool runs in the context in which it was submitted."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import context
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

from otel_injection.instrumentations import thread_pools


@pytest.fixture
def shortened() -> Iterator[None]:
    """The instrumentation's wrapper, replaced by the shorter one."""
    original = ThreadPoolExecutor.submit
    thread_pools.instrument("threading", ThreadingInstrumentor().instrument)
    try:
        yield
    finally:
        ThreadingInstrumentor().uninstrument()
        ThreadPoolExecutor.submit = original  # type: ignore[method-assign]


@pytest.mark.usefixtures("shortened")
def test_work_runs_where_it_was_given_and_leaves_nothing_behind() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(context.get_value, "key").result() is None
        for number in range(3):
            token = context.attach(context.set_value("key", number))
            assert pool.submit(context.get_value, "key").result() == number
            context.detach(token)
            assert pool.submit(context.get_value, "key").result() is None


@pytest.mark.usefixtures("shortened")
def test_arguments_results_and_errors_are_the_functions() -> None:
    def work(*arguments: Any, **keywords: Any) -> Any:
        if not arguments:
            raise KeyError("none")
        return arguments, keywords

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work, 1, 2, self=3, fn=4).result() == ((1, 2), {"self": 3, "fn": 4})
        with pytest.raises(KeyError):
            pool.submit(work).result()
        with pytest.raises(TypeError, match="fn"):
            pool.submit()  # type: ignore[call-arg]
        assert list(pool.map(abs, [-1, -2])) == [1, 2]


@pytest.mark.usefixtures("shortened")
def test_the_method_looks_like_the_librarys() -> None:
    original: Any = ThreadPoolExecutor.submit.__wrapped__  # type: ignore[attr-defined]
    assert ThreadPoolExecutor.submit.__qualname__ == original.__qualname__ == "ThreadPoolExecutor.submit"
    assert not hasattr(original, "__wrapped__")


def test_what_the_instrumentation_has_not_wrapped_stays() -> None:
    before = ThreadPoolExecutor.submit
    thread_pools.instrument("threading", lambda: None)
    assert ThreadPoolExecutor.submit is before
