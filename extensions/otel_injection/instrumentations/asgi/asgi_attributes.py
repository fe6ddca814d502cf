"""The attributes of an ASGI request, as upstream's instrumentation gives them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from opentelemetry.instrumentation import _semconv, asgi
from opentelemetry.instrumentation._semconv import _report_new, _report_old
from opentelemetry.trace.status import Status, StatusCode
from opentelemetry.util.http import PARAMS_TO_REDACT, detect_synthetic_user_agent, redact_url, sanitize_method

from otel_injection import ours

_decode: Any = asgi._decode_header_item
_NAMES = {
    name.encode(): name for name in ("host", "user-agent", "content-length", "traceparent", "tracestate", "baggage")
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
"""Methods that upstream always keeps as they are; a setting may add others."""
_synthetic = lru_cache(500)(detect_synthetic_user_agent)

_ACTIVE_OLD = frozenset(_semconv._server_active_requests_count_attrs_old)
_ACTIVE_NEW = frozenset(_semconv._server_active_requests_count_attrs_new)
_DURATION_OLD = frozenset(_semconv._server_duration_attrs_old)
_DURATION_NEW = frozenset(_semconv._server_duration_attrs_new)

Headers = dict[str, list[str]]


def wanted(headers: Any) -> Headers:
    """Return the values of those headers that upstream reads, by name."""
    found: Headers = {}
    for key, value in headers or ():
        name = _NAMES.get(key) or _NAMES.get(key.lower())
        if name is not None:
            found.setdefault(name, []).append(_decode(value))
    return found


def content_length(headers: Any) -> str | None:
    """Return the value of the first header of this name in an answer."""
    for key, value in headers or ():
        if key == b"content-length" or key.lower() == b"content-length":
            return str(_decode(value))
    return None


def server_and_url(scope: Mapping[str, Any], headers: Headers) -> tuple[str, int | None, str]:
    """Return the server's name with its port, its port, and the URL without the query."""
    name, port = (scope.get("server") or ("0.0.0.0", 80))[:2]  # noqa: S104 - upstream's word for a server that is not told
    server = name if str(port) == "80" else f"{name}:{port}"
    host = headers["host"][0] if "host" in headers else server
    return server, port, f"{scope.get('scheme', 'http')}://{host}{scope.get('path', '')}"


class Conventions:
    """The names of attributes, by the mode of ``OTEL_SEMCONV_STABILITY_OPT_IN``."""

    def __init__(self, mode: Any) -> None:
        self.mode = mode
        self.old = bool(_report_old(mode))
        self.new = bool(_report_new(mode))
        self._active = (_ACTIVE_OLD if self.old else frozenset()) | (_ACTIVE_NEW if self.new else frozenset())

    def of_request(self, scope: Mapping[str, Any], headers: Headers, place: tuple[str, Any, str]) -> dict[str, Any]:
        """Return the same as ``collect_request_attributes``; ``place`` is the result of ``server_and_url``."""
        result: dict[str, Any] = {}
        server, port, url = place
        query = scope.get("query_string")
        if query and isinstance(query, bytes):
            query = query.decode("utf8", "replace")
        path = scope.get("path")
        tell = self._tell
        tell(result, "http.scheme", "url.scheme", scope.get("scheme"))
        tell(result, "http.host", "server.address", server)
        tell(result, "net.host.port", "server.port", number(port))
        tell(result, "http.flavor", "network.protocol.version", scope.get("http_version"))
        tell(result, "http.target", "url.path", path)
        if self.new and query and path:
            result["url.query"] = query
        if self.old:
            url = f"{url}?{unquote(query)}" if query else url
            result["http.url"] = shown(url)
        self._tell_method(result, scope.get("method") or "")
        if self.old and "host" in headers:
            result["http.server_name"] = ",".join(headers["host"])
        agent = headers["user-agent"][0] if "user-agent" in headers else ""
        tell(result, "http.user_agent", "user_agent.original", agent)
        kind = _synthetic(agent)
        if kind:
            result["user_agent.synthetic.type"] = kind
        client = scope.get("client")
        if client is not None:
            tell(result, "net.peer.ip", "client.address", client[0])
            tell(result, "net.peer.port", "client.port", number(client[1]))
        return result

    def _tell(self, result: dict[str, Any], old: str, new: str, value: Any) -> None:
        """Add a value under the names that it has."""
        if value:
            if self.old:
                result[old] = value
            if self.new:
                result[new] = value

    def _tell_method(self, result: dict[str, Any], method: str) -> None:
        if not method:
            return
        known = method if method in _METHODS else sanitize_method(method).strip()
        method = method.strip()
        if self.new and method and method != known:
            result["http.request.method_original"] = method
        if self.old and known:
            result["http.method"] = known
        if self.new and known:
            result["http.request.method"] = known

    def of_active(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes of the number of active requests."""
        names = self._active
        return {key: value for key, value in attributes.items() if key in names}

    def of_answer(self, span: Any, attributes: dict[str, Any], status: Any) -> None:
        """Set the status of an answer on a span and in the attributes of metrics, as ``set_status_code`` does."""
        if type(status) is not int or status < 0:
            asgi.set_status_code(span, status, attributes, self.mode)  # type: ignore[no-untyped-call]
            return
        told: dict[str, Any] = {}
        failed = status < 100 or status > 499
        if self.old:
            told["http.status_code"] = status
        if self.new:
            told["http.response.status_code"] = status
            if failed:
                told["error.type"] = str(status)
        attributes.update(told)
        if span.is_recording():
            for key, value in told.items():
                span.set_attribute(key, value)
            if failed:
                span.set_status(Status(StatusCode.ERROR))


def of_duration(attributes: Mapping[str, Any], *, new: bool) -> dict[str, Any]:
    """Return the attributes of a request's duration."""
    names = _DURATION_NEW if new else _DURATION_OLD
    return {key: value for key, value in attributes.items() if key in names}


def number(value: Any, otherwise: int | None = None) -> int | None:
    """Return a value as a number, or ``otherwise`` if it is none."""
    if type(value) is int:
        return value
    try:
        return int(value) if value else otherwise
    except ours((ValueError, TypeError)):
        return otherwise


def shown(url: str) -> str:
    """Return a URL without the secrets in it."""
    return url if _has_nothing_to_hide(url) else redact_url(url)


def _has_nothing_to_hide(url: str) -> bool:
    """Return whether ``redact_url`` would change nothing in a URL, as far as can be told without parsing it."""
    if "@" in url:
        return False
    query = url.partition("?")[2]
    if not query:
        return True
    for each in ("%", "\t", "\r", "\n", *PARAMS_TO_REDACT):  # noqa: SIM110 - all() takes twice as long
        if each in query:
            return False
    return True
