"""Containers as the tests need them: the host's loopback or no network, as little privilege as a careful pod has."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testcontainers.core.container import DockerContainer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from docker.models.containers import Container


@dataclass(frozen=True)
class Finished:
    """How a container ended and what it wrote, standard output and error together."""

    status: int
    log: str


@contextmanager
def running(
    image: str,
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    mounts: Mapping[Path, str] | None = None,
    user: str = "10001:10001",
    network: str = "host",
    read_only: bool = True,
    platform: str | None = None,
) -> Iterator[Container]:
    """Run a command in a container that is removed, killed if need be, when the context ends.

    It has no capabilities, can gain none, and a root file system that it cannot write unless ``read_only`` is false.
    ``mounts`` are folders of the host and where they appear, writable as far as their modes allow: an ``emptyDir`` is
    one of mode 0777.
    """
    container = DockerContainer(
        image,
        env=dict(env or {}),
        volumes=[(str(folder), place, "rw") for folder, place in (mounts or {}).items()],
        user=user,
        network_mode=network,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=read_only,
        platform=platform,
    ).with_command(list(command))
    with container as started:
        yield started.get_wrapped_container()


def run(image: str, command: Sequence[str], *, network: str = "none", timeout: float = 60, **options: Any) -> Finished:
    """Run a command in a container to its end, at most this many seconds; further options are those of ``running``."""
    with running(image, command, network=network, **options) as container:
        status = container.wait(timeout=timeout)["StatusCode"]
        return Finished(status, container.logs().decode())
