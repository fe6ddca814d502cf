"""Measures CPU and time per request of three servers of one app: without injection, and with each image, in turn."""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.figures import VARIANTS, Figure
from benchmarks.trees import Tree
from images.console import say
from images.errors import UserError

APPS = Path(__file__).resolve().parent / "apps"
_READY_SECONDS = 60.0
_EXPORT_SECONDS = 20.0
"""Longer than the SDK waits with its spans."""

COMMANDS = {
    "Flask": "-m gunicorn -k gthread -w 1 --threads 4 -b 127.0.0.1:{port} --keep-alive 600 flask_app:app",
    "FastAPI": "fastapi_app.py {port}",
}


@dataclass(frozen=True)
class Load:
    """How hard a server is asked: rounds of so many requests each, and before them some that do not count."""

    rounds: int
    requests: int
    warm_up: int = 600
    idle_seconds: float = 0.0
    """How long it is then watched doing nothing; 0: not at all."""


class Server:
    """A running server and one connection to it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self._request = f"GET /items/7 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: bench\r\n\r\n".encode()
        self._connection = self._connect(port)

    def ask(self) -> float:
        """Send one request and return the microseconds until its answer; UserError if that is not 200."""
        began = time.perf_counter()
        self._connection.sendall(self._request)
        answer = self._connection.recv(65536)
        while not answer.endswith(b"7"):
            more = self._connection.recv(65536)
            if not more:
                raise UserError(f"a measured server ended: {answer[:200]!r}")
            answer += more
        if not answer.startswith(b"HTTP/1.1 200"):
            raise UserError(f"a measured server answers: {answer[:200]!r}")
        return (time.perf_counter() - began) * 1e6

    def cpu(self) -> float:
        """Return the microseconds of CPU that the server and its workers have used, user and system."""
        return sum(_cpu(pid) for pid in _family(self._process.pid))

    def _connect(self, port: int) -> socket.socket:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise UserError(f"a server to measure ended with status {self._process.returncode}")
            with suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", port), timeout=30)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            time.sleep(0.05)
        raise UserError("a server to measure did not start")


def measure(
    framework: str,
    about: str,
    python: Path,
    trees: Mapping[str, Tree | None],
    endpoint: str,
    load: Load,
    more: Mapping[str, str],
    goal: float | None = None,
) -> Iterator[Figure]:
    """Yield CPU, p50 and p99 per request (us), and where asked for the CPU of a minute without requests (ms).

    Raises UserError if expected spans do not arrive: the figures would not be those of a working export.
    """
    service = str(time.monotonic_ns())
    names = (f"CPU per request, {about}", f"p50, {about}", f"p99, {about}")
    figures = tuple(Figure(name, "us", goal if name == names[0] else None) for name in names)
    with ExitStack() as stack:
        servers = {
            variant: stack.enter_context(
                _serve(
                    framework, python, environment(python, trees[variant], f"{endpoint}/{service}{variant}", more, APPS)
                )
            )
            for variant in VARIANTS
        }
        for server in servers.values():
            for _ in range(load.warm_up):
                server.ask()
        for _ in range(load.rounds):
            for variant, server in servers.items():
                before = server.cpu()
                taken = sorted(server.ask() for _ in range(load.requests))
                spent = (server.cpu() - before) / load.requests
                values = (spent, statistics.median(taken), taken[int(len(taken) * 0.99)])
                for figure, value in zip(figures, values, strict=True):
                    figure.samples[variant].append(value)
        if more.get("OTEL_TRACES_SAMPLER_ARG") != "0" and endpoint in _collectors:
            _require_spans(figures, endpoint, service, about)
        yield from figures
        if load.idle_seconds:
            idle = Figure(f"CPU of an idle minute, {about}", "ms")
            before_idle = {variant: server.cpu() for variant, server in servers.items()}
            time.sleep(load.idle_seconds)
            for variant, server in servers.items():
                used = (server.cpu() - before_idle[variant]) / 1000
                idle.samples[variant].append(used * 60 / load.idle_seconds)
            yield idle


_collectors: set[str] = set()


def _require_spans(figures: Iterable[Figure], endpoint: str, service: str, about: str) -> None:
    """Discard the figures of upstream's image if it has exported nothing; raise UserError if ours has not."""
    for variant in VARIANTS[1:]:
        if _has_spans(endpoint, f"/{service}{variant}/v1/traces"):
            continue
        problem = f"{about}: {variant}: no span has reached the collector, so that its figures say nothing"
        if variant == "ours":
            raise UserError(problem)
        say(problem)
        for figure in figures:
            figure.samples[variant].clear()


def _has_spans(endpoint: str, path: str) -> bool:
    deadline = time.monotonic() + _EXPORT_SECONDS
    while time.monotonic() < deadline:
        with urllib.request.urlopen(endpoint, timeout=10) as answer:  # noqa: S310 - the collector's
            if json.load(answer).get(path):
                return True
        time.sleep(0.2)
    return False


@contextmanager
def _serve(framework: str, python: Path, env: Mapping[str, str]) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(python), *COMMANDS[framework].format(port=port).split()]
    process = subprocess.Popen(
        command, cwd=APPS, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield Server(process, port)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def collector() -> Iterator[str]:
    """Run a collector that takes everything; yields its address."""
    running = subprocess.Popen([sys.executable, "-m", "benchmarks.sink"], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        endpoint = f"http://127.0.0.1:{int(running.stdout.readline())}"
        _collectors.add(endpoint)
        yield endpoint
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


def _family(pid: int) -> Iterator[int]:
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            yield from _family(int(child))


def _cpu(pid: int) -> float:
    """Add up the threads' time on a CPU: to the nanosecond, where utime and stime count in hundredths of a second."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # the thread has just ended
            total += int(path.read_text().split()[0])
    return total / 1000
