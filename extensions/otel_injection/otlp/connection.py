"""Connections that are kept open between exports, one for each server and protocol."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from otel_injection.otlp.deadline import Deadline
from otel_injection.otlp.errors import UnprocessedError
from otel_injection.otlp.exporter_settings import Settings


class Connection(Protocol):
    """A connection to one server. ``pid`` is the process that made it and alone may use it."""

    pid: int
    heard: bool
    """Whether any part of an answer to the latest request has come."""
    reusable: bool

    def alive(self) -> bool:
        """Return whether the idle connection can be used."""

    def close(self) -> None:
        """Close this process's side; nothing is sent."""


_Kind = TypeVar("_Kind", bound=Connection)
_Answer = TypeVar("_Answer")

_idle: dict[tuple[Any, ...], Any] = {}
"""One open connection for each key; used by one thread at a time, since taking removes it."""


def exchange(
    make: Callable[[Settings, Deadline], _Kind], settings: Settings, deadline: Deadline, use: Callable[[_Kind], _Answer]
) -> _Answer:
    """Return the result of ``use`` for a connection: the idle one of this kind, or a new one.

    If the server has not begun with the request, ``use`` is called once more, with a new connection.
    """
    for last in (False, True):
        deadline.left()
        idle: _Kind | None = None if last else take(make, settings)
        taken = idle or make(settings, deadline)
        try:
            answer = use(taken)
        except BaseException as error:
            taken.close()
            # A server that closes an idle connection just now, before it answered anything, more often than not has not
            # read the request either. Where it has answered in part, it has.
            missed = isinstance(error, OSError) and idle is not None and not taken.heard
            if last or not (missed or isinstance(error, UnprocessedError)):
                raise
        else:
            _give(make, settings, taken)
            return answer
    raise AssertionError  # never reached


def take(make: Callable[[Settings, Deadline], _Kind], settings: Settings) -> _Kind | None:
    """Take the idle connection of this kind out of the store; None if there is none."""
    connection: _Kind | None = _idle.pop(_key(make, settings), None)
    if connection is not None and (connection.pid != os.getpid() or not connection.alive()):
        connection.close()
        return None
    return connection


def _give(make: Callable[..., Any], settings: Settings, connection: Connection) -> None:
    """Keep a connection for the next export; close it if it cannot be kept or another one is kept already."""
    if (
        not connection.reusable
        or _belongs_to_its_thread()
        or _idle.setdefault(_key(make, settings), connection) is not connection
    ):
        connection.close()


def _belongs_to_its_thread() -> bool:
    """Return whether no other thread can use a socket: gevent has replaced sockets, but not threads."""
    gevent = sys.modules.get("gevent.monkey")
    return gevent is not None and gevent.is_module_patched("socket") and not gevent.is_module_patched("threading")


def close_idle() -> None:
    """Close what is kept open, this process's side of it.

    In a forked child those are the parent's connections, which would stay open for as long as the child lives.
    """
    while _idle:
        with suppress(KeyError):  # taken by another thread at this moment
            _idle.popitem()[1].close()


os.register_at_fork(after_in_child=close_idle)


def _key(make: Callable[..., Any], settings: Settings) -> tuple[Any, ...]:
    endpoint = settings.endpoint
    files = (settings.certificate, settings.client_key, settings.client_certificate)
    return (make, endpoint.scheme, endpoint.host, endpoint.port, *files)
