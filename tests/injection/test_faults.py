"""With any one file of the payload damaged, an app prints, returns and ends as without injection."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from random import Random

import pytest

from tests.injection.running import Finished, Runner

pytestmark = pytest.mark.newest_python

APP = """
    import logging, sqlite3, sys, urllib.request
    logging.getLogger("shop").warning("sold")
    connection = sqlite3.connect(":memory:")
    print(connection.cursor().execute("select 1").fetchall())
    try:
        urllib.request.urlopen("http://127.0.0.1:1/")
    except OSError as error:
        print(error)
    if sys.argv[1:] == ["flask"]:
        from flask import Flask
        logging.basicConfig(format="%(message)s")
        app = Flask("shop")
        app.add_url_rule("/", "index", lambda: "ok")
        app.add_url_rule("/broken", "broken", lambda: 1 / 0)
        print(*(app.test_client().get(path).status_code for path in ("/", "/broken", "/nowhere")))
    sys.exit(5)
"""

LIST = """
    import atexit, sys
    atexit.register(lambda: print(*sorted(
        (module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None))), sep="\\n"))
"""

FAULTS = {
    "ImportError": b"raise ImportError('damaged')",
    "SystemExit": b"import sys; sys.exit(3)",
    "RecursionError": b"raise RecursionError('damaged')",
    "SyntaxError": b"def broken(:",
    "null bytes": b"\0\0\0",
    "empty": b"",
    "cut": None,
    "missing": None,
    "unreadable": None,
    "byte code": None,
}
NEEDED_LATER = frozenset({Path("otel_injection/stand_ins/for_packaging_version.py")})
"""Asked by upstream's wrappers while the app calls its libraries: what is missing in it then is not contained."""

WORKERS = min(4, os.cpu_count() or 1)


class Damage:
    """One file of a tree that is not as it should be, while this is entered."""

    def __init__(self, file: Path, fault: str, tag: str, magic: bytes) -> None:
        self.file = file
        self.fault = fault
        self._header = magic + b"\1\0\0\0" + b"\0" * 8
        self._cached = file.parent / "__pycache__" / f"{file.stem}.{tag}.pyc"
        self._kept = [(each, each.read_bytes()) for each in (file, self._cached) if each.exists()]

    def __enter__(self) -> Damage:  # noqa: PYI034 - Self is not in Python 3.10
        self._remove()
        source = self._kept[0][1]
        if self.fault == "unreadable":  # to the superuser, in whose name tests may run, all that has a mode is readable
            self.file.symlink_to("/proc/self/mem")
        elif self.fault == "byte code":
            self.file.write_bytes(source)
            self._cached.parent.mkdir(exist_ok=True)
            self._cached.write_bytes(self._header + b"\xe3damaged")
        elif self.fault == "cut":
            self.file.write_bytes(source[: len(source) // 2])
        elif self.fault != "missing":
            self.file.write_bytes(FAULTS[self.fault] or b"")
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()
        for file, content in self._kept:
            file.write_bytes(content)

    def _remove(self) -> None:
        self.file.unlink(missing_ok=True)
        self._cached.unlink(missing_ok=True)


def _at(runner: Runner, mount: Path) -> Runner:
    """Return a runner for another copy of the payload, with the same app."""
    other = Runner(runner.python, mount, "http://127.0.0.1:1", runner.folder)
    other.operator["OTEL_EXPORTER_OTLP_TIMEOUT"] = "0.1"
    other.operator["OTEL_INJECTION_EXIT_TIMEOUT"] = "0.2"
    return other


@pytest.fixture
def copies(framework_runner: Runner, copy_tree: Callable[[str], Path]) -> Iterator[SimpleQueue[Path]]:
    """Copies of the tree, one for each worker."""
    queue: SimpleQueue[Path] = SimpleQueue()
    folders = [copy_tree(f"copy-{number}") for number in range(WORKERS)]
    for folder in folders:
        shutil.rmtree(folder / "byte-code", ignore_errors=True)  # so that the sources count
        queue.put(folder)
    yield queue
    for folder in folders:
        shutil.rmtree(folder)


def _check(runner: Runner, copies: SimpleQueue[Path], cases: list[tuple[Path, str]], *arguments: str) -> None:
    runner.write(APP)
    version = "import importlib.util as u, sys; print(sys.implementation.cache_tag, u.MAGIC_NUMBER.hex())"
    tag, magic = runner.run(["-c", version], injected=False).stdout.split()
    plain = runner.run(["main.py", *arguments], injected=False)
    assert plain.status == 5, plain.stderr

    def run(case: tuple[Path, str]) -> tuple[tuple[Path, str], Finished]:
        folder = copies.get()
        try:
            with Damage(folder / case[0], case[1], tag, bytes.fromhex(magic)):
                command = ["-B", "main.py", *arguments]
                return case, _at(runner, folder).run(command, env={"PYTHONDONTWRITEBYTECODE": "1"}, timeout=120)
        finally:
            copies.put(folder)

    with ThreadPoolExecutor(WORKERS) as pool:
        for case, done in pool.map(run, cases):
            assert (case, done.own) == (case, plain.own)
            assert len([line for line in done.lines if "do not reach" not in line]) <= 2, (case, done.lines)


def test_each_file_that_every_process_imports_may_be_damaged_in_every_way(
    framework_runner: Runner, copies: SimpleQueue[Path]
) -> None:
    framework_runner.write(LIST, "own/sitecustomize.py")
    framework_runner.write("pass", "bare.py")
    listed = framework_runner.run(["bare.py"], app_pythonpath="own").stdout.splitlines()
    prefix = f"{framework_runner.mount}/"
    modules = [Path(each.removeprefix(prefix)) for each in listed if each.startswith(prefix)]
    framework_runner.write("", "own/sitecustomize.py")
    assert Path("otel_injection/start.py") in modules
    cases = [(module, fault) for module in modules for fault in FAULTS]
    cases = [case for case in cases if case[0] not in NEEDED_LATER or case[1] not in ("empty", "cut")]
    _check(framework_runner, copies, cases)


@pytest.mark.parametrize("seed", range(8))
def test_a_payload_of_which_a_part_was_copied_leaves_the_app_alone(
    framework_runner: Runner, copy_tree: Callable[[str], Path], seed: int
) -> None:
    mount = copy_tree("part")
    random = Random(seed)  # noqa: S311 - to be repeatable
    files = sorted(each for each in mount.rglob("*") if each.is_file())
    door = mount / "opentelemetry" / "instrumentation" / "auto_instrumentation" / "sitecustomize.py"
    for each in files:
        if random.random() < (0.01, 0.1, 0.5, 0.9)[seed % 4] and each != door:
            each.unlink()
    runner = _at(framework_runner, mount)
    runner.write(APP)
    done = runner.compare(["main.py", "flask"])
    assert len({line for line in done.lines if "do not reach" not in line}) <= 12
    for helper in (["-c", "import logging; logging.warning('sold')"], ["-m", "site"]):
        plain = runner.run(helper, injected=False)
        injected = runner.run(helper)
        assert (injected.status, injected.stderr) == (plain.status, plain.stderr)
    shutil.rmtree(mount)


def test_what_later_code_reports_through_may_be_damaged_in_every_way(
    framework_runner: Runner, copies: SimpleQueue[Path]
) -> None:
    """Not imported by every process; what is missing in it would be noticed in the app's own import or call."""
    _check(framework_runner, copies, [(Path("otel_injection/report.py"), fault) for fault in FAULTS], "flask")
