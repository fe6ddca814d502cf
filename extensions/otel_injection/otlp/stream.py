"""Connected sockets on which no operation blocks beyond a deadline."""

from __future__ import annotations

import _socket
import errno
import io
import os
import socket
import time
from typing import TYPE_CHECKING, Any, Protocol

from otel_injection.otlp import tls
from otel_injection.otlp.deadline import Deadline, OutOfTimeError
from otel_injection.otlp.exporter_settings import Settings
from otel_injection.otlp.proxy import Proxy

if TYPE_CHECKING:
    from ssl import SSLContext

_IN_PROGRESS = frozenset({errno.EAGAIN, errno.EINPROGRESS, errno.EALREADY})


class Stream:
    """A connection to the endpoint of ``settings``, encrypted if that is ``https``, made at once.

    ``protocol`` is what TLS is to negotiate (``http/1.1`` or ``h2``). ``tunnel`` asks the proxy ``via``, if there is
    one, to connect further. ``deadline`` holds for everything and can be replaced.

    :raises OSError: the connection cannot be made.
    :raises OutOfTimeError: not until the deadline.
    :raises UnusableError: not with these settings.
    """

    def __init__(
        self, settings: Settings, deadline: Deadline, *, protocol: str, via: Proxy | None, tunnel: bool
    ) -> None:
        self.deadline = deadline
        self.negotiated: str | None = None
        endpoint = settings.endpoint
        context = tls.context(settings, protocol) if endpoint.scheme == "https" else None
        self.encrypted = context is not None
        self._socket = _connect((via.host, via.port) if via else (endpoint.host, endpoint.port), deadline)
        try:
            if via is not None and tunnel:
                self._tunnel(endpoint.authority, via.authorization)
            if context is not None:
                self._encrypt(context, endpoint.host)
        except BaseException:
            self.close()
            raise

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        view = memoryview(data)
        while view:
            self._socket.settimeout(self.deadline.slice())
            try:
                view = view[self._socket.send(view) :]
            except OSError as error:
                if not _timed_out(error):
                    raise

    def receive(self, buffer: Any) -> int:
        """Wait for data and return how many bytes of the buffer they fill; 0 at the end."""
        while True:
            self._socket.settimeout(self.deadline.slice())
            try:
                return self._socket.recv_into(buffer)
            except OSError as error:
                if not _timed_out(error):
                    raise

    def arrived(self) -> bytes | None:
        """Return what has come while nobody waited: None if nothing has, no bytes if the server has closed."""
        try:
            self._socket.settimeout(0)
            return self._socket.recv(16384)
        except OSError as error:
            waiting = isinstance(error, BlockingIOError) or type(error).__name__ == "SSLWantReadError"
            return None if waiting else b""

    def makefile(self, _mode: str) -> io.RawIOBase:
        """Return what ``http.client`` reads the answer of a proxy from, and nothing of what follows."""
        return Reader(self)

    def close(self) -> None:
        """Close this process's side of the connection; nothing is sent, so that a parent's goes on."""
        self._socket.close()

    def _tunnel(self, authority: str, authorization: str | None) -> None:
        from http.client import HTTPResponse

        self.deadline.doing = "waiting for the proxy"
        proof = f"Proxy-Authorization: {authorization}\r\n" if authorization else ""
        self.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{proof}\r\n".encode())
        response = HTTPResponse(self, method="CONNECT")  # type: ignore[arg-type]
        response.begin()
        if response.status != 200:
            raise ConnectionError(f"the proxy answered {response.status} {response.reason}")

    def _encrypt(self, context: SSLContext, host: str) -> None:
        self.deadline.doing = "negotiating TLS"
        encrypted = context.wrap_socket(self._socket, server_hostname=host, do_handshake_on_connect=False)
        self._socket = encrypted
        while True:
            encrypted.settimeout(self.deadline.slice())
            try:
                encrypted.do_handshake()
            except OSError as error:
                if not _timed_out(error):
                    raise
            else:
                self.negotiated = encrypted.selected_alpn_protocol()
                return


class Source(Protocol):
    """What data comes from."""

    def receive(self, buffer: Any) -> int:
        """Fill the buffer and return how many bytes these are."""


class Reader(io.RawIOBase):
    """A file over a source that reads no byte more than it is asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer and return how many bytes these are."""
        return self._source.receive(buffer)


def _connect(address: tuple[str, int], deadline: Deadline) -> socket.socket:
    """Try a host's addresses in turn; each gets its share of the time.

    The look-up of the name is the one thing here that cannot be cut off.
    """
    deadline.doing = "looking up the host name"
    deadline.left()
    found = _look_up(address)
    deadline.doing = "connecting"
    problem: Exception | None = None
    for number, (family, kind, protocol, _, resolved) in enumerate(found):
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _connect_one(connecting, resolved, deadline.share(len(found) - number))
        except (OSError, OutOfTimeError) as error:
            connecting.close()
            problem = error
        except BaseException:
            connecting.close()
            raise
        else:
            return connecting
    raise problem or OSError("the host name has no address")


def _look_up(address: tuple[str, int]) -> list[Any]:
    """Return a host's addresses; raises ``OSError``, or ``UnicodeError`` for what can be no name.

    gevent does this in threads, for numbers too, and an ending Python 3.12 starts no thread any more.
    """
    try:
        return _socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        pass
    try:
        return socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    except RuntimeError:
        return _socket.getaddrinfo(*address, type=socket.SOCK_STREAM)


def _connect_one(connecting: socket.socket, address: Any, deadline: Deadline) -> None:
    while True:
        connecting.settimeout(deadline.slice())
        code = connecting.connect_ex(address)
        if code in (0, errno.EISCONN):
            return
        if code not in _IN_PROGRESS:
            raise OSError(code, os.strerror(code))
        if code == errno.EALREADY:  # the kernel is still connecting
            time.sleep(deadline.slice() / 2)


def _timed_out(error: OSError) -> bool:
    """Return whether only a slice is over; greenlet libraries raise errors of their own classes for it."""
    return error.errno != errno.ETIMEDOUT and (isinstance(error, TimeoutError) or "timed out" in str(error))
