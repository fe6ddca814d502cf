"""A PostgreSQL that answers every query with one row, and one that has ``broken`` in it with an error."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_PARAMETERS = {
    "server_version": "15.0",
    "client_encoding": "UTF8",
    "server_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "TimeZone": "UTC",
    "integer_datetimes": "on",
    "standard_conforming_strings": "on",
}
_COLUMN = b"answer\0" + struct.pack(">ihihih", 0, 0, 23, 4, -1, 0)
_ROW = struct.pack(">hi", 1, 1) + b"1"
_ENCRYPTED = (80877103, 80877104)


def _message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with suppress(ConnectionError, EOFError, struct.error):
            self._begin()
            while self._answer(self.rfile.read(1), self.rfile.read(struct.unpack(">i", self.rfile.read(4))[0] - 4)):
                pass

    def _begin(self) -> None:
        while True:
            (length,) = struct.unpack(">i", self.rfile.read(4))
            (code,) = struct.unpack(">i", self.rfile.read(length - 4)[:4])
            if code not in _ENCRYPTED:
                break
            self.wfile.write(b"N")
        self._status = b"I"
        self._query = b""
        self._failed = False
        told = [_message(b"S", f"{name}\0{value}\0".encode()) for name, value in _PARAMETERS.items()]
        hello = [_message(b"R", struct.pack(">i", 0)), *told, _message(b"K", struct.pack(">ii", 1, 1)), self._ready()]
        self.wfile.write(b"".join(hello))

    def _ready(self) -> bytes:
        return _message(b"Z", self._status)

    def _answer(self, kind: bytes, body: bytes) -> bool:
        if kind == b"Q":
            self._query = body[:-1]
            for each in (self._description(), self._result()):
                self.wfile.write(each)
            self.wfile.write(self._ready())
        elif kind == b"P":
            self._query = body.split(b"\0")[1]
            self.wfile.write(_message(b"1"))
        elif kind in (b"B", b"C"):
            self.wfile.write(_message(b"2" if kind == b"B" else b"3"))
        elif kind == b"D":
            parameters = _message(b"t", struct.pack(">h", 0)) if body[:1] == b"S" else b""
            self.wfile.write(parameters + (self._description() or _message(b"n")))
        elif kind == b"E":
            self.wfile.write(self._result())
        elif kind == b"S":
            self._failed = False
            self.wfile.write(self._ready())
        return kind not in (b"X", b"")

    def _returns(self) -> bool:
        return self._query.lstrip().upper().startswith((b"SELECT", b"FETCH", b"SHOW")) and b"broken" not in self._query

    def _description(self) -> bytes:
        return _message(b"T", struct.pack(">h", 1) + _COLUMN) if self._returns() else b""

    def _result(self) -> bytes:
        if b"broken" in self._query:
            return _message(b"E", b"SERROR\0C42601\0Mbroken\0\0")
        first = (self._query.upper().split() or [b""])[0]
        self._status = {b"BEGIN": b"T", b"COMMIT": b"I", b"ROLLBACK": b"I"}.get(first, self._status)
        rows = _message(b"D", _ROW) if self._returns() else b""
        count = b"SELECT 1" if self._returns() else first
        return rows + _message(b"C", count + b"\0")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def postgres() -> Iterator[dict[str, Any]]:
    """Give the environment by which libpq finds it."""
    with _Server(("127.0.0.1", 0), _Session) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        port = str(server.server_address[1])
        yield {"PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "shop", "PGDATABASE": "stock", "PGSSLMODE": "disable"}
        server.shutdown()
