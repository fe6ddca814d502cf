"""The server's side of an HTTP/2 connection, well-behaved and not, for ``servers.listening``."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, StreamEnded
from h2.settings import SettingCodes

HEADERS = [(":status", "200"), ("content-type", "application/grpc")]
RST_STREAM, SETTINGS, PING, GOAWAY = 3, 4, 6, 7

Serve = Callable[[socket.socket, threading.Event], None]


class Talk:
    """Speaks with one client, until ``stop``. ``window`` is how many bytes of a request it may send unasked.

    ``before`` is sent at once with the first frame.
    """

    def __init__(
        self, connected: socket.socket, stop: threading.Event, window: int | None = None, before: bytes = b""
    ) -> None:
        self.socket = connected
        self.socket.settimeout(0.05)
        self._stop = stop
        self.h2 = H2Connection(H2Configuration(client_side=False))
        self.h2.initiate_connection()
        if window is not None:
            self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.events: list[Event] = []
        self.send(before + self.h2.data_to_send())

    def flush(self) -> None:
        """Send what ``h2`` has to say."""
        self.send(self.h2.data_to_send())

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.settimeout(5)
        self.socket.sendall(data)
        self.socket.settimeout(0.05)

    def read(self) -> bool:
        """Wait for something of the client's and let it send as much again; return False if it has gone."""
        while not self._stop.is_set():
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                continue
            events = self.h2.receive_data(data)
            for event in events:
                if isinstance(event, DataReceived) and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.events += events
            self.flush()
            return bool(data)
        return False

    def wait(self, kind: type[Any], stream: int | None = None) -> Any:
        """Return the next event of a kind, and of a stream if that is given."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and stream in (None, getattr(event, "stream_id", None)):
                    self.events.remove(event)
                    return event
            if not self.read():
                raise ConnectionError

    def request(self) -> tuple[int, bytes]:
        """Return the stream and the body of the next request."""
        stream = self.wait(StreamEnded).stream_id
        data = [each for each in self.events if isinstance(each, DataReceived) and each.stream_id == stream]
        return stream, b"".join(each.data for each in data)

    def answer(self, stream: int, body: bytes = b"\0\0\0\0\0", status: str = "0") -> None:
        """Answer as gRPC does."""
        self.h2.send_headers(stream, HEADERS)
        self.h2.send_data(stream, body)
        self.h2.send_headers(stream, [("grpc-status", status)], end_stream=True)
        self.flush()

    def frame(self, kind: int, stream: int, payload: bytes, flags: int = 0) -> None:
        """Send a frame of which ``h2`` knows nothing."""
        head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
        self.send(head + payload)

    def go_away(self, last: int, code: int = 0, words: bytes = b"") -> None:
        """Say GOAWAY: streams up to ``last`` are or will be processed."""
        self.frame(GOAWAY, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big") + words)


def in_turn(*serve: Callable[[Talk], None], window: int | None = None) -> tuple[Serve, list[Talk]]:
    """Return what serves each connection with the next function, the last one for all that follow."""
    talks: list[Talk] = []

    def one(connected: socket.socket, stop: threading.Event) -> None:
        talk = Talk(connected, stop, window)
        talks.append(talk)
        serve[min(len(talks), len(serve)) - 1](talk)

    return one, talks


def well(talk: Talk) -> None:
    """Answer all that comes."""
    while True:
        talk.answer(talk.request()[0])
