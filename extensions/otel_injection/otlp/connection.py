"""HTTP/1.1 connections, kept open between exports, in which nothing blocks beyond a deadline."""

from __future__ import annotations

import errno
import io
import os
import socket
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_injection.otlp import proxy, tls
from otel_injection.otlp.deadline import Deadline, OutOfTimeError
from otel_injection.otlp.settings import Settings

if TYPE_CHECKING:
    from ssl import SSLContext

_LARGEST_ANSWER = 64 * 1024
"""Bytes read of an answer; a connection with a longer one is not used again."""

_IN_PROGRESS = frozenset({errno.EAGAIN, errno.EINPROGRESS, errno.EALREADY})


class Http2Error(Exception):
    """The server speaks HTTP/2 only, as a port for OTLP/gRPC does."""


class Answer(NamedTuple):
    """What the server answered; ``headers`` have names in small letters."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """A connection to the endpoint of ``settings``, made at once.

    :raises OSError: it cannot be made.
    :raises OutOfTimeError: not until the deadline.
    :raises UnusableError: not with these settings.
    """

    def __init__(self, settings: Settings, deadline: Deadline) -> None:
        from http.client import HTTPConnection

        self.pid = os.getpid()
        endpoint = settings.endpoint
        via = proxy.find(endpoint)
        context = tls.context(settings) if endpoint.scheme == "https" else None
        self._prefix = ""
        self._headers: dict[str, str] = {}
        if via is not None and context is None:
            self._prefix = f"http://{_authority(endpoint.host, endpoint.port)}"
            if via.authorization:
                self._headers["proxy-authorization"] = via.authorization
        address = (via.host, via.port) if via is not None else (endpoint.host, endpoint.port)
        self._stream = _Stream(_connect(address, deadline), deadline)
        try:
            if context is not None:
                if via is not None:
                    self._stream.tunnel(endpoint.host, endpoint.port, via.authorization)
                self._stream.encrypt(context, endpoint.host)
        except BaseException:
            self.close()
            raise
        self._http = HTTPConnection(endpoint.host, endpoint.port)
        self._http.default_port = 443 if context is not None else 80
        self._http.sock = self._stream
        self.reusable = False

    @property
    def heard(self) -> bool:
        """Whether any byte of an answer to the latest request has come."""
        return self._stream.heard

    def post(self, path: str, body: bytes, headers: dict[str, str], deadline: Deadline) -> Answer:
        """Send a request and return its answer.

        :raises OSError: the connection broke.
        :raises http.client.HTTPException: the answer is no HTTP.
        :raises Http2Error: it is HTTP/2.
        :raises OutOfTimeError: it took too long.
        """
        self.reusable = False
        self._stream.deadline, self._stream.heard = deadline, False
        encoded: dict[str, Any] = {name: value.encode() for name, value in {**headers, **self._headers}.items()}
        deadline.doing = "sending"
        try:
            self._http.request("POST", self._prefix + path, body, encoded)
        except BrokenPipeError:
            pass  # the server may have answered before it closed, for instance that the body is too large
        deadline.doing = "waiting for the answer"
        response = self._http.getresponse()
        content = response.read(_LARGEST_ANSWER)
        self.reusable = response.isclosed() and not response.will_close
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, response.reason, names, content)

    def alive(self) -> bool:
        """Return whether the server has neither closed the idle connection nor sent something unasked."""
        try:
            self._stream.socket.settimeout(0)
            self._stream.socket.recv(1)
        except OSError as error:
            return isinstance(error, BlockingIOError) or type(error).__name__ == "SSLWantReadError"
        return False

    def close(self) -> None:
        """Close this process's side of the connection; nothing is sent, so that a parent's goes on."""
        self._stream.socket.close()


class _Stream:
    """What ``http.client`` takes for a socket."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self.socket = connected
        self.deadline = deadline
        self.heard = False

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self.socket.settimeout(self.deadline.slice())
            try:
                view = view[self.socket.send(view) :]
            except OSError as error:
                if not _timed_out(error):
                    raise

    def receive(self, buffer: Any) -> int:
        while True:
            self.socket.settimeout(self.deadline.slice())
            try:
                received = self.socket.recv_into(buffer)
            except OSError as error:
                if not _timed_out(error):
                    raise
            else:
                if received and not self.heard:
                    self.heard = True
                    if buffer[0] == 0:  # the length of a SETTINGS frame, which such servers begin with
                        raise Http2Error
                return received

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Do nothing: ``http.client`` closes before the answer's body is read."""

    def tunnel(self, host: str, port: int, authorization: str | None) -> None:
        """Ask a proxy to connect further."""
        from http.client import HTTPResponse

        self.deadline.doing = "waiting for the proxy"
        name = _authority(host, port)
        proof = f"Proxy-Authorization: {authorization}\r\n" if authorization else ""
        self.sendall(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n{proof}\r\n".encode())
        response = HTTPResponse(self, method="CONNECT")  # type: ignore[arg-type]
        response.begin()
        if response.status != 200:
            raise ConnectionError(f"the proxy answered {response.status} {response.reason}")

    def encrypt(self, context: SSLContext, host: str) -> None:
        """Begin TLS."""
        self.deadline.doing = "negotiating TLS"
        encrypted = context.wrap_socket(self.socket, server_hostname=host, do_handshake_on_connect=False)
        self.socket = encrypted
        while True:
            encrypted.settimeout(self.deadline.slice())
            try:
                return encrypted.do_handshake()
            except OSError as error:
                if not _timed_out(error):
                    raise


class _Reader(io.RawIOBase):
    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._stream.receive(buffer)


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _connect(address: tuple[str, int], deadline: Deadline) -> socket.socket:
    """Try a host's addresses in turn; each gets its share of the time.

    The look-up of the name is the one thing here that cannot be cut off.
    """
    deadline.doing = "looking up the host name"
    deadline.left()
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
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


def _connect_one(connecting: socket.socket, address: Any, deadline: Deadline) -> None:
    while True:
        connecting.settimeout(deadline.slice())
        code = connecting.connect_ex(address)
        if code in (0, errno.EISCONN):
            return
        if code not in _IN_PROGRESS:
            raise OSError(code, os.strerror(code))
        if code == errno.EALREADY:  # the kernel is at it, and said so without waiting
            time.sleep(deadline.slice() / 2)


def _timed_out(error: OSError) -> bool:
    """Return whether only a slice is over; greenlet libraries raise errors of their own classes for it."""
    return error.errno != errno.ETIMEDOUT and (isinstance(error, TimeoutError) or "timed out" in str(error))


_idle: dict[tuple[Any, ...], Connection] = {}
"""One open connection for each server and client certificate; used by one thread at a time, since taking removes it."""


def take(settings: Settings) -> Connection | None:
    """Return the idle connection for these settings, which is the caller's until given back; None if there is none."""
    connection = _idle.pop(_key(settings), None)
    if connection is not None and (connection.pid != os.getpid() or not connection.alive()):
        connection.close()
        return None
    return connection


def give(settings: Settings, connection: Connection) -> None:
    """Keep a connection for the next export, or close it if that cannot be or another is kept already."""
    if not connection.reusable or _idle.setdefault(_key(settings), connection) is not connection:
        connection.close()


def _forget() -> None:
    """Let go, in a forked child, of the parent's idle connections, which would stay open for as long as it lives."""
    while _idle:
        _idle.popitem()[1].close()


os.register_at_fork(after_in_child=_forget)


def _key(settings: Settings) -> tuple[Any, ...]:
    endpoint = settings.endpoint
    authority = (endpoint.scheme, endpoint.host, endpoint.port)
    return (*authority, settings.certificate, settings.client_key, settings.client_certificate)
