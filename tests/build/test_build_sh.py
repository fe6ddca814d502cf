"""build.sh, in copies of the repository: its own environment, and one line for what goes wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import MappingProxyType

import pytest

from images.paths import ROOT

COPIED = ("build.sh", "noxfile.py", "pyproject.toml", "images", "requirements")
PREPARING = "  preparing .venv (once) ..."
NOBODY = 65534


@pytest.fixture
def clone() -> Iterator[Path]:
    """A copy of what build.sh needs, in a folder that others may enter, with a space in its path."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "a clone"
        folder.mkdir()
        for each in COPIED:
            source = ROOT / each
            if source.is_dir():
                shutil.copytree(source, folder / each, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder)
        Path(name).chmod(0o755)
        yield folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with what every system has, and no Python."""
    names = ("awk", "cat", "cksum", "df", "dirname", "grep", "mkdir", "rm", "sed", "sh", "xargs")
    for name in names:
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def run(
    clone: Path,
    *arguments: str,
    env: Mapping[str, str] = MappingProxyType({}),
    user: int | None = None,
    umask: int = -1,
) -> subprocess.CompletedProcess[str]:
    """Run build.sh from another folder."""
    return subprocess.run(
        [clone / "build.sh", *arguments],
        cwd="/",
        env={**os.environ, **env},
        user=user,
        umask=umask,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def fails_with(result: subprocess.CompletedProcess[str], message: str) -> bool:
    """Say whether it failed with this in one line, and printed nothing else on stderr but what it was doing."""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("nox > ") and line != PREPARING]
    return result.returncode != 0 and len(lines) == 1 and lines[0].startswith("error: ") and message in lines[0]


@pytest.mark.parametrize("name", ["nonsense", "-x", "_install", "bui.d"])
def test_an_unknown_session_is_told_in_one_line_with_the_known_ones(clone: Path, name: str) -> None:
    result = run(clone, name)
    assert fails_with(result, "choose one of build push demo test matrix lint unit")
    assert not (clone / ".venv").exists()


def test_help_lists_the_calls(clone: Path) -> None:
    result = run(clone, "--help")
    assert "./build.sh push REGISTRY/NAME:TAG" in result.stdout
    assert (result.returncode, result.stderr) == (0, "")


def test_without_python_one_line_says_so(clone: Path, tools: Path) -> None:
    assert fails_with(run(clone, env={"PATH": str(tools)}), "there is no Python 3.10 or later on PATH")


def test_an_unwritable_clone_is_told_in_one_line(clone: Path, tools: Path) -> None:
    python = tools / "python3"
    python.write_text("#!/bin/sh\necho python3\n")
    python.chmod(0o755)
    for folder in [tools, *tools.parents]:
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    clone.chmod(0o555)
    result = run(clone, env={"PATH": str(tools)}, user=NOBODY if os.geteuid() == 0 else None)
    clone.chmod(0o755)
    assert fails_with(result, f"cannot write to {clone}")


def test_the_environment_is_made_once_and_made_anew_when_its_lock_changes(clone: Path) -> None:
    first = run(clone, "build", "extra", umask=0o077)
    assert PREPARING in first.stderr
    assert fails_with(first, "the call is: ./build.sh build")
    assert not (clone / ".venv/bootstrap").exists()
    again = run(clone, "push")
    assert PREPARING not in again.stderr
    assert fails_with(again, "the call is: ./build.sh push REGISTRY/NAME:TAG")
    with (clone / "requirements/tools.txt").open("a") as lock:
        lock.write("# changed\n")
    assert PREPARING in run(clone, "push").stderr


def test_a_package_with_another_hash_is_not_installed(clone: Path) -> None:
    lock = clone / "requirements/tools.txt"
    lines = lock.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("uv=="))
    kept = [line for line in lines[start + 1 :] if not line.startswith("    --hash")]
    lock.write_text("\n".join([*lines[: start + 1], f"    --hash=sha256:{'0' * 64}", *kept]))
    result = run(clone)
    assert fails_with(result, "cannot download requirements/tools.txt")
    assert not (clone / ".venv/bin").exists()


@pytest.fixture
def index() -> Iterator[tuple[str, list[str]]]:
    """The address of a package index that has nothing, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *arguments: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/simple", asked
        server.shutdown()


@pytest.mark.parametrize("variable", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"])
def test_the_configured_index_is_asked_and_a_half_made_environment_is_not_used(
    clone: Path, index: tuple[str, list[str]], variable: str
) -> None:
    address, asked = index
    half_made = clone / ".venv/bin/python"
    half_made.parent.mkdir(parents=True)
    half_made.write_text("#!/bin/sh\necho used\n")
    half_made.chmod(0o755)
    result = run(clone, env={"PIP_INDEX_URL": "", "UV_DEFAULT_INDEX": "", variable: address})
    assert fails_with(result, "pip's index and certificate settings")
    assert result.stdout == ""
    assert asked[0].startswith("/simple/")
