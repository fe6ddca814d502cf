"""Serving requests with the Flask sample behind gunicorn, and what every such run must show."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.injection.conftest import StartApp
from tests.injection.expected import server_span
from tests.injection.harness import free_port, instance_id, request_all
from tests.normalise import normalised
from tests.receiver import Receiver

COMMAND = ("gunicorn", "--config", "gunicorn.conf.py", "shop:create_app()")
WORKERS = 4
ROUTES = {"/": "/", "/pid": "/pid", "/slow": "/slow", "/users/<int:id>": "/users/7"}
"""Routes and the path that is requested of each, in the order of the normalised spans."""
FORTY = [*ROUTES.values()] * 10


@dataclass(frozen=True)
class Served:
    """What serving some requests gave: the answers, the pids of the workers that served, the logs, the exit status."""

    port: int
    answers: list[tuple[int, str]]
    pids: set[int]
    stdout: str
    stderr: str
    status: int


def serve(
    start: StartApp,
    env: Mapping[str, str],
    paths: Sequence[str],
    *,
    command: Sequence[str] = COMMAND,
    headers: Mapping[str, str] | None = None,
) -> Served:
    """Start the app, send all requests at once when every worker is ready, stop it as the kubelet does."""
    port = free_port()
    app = start(command, "flask_app", {**env, "BIND": f"127.0.0.1:{port}"})
    app.wait_for_lines("Worker ready", WORKERS)
    answers = request_all(port, paths, headers=headers)
    status = app.stop()
    pids = {int(pid) for pid in re.findall(r"^<(\d+)> ", app.stdout, re.MULTILINE)}
    return Served(port, answers, pids, app.stdout, app.stderr, status)


def check_forty(receiver: Receiver, env: Mapping[str, str], served: Served) -> None:
    """The 40 requests gave 40 answers, 40 server spans and a duration metric that counts 40, from every worker."""
    assert [status for status, _ in served.answers] == [200] * 40
    routes = [route for route in ROUTES for _ in range(10)]
    assert normalised(receiver.spans, volatile={"net.peer.port"}) == [
        server_span(number, served.port, ROUTES[route], route) for number, route in enumerate(routes, 1)
    ]
    assert receiver.sum_count("http.server.duration") == 40
    assert {span.resource["service.name"] for span in receiver.spans} == {env["OTEL_SERVICE_NAME"]}
    check_identities(receiver, env, served.pids)


def check_identities(receiver: Receiver, env: Mapping[str, str], pids: set[int]) -> None:
    """Every worker that served is one process of its own: its true pid under an identity that no other has."""
    identities = {
        (span.resource.get("service.instance.id"), span.resource.get("process.pid")) for span in receiver.spans
    }
    assert len(pids) > 1
    assert {pid for _, pid in identities} == pids
    assert len({instance for instance, _ in identities}) == len(pids) == len(identities)
    assert all(str(instance).startswith(instance_id(env)) for instance, _ in identities)
