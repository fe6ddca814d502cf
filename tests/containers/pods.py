"""Pods as the operator makes them: an init container that fills a volume, and an app's container that mounts it."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import requests
import yaml
from testcontainers.core.container import DockerContainer

from images.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from docker.models.containers import Container

OPERATORS_MOUNT = "/otel-auto-instrumentation-python"
OTHER_MOUNT = "/otel-auto-instrumentation"
OPERATORS_COMMAND = ("cp", "-r", "/autoinstrumentation/.", OPERATORS_MOUNT)
"""What the operator's init container runs."""
APPS = ROOT / "tests" / "apps"
SOURCE = "/app"
"""Where an app's own files lie in its container, which starts there."""
INIT_USER = "1234567:0"
"""Some UID that no image knows, as clusters assign them."""
APP_USER = "10001:10001"
"""Somebody else: the app cannot write what the init container copied."""

Volumes = dict[Path, tuple[str, str]]
"""Folders of the host, where they appear, and ``rw`` or ``ro``."""


@contextmanager
def empty_dir() -> Iterator[Path]:
    """Give a volume as an ``emptyDir`` is one: everybody may write to it."""
    # Who runs the tests without being root may not remove what the init container's user made.
    with TemporaryDirectory(prefix="emptydir-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


@contextmanager
def container(image: str, command: Sequence[str], volumes: Volumes, **options: Any) -> Iterator[Container]:
    """Run a command with the least privilege that a pod can be given; it is removed when the context ends.

    It has no capabilities, can gain none, and cannot write its root file system. Options are the docker SDK's.
    """
    mounts = [(str(folder), *place) for folder, place in volumes.items()]
    restricted: dict[str, Any] = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"], "read_only": True}
    with DockerContainer(image, volumes=mounts, **restricted, **options).with_command([*command]) as started:
        yield started.get_wrapped_container()


class ContainerApp:
    """An app's container, in the shape of ``tests.injection.harness.App``."""

    process = SimpleNamespace(pid=1)
    """The container's first process, by the number that it knows itself."""

    def __init__(self, container: Container) -> None:
        self._container = container

    @property
    def identity(self) -> str:
        """The id that the engine has given it."""
        return str(self._container.id)

    @property
    def stdout(self) -> str:
        """What it printed so far."""
        return str(self._container.logs(stderr=False).decode())

    @property
    def stderr(self) -> str:
        """What it complained about so far."""
        return str(self._container.logs(stdout=False).decode())

    def execute(self, command: Sequence[str], user: str = "") -> tuple[int, str, str]:
        """Run a command in it, as ``kubectl exec`` does, as its own user or another; return status and output."""
        done: Any = self._container.exec_run([*command], user=user, demux=True)
        out, err = done.output
        return int(done.exit_code), (out or b"").decode(), (err or b"").decode()

    def wait(self, timeout: float = 60.0) -> int:
        """Wait for its end and return its exit status, 128 and the number of a signal where it died of one."""
        with suppress(requests.exceptions.ConnectionError, requests.exceptions.Timeout):
            return int(self._container.wait(timeout=timeout)["StatusCode"])
        raise TimeoutError(f"still running after {timeout} s; it printed:\n{self.stdout}{self.stderr}")

    def stop(self, timeout: float = 60.0) -> int:
        """End it as the kubelet does, by SIGTERM to its first process, and return its exit status."""
        self._container.kill("SIGTERM")
        return self.wait(timeout)

    def wait_for_lines(self, text: str, times: int, timeout: float = 60.0) -> None:
        """Return when a text has been written to stderr so many times, for example once by each worker."""
        deadline = time.monotonic() + timeout
        while self.stderr.count(text) < times:
            self._container.reload()
            if self._container.status != "running" or time.monotonic() > deadline:
                raise TimeoutError(f"no {times} x {text!r}, but:\n{self.stdout}{self.stderr}")
            time.sleep(0.05)


@contextmanager
def app(
    image: str, command: Sequence[str], source: Path, env: Mapping[str, str], volumes: Volumes, **changed: Any
) -> Iterator[ContainerApp]:
    """Start an app whose files lie in ``source``, in the host's network, where the tests receive and answer.

    Changed options are the docker SDK's.
    """
    options = {"user": APP_USER, "network_mode": "host", "working_dir": SOURCE, "env": dict(env), **changed}
    with container(image, command, {source: (SOURCE, "ro"), **volumes}, **options) as started:
        yield ContainerApp(started)


@dataclass(frozen=True)
class Copied:
    """How an init container ended, and what it wrote."""

    status: int
    stdout: str
    stderr: str


def init(image: str, command: Sequence[str], volumes: Volumes, user: str | None = INIT_USER, **options: Any) -> Copied:
    """Run the init container to its end, with the memory that ``deploy/instrumentation.yaml`` gives it.

    ``user`` None is the image's own.
    """
    resource = yaml.safe_load((ROOT / "deploy" / "instrumentation.yaml").read_text())
    limit = resource["spec"]["python"]["resourceRequirements"]["limits"]["memory"]
    options |= {"user": user, "network_mode": "none", "mem_limit": limit.replace("Mi", "m")}
    with container(image, command, volumes, **options) as started:
        ended = ContainerApp(started)
        return Copied(ended.wait(), ended.stdout, ended.stderr)
