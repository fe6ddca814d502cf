"""Runs real servers with an app injected, asks them for pages, and ends them; what every such run must show."""

from __future__ import annotations

import http.client
import itertools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.injection.harness import App, container_env, free_port, instance_id, operator_env
from tests.receiver import Receiver

APPS = Path(__file__).parents[1] / "apps" / "servers"
CLIENTS = 8


@dataclass(frozen=True)
class Row:
    """A server and how it is treated.

    ``command`` may hold ``{port}``. ``requests`` are made by several clients, and ``end`` is what the process gets when
    ``after`` of them have been answered (all of them by default). ``meanwhile`` is called before, with the server.
    """

    name: str
    command: str
    requests: int = 400
    after: int = 200
    end: str = "SIGTERM"
    status: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    meanwhile: Callable[[Server], None] | None = None


@dataclass
class Server:
    """A server that is running, and afterwards what came of it: the numbers of the requests that were answered."""

    app: App
    port: int
    env: Mapping[str, str]
    receiver: Receiver
    answered: set[int] = field(default_factory=set)
    pids: set[int] = field(default_factory=set)
    status: int | None = None
    successors: list[int] = field(default_factory=list)
    """Processes that outlive the first one and are ended after it."""

    def get(self, number: int) -> bool:
        """Ask for a page; False unless the whole answer came and is the app's."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", f"/{number}")
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        if response.status == 200:
            self.answered.add(number)
            self.pids.add(int(body))
        return response.status == 200

    def wait_until_up(self, timeout: float = 30.0) -> None:
        """Ask for one page after another until one comes: a busy one may have seen what it left unanswered."""
        deadline = time.monotonic() + timeout
        numbers = itertools.count()
        while not self.get(next(numbers)):
            if self.app.process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"the server does not answer:\n{self.app.stdout}{self.app.stderr}")
            time.sleep(0.05)

    def get_all(self, numbers: Sequence[int], clients: int = CLIENTS) -> None:
        """Ask for all these pages, several at a time."""
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(self.get, numbers))


def hourly() -> dict[str, str]:
    """Return the settings with which only a flush can deliver, on a machine however busy."""
    names = ("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_METRIC_EXPORT_INTERVAL")
    return {**dict.fromkeys(names, "3600000"), "OTEL_INJECTION_EXIT_TIMEOUT": "20"}


def environment(venv: Path, mount: Path, receiver: Receiver, folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a server's container."""
    injected = operator_env(mount, service="shop", endpoint=receiver.endpoint)
    return {**container_env(venv, folder), "PYTHONUNBUFFERED": "1", **injected, **hourly(), **more}


def run(row: Row, venv: Path, mount: Path, receiver: Receiver, folder: Path) -> Server:
    """Run a row to its end."""
    port = free_port()
    env = environment(venv, mount, receiver, folder, **row.env)
    command = [each.format(port=port) for each in row.command.split()]
    with App(command, cwd=APPS, env=env, logs=folder / "output") as app:
        server = Server(app, port, env, receiver)
        server.wait_until_up()
        if row.meanwhile is not None:
            row.meanwhile(server)
        asking = threading.Thread(target=server.get_all, args=(range(1000, 1000 + row.requests),))
        asking.start()
        while len([each for each in server.answered.copy() if each >= 1000]) < min(row.after, row.requests):
            if not asking.is_alive():
                break
            time.sleep(0.001)
        os.kill(app.process.pid, getattr(signal, row.end))
        asking.join()
        server.status = app.wait(90)
        for pid in server.successors:
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in server.successors))
    return server


def wait_until(condition: Callable[[], object], timeout: float = 30.0) -> None:
    """Return when a condition is true."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


def check(row: Row, server: Server) -> None:
    """Every request that was answered has its server span, once; metric and log records say the same."""
    receiver, said = server.receiver, f"{server.app.stdout}{server.app.stderr}"
    assert server.status == row.status, said
    assert "otel-injection: " not in said
    numbers = Counter(number(span.attributes) for span in receiver.spans if span.kind == "server")
    assert server.answered - set(numbers) == set(), "answered, but no span"
    assert {each for each, times in numbers.items() if times > 1} == set(), "more than one span"
    assert len(set(numbers) - server.answered) <= CLIENTS, "spans of requests that were not answered"
    assert receiver.sum_count("http.server.duration") == len(numbers)
    served = Counter(str(log.body) for log in receiver.logs if str(log.body).startswith("served "))
    assert {f"served {each}" for each in server.answered} <= set(served)
    assert set(served.values()) <= {1}
    check_identities(server)


def number(attributes: Mapping[str, object]) -> int:
    """Return the number of the page that a span is about."""
    return int(str(attributes["http.target"]).removeprefix("/"))


def check_identities(server: Server) -> None:
    """No identity belongs to two processes at a time, and the operator's is that of a process that serves."""
    lives: dict[str, dict[object, list[int]]] = {}
    for span in server.receiver.spans:
        if span.kind == "server":
            instance, pid = str(span.resource["service.instance.id"]), span.resource["process.pid"]
            lives.setdefault(instance, {}).setdefault(pid, []).extend((span.start, span.end))
    assert {pid for pids in lives.values() for pid in pids} >= server.pids
    given = instance_id(server.env)
    assert given in server.receiver.instances
    assert all(instance.removeprefix(given).lstrip("-").isdigit() for instance in lives if instance != given)
    for pids in lives.values():
        spells = sorted((min(moments), max(moments)) for moments in pids.values())
        assert all(end < begin for (_, end), (begin, _) in itertools.pairwise(spells))
    for pid in server.pids:
        assert sum(pid in pids for pids in lives.values()) == 1


def tree(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: list[str] = []
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in tree(int(child)))]


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def connections(pid: int) -> int:
    """Return how many connections over TCP a process holds open; a socket that listens is none."""
    held = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            held.add(str(each.readlink()))
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return sum(fields[3] != "0A" and f"socket:[{fields[9]}]" in held for fields in lines)
