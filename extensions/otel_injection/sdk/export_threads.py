"""Export threads that stop for a fork and start again after it.

A child of a fork gets a copy of every lock that another thread holds at that moment, and no thread that releases it.
From 3.12 on, Python also warns of a fork beside threads, and an app may have no threads but ours.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk import _shared_internal
from opentelemetry.sdk._shared_internal import BatchExportStrategy, BatchProcessor
from opentelemetry.sdk.metrics._internal import export
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from otel_injection import ours, report
from otel_injection.lifecycle import own_threads
from otel_injection.sdk import idle_threads, wakeups
from otel_injection.sdk.faster import measurements

_PATIENCE = 0.05
"""Seconds that a fork waits for the threads: one that is exporting to a slow collector takes longer, and goes on."""

_halted: set[own_threads.Thread] = set()


class _Thread(own_threads.Thread):
    """A thread that raises nothing if it cannot be started: at the end of a process, or at a limit of threads.

    What it would have exported is exported when the SDK is closed.
    """

    wanted = True

    def start(self) -> None:
        if not self.wanted:
            return
        try:
            super().start()
        except RuntimeError as error:
            report.debug(f"{self.name}: {error}")


class _Threading:
    """``threading`` as ``_shared_internal`` sees it."""

    Thread = _Thread
    Event = staticmethod(wakeups.event)

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


def use(*, standing: bool = True) -> None:
    """Have the SDK's batch processors and metric readers run these threads; unless ``standing``, from ``rest`` on."""
    _Thread.wanted = standing
    _shared_internal.threading = _Threading()  # type: ignore[attr-defined, assignment]
    export.Thread = _Thread  # type: ignore[attr-defined, assignment]
    BatchProcessor.worker = _export_batches  # type: ignore[method-assign]
    PeriodicExportingMetricReader._ticker = _collect_metrics  # type: ignore[method-assign, assignment]


def halt(batches: Sequence[Any], readers: Sequence[Any]) -> None:
    """Stop the threads if they end within a moment; nothing is exported for that, and nothing is lost."""
    threads = [each._worker_thread for each in batches]
    threads += [each._daemon_thread for each in readers if getattr(each, "_daemon_thread", None) is not None]
    threads = [each for each in threads if each.is_alive() and each is not own_threads.current()]
    _halted.update(threads)
    for batch in batches:
        batch._worker_awaken.set()
    for reader in readers:
        if getattr(reader, "_daemon_thread", None) is not None:
            reader._shutdown_event.set()
    deadline = time.monotonic() + _PATIENCE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    while any(_leaving(each) for each in threads) and time.monotonic() < deadline:
        time.sleep(0.0005)


def go_on(batches: Sequence[Any], readers: Sequence[Any]) -> None:
    """Start the threads again; one that could not be stopped ends by itself after its export."""
    _halted.difference_update([each for each in _halted if not each.is_alive()])
    for batch in batches:
        if not batch._shutdown:
            batch._worker_awaken.clear()
            if not idle_threads.rests(batch):
                _start_exporting(batch)
    for reader in readers:
        if getattr(reader, "_daemon_thread", None) is not None and not reader._shutdown:
            reader._shutdown_event.clear()
            if not idle_threads.rests(reader):
                _start_collecting(reader)


def rest(batches: Sequence[Any], readers: Sequence[Any], consumer: Any) -> None:
    """Have threads only while something waits to be exported; ``consumer`` is the SDK's consumer of measurements."""
    halt(batches, readers)
    _Thread.wanted = True
    for batch in batches:
        idle_threads.prepare(batch, batch._worker_thread)
        batch.emit = idle_threads.recording(batch.emit, [batch], _start_exporting)
    ticking = [each for each in readers if getattr(each, "_daemon_thread", None) is not None]
    for reader in ticking:
        idle_threads.prepare(reader, reader._daemon_thread)
    if consumer is not None:
        consumer.consume_measurement = idle_threads.recording(consumer.consume_measurement, ticking, _start_collecting)
        measurements.look_anew(consumer)
    go_on(batches, readers)


def renew_locks(batches: Sequence[Any], readers: Sequence[Any]) -> None:
    """Replace the locks and events of the stopped threads by those that ``threading`` makes now."""
    for batch in batches:
        batch._export_lock = threading.Lock()
        batch._worker_awaken = wakeups.event()
    for reader in readers:
        if getattr(reader, "_daemon_thread", None) is not None:
            reader._export_lock = threading.Lock()
            reader._shutdown_event = threading.Event()


def forget() -> None:
    """Forget, in a child, the threads that were not copied."""
    _halted.clear()
    own_threads.forget()


def _start_exporting(batch: Any) -> bool:
    batch._worker_thread = start(batch._worker_thread.name, batch.worker)
    return batch._worker_thread.ident is not None


def _start_collecting(reader: Any) -> bool:
    reader._daemon_thread = start(reader._daemon_thread.name, reader._ticker)
    return reader._daemon_thread.ident is not None


def start(name: str, target: Any) -> own_threads.Thread:
    """Start a thread, or do nothing where none can be started."""
    thread = _Thread(name=name, target=target, daemon=True)
    thread.start()
    return thread


def _leaving(thread: own_threads.Thread) -> bool:
    """Return whether a thread has ended for Python but not yet for the system, which is asked by Python 3.12."""
    return not thread.is_alive() and os.path.exists(f"/proc/self/task/{thread.native_id}")


def _is_halted(thread: Any) -> bool:
    if thread not in _halted:
        return False
    _halted.discard(thread)
    return True


def _export_batches(batch: Any) -> None:
    """Do what ``BatchProcessor.worker`` of the SDK 1.45 does; the time of the next export outlives this thread."""
    thread = own_threads.current()
    vars(batch).setdefault("_due", time.monotonic() + batch._schedule_delay)
    while not batch._shutdown:
        due = min(batch._due, idle_threads.next_attempt(batch))
        woken = batch._worker_awaken.wait(max(0.0, due - time.monotonic()))
        if batch._shutdown:
            break
        if _is_halted(thread):
            return
        retry(batch)
        batch._export(
            BatchExportStrategy.EXPORT_WHILE_BATCH_EXCEEDS_THRESHOLD
            if woken
            else BatchExportStrategy.EXPORT_AT_LEAST_ONE_BATCH
        )
        own_threads.stay_unseen()
        batch._due = time.monotonic() + batch._schedule_delay
        batch._worker_awaken.clear()
        if _is_halted(thread) or idle_threads.may_rest(batch):
            return
    export_all(batch)


def export_all(batch: Any) -> None:
    """Export what is buffered, and what could not be delivered before."""
    batch._export(BatchExportStrategy.EXPORT_ALL)
    retry(batch)


def retry(batch: Any) -> None:
    """Send again what could not be delivered, if the time for that has come."""
    again = getattr(batch._exporter, "retry", None)
    if again is not None:
        again()


def _collect_metrics(reader: Any) -> None:
    """Do what ``PeriodicExportingMetricReader._ticker`` of the SDK 1.45 does.

    The time of the next export outlives this thread.
    """
    thread = own_threads.current()
    interval = reader._export_interval_millis / 1000
    vars(reader).setdefault("_due", time.monotonic() + interval)
    while not reader._shutdown_event.wait(max(0.0, min(reader._due - time.monotonic(), threading.TIMEOUT_MAX))):
        vars(reader).pop("_before_first_interval", int)()
        collect(reader)
        own_threads.stay_unseen()
        reader._due = time.monotonic() + interval
        if _is_halted(thread) or idle_threads.may_rest(reader):
            return
    if reader._shutdown or not _is_halted(thread):
        collect(reader)


def collect(reader: Any) -> None:
    """Collect and export the metrics once."""
    reader._measured = False
    try:
        reader.collect(timeout_millis=reader._export_timeout_millis)  # upstream's last one has but the interval's time
    except ours() as error:
        report.debug(f"metrics: {type(error).__name__}: {error}")
