"""Gunicorn whose workers are replaced all the time, for minutes: nothing is lost, nothing grows.

Run by ``nox -s soak -- [MINUTES]``; prints the figures and ends with status 1 if one of them is wrong.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from images.paths import TREE
from tests.injection import pythons
from tests.injection.harness import App, container_env, free_port, operator_env
from tests.injection.servers import APPS, CLIENTS, Server, number, tree, wait_until
from tests.receiver import Receiver

COMMAND = "gunicorn --no-control-socket -b 127.0.0.1:{port} -w 4 --preload --max-requests 50 wsgi:app"
SETTLED = 20.0
"""Seconds after which the master's memory is first looked at."""
BIRTHS = 200
"""Workers that are born in a minute; on a machine that is too busy for them the minutes are long ones."""
GROWTH = 2.0
"""MiB by which the master may be larger at the end: what its allocator may not have had at the beginning."""


@dataclass
class Seen:
    """What came of it so far."""

    spans: Counter[int] = field(default_factory=Counter)
    pids: set[object] = field(default_factory=set)
    instances: set[object] = field(default_factory=set)
    durations: dict[str, int] = field(default_factory=dict)
    alive: int = 0
    zombies: set[int] = field(default_factory=set)
    lasting_zombies: set[int] = field(default_factory=set)

    def take(self, receiver: Receiver) -> None:
        """Count what has arrived, and forget it."""
        spans, points, logs = receiver.take()
        for resource in [
            *(span.resource for span in spans),
            *(point.resource for point in points),
            *(log.resource for log in logs),
        ]:
            self.instances.add(resource["service.instance.id"])
            self.pids.add(resource["process.pid"])
        self.spans.update(number(span.attributes) for span in spans if span.kind == "server")
        for point in points:
            if point.name == "http.server.duration":
                key = repr((point.resource["service.instance.id"], point.start, sorted(point.attributes.items())))
                self.durations[key] = max(point.count or 0, self.durations.get(key, 0))

    def look(self, master: int) -> None:
        """Count the processes; a zombie that is there twice is one that nobody fetches."""
        processes = tree(master)
        self.alive = max(self.alive, len(processes))
        zombies = {pid for pid in processes if _state(pid) == "Z"}
        self.lasting_zombies |= zombies & self.zombies
        self.zombies = zombies


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return ""


def _memory(pid: int) -> float:
    """Return the MiB that a process alone has in memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_", "Shared_"))) / 1024


def _files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def main() -> int:
    """Run for as many minutes as the argument says, 10 by default."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    venv = pythons.apps_environment(pythons.find()[-1], "servers")
    with tempfile.TemporaryDirectory() as name, Receiver() as receiver:
        folder = Path(name)
        mount = folder / "otel-auto-instrumentation-python"
        mount.mkdir()
        subprocess.run(["cp", "-r", f"{os.environ.get('OTEL_TEST_TREE') or TREE}/.", mount], check=True)
        port = free_port()
        env = {**container_env(venv, folder), **operator_env(mount, service="shop", endpoint=receiver.endpoint)}
        env["OTEL_INJECTION_EXIT_TIMEOUT"] = "20"  # on a machine however busy
        command = COMMAND.format(port=port).split()
        with App(command, cwd=APPS, env=env, logs=folder / "output") as app:
            server = Server(app, port, env, receiver)
            return _soak(server, minutes)


def _soak(server: Server, minutes: float) -> int:
    server.wait_until_up()
    seen, master = Seen(), server.app.process.pid
    numbers = itertools.count(1000)  # above those that were asked for while it started
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            server.get(next(numbers))

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    first: tuple[float, int] | None = None
    begun = time.monotonic()
    for turn in itertools.count():
        if turn % 20 == 0:
            seen.take(server.receiver)
            seen.look(master)
        seen.alive = max(seen.alive, len(tree(master)))
        if first is None and time.monotonic() > begun + min(SETTLED, 30 * minutes):
            first = (_memory(master), _files(master))
        lasted = (time.monotonic() - begun) / 60
        if (lasted > minutes and len(seen.pids) > BIRTHS * minutes) or lasted > 4 * minutes:
            break
        time.sleep(0.05)
    enough.set()
    for each in clients:
        each.join()
    time.sleep(2)  # the last worker to be replaced
    last = (_memory(master), _files(master))
    status = server.app.stop(60)
    wait_until(lambda: not Path(f"/proc/{master}").exists())
    seen.take(server.receiver)
    assert first is not None
    births = len(seen.pids - {master})
    lost = len(server.answered - set(seen.spans))
    twice = sum(times > 1 for times in seen.spans.values())
    figures = [
        ("minutes", f"{lasted:.1f}", True),
        ("workers born", births, births >= BIRTHS * minutes),
        ("requests answered", len(server.answered), True),
        ("of these without a span", lost, lost == 0),
        ("spans that came twice", twice, twice == 0),
        ("requests by the metric", sum(seen.durations.values()), sum(seen.durations.values()) == len(seen.spans)),
        ("spans of requests", len(seen.spans), len(seen.spans) - len(server.answered) <= CLIENTS),
        ("master's memory, MiB, early and late", f"{first[0]:.1f} {last[0]:.1f}", last[0] < first[0] + GROWTH),
        ("master's open files, early and late", f"{first[1]} {last[1]}", last[1] <= first[1]),
        ("processes at a time, at most", seen.alive, True),
        ("identities in all", len(seen.instances), len(seen.instances) <= seen.alive),
        ("zombies", len(seen.lasting_zombies), not seen.lasting_zombies),
        ("exit status", status, status == 0),
        ("lines of ours", server.app.stderr.count("otel-injection: "), "otel-injection: " not in server.app.stderr),
    ]
    for name, value, right in figures:
        print(f"{name:40} {value!s:>12}{'' if right else '   WRONG'}")
    return int(not all(right for _, _, right in figures))


if __name__ == "__main__":
    sys.exit(main())
