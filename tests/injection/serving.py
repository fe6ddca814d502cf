"""A program that runs a server, sends it some requests, and stops it: for apps that are compared as a whole."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from tests.injection.harness import comparable, free_port
from tests.injection.running import Finished, Runner
from tests.receiver import Receiver

SOON = {
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "OTEL_BLRP_SCHEDULE_DELAY": "200",
    "OTEL_METRIC_EXPORT_INTERVAL": "500",
}
"""Exports that do not depend on how a server ends."""

DRIVER = """
import http.client, json, os, signal, socket, subprocess, sys, time
number, port, paths, *command = sys.argv[1:]
server = subprocess.Popen([sys.executable, *command], start_new_session=True)
for _ in range(600):
    try:
        socket.create_connection(("127.0.0.1", int(port))).close()
        break
    except OSError:
        time.sleep(0.05)
for path in paths.split(","):
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
    connection.request("GET", path, headers={"Host": "shop", **json.loads(os.environ.get("HEADERS", "{}"))})
    answer = connection.getresponse()
    body = answer.read()
    print(path, answer.status, sorted(name for name, _ in answer.getheaders()), body[:40])
    connection.close()
time.sleep(1)
if int(number) == signal.SIGINT:  # as a terminal sends it
    os.killpg(server.pid, signal.SIGINT)
else:
    server.send_signal(int(number))
print("status", server.wait(20))
"""


def serve(
    runner: Runner,
    receiver: Receiver,
    command: Sequence[str],
    paths: Sequence[str],
    *,
    stop: signal.Signals = signal.SIGTERM,
    env: dict[str, str] | None = None,
) -> Finished:
    """Serve the paths without and with injection, require the same answers, output and status; return the latter run.

    ``{port}`` in the command and ``PORT`` in the environment are where to listen. Numbers are not compared.
    """
    runner.write(DRIVER, "driver.py")
    port = str(free_port())
    arguments = ["driver.py", str(int(stop)), port, ",".join(paths), *(each.format(port=port) for each in command)]
    settings = {"PORT": port, **SOON, **(env or {})}
    plain, injected = (runner.run(arguments, injected=each, env=settings) for each in (False, True))
    assert injected.lines == []
    assert comparable(injected.own[1]) == comparable(plain.own[1])
    assert comparable(injected.own[2]) == comparable(plain.own[2])
    assert injected.status == plain.status == 0
    return injected
