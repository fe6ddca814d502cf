"""Measures what asyncio runs without putting coroutines of ours around the app's.

Upstream wraps each coroutine that becomes a task: the app's tasks then show upstream's coroutine by name and place, and
their tracebacks pass through it. Only coroutines that are to have spans need that
(``OTEL_PYTHON_ASYNCIO_COROUTINE_NAMES_TO_TRACE``); to measure the others, it is enough to learn of their end.
"""

from __future__ import annotations

import asyncio
from time import perf_counter as default_timer
from typing import Any

from opentelemetry.instrumentation.asyncio import AsyncioInstrumentor, determine_state
from opentelemetry.instrumentation.asyncio.instrumentation_state import _is_instrumented
from wrapt import wrap_function_wrapper

_MAKE_TASKS = ("create_task", "ensure_future", "run_coroutine_threadsafe")


class Instrumentor(AsyncioInstrumentor):
    """See ``opentelemetry.instrumentation.asyncio.AsyncioInstrumentor``."""

    def instrument_method_with_coroutine(self, method_name: str) -> None:
        """Instrument a function of asyncio."""
        if method_name in _MAKE_TASKS:
            wrap_function_wrapper(asyncio, method_name, self._around_one)
        else:
            super().instrument_method_with_coroutine(method_name)

    def instrument_gather(self) -> None:
        """Instrument ``asyncio.gather``."""
        wrap_function_wrapper(asyncio, "gather", self._around_many)

    def instrument_taskgroup_create_task(self) -> None:
        """Instrument ``asyncio.TaskGroup``, where there is one (Python 3.11)."""
        if hasattr(asyncio, "TaskGroup"):
            wrap_function_wrapper(asyncio.TaskGroup, "create_task", self._around_one)

    def trace_future(self, future: Any) -> Any:
        """Measure a future. Upstream retrieves its exception, which hides asyncio's warning that the app never did."""
        if not _is_instrumented(future):
            span = self._tracer.start_span("asyncio future") if self._future_active_enabled else None
            self._measure(future, {"type": "future"}, span)
        return future

    def _around_one(self, method: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        if not args:
            return method(**kwargs)
        item, *rest = args
        measured = self._is_measured(item)
        result = method(item if measured else self._traced(item), *rest, **kwargs)
        if measured:
            self._measure(result, {"type": "coroutine", "name": item.__name__})
        return result

    def _around_many(self, method: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        measured = [each for each in args if self._is_measured(each)]
        result = method(*(each if each in measured else self._traced(each) for each in args), **kwargs)
        for task in getattr(result, "_children", ()) if measured else ():
            coroutine: Any = task.get_coro() if isinstance(task, asyncio.Task) else None
            if coroutine in measured:
                self._measure(task, {"type": "coroutine", "name": coroutine.__name__})
        return result

    def _traced(self, item: Any) -> Any:
        return self.trace_item(item)  # type: ignore[no-untyped-call]

    def _is_measured(self, item: Any) -> bool:
        name = getattr(item, "__name__", None)
        return asyncio.iscoroutine(item) and name is not None and name not in self._coros_name_to_trace

    def _measure(self, future: Any, attributes: dict[str, str], span: Any = None) -> None:
        start = default_timer()

        def done(ended: Any) -> None:
            error: Any = None if ended.cancelled() else ended._exception  # exception() marks it as retrieved
            state = "cancelled" if ended.cancelled() else determine_state(error)
            self.record_process(start, {**attributes, "state": state}, span, error)

        future.add_done_callback(done)
