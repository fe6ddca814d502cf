"""SIGTERM and SIGINT where nobody handles them: what is buffered is sent, then the process ends by the signal.

Python issue 4813. ``signal.getsignal`` still says that the disposition is the default one, and a handler that the app
sets takes the place of ours. A thread waits for the signal, so that it does not matter what the main thread does.
"""

from __future__ import annotations

import os
import sys
import time
from _thread import get_native_id

from otel_injection import report
from otel_injection.lifecycle import events, greenlets, own_threads, supervisors, uwsgi
from otel_injection.lifecycle.descriptors import out_of_the_way
from otel_injection.lifecycle.greenlets import allocate_lock, start_new_thread
from otel_injection.lifecycle.own_threads import start_deaf
from otel_injection.settings.early import exit_timeout

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SIGNALS = (2, 15, 1, 3, 10, 12, 14, 24)
"""Those that by default end a process and are sent to end it: SIGINT, which by default Python itself handles, SIGTERM,
SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM and SIGXCPU."""

_OF_SERVERS = (2, 15)
"""Those by which a uWSGI ends its workers, in a handler of its own."""

_STOP = b"\0"
_PATIENCE = 0.3
"""Seconds that sending may take beyond its deadline before the process ends all the same."""

_watch: Any = None


class _Watch:
    """The handler, the pair of sockets that it writes to, and the thread that reads them."""

    def __init__(self) -> None:
        import _socket  # the module beneath socket, which gevent does not replace

        from otel_injection.lifecycle.native_handler import Handler

        self.pid = os.getpid()
        pair = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self._reading, self._writing = map(out_of_the_way, pair)
        self._reading.setblocking(True)
        self._reading.setsockopt(_socket.SOL_SOCKET, _socket.SO_PASSCRED, 1)
        self._writing.setblocking(False)
        self.handler = Handler(self._writing.fileno())
        self._ended = allocate_lock()
        self._thread = 0

    def start(self) -> None:
        """Handle the signals whose disposition is the default one; without any such signal, start no thread."""
        for signum in _SIGNALS:
            if self.handler.set(signum, signum in _OF_SERVERS) and self._ended.acquire(blocking=False):
                self._thread = 0
                try:
                    start_deaf(start_new_thread, self._run)
                except BaseException:  # no thread can be started: nothing would act on the signal
                    self._ended.release()
                    self.reset()
                    raise

    def reset(self) -> None:
        for signum in _SIGNALS:
            self.handler.reset(signum)

    def stop(self, timeout: float) -> None:
        """Restore the dispositions and end the thread, unless a signal has come: then the thread ends the process."""
        self.reset()
        if self._ended.acquire(blocking=False):  # there is none
            self._ended.release()
            return
        try:
            self._writing.send(_STOP)
        except OSError:
            return
        if self._ended.acquire(timeout=timeout):
            self._ended.release()
        # Python 3.12 asks the system for the number of threads: wait until this one is gone there too.
        deadline = time.monotonic() + min(timeout, _PATIENCE)
        while os.path.exists(f"/proc/self/task/{self._thread}") and time.monotonic() < deadline:
            time.sleep(0.0002)

    def close(self) -> None:
        """Close, in a child, the sockets that are the parent's."""
        self.reset()
        self._reading.close()
        self._writing.close()

    def _run(self) -> None:
        self._thread = get_native_id()
        own_threads.add(self._thread)
        try:
            while True:
                byte, credentials, _, _ = self._reading.recvmsg(1, 64)
                if not byte:  # the app has closed all files
                    self.reset()
                    return
                if byte == _STOP:
                    return
                sender = int.from_bytes(credentials[0][2][:4], sys.byteorder)
                if sender == os.getpid():
                    self._end(byte[0])
                else:  # the signal came to a child that C code has forked, without Python's fork hooks
                    os.kill(sender, 9)
        except BaseException as error:
            self.reset()
            report.debug(f"signals: {type(error).__name__}: {error}")
        finally:
            self._ended.release()

    def _end(self, signum: int) -> None:
        events.signalled.tell(True)
        sent = allocate_lock()
        sent.acquire()

        def send() -> None:
            try:
                events.about_to_go.tell()
            finally:
                sent.release()

        try:
            if not greenlets.spawn(send):
                _start(send)
            sent.acquire(timeout=exit_timeout() + _PATIENCE)
        except Exception as error:
            report.debug(f"signals: {type(error).__name__}: {error}")
        self.handler.reset(signum)
        os.kill(os.getpid(), signum)
        sent.acquire(timeout=0.1)  # a pause: gevent's sleep would switch to another hub
        events.signalled.tell(False)
        self.handler.set(signum, False)  # process 1 of a container: the default disposition does not end it


def watch() -> None:
    """Watch for signals, in a process whose SDK has been set up."""
    global _watch
    try:
        if _watch is not None and _watch.pid != os.getpid():
            forget()
        if supervisors.supervises():  # it sets handlers of its own
            end()
            return
        if _watch is None:
            _watch = _Watch()
            _watch.start()
            uwsgi.wait_for_handlers(_all_set)
    except Exception as error:
        report.debug(f"what is buffered is lost at SIGTERM: {type(error).__name__}: {error}")


def _all_set() -> bool:
    set_again()
    return _watch is None or all(_watch.handler.is_set(signum) for signum in _OF_SERVERS)


def pause() -> None:
    """Stop for a fork: a handler in the child would write to the parent's socket."""
    if _watch is not None and _watch.pid == os.getpid():
        _watch.stop(_PATIENCE)


def go_on() -> None:
    """Go on after a fork, in the parent."""
    if _watch is not None and _watch.pid == os.getpid():
        _watch.start()


def forget() -> None:
    """Drop, in a child, what belongs to the parent."""
    global _watch
    watch, _watch = _watch, None
    if watch is not None:
        watch.close()


def end() -> None:
    """Stop at the end of the process; if a signal has come already, the process ends here."""
    global _watch
    watch, _watch = _watch, None
    if watch is not None and watch.pid == os.getpid():
        watch.stop(exit_timeout() + 2 * _PATIENCE)
        watch.close()


def set_again() -> None:
    """Watch again for signals whose disposition is the default one again."""
    if _watch is not None and _watch.pid == os.getpid():
        _watch.start()


def _start(work: Callable[[], None]) -> None:
    """Run a function in a thread, or in this one while Python is ending and starts no threads."""
    try:
        start_deaf(start_new_thread, work)
    except RuntimeError:
        work()


events.before_fork.register(pause)
events.after_fork_in_parent.register(go_on)
events.after_fork_in_child.register(forget)
events.begins_to_supervise.register(watch)
events.ends.register(end)
