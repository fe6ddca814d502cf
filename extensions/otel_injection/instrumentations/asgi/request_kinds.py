"""Kinds of ASGI requests: those alike share most attributes and their metric series, which are looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from otel_injection.instrumentations.asgi import asgi_attributes
from otel_injection.instrumentations.asgi.asgi_attributes import Conventions, Headers, of_duration
from otel_injection.instrumentations.server_requests.metric_series import Series
from otel_injection.instrumentations.server_requests.wsgi_attributes import remember
from otel_injection.sdk.faster.deferred_attributes import Plain

_OWN = frozenset(
    {
        *("http.target", "http.url", "net.peer.ip", "net.peer.port"),
        *("url.path", "url.query", "client.address", "client.port"),
    }
)
"""Attributes that differ between requests of one kind; no metric has them."""
_PLAIN = frozenset({str, int})

Place = tuple[str, Any, str]


class Kinds:
    """The kinds of requests to one of upstream's middlewares."""

    def __init__(self, middleware: Any) -> None:
        self.conventions = Conventions(middleware._sem_conv_opt_in_mode)
        self._middleware = middleware
        self._kinds: dict[Any, Kind] = {}

    def of(self, scope: Mapping[str, Any], headers: Headers, place: Place, more: dict[str, Any]) -> Kind:
        """Return a request's kind; ``more`` are the attributes that the framework adds."""
        hosts, agents = headers.get("host"), headers.get("user-agent")
        key = (
            *(scope.get("scheme"), scope.get("method"), scope.get("http_version"), place[0], place[1]),
            hosts and (*hosts,),
            agents and agents[0],
            *more.items(),
        )
        kind = self._kinds.get(key)
        if kind is None:
            attributes = {**self.conventions.of_request(scope, headers, place), **more}
            kind = remember(self._kinds, key, Kind(self._middleware, self.conventions, attributes, more))
        return kind


class Kind:
    """Requests by the same method, to the same host, from the same agent, by the same route."""

    def __init__(
        self, middleware: Any, conventions: Conventions, attributes: dict[str, Any], more: dict[str, Any]
    ) -> None:
        counter = middleware.active_requests_counter
        self.active = Series(counter, counter.add, conventions.of_active(attributes))
        """Counts those that are being served."""
        self._middleware = middleware
        self._conventions = conventions
        self._more = more
        self._attributes = attributes
        self._patterns: dict[bool, dict[str, Any]] = {}
        self._is_plain = not _OWN.intersection(more)
        self._measured: dict[Any, Measured] = {}

    def attributes(self, scope: Mapping[str, Any], headers: Headers, place: Place) -> dict[str, Any]:
        """Return the attributes of a request's span, a dictionary of the caller's own."""
        path, query, client = scope.get("path"), scope.get("query_string"), scope.get("client")
        if (
            not self._is_plain
            or not (path and type(path) is str and type(query) is bytes)
            or not (client and type(client[0]) is str and type(client[1]) is int and client[0] and client[1])
        ):
            return self._looked_at(scope, headers, place)
        pattern = self._patterns.get(not query)
        if pattern is None:
            pattern = self._patterns[not query] = self._looked_at(scope, headers, place)
            self._is_plain = all(key and type(key) is str and type(each) in _PLAIN for key, each in pattern.items())
            return dict(pattern)
        result, conventions = Plain(pattern), self._conventions
        text = query.decode("utf8", "replace") if query else ""
        if conventions.old:
            result["http.target"] = path
            result["http.url"] = asgi_attributes.shown(f"{place[2]}?{unquote(text)}" if text else place[2])
            result["net.peer.ip"], result["net.peer.port"] = client[0], client[1]
        if conventions.new:
            result["url.path"] = path
            if text:
                result["url.query"] = text
            result["client.address"], result["client.port"] = client[0], client[1]
        return result

    def _looked_at(self, scope: Mapping[str, Any], headers: Headers, place: Place) -> dict[str, Any]:
        return {**self._conventions.of_request(scope, headers, place), **self._more}

    def measured(self, told: dict[str, Any], target: str | None) -> Measured:
        """Return the metric series of answers that have added the attributes ``told``."""
        key = (*told.items(), target)
        known = self._measured.get(key)
        if known is None:
            known = remember(self._measured, key, Measured(self._middleware, {**self._attributes, **told}, target))
        return known


class Measured:
    """The metric series of requests of a kind with the same answer, under the old and the stable conventions."""

    def __init__(self, middleware: Any, attributes: dict[str, Any], target: str | None) -> None:
        old = of_duration(attributes, new=False)
        if target:
            old["http.target"] = target
        new = of_duration(attributes, new=True)
        own = middleware
        self.old_duration = _series(own.duration_histogram_old, old)
        self.new_duration = _series(own.duration_histogram_new, new)
        self.answer_sizes = _those(
            _series(own.server_response_size_histogram, old), _series(own.server_response_body_size_histogram, new)
        )
        self.request_sizes = _those(
            _series(own.server_request_size_histogram, old), _series(own.server_request_body_size_histogram, new)
        )


def _series(histogram: Any, attributes: dict[str, Any]) -> Series | None:
    return Series(histogram, histogram.record, attributes) if histogram else None


def _those(*series: Series | None) -> tuple[Series, ...]:
    return tuple(each for each in series if each is not None)
