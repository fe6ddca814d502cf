"""An SDK that has been set up: its providers, and how it ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from otel_injection import ours, report
from otel_injection.lifecycle import ending, own_threads
from otel_injection.sdk import export_threads, identity, wakeups
from otel_injection.sdk.resource import step_back

_LAST_WORDS = 0.1
"""Seconds that exporters have to say that they did not reach the collector in time."""


class State:
    """The SDK of one process.

    ``batches`` are the SDK's batch processors of spans and log records, ``readers`` the metric readers, ``chains`` the
    chains of processors before the batches.
    """

    def __init__(
        self,
        resource: Any,
        tracer_provider: Any,
        meter_provider: Any,
        logger_provider: Any,
        batches: Sequence[Any],
        readers: Sequence[Any],
        chains: Sequence[Any] = (),
    ) -> None:
        self.resource = resource
        self.tracer_provider = tracer_provider
        self.meter_provider = meter_provider
        self.logger_provider = logger_provider
        self._batches = batches
        self._readers = readers
        self._chains = chains

    def before_first_interval(self, action: Callable[[], None]) -> None:
        """Call ``action`` before metrics are first collected because it is time, not because the process ends."""
        periodic = [each for each in self._readers if getattr(each, "_daemon_thread", None) is not None]
        if len(periodic) < len(self._readers):  # others are asked at any moment
            action()
        elif periodic:
            periodic[0]._before_first_interval = action

    def halt(self) -> None:
        """Stop the export threads before a fork."""
        export_threads.halt(self._batches, self._readers)

    def go_on(self) -> None:
        """Start the export threads after a fork, in the parent."""
        export_threads.go_on(self._batches, self._readers)

    def rest(self) -> None:
        """Have export threads only while there is something to export, and observe nothing: for a supervisor."""
        step_back(self.resource)
        consumer = getattr(self.meter_provider, "_measurement_consumer", None)
        if consumer is not None:
            consumer.register_asynchronous_instrument = lambda _instrument: None
            consumer._async_instruments.clear()
        export_threads.rest(self._batches, self._readers, consumer)

    def renew_locks(self) -> None:
        """Replace the locks and events that the export threads wait for."""
        export_threads.renew_locks(self._batches, self._readers)

    def abandon(self) -> None:
        """Drop, in a forked child, what belongs to the parent."""
        identity.release()
        export_threads.forget()
        for chain in self._chains:
            chain.abandon()
        for batch in self._batches:
            batch._queue.clear()
            batch._worker_awaken = wakeups.event()  # another thread of the parent may have held the old one's lock

    def drain(self, deadline: float) -> None:
        """Export what is buffered, and what comes while that is done, until ``deadline`` at the latest; go on after it.

        All signals at once, in threads of their own: those that export now may be waiting for a slow collector.
        """
        for chain in self._chains:
            chain.release()
        exporters = self._exporters()
        _close_by(exporters, deadline - _LAST_WORDS)
        time.sleep(min(ending.GRACE, max(0.0, deadline - time.monotonic())))
        _side_by_side(self._exports(self._batches), deadline)
        late = [each for each in self._batches if each._queue]
        if late:
            _side_by_side(self._exports(late), deadline)
        _close_by(exporters, math.inf)

    def _exports(self, batches: Sequence[Any]) -> list[Callable[[], None]]:
        """Return functions that export these batches, and the metrics."""
        return [
            *(partial(export_threads.export_all, each) for each in batches),
            *(partial(export_threads.collect, each) for each in self._readers),
        ]

    def _exporters(self) -> list[Any]:
        return [each._exporter for each in (*self._batches, *self._readers) if hasattr(each, "_exporter")]

    def close(self, deadline: float) -> None:
        """Export what is buffered and stop, until ``deadline`` on the monotonic clock at the latest.

        All signals are told to finish before any is waited for, so that a slow one does not use up the others' time;
        a request that is under way at the deadline is cut off. The providers' own ``shutdown`` takes no common
        deadline (python issue 4568), hence the reach into their threads.
        """
        for chain in self._chains:
            chain.release()
        exporters = self._exporters()
        _close_by(exporters, deadline - _LAST_WORDS)
        _wait_for([*self._tell_to_finish(), *self._export_beside()], deadline)
        for batch in self._batches:
            batch._shutdown_timeout_exceeded = True
        for exporter in exporters:
            try:
                exporter.shutdown()
            except ours() as error:  # noqa: PERF203 - each gets its chance
                report.debug(f"{type(exporter).__name__}.shutdown: {error}")
        identity.release()

    def _export_beside(self) -> list[tuple[Any, Callable[[], None]]]:
        """Start threads that export what waits behind a request to a slow collector, beside that request."""
        waiting = [each for each in self._batches if each._export_lock.locked() and each._queue]
        works = [partial(_export_without_waiting, each) for each in waiting]
        return [(export_threads.start("OtelDrain", work), work) for work in works]

    def _tell_to_finish(self) -> list[tuple[Any, Callable[[], None]]]:
        """Wake the export threads for their last export; return each with the function that does its work."""
        threads: list[tuple[Any, Callable[[], None]]] = []
        for batch in self._batches:
            batch._shutdown = True
            batch._worker_awaken.set()
            threads.append((batch._worker_thread, batch.worker))
        for reader in self._readers:
            if getattr(reader, "_shutdown_event", None) is not None:
                reader._shutdown = True
                reader._shutdown_event.set()
                threads.append((reader._daemon_thread, reader._ticker))
        return threads


def _export_without_waiting(batch: Any) -> None:
    """Export what is in the queue of a batch processor; what its own thread takes meanwhile, that thread exports."""
    while batch._queue:
        items: list[Any] = []
        with suppress(IndexError):
            while len(items) < batch._max_export_batch_size:
                items.append(batch._queue.pop())
        batch._exporter.export(items)


def _close_by(exporters: Sequence[Any], moment: float) -> None:
    """Give exporters that take a deadline the moment on the monotonic clock by which their requests must have ended."""
    for exporter in exporters:
        close_by = getattr(exporter, "close_by", None)
        if close_by is not None:
            close_by(moment)


def _side_by_side(works: Sequence[Callable[[], None]], deadline: float) -> None:
    """Run functions in a thread each, until ``deadline`` at the latest."""
    _wait_for([(export_threads.start("OtelDrain", each), each) for each in works], deadline)


def _wait_for(threads: Sequence[tuple[Any, Callable[[], None]]], deadline: float) -> None:
    """Wait for threads; do here the work of those that could not be started."""
    for thread, work in threads:
        if thread is not None and thread.ident is not None:
            _join(thread, deadline)
        else:
            work()


def _join(thread: own_threads.Thread, deadline: float) -> None:
    """Wait for a thread; raise afterwards what a signal handler of the app raises meanwhile."""
    error: BaseException | None = None
    while thread.is_alive() and time.monotonic() < deadline:
        try:
            thread.join(max(0.0, deadline - time.monotonic()))
        except BaseException as raised:  # noqa: PERF203
            error = raised
    if error is not None:
        raise error
