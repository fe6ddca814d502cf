"""The init container: with each command and each user that manifests give it, the volume holds the image's tree."""

from __future__ import annotations

import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from docker.types import Mount

from images.engine.debian_tools import tool
from images.engine.docker import Engine
from images.image.platforms import PLATFORMS
from images.paths import ARCHIVE, IMAGE_TREE, ROOT
from tests.containers.pods import INIT_USER, OPERATORS_COMMAND, OPERATORS_MOUNT, OTHER_MOUNT, Copied, empty_dir, init
from tests.layout import Entry, Layout

COMMANDS = {
    "operator": OPERATORS_COMMAND,
    "musl": ("cp", "-r", "/autoinstrumentation-musl/.", OPERATORS_MOUNT),
    "by hand": ("cp", "-a", "/autoinstrumentation/.", OTHER_MOUNT),
    "slash": ("cp", "-r", "/autoinstrumentation/.", f"{OTHER_MOUNT}/"),
}
EMULATORS = {"linux/amd64": None, "linux/arm64": "qemu-aarch64"}
DONE = Copied(0, "", "")


class State(NamedTuple):
    """What of a path must be in the volume as in the image; ``mtime`` only where it is kept."""

    kind: bytes
    mode: int
    content: bytes
    mtime: float | None


@pytest.fixture(scope="module")
def images() -> dict[str, dict[str, Entry]]:
    """The files below ``/autoinstrumentation`` in the image of each platform."""
    folder = f"{IMAGE_TREE}/".removeprefix("/")
    return {
        platform: {name.removeprefix(folder): entry for name, entry in image.files.items() if name.startswith(folder)}
        for platform, image in Layout(ARCHIVE).images().items()
    }


@pytest.fixture
def volume() -> Iterator[Path]:
    """A volume before anything has been copied to it."""
    with empty_dir() as folder:
        yield folder


def copy(
    image: str, command: Sequence[str], volume: Path, user: str | None = INIT_USER, platform: str = "linux/amd64"
) -> Copied:
    """Run the image's cp of a platform; that of another CPU, in its own image, is interpreted by what is put there."""
    place = (command[-1].rstrip("/"), "rw")
    if (emulator := EMULATORS[platform]) is None:
        return init(image, command, {volume: place}, user, platform=platform)
    volumes = {volume: place, tool(emulator): ("/emulator", "ro")}
    return init(image, ["/bin/cp", *command[1:]], volumes, user, platform=platform, entrypoint=["/emulator"])


def in_image(files: dict[str, Entry], *, times: bool) -> dict[str, State]:
    return {
        name: State(entry.kind, entry.mode, entry.content, entry.mtime if times else None)
        for name, entry in files.items()
    }


def in_volume(volume: Path, *, times: bool) -> dict[str, State]:
    found = {}
    for path in volume.rglob("*"):
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            kind, content = tarfile.DIRTYPE, b""
        elif stat.S_ISLNK(status.st_mode):
            kind, content = tarfile.SYMTYPE, str(path.readlink()).encode()
        else:
            kind, content = tarfile.REGTYPE, path.read_bytes()
        mtime = status.st_mtime if times else None
        found[str(path.relative_to(volume))] = State(kind, stat.S_IMODE(status.st_mode), content, mtime)
    return found


@pytest.mark.parametrize("user", [INIT_USER, None], ids=["some UID", "the image's user"])
@pytest.mark.parametrize("platform", [str(platform) for platform in PLATFORMS])
@pytest.mark.parametrize("command", [*COMMANDS.values()], ids=[*COMMANDS])
def test_the_volume_holds_the_images_tree(
    image: str,
    images: dict[str, dict[str, Entry]],
    volume: Path,
    command: tuple[str, ...],
    platform: str,
    user: str | None,
) -> None:
    """Every file, content and mode is copied, in silence and within the memory limit; with -a the times too."""
    times = "-a" in command
    assert copy(image, command, volume, user, platform) == DONE
    assert in_volume(volume, times=times) == in_image(images[platform], times=times)


def test_a_restarted_init_container_succeeds(image: str, images: dict[str, dict[str, Entry]], volume: Path) -> None:
    """Over what an earlier run copied, complete or not, it leaves the same tree."""
    assert copy(image, OPERATORS_COMMAND, volume) == DONE
    (volume / "version.txt").write_text("cut o")
    (volume / "bin" / "opentelemetry-instrument").unlink()
    assert copy(image, OPERATORS_COMMAND, volume) == DONE
    assert in_volume(volume, times=False) == in_image(images["linux/amd64"], times=False)


@pytest.fixture(scope="module")
def pushed(engine: Engine, image: str, registry: str) -> str:
    """The image as the resource names it that ``./build.sh push`` printed."""
    command = [str(ROOT / "build.sh"), "push", f"{registry}/autoinstrumentation-python:dev"]
    done = subprocess.run(command, env={**os.environ, **engine.env}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    name = yaml.safe_load(done.stdout)["spec"]["python"]["image"]
    assert name.startswith(f"{registry}/autoinstrumentation-python@sha256:")
    return str(name)


@pytest.mark.parametrize("platform", [str(platform) for platform in PLATFORMS])
def test_what_is_pushed_copies_the_same(
    engine: Engine, pushed: str, images: dict[str, dict[str, Entry]], volume: Path, platform: str
) -> None:
    """Pulled by the digest that the printed resource pins, it does on each platform what the built image does."""
    engine.run("pull", "--platform", platform, pushed)
    assert copy(pushed, OPERATORS_COMMAND, volume, platform=platform) == DONE
    assert in_volume(volume, times=False) == in_image(images[platform], times=False)


def test_the_images_user_is_one_that_runs_as_non_root(engine: Engine, image: str) -> None:
    """It is a number, which the kubelet can tell from root's without looking into the image."""
    user, _, _ = engine.run("image", "inspect", "--format", "{{.Config.User}}", image).partition(":")
    assert int(user) > 0


def test_a_volume_that_is_too_small_is_told_in_one_line(image: str) -> None:
    """The line names the setting that limits it."""
    small = Mount(OPERATORS_MOUNT, None, type="tmpfs", tmpfs_size=1_000_000, tmpfs_mode=0o777)
    copied = init(image, OPERATORS_COMMAND, {}, mounts=[small])
    assert (copied.status, copied.stdout) == (1, "")
    assert_one_line(copied, "No space left on device", "volumeLimitSize")


@pytest.mark.parametrize("user", [INIT_USER, None], ids=["some UID", "the image's user"])
def test_a_volume_that_may_not_be_written_is_told_in_one_line(image: str, volume: Path, user: str | None) -> None:
    """The line says who may not, nothing is left behind."""
    volume.chmod(0o755)
    copied = copy(image, OPERATORS_COMMAND, volume, user)
    assert (copied.status, copied.stdout) == (1, "")
    assert_one_line(copied, "Permission denied", f"user {(user or '65532').partition(':')[0]} may not write", "fsGroup")
    assert list(volume.iterdir()) == []


def test_a_volume_that_is_mounted_read_only_is_told_in_one_line(image: str, volume: Path) -> None:
    copied = init(image, OPERATORS_COMMAND, {volume: (OPERATORS_MOUNT, "ro")})
    assert (copied.status, copied.stdout) == (1, "")
    assert_one_line(copied, "Read-only file system", "readOnly")


def test_a_volume_that_is_not_mounted_is_told_in_one_line(image: str) -> None:
    copied = init(image, OPERATORS_COMMAND, {})
    assert (copied.status, copied.stdout) == (1, "")
    assert_one_line(copied, OPERATORS_MOUNT, "mount")


def assert_one_line(copied: Copied, *parts: str) -> None:
    (line,) = copied.stderr.splitlines()
    assert line.startswith("cp: ")
    assert [part for part in parts if part not in line] == [], line
