"""Celery with a prefork pool: every task has its span and its log records, once, also where children are recycled.

One process tree for each row, all of them on the newest Python. Every interval is an hour: only a flush delivers.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from images import debian
from images.errors import UserError
from tests.injection.harness import App, free_port, instance_id
from tests.injection.servers import APPS, connections, environment, wait_until
from tests.receiver import Receiver

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


@pytest.mark.parametrize("broker", [files, redis])
@pytest.mark.parametrize(
    ("options", "stop_after"),
    [([], TASKS), (["--max-tasks-per-child", "1"], TASKS), ([], TASKS // 2)],
    ids=["", "recycled", "stopped amid tasks"],
)
def test_every_task_is_seen_once(
    servers_venv: Path,
    mount: Path,
    receiver: Receiver,
    tmp_path: Path,
    broker: Callable[[Path], object],
    options: list[str],
    stop_after: int,
) -> None:
    """By the span, the two log records that it writes, which belong to the span, and celery's own about it."""
    done = tmp_path / "done"
    done.mkdir()
    with broker(tmp_path / "broker") as url:  # type: ignore[attr-defined]
        env = environment(servers_venv, mount, receiver, tmp_path, BROKER=url, DONE=str(done))
        submit = f"from tasks import add\nfor number in range({TASKS}): add.delay(number)"
        plain = {name: value for name, value in env.items() if not name.startswith(("OTEL_", "PYTHONPATH"))}
        subprocess.run([servers_venv / "bin/python", "-c", submit], cwd=APPS, env=plain, check=True)
        command = ["celery", "-A", "tasks", "worker", "--concurrency", "2", "--loglevel", "INFO", *options]
        with App(command, cwd=APPS, env=env, logs=tmp_path / "output") as app:
            wait_until(lambda: len(list(done.iterdir())) >= stop_after, timeout=60)
            if not options and stop_after == TASKS:
                time.sleep(2)
                assert connections(app.process.pid) == 0 or broker is redis
            status = app.stop(60)
    assert status == 0
    numbers = {each.name: int(each.read_text()) for each in done.iterdir()}
    assert len(numbers) >= stop_after
    spans = {span.span_id: span for span in receiver.spans if span.name == "run/add"}
    assert len(spans) == len(numbers)
    bodies = Counter((log.scope, str(log.body)) for log in receiver.logs)
    for number in numbers:
        assert bodies["shop", f"added {number}"] == bodies["tasks", f"adding {number}"] == 1
    written = [log for log in receiver.logs if log.scope in ("shop", "tasks")]
    assert len(written) == 2 * len(numbers)
    assert {log.span_id for log in written} == set(spans)
    assert receiver.sum_count("flower.task.runtime.seconds") == len(numbers)
    assert {span.resource["process.pid"] for span in spans.values()} == set(numbers.values())
    instances = {str(span.resource["service.instance.id"]).removeprefix(instance_id(env)) for span in spans.values()}
    assert instances <= {"", "-2", "-3"} if "--max-tasks-per-child" in options else {"", "-2"}
    (main,) = {log.resource["service.instance.id"] for log in receiver.logs if log.scope == "celery.worker.strategy"}
    assert main == f"{instance_id(env)}-1"
