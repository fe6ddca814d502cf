"""The proxy that the environment asks for, read as the ``requests`` package reads it."""

from __future__ import annotations

import os
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from otel_injection.otlp.exporter_settings import Endpoint, UnusableError


class Proxy(NamedTuple):
    """An HTTP proxy, with the ``Proxy-Authorization`` it wants."""

    host: str
    port: int
    authorization: str | None


def find(endpoint: Endpoint) -> Proxy | None:
    """Return the proxy for an endpoint, if ``http_proxy``, ``https_proxy`` or ``all_proxy`` names one.

    Addresses of this machine, which no proxy can reach, and what ``no_proxy`` lists are spoken to directly.

    :raises UnusableError: the proxy is of a kind that is not supported.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None  # the modules below are large
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    url = proxies.get(endpoint.scheme) or proxies.get("all")
    if not url or _is_loopback(endpoint.host) or _is_listed(endpoint.host, proxies.get("no", "")):
        return None
    if proxy_bypass(endpoint.host) or proxy_bypass(f"{endpoint.host}:{endpoint.port}"):
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or 80
    except ValueError as error:
        raise UnusableError(f"the proxy's address cannot be used ({error}); change {endpoint.scheme}_proxy") from None
    if parts.scheme != "http" or not parts.hostname:
        raise UnusableError(f"a proxy of the kind '{parts.scheme}' is not supported; change {endpoint.scheme}_proxy")
    authorization = None
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + b64encode(secret.encode()).decode()
    return Proxy(parts.hostname, port, authorization)


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _is_listed(host: str, no_proxy: str) -> bool:
    """Return whether an address is in one of the networks (``10.0.0.0/8``) in ``no_proxy``."""
    from contextlib import suppress
    from ipaddress import ip_address, ip_network

    try:
        address = ip_address(host)
    except ValueError:
        return False
    for entry in filter(None, (each.strip() for each in no_proxy.split(","))):
        with suppress(ValueError):  # a name
            if address in ip_network(entry, strict=False):
                return True
    return False
