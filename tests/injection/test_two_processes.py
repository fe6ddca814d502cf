"""A shell entrypoint with two Python processes, injected; one spawns a third and fails its own health check."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.injection.conftest import StartApp
from tests.injection.expected import client_span
from tests.injection.harness import Dependency, comparable, instance_id, operator_env
from tests.normalise import normalised
from tests.receiver import Receiver

pytestmark = pytest.mark.every_python

UNHEALTHY = 3
"""The exit status of the worker, and so of the container, when its health check fails."""


def queue_service() -> Dependency:
    """Return the service that both processes call; the second health check fails, once both are at work."""
    feeding = threading.Event()
    health = iter([(200, "yes"), (503, "no")])

    def answer_orders() -> tuple[int, object]:
        feeding.set()
        return 200, [7]

    def answer_health() -> tuple[int, object]:
        status, text = next(health)
        assert status == 200 or feeding.wait(30)
        return status, text

    return Dependency({"GET /orders": answer_orders, "POST /orders/7/ship": (202, None), "GET /health": answer_health})


def test_telemetry_arrives_from_every_process_although_the_app_fails(
    start: StartApp, mount: Path, receiver: Receiver
) -> None:
    """Three processes, three identities, each call seen once; the exit status is the app's own."""
    with queue_service() as queue:
        targets = {"QUEUE_URL": queue.url, "HEALTH_URL": f"{queue.url}/health"}
        plain = start(["./entrypoint.sh"], "two_processes", targets)
        assert plain.wait() == UNHEALTHY

    env = operator_env(mount, service="orders", endpoint=receiver.endpoint)
    with queue_service() as queue:
        targets = {"QUEUE_URL": queue.url, "HEALTH_URL": f"{queue.url}/health"}
        injected = start(["./entrypoint.sh"], "two_processes", {**env, **targets})
        assert injected.wait() == UNHEALTHY

    assert normalised(receiver.spans, volatile={"user_agent.original"}, replace={queue.url: "URL"}) == [
        client_span(1, "httpx", "GET", "URL/health", 200),
        client_span(2, "requests", "GET", "URL/orders", 200),
        client_span(3, "httpx", "GET", "URL/health", 503),
        client_span(4, "httpx", "POST", "URL/orders/7/ship", 202),
    ]
    assert {call.context for call in queue.calls} == {(span.trace_id, span.span_id, True) for span in receiver.spans}
    processes = {(span.resource["service.instance.id"], span.resource["process.pid"]) for span in receiver.spans}
    assert len(processes) == len({pid for _, pid in processes}) == len({instance for instance, _ in processes}) == 3
    assert all(instance.startswith(instance_id(env)) for instance, _ in processes)
    assert receiver.instances == {instance for instance, _ in processes}
    assert comparable(injected.stdout) == comparable(plain.stdout)
    assert comparable(injected.stderr, mount) == comparable(plain.stderr)
