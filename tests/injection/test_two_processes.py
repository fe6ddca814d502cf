"""A shell entrypoint with two Python processes, injected; one spawns a third and fails its own health check."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.injection.conftest import StartApp
from tests.injection.expected import client_span
from tests.injection.harness import Dependency, comparable, instance_id, operator_env
from tests.normalise import normalised
from tests.receiver import Receiver

UNHEALTHY = 3
"""The exit status of the worker, and so of the container, when its health check fails."""


@pytest.fixture
def queue() -> Iterator[Dependency]:
    """The service that both processes call; the health check is answered once both are at work, and badly."""
    feeding = threading.Event()

    def orders() -> tuple[int, object]:
        feeding.set()
        return 200, [7]

    def health() -> tuple[int, object]:
        assert feeding.wait(30)
        feeding.clear()
        return 503, "no"

    with Dependency({"GET /orders": orders, "POST /orders/7/ship": (202, None), "GET /health": health}) as dependency:
        yield dependency


def test_telemetry_arrives_from_every_process_although_the_app_fails(
    start: StartApp, mount: Path, receiver: Receiver, queue: Dependency
) -> None:
    """Three processes, three identities, each call seen once; the exit status is the app's own."""
    targets = {"QUEUE_URL": queue.url, "HEALTH_URL": f"{queue.url}/health"}
    plain = start(["./entrypoint.sh"], "two_processes", targets)
    assert plain.wait() == UNHEALTHY
    queue.calls.clear()

    env = operator_env(mount, service="orders", endpoint=receiver.endpoint)
    injected = start(["./entrypoint.sh"], "two_processes", {**env, **targets})
    assert injected.wait() == UNHEALTHY

    assert normalised(receiver.spans, volatile={"user_agent.original"}, replace={queue.url: "URL"}) == [
        client_span(1, "requests", "GET", "URL/orders", 200),
        client_span(2, "httpx", "GET", "URL/health", 503),
        client_span(3, "httpx", "POST", "URL/orders/7/ship", 202),
    ]
    assert {call.context for call in queue.calls} == {(span.trace_id, span.span_id, True) for span in receiver.spans}
    assert len({span.resource["process.pid"] for span in receiver.spans}) == 3
    instances = {span.resource["service.instance.id"] for span in receiver.spans}
    assert len(instances) == 3
    assert all(instance.startswith(instance_id(env)) for instance in instances)
    assert receiver.instances == instances
    assert comparable(injected.stdout) == comparable(plain.stdout)
    assert comparable(injected.stderr, mount) == comparable(plain.stderr)
