"""The attributes of ASGI requests are those that upstream's functions give, in the same order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.instrumentation import asgi
from opentelemetry.instrumentation._semconv import _StabilityMode
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.util.http import PARAMS_TO_REDACT, redact_url, sanitize_method

from otel_injection.instrumentations.asgi import asgi_attributes
from otel_injection.instrumentations.asgi.asgi_attributes import Conventions
from otel_injection.instrumentations.asgi.request_kinds import Kinds
from tests.unit.examples import examples

MODES = [_StabilityMode.DEFAULT, _StabilityMode.HTTP, _StabilityMode.HTTP_DUP]
NAMES = st.sampled_from([b"host", b"Host", b"user-agent", b"USER-AGENT", b"content-length", b"traceparent", b"other"])
VALUES = st.sampled_from(
    [b"shop", b"shop:80", b"", b"me:secret@shop", b"curl/8", b"Googlebot", b"alwayson", b"caf\xe9", "é".encode(), b"7"]
)
QUERIES = st.lists(
    st.sampled_from([b"a=1", b"sig=x", b"design=1", b"%73ig=x", b"b=%20+", b"&", b";", b"#", b"@", b"?", b"x", b"\t"]),
    max_size=4,
).map(b"&".join)
SCOPES: Any = st.fixed_dictionaries(
    {"type": st.just("http"), "headers": st.lists(st.tuples(NAMES, VALUES), max_size=5)},
    optional={
        "scheme": st.sampled_from(["http", "https", ""]),
        "server": st.sampled_from([None, ("shop", 80), ("shop", 8000), ("/run/shop", None), ["::1", 0]]),
        "client": st.sampled_from([None, ("10.1.2.3", 41234), ("", 0), ["::1", "9"], ("a", "b")]),
        "http_version": st.sampled_from(["1.1", "2", ""]),
        "path": st.sampled_from(["/", "/items/7", "", "/@me", "/a?b", "/é"]),
        "query_string": QUERIES | QUERIES.map(bytes.decode),
        "method": st.sampled_from(["GET", "POST", "get", "BREW", " GET ", "", "QUERY"]),
    },
)


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=examples(300), deadline=None)
@given(scope=SCOPES)
def test_a_request_has_the_same_attributes(mode: Any, scope: Any) -> None:
    """Also those of its being counted and measured."""
    theirs = asgi.collect_request_attributes(scope, mode)  # type: ignore[no-untyped-call]
    headers = asgi_attributes.wanted(scope["headers"])
    place = asgi_attributes.server_and_url(scope, headers)
    assert place == asgi.get_host_port_url_tuple(scope)  # type: ignore[no-untyped-call]
    conventions = Conventions(mode)
    ours = conventions.of_request(scope, headers, place)
    assert list(ours.items()) == list(theirs.items())
    ours["http.route"] = theirs["http.route"] = "/items/{number}"
    assert conventions.of_active(ours) == asgi._parse_active_request_count_attrs(theirs, mode)  # type: ignore[no-untyped-call]
    for new in (False, True):
        chosen = _StabilityMode.HTTP if new else _StabilityMode.DEFAULT
        told = asgi._parse_duration_attrs(theirs, chosen)  # type: ignore[no-untyped-call]
        assert asgi_attributes.of_duration(ours, new=new) == told


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=examples(200), deadline=None)
@given(scopes=st.lists(SCOPES, min_size=1, max_size=6), routes=st.lists(st.sampled_from([None, "/", "/items/{n}"])))
def test_what_is_looked_up_is_the_same(mode: Any, scopes: Any, routes: Any) -> None:
    """Each request twice, and beside others: what they have in common is remembered."""
    middleware: Any = asgi.OpenTelemetryMiddleware(None, meter_provider=NoOpMeterProvider())
    middleware._sem_conv_opt_in_mode = mode
    kinds = Kinds(middleware)
    for place, scope in enumerate([*scopes, *scopes]):
        route = routes[place % len(routes)] if routes else None
        more = {"http.route": route} if route else {}
        theirs = {**asgi.collect_request_attributes(scope, mode), **more}  # type: ignore[no-untyped-call]
        headers = asgi_attributes.wanted(scope["headers"])
        where = asgi_attributes.server_and_url(scope, headers)
        ours = kinds.of(scope, headers, where, more)
        for _ in range(2):
            assert list(ours.attributes(scope, headers, where).items()) == list(theirs.items())
        assert ours.active._attributes == asgi._parse_active_request_count_attrs(theirs, mode)  # type: ignore[no-untyped-call]
        told = {"http.status_code": 200}
        told_of = asgi._parse_duration_attrs({**theirs, **told}, _StabilityMode.DEFAULT)  # type: ignore[no-untyped-call]
        measured = ours.measured(told, "/target").old_duration
        if measured is not None:
            assert measured._attributes == {**told_of, "http.target": "/target"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("status", [200, 0, 42, 99, 100, 302, 404, 499, 500, 599, 1000, -1, "200", "x", True])
def test_an_answer_is_told_the_same(mode: Any, status: Any) -> None:
    """Of a span that records, and of one that does not any more."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    outcomes = []
    for tell in (Conventions(mode).of_answer, _upstream(mode)):
        span: Any = tracer.start_span("name")
        ended: Any = tracer.start_span("ended")
        ended.end()
        attributes = {"a": 1}
        tell(span, attributes, status)
        tell(ended, {}, status)
        outcomes.append((dict(span.attributes), vars(span.status), attributes, dict(ended.attributes)))
    assert outcomes[0] == outcomes[1]


def _upstream(mode: Any) -> Any:
    return lambda span, attributes, status: asgi.set_status_code(span, status, attributes, mode)  # type: ignore[no-untyped-call]


def test_methods_are_known_that_upstream_keeps() -> None:
    assert {each for each in (*asgi_attributes._METHODS, "BREW") if sanitize_method(each) == each} == (
        asgi_attributes._METHODS
    )


@settings(max_examples=examples(500))
@given(
    st.sampled_from(["http://shop/", "http://shop/?", "http://me@shop/?"]),
    st.lists(st.sampled_from([*PARAMS_TO_REDACT, "%73ig=1", "s\tig=1", "a", "=", "&", "%", "#", "?", "/", "@", "+"])),
)
def test_nothing_is_left_in_a_url_that_upstream_hides(start: str, parts: list[str]) -> None:
    url = start + "".join(parts)
    if asgi_attributes._has_nothing_to_hide(url):
        assert redact_url(url) == url


def test_a_query_that_is_no_text_is_told_as_far_as_it_is() -> None:
    """Upstream raises, and the app answers 500."""
    scope = {"type": "http", "headers": [], "query_string": b"a=\xff", "path": "/"}
    ours = Conventions(_StabilityMode.HTTP_DUP).of_request(scope, {}, ("shop", 80, "http://shop/"))
    assert ours["url.query"] == "a=\ufffd"
