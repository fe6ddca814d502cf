"""``OTEL_EXPORTER_OTLP_*`` is read as the specification says; an unusable value costs itself and one line."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from opentelemetry.util.re import parse_env_headers

from otel_injection.otlp import exporter_settings
from otel_injection.otlp.exporter_settings import Settings
from tests.unit.examples import examples

OWN = "OTEL_EXPORTER_OTLP_TRACES_"
ALL = "OTEL_EXPORTER_OTLP_"


def read(signal: str = "traces", **environ: str) -> tuple[Settings, list[str]]:
    reports: list[str] = []
    return exporter_settings.read(signal, reports.append, environ), reports


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://localhost:4318/v1/traces"),
        ({ALL + "ENDPOINT": ""}, "http://localhost:4318/v1/traces"),
        ({ALL + "ENDPOINT": "http://collector:4318"}, "http://collector:4318/v1/traces"),
        ({ALL + "ENDPOINT": "http://collector:4318/"}, "http://collector:4318/v1/traces"),
        ({ALL + "ENDPOINT": "https://collector/mycollector/"}, "https://collector/mycollector/v1/traces"),
        ({ALL + "ENDPOINT": " HTTP://[::1]:4318 "}, "HTTP://[::1]:4318/v1/traces"),
        ({OWN + "ENDPOINT": "http://other:4318"}, "http://other:4318"),
        ({OWN + "ENDPOINT": "http://other/x?a=b", ALL + "ENDPOINT": "http://collector"}, "http://other/x?a=b"),
    ],
)
def test_a_path_is_added_to_the_endpoint_for_all_signals_only(environ: dict[str, str], url: str) -> None:
    found, reports = read(**environ)
    assert (found.endpoint.url, reports) == (url, [])


def test_every_signal_has_its_own_path() -> None:
    paths = [read(signal)[0].endpoint.path for signal in ("traces", "metrics", "logs")]
    assert paths == ["/v1/traces", "/v1/metrics", "/v1/logs"]


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://other", "other", 80, "/"),
        ("https://other", "other", 443, "/"),
        ("https://[::1]:4318/x?a=b", "::1", 4318, "/x?a=b"),
    ],
)
def test_an_endpoint_is_taken_apart(url: str, host: str, port: int, path: str) -> None:
    endpoint = read(**{OWN + "ENDPOINT": url})[0].endpoint
    assert (endpoint.host, endpoint.port, endpoint.path) == (host, port, path)


@pytest.mark.parametrize(
    "value",
    [
        "collector:4318",
        "collector",
        "grpc://collector:4317",
        "http://",
        "http://:4318",
        "http://a:port",
        "http://a b/c",
        "http://[::1",
        "http://a:99999",
        "//a",
        "http://bücher",
    ],
)
def test_an_unusable_endpoint_is_named_and_the_next_one_used(value: str) -> None:
    found, reports = read(**{OWN + "ENDPOINT": value, ALL + "ENDPOINT": "http://collector:4318"})
    assert found.endpoint.url == "http://collector:4318/v1/traces"
    assert len(reports) == 1
    assert reports[0].startswith(f"{OWN}ENDPOINT: '{value}'")
    assert read(**{ALL + "ENDPOINT": value})[0].endpoint.url == "http://localhost:4318/v1/traces"


def test_a_password_is_not_reported() -> None:
    _, reports = read(**{ALL + "ENDPOINT": "ftp://user:secret@collector"})
    assert len(reports) == 1
    assert "secret" not in reports[0]


@pytest.mark.parametrize(
    ("environ", "seconds", "lines"),
    [
        ({}, 10.0, 0),
        ({ALL + "TIMEOUT": "2.5"}, 2.5, 0),
        ({ALL + "TIMEOUT": "2", OWN + "TIMEOUT": "3"}, 3.0, 0),
        ({ALL + "TIMEOUT": "2", OWN + "TIMEOUT": "soon"}, 2.0, 1),
        ({ALL + "TIMEOUT": "-1"}, 10.0, 1),
        ({ALL + "TIMEOUT": "0"}, 10.0, 1),
        ({ALL + "TIMEOUT": "nan"}, 10.0, 1),
        ({ALL + "TIMEOUT": "inf"}, 10.0, 1),
    ],
)
def test_the_timeout_is_in_seconds(environ: dict[str, str], seconds: float, lines: int) -> None:
    found, reports = read(**environ)
    assert (found.timeout, len(reports)) == (seconds, lines)


@pytest.mark.parametrize(
    ("environ", "compression", "lines"),
    [
        ({}, "none", 0),
        ({ALL + "COMPRESSION": "GZIP"}, "gzip", 0),
        ({ALL + "COMPRESSION": "gzip", OWN + "COMPRESSION": "none"}, "none", 0),
        ({ALL + "COMPRESSION": "gzip", OWN + "COMPRESSION": "zstd"}, "gzip", 1),
        ({ALL + "COMPRESSION": "brotli"}, "none", 1),
    ],
)
def test_an_unknown_compression_is_ignored(environ: dict[str, str], compression: str, lines: int) -> None:
    found, reports = read(**environ)
    assert (found.compression, len(reports)) == (compression, lines)


def test_the_protocol_is_http_unless_grpc_is_asked_for() -> None:
    assert read()[0].protocol == "http/protobuf"
    assert read(**{ALL + "PROTOCOL": "http/protobuf"})[1] == []
    assert read(**{ALL + "PROTOCOL": "http/json"})[1] == [
        f"{ALL}PROTOCOL: 'http/json' is not supported; http/protobuf is used"
    ]
    assert read(**{ALL + "PROTOCOL": "grpc"})[0].protocol == "grpc"
    assert read(**{ALL + "PROTOCOL": "grpc", OWN + "PROTOCOL": "http/protobuf"})[0].protocol == "http/protobuf"
    assert read(**{ALL + "PROTOCOL": "http/protobuf", OWN + "PROTOCOL": "grpc"})[0].protocol == "grpc"


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://localhost:4317"),
        ({ALL + "ENDPOINT": "http://collector:4317"}, "http://collector:4317"),
        ({ALL + "ENDPOINT": "https://collector:4317/v1/traces?a=b"}, "https://collector:4317"),
        ({ALL + "ENDPOINT": "https://collector"}, "https://collector:443"),
        ({ALL + "ENDPOINT": "collector:4317"}, "https://collector:4317"),
        ({ALL + "ENDPOINT": "collector:4317", ALL + "INSECURE": "TRUE"}, "http://collector:4317"),
        ({ALL + "ENDPOINT": "collector:4317", ALL + "INSECURE": "1"}, "https://collector:4317"),
        ({ALL + "ENDPOINT": "https://collector:4317", ALL + "INSECURE": "true"}, "https://collector:4317"),
        (
            {ALL + "ENDPOINT": "collector:4317", ALL + "INSECURE": "true", OWN + "INSECURE": "false"},
            "https://collector:4317",
        ),
        ({ALL + "ENDPOINT": "[::1]:4317"}, "https://[::1]:4317"),
        ({ALL + "ENDPOINT": "10.0.0.1:4317", OWN + "ENDPOINT": "http://other:1234"}, "http://other:1234"),
    ],
)
def test_an_endpoint_for_grpc_has_no_path_and_perhaps_no_scheme(environ: dict[str, str], url: str) -> None:
    found, reports = read(**{ALL + "PROTOCOL": "grpc"}, **environ)
    assert (found.endpoint.url, found.endpoint.path, reports) == (url, "", [])


@pytest.mark.parametrize("value", ["unix:///run/otel.sock", "http://", "a b:4317", "collector:port"])
def test_an_unusable_endpoint_for_grpc_is_named_and_the_default_used(value: str) -> None:
    found, reports = read(**{ALL + "PROTOCOL": "grpc", ALL + "ENDPOINT": value})
    assert found.endpoint.url == "http://localhost:4317"
    assert len(reports) == 1
    assert reports[0].startswith(f"{ALL}ENDPOINT: '{value}' is ignored: ")
    assert reports[0].endswith("it must look like http://localhost:4317")


def test_files_for_one_signal_come_first() -> None:
    found, _ = read(**{ALL + "CERTIFICATE": "/all", OWN + "CERTIFICATE": "/own", ALL + "CLIENT_KEY": "/key"})
    assert (found.certificate, found.client_key, found.client_certificate) == ("/own", "/key", None)


def given_headers(value: str, name: str = ALL + "HEADERS") -> tuple[dict[str, Any], list[str]]:
    found, reports = read(**{name: value})
    return {key: each for key, each in found.headers.items() if key not in ("content-type", "user-agent")}, reports


def test_headers_for_one_signal_replace_those_for_all() -> None:
    assert dict(read(**{OWN + "HEADERS": "a=1", ALL + "HEADERS": "b=2"})[0].headers)["a"] == "1"
    assert "b" not in read(**{OWN + "HEADERS": "a=1", ALL + "HEADERS": "b=2"})[0].headers


@pytest.mark.parametrize("value", ["a", "=b", "a b=c", "a=\tb\x00", "a=b%0d%0ac", "a=é", "a%0ab=c"])
def test_a_bad_header_costs_itself_and_nothing_of_it_is_reported(value: str) -> None:
    headers, reports = given_headers(f"first=1,{value},last=2")
    assert headers == {"first": "1", "last": "2"}
    assert reports == [f"{ALL}HEADERS: entry 2 is unusable and left out; it must look like name=url%20encoded"]


@hypothesis_settings(max_examples=examples(300), deadline=None, database=None)
@given(
    st.lists(
        st.tuples(
            st.text("abcXYZ019-_.", min_size=1, max_size=5),
            st.lists(st.sampled_from(["a", "Z", "9", " ", "%20", "%C3%BC", "%", "=", ":", "/", "+"])).map("".join),
        ).map("=".join),
        max_size=4,
    ).map(",".join)
)
def test_headers_are_read_as_officially(value: str) -> None:
    """Apart from a few characters (``;`` for instance) for which the official exporter leaves the header out."""
    logging.disable(logging.CRITICAL)
    try:
        official = parse_env_headers(value, liberal=True)
    finally:
        logging.disable(logging.NOTSET)
    assert given_headers(value)[0] == official
