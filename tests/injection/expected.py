"""Spans as they are expected, in the form of tests.normalise, under the conventions that are upstream's default."""

from __future__ import annotations

from typing import Any


def server_span(number: int, port: int, target: str, route: str | None, status: int = 200) -> dict[str, Any]:
    """Return the span that a request to the app gives, as the root of a trace of its own."""
    attributes = {
        "http.flavor": "1.1",
        "http.host": f"127.0.0.1:{port}",
        "http.method": "GET",
        **({"http.route": route} if route else {}),
        "http.scheme": "http",
        "http.server_name": "127.0.0.1",
        "http.status_code": status,
        "http.target": target,
        "http.user_agent": "test",
        "net.host.name": f"127.0.0.1:{port}",
        "net.host.port": port,
        "net.peer.ip": "127.0.0.1",
        "net.peer.port": "*",
    }
    return {
        "trace": number,
        "id": number,
        "parent": None,
        "name": f"GET {route or target}",
        "kind": "server",
        "scope": "opentelemetry.instrumentation.flask",
        "status": "error" if status >= 500 else "unset",
        "attributes": attributes,
    }


def client_span(number: int, library: str, method: str, url: str, status: int) -> dict[str, Any]:
    """Return the span that a call of an app gives, as the root of a trace of its own."""
    attributes = {
        "http.method": method,
        "http.status_code": status,
        "http.url": url,
        **({"user_agent.original": "*"} if library == "requests" else {}),
    }
    return {
        "trace": number,
        "id": number,
        "parent": None,
        "name": method,
        "kind": "client",
        "scope": f"opentelemetry.instrumentation.{library}",
        "status": "error" if status >= 400 else "unset",
        "attributes": attributes,
    }


def exception_event(kind: str, message: str) -> tuple[str, dict[str, Any]]:
    """Return the event of an exception that left a span."""
    return "exception", {
        "exception.escaped": "False",
        "exception.message": message,
        "exception.stacktrace": "*",
        "exception.type": kind,
    }
