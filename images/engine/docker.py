"""A Docker engine for the tests and for multi-platform builds: the machine's own, or else a private one.

The private one is Debian's Docker, unpacked into the cache and run from there by root. Its sockets, configuration,
processes and mounts are its own, its data are in memory, it makes no network device and no packet filter rule, and
nothing of it is left afterwards. Containers get the host's network or none.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from images import console, paths
from images.engine import debian
from images.engine import keeper as _keeper
from images.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGES = ("docker.io", "docker-cli", "containerd", "docker-buildx")
_SUITE = "trixie"
_RUNC_SUITE = "bookworm"
"""trixie's runc needs glibc 2.38, all else 2.34; bookworm's runs on every Debian since. A small system lacks mount."""
_START_SECONDS = 60.0
_REMEDY = "install Docker with buildx and the containerd image store, or run as root on Debian"


@dataclass(frozen=True)
class Engine:
    """A running Docker engine that has a containerd image store, so that it can hold multi-platform images.

    ``env`` is what a process must have in its environment to reach it (docker, the SDK, testcontainers). ``private``
    says that it ends with the context and knows no network but the host's.
    """

    docker: str
    env: dict[str, str] = field(default_factory=dict)
    private: bool = False

    def run(self, *arguments: str, stdin: IO[bytes] | None = None) -> str:
        """Run a docker command and return what it printed; ``UserError`` with its last line where it fails."""
        command = [self.docker, *arguments]
        environment = {**os.environ, **self.env}
        done = subprocess.run(command, env=environment, stdin=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
            raise UserError(f"docker {' '.join(arguments[:2])} failed: {lines[-1]}")
        return done.stdout.strip()


@contextmanager
def engine() -> Iterator[Engine]:
    """Give an engine: the machine's own where it will do, else a private one that ends with the context.

    Raises ``UserError`` where there is neither, with what is missing.
    """
    own = _own()
    if isinstance(own, Engine):
        yield own
        return
    if os.geteuid() != 0:
        raise UserError(f"no container engine for the tests ({own}): {_REMEDY}")
    with private() as brought:
        yield brought


def _own() -> Engine | str:
    """Return the engine that ``docker`` talks to, or why it will not do."""
    docker = shutil.which("docker")
    if docker is None:
        return "docker is not installed"
    candidate = Engine(docker)
    try:
        information = json.loads(candidate.run("info", "--format", "{{json .}}"))
        if information.get("ServerErrors") or not information.get("ServerVersion"):
            return "docker has no running engine"
        if ["driver-type", "io.containerd.snapshotter.v1"] not in (information.get("DriverStatus") or []):
            return "docker has the containerd image store turned off"
        candidate.run("buildx", "version")
        host = candidate.run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    except UserError as error:
        return str(error)
    return Engine(docker, {"DOCKER_HOST": host, "TESTCONTAINERS_RYUK_DISABLED": "true"})


@contextmanager
def private() -> Iterator[Engine]:
    """Start an engine that ends with the context or with this process, however that ends; for root on Debian.

    Raises ``UserError`` where Debian's packages cannot be had or the engine does not start, with its last log line.
    """
    programs = debian.unpack(_SUITE, _PACKAGES, closure=False)
    runc = debian.unpack(_RUNC_SUITE, ["runc", "mount"], closure=False)
    folder = Path(tempfile.mkdtemp(prefix="engine-", dir="/tmp"))  # short: a socket's path has 107 bytes
    folders = [runc / "usr/sbin", programs / "usr/bin", programs / "usr/sbin"]
    path = os.pathsep.join(
        [*map(str, folders), os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", str(runc / "bin")]
    )
    environment = {
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
        "DOCKER_CONFIG": str(folder / "client"),
        "PATH": path,
        "TESTCONTAINERS_RYUK_DISABLED": "true",
    }
    brought = Engine(str(programs / "usr/bin/docker"), environment, private=True)
    _configure(folder, programs)
    keeper = subprocess.Popen(
        [sys.executable, "-m", _keeper.__name__, str(folder)],
        cwd=paths.ROOT,
        env={**os.environ, "PATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the tests, the keeper ends after them
    )
    try:
        with console.step("starting a private Docker engine"):
            ready = _wait(brought, keeper)
        if ready:
            yield brought
    finally:
        last, _ = keeper.communicate()
    if not ready:
        raise UserError(f"the private Docker engine does not start here ({last.strip()}): {_REMEDY}")


def _wait(brought: Engine, keeper: subprocess.Popen[str]) -> bool:
    """Wait until the engine answers; say whether it did before it ended or the time was over."""
    deadline = time.monotonic() + _START_SECONDS
    while keeper.poll() is None and time.monotonic() < deadline:
        with suppress(UserError):
            brought.run("version")
            return True
        time.sleep(0.1)
    return False


def _configure(folder: Path, programs: Path) -> None:
    """Write what the engine reads at its start: nothing of it names a path or a device that others use."""
    plugins = folder / "client/cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").symlink_to(programs / "usr/libexec/docker/cli-plugins/docker-buildx")
    (folder / "containerd.toml").write_text(
        f"""version = 2
root = "{folder}/data/containerd"
state = "{folder}/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "{folder}/containerd.sock"
[ttrpc]
address = "{folder}/containerd.sock.ttrpc"
""",
    )
    settings = {
        "bridge": "none",
        "cgroup-parent": f"/{folder.name}",
        "containerd": f"{folder}/containerd.sock",
        "data-root": f"{folder}/data/docker",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],  # systemd would keep a record of each container
        "exec-root": f"{folder}/docker",
        "features": {"containerd-snapshotter": True},
        "hosts": [f"unix://{folder}/docker.sock"],
        "ip-forward": False,
        "ip-masq": False,
        "ip6tables": False,
        "iptables": False,
        "pidfile": f"{folder}/docker.pid",
        "userland-proxy": False,
    }
    (folder / "docker.json").write_text(json.dumps(settings, indent=2))
    (folder / _keeper.SCRIPT).write_text(_START.format(folder=folder))


_START = """\
set -e
# The engine's view of the machine: an empty /run, where containerd's shims insist on their sockets, and no AppArmor,
# whose profiles would be loaded into the kernel for all. /etc/resolv.conf can be a link into /run.
cat /etc/resolv.conf > {folder}/resolv.conf 2> /dev/null || true
mount -t tmpfs tmpfs /run
resolv=$(readlink -m /etc/resolv.conf)
case "$resolv" in /run/*) mkdir -p "${{resolv%/*}}" && cp {folder}/resolv.conf "$resolv" ;; esac
if [ -d /sys/kernel/security ]; then mount -t tmpfs tmpfs /sys/kernel/security; fi
# Data in memory: no disk makes it slow, and it can carry overlays everywhere (a container's own file system cannot).
mkdir {folder}/data
mount -t tmpfs tmpfs {folder}/data
containerd --config {folder}/containerd.toml &
exec dockerd --config-file {folder}/docker.json
"""
"""Runs as the first process of the namespaces; when it ends, so does all in them."""
