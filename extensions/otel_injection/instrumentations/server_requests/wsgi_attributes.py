"""The attributes of a WSGI request, as upstream's instrumentation gives them, most of them looked up.

For values that many requests share (method, host, protocol, user agent), the attributes that upstream's own functions
make of them are remembered; the others are made here.
"""

from __future__ import annotations

from typing import Any
from wsgiref.util import request_uri

from opentelemetry.instrumentation import wsgi
from opentelemetry.instrumentation._semconv import _report_new, _report_old
from opentelemetry.trace import INVALID_SPAN, StatusCode
from opentelemetry.util.http import redact_url, sanitize_method

from otel_injection.sdk.faster.deferred_attributes import Plain

KEYS = (
    *("REQUEST_METHOD", "SERVER_NAME", "wsgi.url_scheme", "HTTP_HOST", "SERVER_PORT"),
    *("SERVER_PROTOCOL", "HTTP_USER_AGENT"),
    *("RAW_URI", "REQUEST_URI", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "REMOTE_PORT", "REMOTE_HOST"),
)
"""The keys of the WSGI environment that attributes are made of: five for the ``Head``, one or two for the ``tail``."""

COMMON = KEYS[:6]
"""The keys that the attributes of metrics are made of."""

_TAIL = frozenset(
    {"http.flavor", "http.user_agent", "network.protocol.version", "user_agent.original", "user_agent.synthetic.type"}
)
_PLAIN = frozenset({str, int})
_MOST = 500
"""The most values of each kind that are remembered: clients can send ever new ones."""


def remember(memory: dict[Any, Any], key: Any, value: Any) -> Any:
    """Put a value into a memory of limited size; return the value."""
    if len(memory) >= _MOST:
        memory.clear()
    memory[key] = value
    return value


class Answer:
    """What a status line such as ``200 OK`` sets on a span: upstream's code sets it on this object once."""

    def __init__(self, status: str, mode: Any) -> None:
        self._attributes: list[tuple[str, Any]] = []
        self._status: Any = None
        wsgi.add_response_attributes(self, status, [], {}, mode)  # type: ignore[arg-type]

    def is_recording(self) -> bool:
        """Return that all is wanted; asked by upstream."""
        return True

    def set_attribute(self, key: str, value: Any) -> None:
        """Keep an attribute; called by upstream."""
        self._attributes.append((key, value))

    def set_status(self, status: Any) -> None:
        """Keep a status that changes something; called by upstream."""
        if status.status_code is not StatusCode.UNSET:
            self._status = status

    def tell(self, span: Any) -> None:
        """Set it on a span that records."""
        for key, value in self._attributes:
            span.set_attribute(key, value)
        if self._status is not None:
            span.set_status(self._status)


class Head:
    """What requests by the same method, to the same host, have in common; ``attributes`` in upstream's order."""

    def __init__(self, known: tuple[Any, ...], mode: Any) -> None:
        environ = {key: value for key, value in zip(KEYS[:5], known, strict=False) if value is not None}
        self.attributes: dict[str, Any] = wsgi.collect_request_attributes({**environ, "RAW_URI": "/"}, mode)
        self.attributes.pop("http.target", None)
        method = sanitize_method((known[0] or "").strip())
        self.method = "HTTP" if method == "_OTHER" else method
        """How the names of spans begin."""


class Attributes:
    """The attributes under one mode of the semantic conventions, ``mode`` as upstream has it."""

    def __init__(self, mode: Any) -> None:
        self._mode = mode
        self._old, self._new = _report_old(mode), _report_new(mode)
        self._heads: dict[Any, Head] = {}
        self._tails: dict[Any, dict[str, Any]] = {}
        self._answers: dict[str, Answer] = {}
        self._patterns: dict[Any, dict[str, Any]] = {}
        self._names: dict[Any, str] = {}

    def head(self, known: tuple[Any, ...]) -> Head:
        """Return what is common to requests with these values of the first ``KEYS``."""
        key = known[:5]
        return self._heads.get(key) or remember(self._heads, key, Head(key, self._mode))

    def answer(self, status: str) -> Answer:
        """Return what a status line does to a span."""
        return self._answers.get(status) or remember(self._answers, status, Answer(status, self._mode))

    def active(self, head: Head, protocol: Any) -> dict[str, Any]:
        """Return the attributes of the number of active requests."""
        everything = {**head.attributes, **self._tail(protocol, None)}
        return wsgi._parse_active_request_count_attrs(everything, self._mode)  # type: ignore[no-any-return]

    def durations(
        self, head: Head, protocol: Any, status: str | None, route: str | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the attributes of a request's duration, old and stable.

        ``status`` is None where no answer has begun within a span.
        """
        everything: dict[str, Any] = {**head.attributes, **self._tail(protocol, None)}
        if status is not None:
            wsgi.add_response_attributes(INVALID_SPAN, status, [], everything, self._mode)
        old = wsgi._parse_duration_attrs(everything, wsgi._StabilityMode.DEFAULT)  # type: ignore[attr-defined]
        new = wsgi._parse_duration_attrs(everything, wsgi._StabilityMode.HTTP)  # type: ignore[attr-defined]
        if route is not None:
            old["http.target"] = new["http.route"] = route
        return old, new

    def name(self, known: tuple[Any, ...], route: str) -> str:
        """Return the name of the span of a request by a route; ``known`` are the ``KEYS``."""
        key = known[:5], route
        return self._names.get(key) or remember(self._names, key, f"{self.head(known).method} {route}")

    def of_span(self, known: tuple[Any, ...], environ: dict[str, Any], route: Any) -> dict[str, Any]:
        """Return the attributes of a request's span, a dictionary of the caller's own; ``known`` are the ``KEYS``."""
        target = known[8] if known[7] is None else known[7]
        path, query, address, port, name = known[9:]
        texts = type(target) is type(path) is type(query) is type(address) is str
        if not texts or not target or name or type(port) is not str or not port.isdecimal() or len(port) > 9:
            return self._looked_at(known, environ, route)
        shape = (known[:7], route, not path, not query, not address)
        pattern = self._patterns.get(shape)
        if pattern is None:
            pattern = self._looked_at(known, environ, route)
            if all(key and type(key) is str and type(value) in _PLAIN for key, value in pattern.items()):
                remember(self._patterns, shape, pattern)
            return dict(pattern)
        result = Plain(pattern)
        if self._old:
            result["http.target"] = target
            if address:
                result["net.peer.ip"] = address
            result["net.peer.port"] = int(port)
        if self._new:
            if path:
                result["url.path"] = path
            if query:
                result["url.query"] = query
            if address:
                result["client.address"] = address
            result["client.port"] = int(port)
        return result

    def _looked_at(self, known: tuple[Any, ...], environ: dict[str, Any], route: Any) -> dict[str, Any]:
        result = dict(self.head(known).attributes)
        self._set_target(result, known, environ)
        self._set_client(result, *known[11:])
        result.update(self._tail(known[5], known[6]))
        if route is not None:
            result["http.route"] = route
        return result

    def _set_target(self, result: dict[str, Any], known: tuple[Any, ...], environ: dict[str, Any]) -> None:
        target, path, query = known[8] if known[7] is None else known[7], known[9], known[10]
        if target:
            if self._old:
                result["http.target"] = target
            if self._new and path:
                result["url.path"] = path
            if self._new and query:
                result["url.query"] = query
        elif self._old:
            result["http.url"] = redact_url(request_uri(environ))

    def _set_client(self, result: dict[str, Any], address: Any, port: Any, name: Any) -> None:
        if address:
            self._set(result, "net.peer.ip", "client.address", address)
        if port:
            try:
                self._set(result, "net.peer.port", "client.port", int(port))
            except (TypeError, ValueError):
                pass
        if name and name != address:
            self._set(result, "net.peer.name", "client.address", name)

    def _set(self, result: dict[str, Any], old: str, new: str, value: Any) -> None:
        if self._old:
            result[old] = value
        if self._new:
            result[new] = value

    def _tail(self, protocol: Any, agent: Any) -> dict[str, Any]:
        key = (protocol, agent)
        known = self._tails.get(key)
        if known is None:
            environ = {"SERVER_PROTOCOL": protocol, "HTTP_USER_AGENT": agent}
            environ = {key: value for key, value in environ.items() if value is not None}
            everything = wsgi.collect_request_attributes({**environ, "RAW_URI": "/"}, self._mode)
            known = {key: value for key, value in everything.items() if key in _TAIL}
            remember(self._tails, key, known)
        return known
