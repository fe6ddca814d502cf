"""The exporters' settings: ``OTEL_EXPORTER_OTLP_*``, each also for one signal, which comes first.

See https://opentelemetry.io/docs/specs/otel/protocol/exporter/. An unusable value costs only itself: one line names the
variable and the value, and the next in the order of precedence, or the default, is used.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from opentelemetry.sdk.version import __version__

from otel_injection.settings.table import default

Report = Callable[[str], object]
"""Takes one line for people: what happened, and what to do."""

_PROTOCOLS = ("http/protobuf", "grpc")
_DEFAULT_ENDPOINTS = {"http/protobuf": default("OTEL_EXPORTER_OTLP_ENDPOINT"), "grpc": "http://localhost:4317"}
_DEFAULT_PROTOCOL = default("OTEL_EXPORTER_OTLP_PROTOCOL")
_DEFAULT_TIMEOUT = float(default("OTEL_EXPORTER_OTLP_TIMEOUT"))
_LONG = 1e9
"""Seconds that mean "no limit"."""
_DEFAULT_COMPRESSION = default("OTEL_EXPORTER_OTLP_COMPRESSION")
_COMPRESSIONS = ("gzip", "deflate", "none")

_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ENCODED_VALUE = re.compile(r"[\x21-\x7e]*")
_LIBERAL_VALUE = re.compile(r"[\x20-\x7e]*")
"""A value that may hold spaces, as in ``Authorization=Bearer abc``: taken as it is, as SDKs of other languages do."""


class UnusableError(Exception):
    """Settings with which no attempt can succeed. The text is for people."""


class Endpoint(NamedTuple):
    """Where a signal is sent to. ``url`` is for people: a password in it is left out."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    authorization: str | None

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Settings(NamedTuple):
    """What an exporter of one signal needs to know. ``timeout`` is in seconds and holds for all attempts together."""

    signal: str
    protocol: str
    endpoint: Endpoint
    headers: Mapping[str, str]
    timeout: float
    compression: str
    certificate: str | None
    client_key: str | None
    client_certificate: str | None


def read(signal: str, report: Report, environ: Mapping[str, str] = os.environ, protocol: str | None = None) -> Settings:
    """Return the settings of ``traces``, ``metrics`` or ``logs``; ``protocol`` overrides the environment's."""

    def given(name: str) -> Iterator[tuple[str, str]]:
        for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
            value = environ.get(variable, "").strip()
            if value:
                yield variable, value

    def first(name: str) -> str | None:
        return next((value for _, value in given(name)), None)

    protocol = protocol or _protocol(given("PROTOCOL"), report)
    scheme = "http" if (first("INSECURE") or "").lower() == "true" else "https"
    endpoint = _endpoint(signal, protocol, scheme, given("ENDPOINT"), report)
    headers = {**own_headers(), **_headers(given("HEADERS"), report)}
    if endpoint.authorization:
        headers["authorization"] = endpoint.authorization
    return Settings(
        signal,
        protocol,
        endpoint,
        headers,
        _timeout(given("TIMEOUT"), report),
        _compression(given("COMPRESSION"), report),
        first("CERTIFICATE"),
        first("CLIENT_KEY"),
        first("CLIENT_CERTIFICATE"),
    )


def given(
    signal: str,
    protocol: str,
    *,
    endpoint: str | None,
    insecure: bool,
    headers: Mapping[str, str],
    timeout: float | None,
    compression: str | None,
    certificate: str | None,
    client_key: str | None,
    client_certificate: str | None,
) -> Settings:
    """Return the settings that a configuration file gives; raises ValueError for those that are unusable.

    ``timeout`` is in milliseconds, 0 for none. An endpoint for HTTP is used as it is.
    """
    url = endpoint or _DEFAULT_ENDPOINTS[protocol] + ("" if protocol == "grpc" else f"/v1/{signal}")
    if protocol == "grpc" and "://" not in url:
        url = f"{'http' if insecure else 'https'}://{url}"
    try:
        place = parse(url)
    except ValueError as error:
        raise ValueError(f"endpoint '{_shown(url)}' is unusable: {error}") from None
    if protocol == "grpc":
        place = place._replace(url=f"{place.scheme}://{place.authority}", path="")
    if (compression or "none").lower() not in _COMPRESSIONS:
        raise ValueError(f"compression '{compression}' is unknown; it can be gzip, deflate or none")
    all_headers = {**own_headers(), **headers}
    if place.authorization:
        all_headers["authorization"] = place.authorization
    seconds = _DEFAULT_TIMEOUT if timeout is None else timeout / 1000 or _LONG
    compression = (compression or _DEFAULT_COMPRESSION).lower()
    return Settings(
        signal, protocol, place, all_headers, seconds, compression, certificate, client_key, client_certificate
    )


def header(name: str, value: str) -> tuple[str, str]:
    """Return a header as it is sent; raises ValueError, which does not show the value, for one that cannot be sent."""
    if not _HEADER_NAME.fullmatch(name) or not re.fullmatch(r"[\x09\x20-\x7e]*", value):
        raise ValueError("a header holds characters that headers cannot have")
    return name.lower(), value.strip()


def headers(text: str) -> dict[str, str]:
    """Return the headers in a list ``name=value,...``; raises ValueError."""
    problems: list[str] = []
    found = _headers(iter([("headers_list", text)]), problems.append)
    if problems:
        raise ValueError(problems[0].replace(" and left out", ""))
    return found


def own_headers() -> dict[str, str]:
    """Return the headers that every request has, whatever the settings say."""
    return {
        "content-type": "application/x-protobuf",
        "user-agent": f"OTel-OTLP-Exporter-Python/{__version__}",
    }


def _endpoint(signal: str, protocol: str, scheme: str, given: Iterator[tuple[str, str]], report: Report) -> Endpoint:
    """Return where to send to; ``scheme`` is for an endpoint of gRPC that has none."""

    def read(value: str, own: bool) -> Endpoint:
        if protocol == "grpc":
            endpoint = parse(value if "://" in value else f"{scheme}://{value}")
            return endpoint._replace(url=f"{endpoint.scheme}://{endpoint.authority}", path="")
        # A signal's own endpoint is used as it is; to the one for all signals their paths are added.
        endpoint = parse(value)
        return endpoint if own else parse(f"{value.removesuffix('/')}/v1/{signal}")

    usual = _DEFAULT_ENDPOINTS[protocol]
    for variable, value in given:
        own = variable != "OTEL_EXPORTER_OTLP_ENDPOINT"
        try:
            return read(value, own)
        except ValueError as error:
            report(f"{variable}: '{_shown(value)}' is ignored: {error}; it must look like {usual}")
    return read(usual, own=False)


def _protocol(given: Iterator[tuple[str, str]], report: Report) -> str:
    for variable, value in given:
        if value.lower() in _PROTOCOLS:
            return value.lower()
        report(f"{variable}: '{value}' is not supported; {_DEFAULT_PROTOCOL} is used")
        break
    return _DEFAULT_PROTOCOL


def parse(url: str) -> Endpoint:
    """Return what a URL says; ValueError, in words for people, if it is none that can be used."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("it does not begin with http:// or https://")
    if not parts.hostname:
        raise ValueError("there is no host in it")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if re.search(r"[^\x21-\x7e]", path + parts.hostname):
        raise ValueError("there is a space or a letter in it that URLs cannot have")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    authorization = None
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + b64encode(secret.encode()).decode()
    return Endpoint(_shown(url), parts.scheme, parts.hostname, port, path, authorization)


def _shown(url: str) -> str:
    """Return a URL without the password that may be in it."""
    return re.sub(r"//[^/]*@", "//", url)


def _headers(given: Iterator[tuple[str, str]], report: Report) -> dict[str, str]:
    headers: dict[str, str] = {}
    for variable, value in given:
        for position, item in enumerate(filter(None, map(str.strip, value.split(","))), start=1):
            name, separator, content = (part.strip() for part in item.partition("="))
            name = unquote(name).strip().lower()
            if _ENCODED_VALUE.fullmatch(content):
                content = unquote(content).strip()
            elif not _LIBERAL_VALUE.fullmatch(content):
                separator = ""
            if separator and _HEADER_NAME.fullmatch(name) and not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", content):
                headers[name] = content
            else:  # any part of it may be a secret
                report(f"{variable}: entry {position} is unusable and left out; it must look like name=url%20encoded")
        break  # the headers for one signal replace those for all
    return headers


def _timeout(given: Iterator[tuple[str, str]], report: Report) -> float:
    for variable, value in given:
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if 0 < seconds < 1e9:
            return seconds
        report(f"{variable}: '{value}' is not a number of seconds above 0 and ignored")
    return _DEFAULT_TIMEOUT


def _compression(given: Iterator[tuple[str, str]], report: Report) -> str:
    for variable, value in given:
        if value.lower() in _COMPRESSIONS:
            return value.lower()
        report(f"{variable}: '{value}' is unknown and ignored; it can be gzip, deflate or none")
    return _DEFAULT_COMPRESSION
