"""Servers of every kind that end amid requests: each answered request has its telemetry once, however its worker ended.

One process tree for each row, all of them on the newest Python. Every interval is an hour: only a flush delivers.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.injection.harness import instance_id
from tests.injection.servers import Row, Server, check, connections, number, run, threads, tree, wait_until
from tests.receiver import Receiver

pytestmark = pytest.mark.xdist_group("servers")

GUNICORN = "gunicorn --no-control-socket -b 127.0.0.1:{port} -w 4"
UWSGI = "pyuwsgi --http-socket 127.0.0.1:{port} --module wsgi:app --die-on-term"
AT_ONCE = 2
"""Rows that run side by side."""


def reload(server: Server) -> None:
    """Have gunicorn take other workers."""
    before = set(tree(server.app.process.pid)[1:])
    server.get_all(range(100, 140))
    server.app.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(workers := set(tree(server.app.process.pid)[1:])) == 4 and not workers & before)


def upgrade(server: Server) -> None:
    """Have gunicorn start another master beside the first one, and the first one end."""
    server.get_all(range(100, 140))
    first = server.app.process.pid
    server.app.process.send_signal(signal.SIGUSR2)
    wait_until(lambda: len(tree(first)) == 10)
    server.successors += [pid for pid in tree(first)[1:] if len(tree(pid)) > 1]
    server.get_all(range(200, 240))


ROWS = [
    Row("gunicorn sync", f"{GUNICORN} wsgi:app"),
    Row("gunicorn gthread", f"{GUNICORN} -k gthread --threads 4 wsgi:app"),
    Row("gunicorn gevent", f"{GUNICORN} -k gevent wsgi:app"),
    Row("gunicorn uvicorn", f"{GUNICORN} -k uvicorn_worker.UvicornWorker asgi:app"),
    Row("gunicorn preload", f"{GUNICORN} --preload wsgi:app", env={"AT_IMPORT": "1"}),
    Row("gunicorn recycling", f"{GUNICORN} --max-requests 20 wsgi:app", after=400),
    Row("gunicorn recycling preloaded", f"{GUNICORN} --preload --max-requests 20 wsgi:app", after=400),
    Row("gunicorn quick stop by SIGINT", f"{GUNICORN} wsgi:app", requests=40, after=40, end="SIGINT"),
    Row("gunicorn quick stop by SIGQUIT", f"{GUNICORN} --threads 4 wsgi:app", requests=40, after=40, end="SIGQUIT"),
    Row("gunicorn reload", f"{GUNICORN} --threads 4 wsgi:app", meanwhile=reload),
    Row("gunicorn upgrade", f"{GUNICORN} wsgi:app", meanwhile=upgrade),
    Row("flask, which leaves SIGTERM alone", "flask --app wsgi run --port {port}", status=-signal.SIGTERM),
    Row("uvicorn", "uvicorn --port {port} asgi:app", status=-signal.SIGTERM),
    Row("uvicorn by SIGINT", "uvicorn --port {port} asgi:app", end="SIGINT"),
    Row("uvicorn workers", "uvicorn --port {port} --workers 2 asgi:app"),
    Row("uwsgi", f"{UWSGI} --master --processes 2 --enable-threads"),
    Row("uwsgi lazy", f"{UWSGI} --master --processes 2 --enable-threads --lazy-apps"),
    Row("uwsgi import", f"{UWSGI} --master --processes 2 --enable-threads", env={"AT_IMPORT": "1"}),
    Row("uwsgi threads", f"{UWSGI} --master --processes 2 --threads 4"),
    Row("uwsgi alone", f"{UWSGI} --enable-threads", status=30),
]


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, servers_venv: Path, mount: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Server]]]:
    """All rows that are asked for, some at a time."""
    wanted = [_parameters(item).get("row") for item in request.session.items]
    with ThreadPoolExecutor(AT_ONCE) as pool, ExitStack() as receivers:
        yield {
            row.name: pool.submit(
                run, row, servers_venv, mount, receivers.enter_context(Receiver()), tmp_path_factory.mktemp("server")
            )
            for row in ROWS
            if row in wanted
        }


def _parameters(item: pytest.Item) -> dict[str, object]:
    return getattr(getattr(item, "callspec", None), "params", {})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_was_answered_has_been_seen_once(runs: dict[str, Future[Server]], row: Row) -> None:
    """Spans, the duration metric and log records, and each under the identity of the process that served."""
    server = runs[row.name].result(timeout=300)
    check(row, server)
    imported = [span for span in server.receiver.spans if span.name == "import"]
    assert len(imported) == bool(row.env)
    assert server.receiver.sum_count("imports") == 5 * len(imported)
    assert [log.body for log in server.receiver.logs].count("imported") == len(imported)


def test_uwsgi_without_threads_delivers_at_the_end_and_says_what_it_needs(
    servers_venv: Path, mount: Path, receiver: Receiver, tmp_path: Path
) -> None:
    """Workers that are idle at the end; no more can be had, since nothing of Python runs between requests."""

    def serve(server: Server) -> None:
        server.get_all(range(100, 140))
        time.sleep(1)

    row = Row("", f"{UWSGI} --master --processes 2", requests=0, meanwhile=serve)
    server = run(row, servers_venv, mount, receiver, tmp_path / "server")
    assert server.status == 0
    assert server.answered <= {number(span.attributes) for span in receiver.spans}
    assert server.app.stderr.count("otel-injection: uWSGI runs without threads") == 1


def test_the_master_of_gunicorn_rests(servers_venv: Path, mount: Path, receiver: Receiver, tmp_path: Path) -> None:
    """No thread, no connection, no metrics; what it logs arrives, soon and at the end."""
    seen: list[tuple[int, int]] = []

    def look(server: Server) -> None:
        master = server.app.process.pid
        receiver.wait_for(lambda it: any("Listening at" in str(log.body) for log in it.logs))
        time.sleep(0.2)
        seen.append((threads(master), connections(master)))
        os.kill(next(pid for pid in tree(master)[1:] if pid not in server.pids), signal.SIGKILL)
        receiver.wait_for(lambda it: any("was sent SIGKILL" in str(log.body) for log in it.logs))
        time.sleep(0.2)
        seen.append((threads(master), connections(master)))

    row = Row("master", f"{GUNICORN} -w 2 --preload wsgi:app", requests=0, after=0, meanwhile=look)
    server = run(row, servers_venv, mount, receiver, tmp_path / "server")
    master = server.app.process.pid
    assert seen == [(1, 0)] * 2
    assert server.status == 0
    assert not [each for each in receiver.points if each.resource["process.pid"] == master]
    bodies = Counter(str(log.body) for log in receiver.logs if log.resource["process.pid"] == master)
    assert bodies["Shutting down: Master"] == 1
    assert set(bodies.values()) == {1}
    (instance,) = {
        log.resource["service.instance.id"] for log in receiver.logs if log.resource["process.pid"] == master
    }
    assert instance != instance_id(server.env)  # which is for a process that serves
