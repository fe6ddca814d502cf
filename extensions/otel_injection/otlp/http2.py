"""One call at a time on an HTTP/2 connection, over ``h2``. Imported only when gRPC is used."""

from __future__ import annotations

import os
from typing import NamedTuple

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from h2.settings import Settings as Http2Settings
from hpack import hpack, table

from otel_injection.otlp import proxy
from otel_injection.otlp.deadline import Deadline
from otel_injection.otlp.errors import BrokenHttp2Error, NotHttp2Error, ResetError, UnprocessedError
from otel_injection.otlp.exporter_settings import Settings
from otel_injection.otlp.stream import Stream

_LARGEST_ANSWER = 64 * 1024
"""Bytes kept of an answer."""
_LARGEST_FRAME = 16384
_MOST_CALLS = 1000
"""Calls after which a connection is replaced: ``h2`` keeps something of each."""
_MOST_UNASKED = 64
"""Chunks of data that a server may send to an idle connection, which gets no more than PING, SETTINGS and the like."""

_SETTINGS, _GOAWAY = 4, 7
_HEAD = 9


class _Silence:
    """A silent logger for ``hpack``, whose own writes every header, secrets included, into an app's log at DEBUG."""

    def debug(self, *_: object) -> None:
        pass


for _module in (hpack, table):
    _module.log = _Silence()  # type: ignore[attr-defined]


class Reply(NamedTuple):
    """What the server answered; names of headers are in small letters. ``trailers`` end the answer."""

    headers: dict[str, str]
    body: bytes
    trailers: dict[str, str]


class Http2Connection:
    """A connection to the endpoint of ``settings``, made at once; see ``Stream`` for what is raised."""

    def __init__(self, settings: Settings, deadline: Deadline) -> None:
        self.pid = os.getpid()
        self.heard = False
        self.reusable = False
        self._stream = Stream(settings, deadline, protocol="h2", via=proxy.find(settings.endpoint), tunnel=True)
        self._buffer = bytearray(_LARGEST_FRAME)
        self._received = b""
        self._greeted = False
        self._going_away = ""
        self._number = 0
        self._last = (1 << 31) - 1
        self._h2 = H2Connection(H2Configuration(header_encoding=None))
        wanted = {SettingCodes.ENABLE_PUSH: 0, SettingCodes.MAX_HEADER_LIST_SIZE: _LARGEST_ANSWER}
        self._h2.local_settings = Http2Settings(client=True, initial_values=wanted)
        self._h2.initiate_connection()

    def call(self, headers: list[tuple[str, bytes]], body: bytes, deadline: Deadline) -> Reply:
        """Send a request and return its answer.

        :raises OSError: the connection broke.
        :raises UnprocessedError: the server refused to begin with it.
        :raises ResetError: the server broke it off.
        :raises NotHttp2Error: this is no HTTP/2, or a broken one.
        :raises OutOfTimeError: it took too long.
        """
        self.reusable, self.heard = False, False
        self._stream.deadline = deadline
        deadline.doing = "sending"
        try:
            reply = self._call(headers, body, deadline)
        except ProtocolError as error:
            raise BrokenHttp2Error(f"{type(error).__name__}: {error}") from None
        self.reusable = not self._going_away and self._number < 2 * _MOST_CALLS
        return reply

    def alive(self) -> bool:
        """Return whether the server still takes calls on the idle connection."""
        try:
            for _ in range(_MOST_UNASKED):
                data = self._stream.arrived()
                if data is None:
                    return True
                if not data:
                    return False
                self._take(data)
                if self._going_away:
                    return False
        except (ProtocolError, NotHttp2Error, UnprocessedError):
            pass
        return False

    def close(self) -> None:
        """Close this process's side of the connection."""
        self._stream.close()

    def _call(self, headers: list[tuple[str, bytes]], body: bytes, deadline: Deadline) -> Reply:
        self._number = self._h2.get_next_available_stream_id()
        self._h2.send_headers(self._number, headers)
        rest = memoryview(body)
        answer = _Answer()
        broken: OSError | None = None
        while not answer.ended:
            try:
                rest = self._send(rest)
            except (BrokenPipeError, ConnectionResetError) as error:
                broken = error  # the server may have answered before it closed
            if not rest:
                deadline.doing = "waiting for the answer"
            received = self._stream.receive(self._buffer)
            if not received:
                said = f"the server said GOAWAY, {self._going_away}" if self._going_away else ""
                raise broken or ConnectionResetError(said or "it ended")
            for event in self._take(bytes(self._buffer[:received])):
                answer.add(event)
        if rest:  # the server needs no more to answer
            self._h2.reset_stream(self._number, ErrorCodes.NO_ERROR)
        return Reply(answer.headers, bytes(answer.body), answer.trailers)

    def _send(self, rest: memoryview) -> memoryview:
        """Send as much as the server takes now, and what ``h2`` wants to say; return what is left."""
        while rest:
            room = min(self._h2.local_flow_control_window(self._number), self._h2.max_outbound_frame_size)
            if room <= 0:
                break
            self._h2.send_data(self._number, rest[:room].tobytes(), end_stream=room >= len(rest))
            rest = rest[room:]
            self._stream.sendall(self._h2.data_to_send())
        waiting = self._h2.data_to_send()
        if waiting:
            self._stream.sendall(waiting)
        return rest

    def _take(self, data: bytes) -> list[Event]:
        """Return what is new about the call under way.

        ``h2`` gets single frames, and no GOAWAY, after which it would refuse the answers that are still to come.
        """
        events: list[Event] = []
        self._received += data
        while len(self._received) >= _HEAD:
            size, kind = int.from_bytes(self._received[:3], "big"), self._received[3]
            if not self._greeted and (size > _LARGEST_FRAME or kind != _SETTINGS):
                raise NotHttp2Error("HTTP/1" if self._received.startswith(b"HTTP/1.") else "no frame of HTTP/2")
            self._greeted = True
            if size > _LARGEST_FRAME:
                raise BrokenHttp2Error("a frame is larger than allowed")
            if len(self._received) < _HEAD + size:
                break
            frame, self._received = self._received[: _HEAD + size], self._received[_HEAD + size :]
            if kind == _GOAWAY:
                self._go_away(frame[_HEAD:])
                continue
            if int.from_bytes(frame[5:9], "big") & 0x7FFFFFFF == self._number:
                self.heard = True
            for event in self._h2.receive_data(frame):
                if isinstance(event, DataReceived):
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if getattr(event, "stream_id", None) == self._number:
                    events.append(event)
        return events

    def _go_away(self, payload: bytes) -> None:
        last, code = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, int.from_bytes(payload[4:8], "big")
        self._going_away = f"{_named(code)} {payload[8:200].decode('utf-8', 'replace')}".rstrip()
        if last < self._number:
            raise UnprocessedError(f"the server said GOAWAY, {self._going_away}")


class _Answer:
    """Collects an answer."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.trailers: dict[str, str] = {}
        self.ended = False

    def add(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            self.headers = _text(event.headers)
        elif isinstance(event, DataReceived):
            self.body += event.data[: _LARGEST_ANSWER - len(self.body)]
        elif isinstance(event, TrailersReceived):
            self.trailers = _text(event.headers)
        elif isinstance(event, StreamEnded):
            self.ended = True
        elif isinstance(event, StreamReset) and not self.ended:
            if event.error_code == ErrorCodes.REFUSED_STREAM:
                raise UnprocessedError("the server refused the call")
            code = int(event.error_code or 0)
            raise ResetError(code, _named(code))


def _text(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("utf-8", "replace") for name, value in headers}


def _named(code: int) -> str:
    try:
        return ErrorCodes(code).name
    except ValueError:
        return f"error {code}"
