"""Errors of a server or a protocol for which Python has no class."""

from __future__ import annotations


class Http2Error(Exception):
    """The server seems to speak HTTP/2 only, as a port for OTLP/gRPC does; its cause is what it did otherwise."""


class NotHttp2Error(Exception):
    """The server does not speak HTTP/2. The text says what it did."""


class BrokenHttp2Error(NotHttp2Error):
    """The server breaks the rules of HTTP/2, after it began well. The text says which."""


class ResetError(Exception):
    """The server broke a call off. ``code`` is one of HTTP/2's, and the text its name."""

    def __init__(self, code: int, name: str) -> None:
        super().__init__(name)
        self.code = code


class UnprocessedError(ConnectionError):
    """The server says that it has not begun with a request: it can be sent again without coming twice."""
