"""The engine that the container tests and multi-platform builds run on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from images import paths
from images.engine import debian
from images.engine import docker as engines
from images.engine.debian_tools import tool
from images.errors import UserError
from tests.containers.running import run, running

if TYPE_CHECKING:
    from images.engine.docker import Engine

PLATFORMS = ("amd64", "arm64")
private = pytest.mark.skipif(
    os.geteuid() != 0 or not debian.available(), reason="a private engine is for root on Debian; here Docker is used"
)
_HOLD = """
import subprocess, sys
from images.engine.docker import private
with private() as engine:
    with subprocess.Popen(["tar", "-C", sys.argv[1], "-c", "."], stdout=subprocess.PIPE) as archive:
        engine.run("import", "-", "busybox", stdin=archive.stdout)
    engine.run("run", "--detach", "--network=host", "busybox", "/busybox", "sleep", "600")
    print(engine.env["DOCKER_HOST"].removeprefix("unix://"), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build context for a scratch image of one static program, ``/busybox``."""
    folder = tmp_path_factory.mktemp("context")
    (folder / "Dockerfile").write_text("FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH/busybox /busybox\n")
    for architecture in PLATFORMS:
        (folder / architecture).mkdir()
        package = debian.unpack("trixie", ["busybox-static"], closure=False, architecture=architecture)
        (folder / architecture / "busybox").write_bytes((package / "usr/bin/busybox").read_bytes())
        (folder / architecture / "busybox").chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def busybox(engine: Engine, context: Path) -> str:
    """The scratch image, in the engine."""
    engine.run("buildx", "build", "--load", "--tag", "busybox-test", str(context))
    return "busybox-test"


def test_a_static_program_runs_in_a_scratch_image(busybox: str) -> None:
    finished = run(busybox, ["/busybox", "id", "-u"], user="4711:4712")
    assert (finished.status, finished.log) == (0, "4711\n")


def test_a_container_reaches_a_server_on_the_hosts_loopback(busybox: str, registry: str) -> None:
    finished = run(busybox, ["/busybox", "wget", "-q", "-O", "-", f"http://{registry}/v2/"], network="host")
    assert (finished.status, finished.log) == (0, "{}")


def test_a_container_has_no_capabilities_and_a_read_only_root(busybox: str) -> None:
    finished = run(busybox, ["/busybox", "grep", "-E", "^(CapEff|CapBnd|NoNewPrivs)", "/proc/self/status"])
    assert finished.log.split() == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]
    assert run(busybox, ["/busybox", "touch", "/file"]).log == "touch: /file: Read-only file system\n"


def test_a_folder_of_the_host_is_mounted(busybox: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    run(busybox, ["/busybox", "touch", "/volume/file"], mounts={tmp_path: "/volume"})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_container_is_removed_with_its_context(engine: Engine, busybox: str) -> None:
    with running(busybox, ["/busybox", "sleep", "600"]) as container:
        assert str(container.id) in engine.run("ps", "--quiet", "--no-trunc")
    assert str(container.id) not in engine.run("ps", "--quiet", "--no-trunc", "--all")


def test_a_multi_platform_build_is_pushed_with_its_provenance(engine: Engine, registry: str, context: Path) -> None:
    name = f"{registry}/busybox:dev"
    options = ["--platform", "linux/amd64,linux/arm64", "--provenance", "mode=max", "--push", "--tag", name]
    began = time.monotonic()
    engine.run("buildx", "build", *options, str(context))
    assert time.monotonic() - began < 10
    index = json.loads(engine.run("buildx", "imagetools", "inspect", "--raw", name))
    platforms = [manifest["platform"]["architecture"] for manifest in index["manifests"]]
    assert platforms == [*PLATFORMS, "unknown", "unknown"]  # the attestations are the unknown ones


def test_an_engine_that_docker_already_reaches_is_used_and_left_running(engine: Engine) -> None:
    with engines.engine() as found:
        assert (found.env["DOCKER_HOST"], found.private) == (engine.env.get("DOCKER_HOST"), False)
    assert engine.run("version")


@private
def test_where_docker_reaches_nothing_and_the_user_is_not_root_it_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with (
        pytest.raises(UserError, match=r"^no container engine for the tests \(.+\): install Docker .+$"),
        engines.engine(),
    ):
        pass


def test_a_program_for_arm64_runs_under_qemu(context: Path) -> None:
    command = [str(tool("qemu-aarch64")), str(context / "arm64/busybox"), "echo", "hello"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "hello\n"


@private
def test_nothing_is_left_after_the_context(context: Path) -> None:
    with engines.private() as engine:
        socket = Path(engine.env["DOCKER_HOST"].removeprefix("unix://"))
        engine.run("buildx", "build", "--load", "--tag", "busybox-test", str(context))
        engine.run("run", "--detach", "--network=host", "busybox-test", "/busybox", "sleep", "600")
        assert _cgroups(socket.parent)
        assert _processes(socket.parent)
    assert _traces(socket.parent) == []


@private
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_run_is_ended(context: Path, end: signal.Signals) -> None:
    command = [sys.executable, "-c", _HOLD, str(context / "amd64")]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=paths.ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as held:
        assert held.stdout
        socket = next(Path(line.strip()) for line in held.stdout if line.startswith("/"))
        assert _processes(socket.parent)
        held.send_signal(end)
        held.wait(30)
    deadline = time.monotonic() + 30
    while _traces(socket.parent) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _traces(socket.parent) == []


@private
def test_an_engine_that_does_not_start_is_told_in_one_line_with_its_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_START", "echo the kernel has no overlay; exit 3")
    with (
        pytest.raises(UserError, match=r"^the private Docker engine .*the kernel has no overlay.*$"),
        engines.private(),
    ):
        pass


def _traces(folder: Path) -> list[str]:
    """Return what is there of the private engine with this folder: its name is in all that it makes outside of it."""
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if folder.name in line]
    return [*_processes(folder), *_cgroups(folder), *mounts, *filter(os.path.exists, [str(folder)])]


def _processes(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended meanwhile
            continue
        if folder.name in command:
            found.append(command)
    return found


def _cgroups(folder: Path) -> list[str]:
    return [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{folder.name}")]
