"""Celery with a prefork pool: every task has its span and its log records, once, also where children are recycled.

One process tree for each row, all of them on the newest Python. Every interval is an hour: only a flush delivers.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from images.engine import debian
from images.errors import UserError
from tests.injection.harness import App, free_port, instance_id
from tests.injection.servers import APPS, connections, environment, wait_until
from tests.receiver import Receiver

pytestmark = pytest.mark.xdist_group("celery")

TASKS = 40


@contextmanager
def files(folder: Path) -> Iterator[str]:
    """A broker that is a folder."""
    (folder / "queue").mkdir(parents=True)
    yield str(folder)


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A real Redis: the host's, or Debian's, unpacked into the cache."""
    program = shutil.which("redis-server")
    if program is None:
        try:
            packages = debian.unpack("bookworm", ["redis-server"], closure=True)
        except UserError as error:
            pytest.skip(f"no redis-server on PATH, and none from Debian: {error}")
        library = next(packages.glob("usr/lib/*-linux-gnu"))
        loader = next(packages.glob("lib*/ld-linux-*"))
        command = [str(loader), "--library-path", str(library), str(packages / "usr/bin/redis-server")]
    else:
        command = [program]
    port = free_port()
    folder.mkdir()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([*command, *options], stdout=log, stderr=log)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


@dataclass(frozen=True)
class Row:
    """How a worker is started, and after how many tasks it is stopped."""

    name: str
    broker: Callable[[Path], AbstractContextManager[str]]
    options: tuple[str, ...] = ()
    stop_after: int = TASKS


@dataclass(frozen=True)
class Ran:
    """What a row gave: who did each task, and the connections that the main process held when all were done."""

    receiver: Receiver
    status: int
    instance: str
    pids: Mapping[int, int]
    held: int


ROWS = [
    Row(f"{broker.__name__} {name}", broker, options, stop_after)
    for broker in (files, redis)
    for name, options, stop_after in (
        ("", (), TASKS),
        ("recycled", ("--max-tasks-per-child", "1"), TASKS),
        ("stopped amid tasks", (), TASKS // 2),
    )
]


def run(row: Row, venv: Path, mount: Path, receiver: Receiver, folder: Path) -> Ran:
    """Submit the tasks, have a worker do them, and stop it as the kubelet does."""
    done = folder / "done"
    done.mkdir()
    with row.broker(folder / "broker") as url:
        env = environment(venv, mount, receiver, folder, BROKER=url, DONE=str(done))
        submit = f"from tasks import add\nfor number in range({TASKS}): add.delay(number)"
        plain = {name: value for name, value in env.items() if not name.startswith(("OTEL_", "PYTHONPATH"))}
        subprocess.run([venv / "bin/python", "-c", submit], cwd=APPS, env=plain, check=True)
        command = ["celery", "-A", "tasks", "worker", "--concurrency", "2", "--loglevel", "INFO", *row.options]
        with App(command, cwd=APPS, env=env, logs=folder / "output") as app:
            wait_until(lambda: len(list(done.iterdir())) >= row.stop_after, timeout=90)
            time.sleep(2 if row.stop_after == TASKS else 0)
            held = connections(app.process.pid)
            status = app.stop(90)
    pids = {int(each.name): int(each.read_text()) for each in done.iterdir()}
    return Ran(receiver, status, instance_id(env), pids, held)


@pytest.fixture(scope="module")
def runs(servers_venv: Path, mount: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Ran]]]:
    """All rows, some at a time: celery takes long to end, and does nothing meanwhile."""
    with ThreadPoolExecutor(3) as pool, ExitStack() as receivers:
        yield {
            row.name: pool.submit(
                run, row, servers_venv, mount, receivers.enter_context(Receiver()), tmp_path_factory.mktemp("celery")
            )
            for row in ROWS
        }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_task_is_seen_once(runs: dict[str, Future[Ran]], row: Row) -> None:
    """By the span, the two log records that it writes, which belong to the span, and the metric."""
    ran = runs[row.name].result(timeout=300)
    receiver, numbers = ran.receiver, ran.pids
    assert ran.status == 0
    assert len(numbers) >= row.stop_after
    spans = {span.span_id: span for span in receiver.spans if span.name == "run/add"}
    assert len(spans) == len(numbers) == len([span for span in receiver.spans if span.name == "run/add"])
    bodies = Counter((log.scope, str(log.body)) for log in receiver.logs)
    for number in numbers:
        assert bodies["shop", f"added {number}"] == bodies["tasks", f"adding {number}"] == 1
    written = [log for log in receiver.logs if log.scope in ("shop", "tasks")]
    assert len(written) == 2 * len(numbers)
    assert {log.span_id for log in written} == set(spans)
    assert receiver.sum_count("flower.task.runtime.seconds") == len(numbers)
    assert {span.resource["process.pid"] for span in spans.values()} == set(numbers.values())
    instances = {str(span.resource["service.instance.id"]).removeprefix(ran.instance) for span in spans.values()}
    assert instances <= {"", "-2", "-3"} if row.options else {"", "-2"}
    (main,) = {log.resource["service.instance.id"] for log in receiver.logs if log.scope == "celery.worker.strategy"}
    assert main == f"{ran.instance}-1"
    if row.broker is files and row.stop_after == TASKS:
        assert ran.held == 0


@pytest.mark.parametrize("pool", ["gevent", "eventlet"])
def test_a_pool_of_greenlets_works_and_ends(
    servers_venv: Path, mount: Path, receiver: Receiver, tmp_path: Path, pool: str
) -> None:
    """Celery patches before it imports what waits for its broker: nothing of ours may be there before."""
    ran = run(Row(pool, redis, ("--pool", pool)), servers_venv, mount, receiver, tmp_path)
    assert ran.status == 0
    assert len(ran.pids) == TASKS
    assert len([span for span in receiver.spans if span.name == "run/add"]) == TASKS
    assert receiver.sum_count("flower.task.runtime.seconds") == TASKS
