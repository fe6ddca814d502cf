"""The attributes of WSGI requests are those that upstream's functions give, in the same order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.instrumentation import wsgi
from opentelemetry.instrumentation._semconv import _StabilityMode

from otel_injection.instrumentations.server_requests.wsgi_attributes import KEYS, Attributes
from tests.unit.examples import examples

MODES = [_StabilityMode.DEFAULT, _StabilityMode.HTTP, _StabilityMode.HTTP_DUP]
ENVIRONMENTS: Any = st.fixed_dictionaries(
    {
        "wsgi.url_scheme": st.sampled_from(["http", "https"]),
        "REQUEST_METHOD": st.sampled_from(["GET", "get", "BREW", ""]),
        "SERVER_NAME": st.sampled_from(["shop", ""]),
        "SERVER_PORT": st.sampled_from(["8000", "80", ""]),
        "PATH_INFO": st.sampled_from(["/items/7", "", "/caf\xe9"]),
    },
    optional={
        "HTTP_HOST": st.sampled_from(["shop:8000", "", "other"]),
        "SERVER_PROTOCOL": st.sampled_from(["HTTP/1.1", "HTTP/1.0", "h2", ""]),
        "HTTP_USER_AGENT": st.sampled_from(["curl/8", "", "Googlebot", "alwayson"]),
        "RAW_URI": st.sampled_from(["/items/7?a=1", "", "/", "http://me:secret@shop/"]),
        "REQUEST_URI": st.sampled_from(["/from-uwsgi", ""]),
        "QUERY_STRING": st.sampled_from(["a=1", ""]),
        "REMOTE_ADDR": st.sampled_from(["10.0.0.7", "", "::1"]),
        "REMOTE_PORT": st.sampled_from(["40000", "", "x", 41000, "\u0664", "9" * 5000, "-1", " 7"]),
        "REMOTE_HOST": st.sampled_from(["10.0.0.7", "", "client.example"]),
    },
)


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=examples(300), deadline=None)
@given(environments=st.lists(ENVIRONMENTS, min_size=1, max_size=6), route=st.sampled_from([None, "/items/<int:n>"]))
def test_a_span_has_the_same_attributes(mode: Any, environments: Any, route: str | None) -> None:
    """Each request twice, and beside others: what they have in common is remembered."""
    attributes = Attributes(mode)
    for environ in [*environments, *environments]:
        theirs = wsgi.collect_request_attributes(environ, mode)
        if route is not None:
            theirs["http.route"] = route
        known = tuple(map(environ.get, KEYS))
        ours = attributes.of_span(known, environ, route)
        assert list(ours.items()) == list(theirs.items())
        assert [type(each) for each in ours.values()] == [type(each) for each in theirs.values()]
        ours.clear()  # it is the caller's own
