"""The one SDK of a process: set up at first use, dropped after a fork, flushed at the end.

Nothing is set up before the first span, measurement or log record: so every process has an identity of its own, and a
child's counters start at zero. A prefork master, which logs, has an SDK that rests.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from _thread import get_ident
from collections.abc import Callable
from typing import Any

from otel_injection import ours, record, report
from otel_injection.imports import hooks
from otel_injection.lifecycle import ending, events, inherited_imports
from otel_injection.settings.early import exit_timeout
from otel_injection.stand_ins import for_random

_SETUP_PATIENCE = 5.0
"""Seconds that a thread waits while another sets the SDK up; after that its telemetry is dropped, not the thread."""


class Pipeline:
    """Holds the SDK of the process.

    ``state`` is another object whenever tracers, meters and loggers must be taken from the SDK again.
    """

    def __init__(self, configure: Callable[[], Any]) -> None:
        self.state: Any = None
        self.pid = os.getpid()
        self._configure = configure
        self._lock = threading.RLock()
        self._builder: int | None = None
        self._closed = False
        self._closing = False
        self._failed = False
        self.holding = False
        self._holder: int | None = None
        self._listeners: list[Callable[[Any], None]] = []

    def on_start(self, listener: Callable[[Any], None]) -> None:
        """Call ``listener`` with the state whenever the SDK has been set up; at once if it is."""
        self._listeners.append(listener)
        if self.state is not None and self.pid == os.getpid():
            listener(self.state)

    def current(self) -> Any:
        """Return the SDK's state, and set the SDK up at its first use; None if it cannot be set up."""
        if self.pid != os.getpid():  # forked by C code, which runs no fork hooks of Python's
            self.after_fork()
        return self.state or self._start()

    def exclusively(self, make: Callable[[], Any]) -> Any:
        """Return the result of ``make``, which runs in one thread at a time.

        None if this very thread is setting something up already, or if another one takes too long.
        """
        if self._builder == get_ident():
            return None
        lock = self._lock
        try:
            if not lock.acquire(timeout=_SETUP_PATIENCE):
                return None
            self._builder = get_ident()
            return make()
        finally:
            # A signal handler of the app may raise between any two steps: so the lock itself tells whether it is held.
            while lock._is_owned():  # type: ignore[attr-defined]
                self._builder = None
                lock.release()

    def rest(self) -> None:
        """Turn the SDK, if it is set up, into that of a supervisor: no thread and no connection while idle."""
        self.exclusively(lambda: self.state.rest() if self.state is not None and self.pid == os.getpid() else None)

    def before_fork(self) -> None:
        """Stop the export threads."""
        if self.state is not None and self.pid == os.getpid():
            self.state.halt()

    def after_fork_in_parent(self) -> None:
        """Start them again."""
        if self.state is not None and self.pid == os.getpid():
            self.state.go_on()

    def after_patching(self) -> None:
        """Start the export threads again, with gevent's locks and threads."""
        self._lock = threading.RLock()
        if self.state is not None:
            self.state.renew_locks()
            self.state.go_on()

    def after_fork(self) -> None:
        """Forget the parent's SDK in a child: its threads are gone, its queues and counters are the parent's."""
        state, self.state = self.state, None
        self.pid = os.getpid()
        for_random.renew()
        self._lock = threading.RLock()
        self._builder = None
        self._closed = self._closing = self.holding = False
        if state is not None:
            state.abandon()

    def close(self, timeout: float) -> None:
        """Send what is buffered and end the SDK, within ``timeout`` seconds for all signals together."""
        if self.pid != os.getpid():
            return
        deadline = time.monotonic() + timeout
        if self.state is not None and _answering():
            self.hold(True)
            time.sleep(min(ending.GRACE, timeout))
        self._closed = self._closing = True
        if self._builder not in (None, get_ident()) and self._lock.acquire(timeout=timeout):
            self._lock.release()  # another thread has set the SDK up meanwhile
        state, self.state = self.state, None
        if state is not None:
            try:
                state.close(deadline)
            except ours() as error:
                report.debug(f"closing: {type(error).__name__}: {error}")
        self._closing = False
        inherited_imports.at_end()

    def hold(self, holding: bool) -> None:
        """Let threads that start a span wait: the process ends, and requests that are being answered end first."""
        self._holder = get_ident()
        self.holding = holding

    def wait(self) -> None:
        """Wait while threads are held. An event loop never waits: it would keep its other requests from ending."""
        asyncio = sys.modules.get("asyncio.events")
        while self.holding and self._holder != get_ident() and (asyncio is None or asyncio._get_running_loop() is None):
            time.sleep(0.01)

    def drain(self, timeout: float) -> None:
        """Send what is buffered, within ``timeout`` seconds for all signals together, and keep the SDK.

        For a process that is about to end, whose other threads go on until it does.
        """
        if self.pid != os.getpid():
            return
        deadline = time.monotonic() + timeout
        while self._closing and time.monotonic() < deadline:
            time.sleep(0.005)
        state = self.state
        if state is not None:
            try:
                state.drain(deadline)
            except ours() as error:
                report.debug(f"sending: {type(error).__name__}: {error}")

    def _start(self) -> Any:
        if self._closed or self._failed:
            return None
        return self.exclusively(self._set_up)

    def _set_up(self) -> Any:
        if self.state is None and not self._closed and not self._failed:
            try:
                state = self._configure()
                for listener in self._listeners:
                    listener(state)
                self.state = state
            except report.Refused as refused:
                self._failed = True
                record.failed(str(refused))
                refused.say()
            except ours() as error:
                self._failed = True
                record.failed(f"{type(error).__name__}: {error}")
                report.say(f"no telemetry from this process: {type(error).__name__}: {error}", kind="configure")
        return self.state


def _answering() -> bool:
    """Return whether other threads of the app, or greenlets, may go on answering until the process has ended."""
    this = threading.current_thread()
    others = (each for each in threading.enumerate() if each is not this)
    return next(others, None) is not None or "gevent.monkey" in sys.modules


def _configure() -> Any:
    from otel_injection.sdk import resource_detection

    resource_detection.replace()
    hooks.happened(hooks.FIRST_TELEMETRY)
    from otel_injection.lifecycle import forking, os_exit, signals, supervisors
    from otel_injection.sdk import system_metrics
    from otel_injection.sdk.configurator import Configurator

    state = Configurator().configure()  # type: ignore[no-untyped-call]
    if supervisors.supervises():
        state.rest()
    elif inherited_imports.is_child():  # which may live but for a moment
        state.before_first_interval(lambda: system_metrics.observe(state.meter_provider))
    else:
        system_metrics.observe(state.meter_provider)
    forking.watch_returns()
    os_exit.watch()
    signals.watch()
    events.sdk_is_set_up.tell(state)
    return state


PIPELINE = Pipeline(_configure)

events.before_fork.register(PIPELINE.before_fork)
events.after_fork_in_parent.register(PIPELINE.after_fork_in_parent)
events.after_fork_in_child.register(PIPELINE.after_fork)
events.before_patching.register(PIPELINE.before_fork)
events.after_patching.register(PIPELINE.after_patching)
events.ready_to_serve.register(PIPELINE.current)
events.begins_to_supervise.register(PIPELINE.rest)
events.signalled.register(PIPELINE.hold)
events.about_to_go.register(lambda: PIPELINE.drain(exit_timeout()))
events.ends.register(lambda: PIPELINE.close(exit_timeout()))
