"""Collectors on the loopback interface, well-behaved and not."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Self


class Request(NamedTuple):
    """What arrived; ``peer`` tells connections apart."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    peer: int


class Reply(NamedTuple):
    """What is to be answered."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    hang_up: bool = False
    """Close the connection after it, without saying so."""


class Collector(ThreadingHTTPServer):
    """Keeps what it gets and answers with ``replies`` in turn, then with 200."""

    daemon_threads = True

    def __init__(self, *replies: Reply | None, context: ssl.SSLContext | None = None) -> None:
        self.replies = list(replies)
        self.requests: list[Request] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scheme = "http"
        if context is not None:
            self.scheme = "https"
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def url(self) -> str:
        """The endpoint for all signals."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing about clients that go away; tests look at what arrived."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(Request(self.command, self.path, headers, body, self.client_address[1]))
        reply = self.server.replies.pop(0) if self.server.replies else Reply()
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
        self.close_connection = self.close_connection or reply.hang_up

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class's name
        """Print nothing."""


@contextmanager
def listening(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """Serve each connection with a function, which ends when the event is set; yield the endpoint."""
    stop = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def one(connected: socket.socket) -> None:
            with connected, suppress(OSError):  # the client goes away
                serve(connected, stop)

        def accept() -> None:
            while not stop.is_set():
                try:
                    connected, _ = server.accept()
                except TimeoutError:
                    continue
                connected.settimeout(5)
                threads.append(threading.Thread(target=one, args=(connected,), daemon=True))
                threads[-1].start()

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()
            acceptor.join(5)
            for thread in threads:
                thread.join(5)


def silent(connected: socket.socket, stop: threading.Event) -> None:
    """Read the request and never answer."""
    connected.recv(65536)
    stop.wait(10)


def deaf(connected: socket.socket, stop: threading.Event) -> None:
    """Read nothing."""
    stop.wait(10)


def dripping(connected: socket.socket, stop: threading.Event) -> None:
    """Answer one byte at a time, without end."""
    connected.recv(65536)
    for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100000:
        if stop.wait(0.03):
            return
        connected.sendall(bytes((byte,)))


def http2_web(connected: socket.socket, stop: threading.Event) -> None:
    """Begin with HTTP/2's SETTINGS frame, as a server for gRPC does, and answer a call with a web page."""
    connected.sendall(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00")
    if connected.recv(65536).startswith(b"PRI"):
        connected.sendall(b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\x8d")  # :status 404, and the end
    stop.wait(10)


def garbage(connected: socket.socket, _: threading.Event) -> None:
    """Answer with something that is not HTTP."""
    connected.recv(65536)
    connected.sendall(b"220 mail.example.com ESMTP\r\n")


@contextmanager
def black_hole() -> Iterator[str]:
    """Yield an endpoint to which connections are never made: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(server.getsockname())
            waiting.append(client)
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            for client in waiting:
                client.close()
