"""Real app processes, started as the operator has them started, and what they call and print."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from images.paths import cache

NAMESPACE = "shop"
NODE = "node-1"
_PORTS = range(12000, 32000)


def operator_env(
    mount: Path | str, *, service: str, endpoint: str, app_pythonpath: str | None = None, pod: str | None = None
) -> dict[str, str]:
    """Return what the operator's webhook adds to the environment of a container named ``app``.

    ``mount`` is where the injected tree lies, ``app_pythonpath`` the container's own literal ``PYTHONPATH``. ``pod`` is
    the pod's name; by default a new one, since two pods never share one. Names and order of precedence as in the
    operator's internal/instrumentation/python.go and sdk.go; propagators, sampler, attributes and excluded URLs
    as in deploy/instrumentation.yaml.
    """
    pod = pod or f"{service}-7c9d5b9f4-{secrets.token_hex(3)}"
    resource = {
        "deployment.environment.name": "production",
        "k8s.container.name": "app",
        "k8s.deployment.name": service,
        "k8s.namespace.name": NAMESPACE,
        "k8s.node.name": NODE,
        "k8s.pod.name": pod,
        "k8s.replicaset.name": f"{service}-7c9d5b9f4",
        "service.instance.id": f"{NAMESPACE}.{pod}.app",
        "service.namespace": NAMESPACE,
        "service.version": "1.0",
    }
    paths = [f"{mount}/opentelemetry/instrumentation/auto_instrumentation", app_pythonpath, str(mount)]
    return {
        "OTEL_NODE_IP": "127.0.0.1",
        "OTEL_POD_IP": "127.0.0.1",
        "PYTHONPATH": ":".join(path for path in paths if path is not None),
        "OTEL_PYTHON_EXCLUDED_URLS": "/healthz$,/livez$,/readyz$",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_RESOURCE_ATTRIBUTES_POD_NAME": pod,
        "OTEL_RESOURCE_ATTRIBUTES_NODE_NAME": NODE,
        "OTEL_PROPAGATORS": "tracecontext,baggage",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "1",
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(f"{key}={value}" for key, value in sorted(resource.items())),
    }


def instance_id(env: Mapping[str, str]) -> str:
    """Return the ``service.instance.id`` that the operator gave to a container."""
    attributes = dict(pair.split("=", 1) for pair in env["OTEL_RESOURCE_ATTRIBUTES"].split(","))
    return attributes["service.instance.id"]


def container_env(venv: Path, home: Path) -> dict[str, str]:
    """Return the environment of an app's container before anything is injected: nothing of this process's own."""
    return {"PATH": f"{venv}/bin:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that no other process of the tests is given.

    Below those that the kernel gives out by itself; a counter that all processes share goes round.
    """
    counter = cache("ports") / "next"
    with counter.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        port = int(file.read() or _PORTS[0])
        while True:
            port = port + 1 if port + 1 < _PORTS.stop else _PORTS[0]
            with socket.socket() as server, suppress(OSError):
                server.bind(("127.0.0.1", port))
                break
        file.truncate(0)
        file.write(str(port))
    return port


class App:
    """A process and everything that it starts, in a process group of its own; output goes to files in ``logs``.

    Use it as a context manager: what still runs when it is left is killed.
    """

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], logs: Path) -> None:
        self._files = {"stdout": logs / "stdout", "stderr": logs / "stderr"}
        logs.mkdir(parents=True)
        with self._files["stdout"].open("wb") as out, self._files["stderr"].open("wb") as err:
            self.process = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )

    def __enter__(self) -> App:  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def stdout(self) -> str:
        """What it printed so far."""
        return self._files["stdout"].read_text()

    @property
    def stderr(self) -> str:
        """What it complained about so far."""
        return self._files["stderr"].read_text()

    def wait(self, timeout: float = 30.0) -> int:
        """Wait for its end and return its exit status, negative for the number of a signal."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"still running after {timeout} s; it printed:\n{self.stdout}{self.stderr}") from None

    def stop(self, timeout: float = 30.0) -> int:
        """End it as the kubelet does, by SIGTERM to its first process, and return its exit status."""
        self.process.terminate()
        return self.wait(timeout)

    def wait_for_lines(self, text: str, times: int, timeout: float = 30.0) -> None:
        """Return when a text has been written to stderr so many times, for example once by each worker."""
        deadline = time.monotonic() + timeout
        while self.stderr.count(text) < times:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"no {times} x {text!r}, but:\n{self.stdout}{self.stderr}")
            time.sleep(0.02)


def request_all(
    port: int, paths: Sequence[str], *, headers: Mapping[str, str] | None = None, timeout: float = 30.0
) -> list[tuple[int, str]]:
    """Send GET requests for all paths at the same moment, each on its own connection; returns statuses and bodies."""
    ready = threading.Barrier(len(paths))

    def one(path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        try:
            ready.wait(timeout)
            connection.request("GET", path, headers={"User-Agent": "test", **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(paths)) as pool:
        return list(pool.map(one, paths))


@dataclass(frozen=True)
class Call:
    """A request that an app made to the service that it depends on."""

    method: str
    path: str
    traceparent: str

    @property
    def context(self) -> tuple[str, str, bool]:
        """The trace id, the span id and whether it is sampled, as W3C Trace Context carries them."""
        _, trace_id, span_id, flags = self.traceparent.split("-")
        return trace_id, span_id, bool(int(flags, 16) & 1)


class Dependency:
    """A service that apps call: answers with JSON by method and path, 404 otherwise, and keeps what it was asked.

    A context manager. ``answers`` maps ``"GET /path"`` to status and value, or to a function that returns them.
    """

    def __init__(self, answers: Mapping[str, tuple[int, object] | Callable[[], tuple[int, object]]]) -> None:
        self.calls: list[Call] = []
        dependency = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                dependency.calls.append(Call(self.command, self.path, self.headers.get("traceparent", "")))
                answer = answers.get(f"{self.command} {self.path}", (404, "unknown"))
                status, value = answer() if callable(answer) else answer
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Stay silent: tests read their own output."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Dependency:  # noqa: PYI034 - Self is not in Python 3.10
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def comparable(output: str, mount: Path | str = "/nowhere") -> Counter[str]:
    """Return the lines of a log so that two runs can be compared, in whatever order processes wrote them.

    Numbers (process ids, times, ports, addresses) are made equal. The frames that injected code adds to a traceback are
    taken out; the traceback's other lines stay.
    """
    frame = re.compile(rf'^ +File "{re.escape(str(mount))}/.*\n(?:    .*\n)*', re.MULTILINE)
    return Counter(re.sub(r"0x[0-9a-f]+|\d+", "N", line) for line in frame.sub("", output).splitlines())
