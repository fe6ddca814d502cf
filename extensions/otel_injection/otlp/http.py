"""OTLP over HTTP/1.1. See https://opentelemetry.io/docs/specs/otlp/#otlphttp."""

from __future__ import annotations

import io
import math
import os
import time
from typing import Any, NamedTuple

from otel_injection.otlp import connection, problems, proxy
from otel_injection.otlp.compression import compressed
from otel_injection.otlp.deadline import Deadline
from otel_injection.otlp.errors import Http2Error
from otel_injection.otlp.exporter_settings import Settings, own_headers, parse
from otel_injection.otlp.outcome import Outcome, Verdict
from otel_injection.otlp.stream import Reader, Stream

_LARGEST_ANSWER = 64 * 1024
"""Bytes read of an answer; a connection with a longer one is not used again."""
_RETRYABLE = frozenset({429, 502, 503, 504})
_TOO_LARGE = 413
_REDIRECTED = frozenset({307, 308})
"""Answers that name another place for the same request; others would make a GET of it."""
_REDIRECTS = 5


class Answer(NamedTuple):
    """What the server answered; ``headers`` have names in small letters."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


class HttpConnection:
    """A connection to the endpoint of ``settings``, made at once.

    :raises Http2Error: the server does not speak HTTP/1.1.
    """

    def __init__(self, settings: Settings, deadline: Deadline) -> None:
        from http.client import HTTPConnection

        self.pid = os.getpid()
        self.heard = False
        self.reusable = False
        endpoint = settings.endpoint
        via = proxy.find(endpoint)
        secure = endpoint.scheme == "https"
        self._prefix = ""
        self._headers: dict[str, str] = {}
        if via is not None and not secure:
            self._prefix = f"http://{endpoint.authority}"
            if via.authorization:
                self._headers["proxy-authorization"] = via.authorization
        try:
            self._stream = Stream(settings, deadline, protocol="http/1.1", via=via, tunnel=secure)
        except OSError as error:
            if "NO_APPLICATION_PROTOCOL" in str(getattr(error, "reason", "")):
                raise Http2Error from error
            raise
        self._http = HTTPConnection(endpoint.host, endpoint.port)
        self._http.default_port = 443 if secure else 80
        self._http.sock = _Socket(self)

    def post(self, path: str, body: bytes, headers: dict[str, str], deadline: Deadline) -> Answer:
        """Send a request and return its answer.

        :raises OSError: the connection broke.
        :raises http.client.HTTPException: the answer is no HTTP.
        :raises Http2Error: it is HTTP/2.
        :raises OutOfTimeError: it took too long.
        """
        self.reusable, self.heard = False, False
        self._stream.deadline = deadline
        encoded: dict[str, Any] = {name: value.encode() for name, value in {**headers, **self._headers}.items()}
        deadline.doing = "sending"
        try:
            self._http.request("POST", self._prefix + path, body, encoded)
        except OSError as error:
            if not _ended(error):
                raise
            # The server may have answered before it closed, for instance that the body is too large.
        deadline.doing = "waiting for the answer"
        try:
            response = self._http.getresponse()
        except OSError as error:
            # Servers for gRPC end an encrypted connection on which no HTTP/2 was negotiated.
            silent = not self.heard and self._stream.encrypted and self._stream.negotiated is None
            if silent and _ended(error):
                raise Http2Error from error
            raise
        content = response.read(_LARGEST_ANSWER)
        self.reusable = response.isclosed() and not response.will_close
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, response.reason, names, content)

    def sendall(self, data: bytes) -> None:
        """Send for ``http.client``."""
        self._stream.sendall(data)

    def receive(self, buffer: Any) -> int:
        """Fill the buffer for ``http.client``, and look at what comes first."""
        received = self._stream.receive(buffer)
        if received and not self.heard:
            self.heard = True
            if buffer[0] == 0:  # the length of a SETTINGS frame, which such servers begin with
                raise Http2Error
        return received

    def alive(self) -> bool:
        """Return whether the server has neither closed the idle connection nor sent something unasked."""
        return self._stream.arrived() is None

    def close(self) -> None:
        """Close this process's side of the connection."""
        self._stream.close()


class _Socket:
    """What ``http.client`` takes for a socket; it may not close it, which it does before the answer's body is read."""

    def __init__(self, owner: HttpConnection) -> None:
        self._owner = owner

    def sendall(self, data: bytes) -> None:
        self._owner.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(Reader(self._owner))

    def close(self) -> None:
        pass


def _ended(error: OSError) -> bool:
    """Return whether the server has ended the connection, with or without TLS."""
    return isinstance(error, ConnectionError) or type(error).__name__ in ("SSLEOFError", "SSLZeroReturnError")


class Http:
    """Requests of one signal as POSTs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._headers = dict(settings.headers)
        if settings.compression != "none":
            self._headers.setdefault("content-encoding", settings.compression)

    def attempt(self, body: bytes, deadline: Deadline) -> Verdict:
        """Send a request once, wherever it is redirected to, and judge the answer.

        For what is raised see ``HttpConnection``.
        """
        content = compressed(body, self._settings.compression)
        answer = self._post(content, deadline)
        place: Http | None = self
        for _ in range(_REDIRECTS):
            place = place.redirected(answer) if place is not None and answer.status in _REDIRECTED else None
            if place is None:
                break
            answer = place._post(content, deadline)
        if 200 <= answer.status < 300:
            return Verdict(Outcome(True, *problems.partial_success(answer.body)))
        outcome = Outcome(False, 0, problems.of_answer(answer), too_large=answer.status == _TOO_LARGE)
        return Verdict(outcome, answer.status in _RETRYABLE, _retry_after(answer))

    def _post(self, content: bytes, deadline: Deadline) -> Answer:
        path = self._settings.endpoint.path

        def post(taken: HttpConnection) -> Answer:
            return taken.post(path, content, self._headers, deadline)

        return connection.exchange(HttpConnection, self._settings, deadline, post)

    def redirected(self, answer: Answer) -> Http | None:
        """Return where an answer redirects to; None where that is no URL, or is not encrypted and this one is.

        What the settings give as headers, credentials among them, goes to the same server only.
        """
        from urllib.parse import urljoin

        here = self._settings.endpoint
        try:
            there = parse(urljoin(here.url, answer.headers.get("location", "")))
        except ValueError:
            return None
        if here.scheme == "https" and there.scheme != "https":
            return None
        same = (here.scheme, here.host, here.port) == (there.scheme, there.host, there.port)
        headers = self._settings.headers if same else own_headers()
        return Http(self._settings._replace(endpoint=there, headers=headers))

    def close(self) -> None:
        """Close the idle connection."""
        idle = connection.take(HttpConnection, self._settings)
        if idle is not None:
            idle.close()


def _retry_after(answer: Answer) -> float | None:
    """Return the seconds that the server wants to be left alone, given as a number or as a date."""
    value = answer.headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
