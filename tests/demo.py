"""The demo: the gunicorn sample injected as the operator does it, and in the terminal what it exports."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path

from rich.console import Console

from images.console import say, step
from images.errors import UserError
from images.paths import ROOT, TREE
from images.payload.assemble import assemble
from tests import demo_view
from tests.injection import pythons
from tests.injection.harness import App, container_env, free_port, operator_env, request_all
from tests.injection.shop import COMMAND, WORKERS
from tests.receiver import Receiver

PATHS = ("/", "/users/7", "/slow", "/log", "/boom", "/nowhere") * 2
MOUNT = "otel-auto-instrumentation-python"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run() -> None:
    """Serve some requests with the injected sample, stop it, and show the traces, logs and metrics that arrived.

    Uses ``dist/tree``, and builds it where it is missing. Listens on loopback only and leaves nothing behind, also when
    it is interrupted. UserError if the sample cannot run, or if not every request arrived as a span.
    """
    with _ended_by_signals():
        try:
            _run()
        except OSError as error:
            raise UserError(f"the demo cannot go on: {error}; see TMPDIR for where it writes") from None


def _run() -> None:
    if TREE.is_dir():
        built = time.strftime("%Y-%m-%d %H:%M", time.localtime(TREE.stat().st_ctime))
        say(f"  using dist/tree of {built} (./build.sh builds it anew)")
    else:
        assemble()
    python = _python()
    with step(f"install the sample's own packages, for Python {pythons.version(python)}"):
        packages = pythons.apps_environment(python)
    with tempfile.TemporaryDirectory(prefix="demo-") as name, Receiver() as receiver:
        folder = Path(name)
        _serve(folder, packages, receiver)
        _show(receiver, (folder / "output" / "stderr").read_text())


def _python() -> Path:
    """Return the interpreter that runs this, without its virtual environment, or else the oldest supported one."""
    if "{}.{}".format(*sys.version_info) in pythons.SUPPORTED:
        return Path(sys.executable).resolve()
    return pythons.find()[0]


def _serve(folder: Path, packages: Path, receiver: Receiver) -> None:
    """Run the sample until it has answered all and, stopped, sent what it still held."""
    shutil.copytree(ROOT / "tests" / "apps" / "flask_app", folder / "app")
    port = free_port()
    env = {
        **container_env(packages, folder),
        **operator_env(folder / MOUNT, service="shop", endpoint=receiver.endpoint),
        "BIND": f"127.0.0.1:{port}",
        "WORKERS": str(WORKERS),
    }
    with step("copy the tree as the init container does"):
        (folder / MOUNT).mkdir()
        copied = subprocess.run(["cp", "-r", f"{TREE}/.", folder / MOUNT], capture_output=True, text=True, check=False)
        if copied.returncode:
            raise UserError(f"cannot copy {TREE}: {copied.stderr.splitlines()[-1]}; free space, or set TMPDIR")
    logs = folder / "output"
    try:
        with ExitStack() as running:
            with _signals_held_back():
                app = running.enter_context(App(COMMAND, cwd=folder / "app", env=env, logs=logs))
            with step(f"start Flask under gunicorn, {WORKERS} workers, with the operator's environment"):
                app.wait_for_lines("Worker ready", WORKERS)
            with step(f"send {len(PATHS)} requests at the same moment"):
                # In a thread, since what waits for answers must not keep an interrupt waiting.
                ThreadPoolExecutor(1).submit(request_all, port, PATHS).result()
            with step("stop it by SIGTERM, as the kubelet does"):
                app.stop()
    except (OSError, HTTPException, threading.BrokenBarrierError) as error:
        said = (logs / "stderr").read_text().split("\n") if logs.exists() else []
        last = next((line for line in reversed(said) if line.strip()), str(error))
        raise UserError(f"the sample app {COMMAND[0]} does not serve; it said last: {last.strip()}") from None


def _show(receiver: Receiver, stderr: str) -> None:
    """Print what arrived, and what to do next; UserError if spans are missing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
    demo_view.show(console, receiver)
    for line in dict.fromkeys(line for line in stderr.splitlines() if line.startswith("otel-injection: ")):
        console.print(line, style="yellow", markup=False)
    served = [span for span in receiver.spans if span.kind == "server"]
    if len(served) != len(PATHS):
        raise UserError(
            f"{len(served)} server spans arrived for {len(PATHS)} requests: build dist/tree anew by ./build.sh, "
            "and see whether ./build.sh test passes"
        )
    workers = {span.resource.get("service.instance.id") for span in served}
    metrics = {point.name for point in receiver.points}
    console.print(
        f"{len(PATHS)} requests, {len(served)} spans of {len(workers)} workers, {len(receiver.logs)} logs, "
        f"{len(metrics)} metrics. Next: ./build.sh push REGISTRY/NAME:TAG",
        style="bold green",
    )


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let the first signal that asks for the end raise KeyboardInterrupt, and no further one disturb the tidying up."""

    def end(*_: object) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, end) for each in ENDING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Let signals wait where an exception would lose a process that has just been started."""
    came: list[int] = []
    before = {each: signal.signal(each, lambda number, _: came.append(number)) for each in ENDING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    for number in came[:1]:
        signal.raise_signal(number)


def main() -> int:
    """Run the demo; return the exit status."""
    try:
        run()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
