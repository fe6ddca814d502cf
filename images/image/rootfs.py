"""What lies where in the image, with which mode: the folder that both packs are made from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from images.image.labels import epoch, labels, local_name
from images.image.platforms import Platform
from images.paths import IMAGE_TREE, IMAGE_TREE_MUSL, ROOT

CONTEXT = "context"
"""Folder in ``dist``, the build context: ``Dockerfile``, ``rootfs/`` (for all platforms), ``platform/<os>/<arch>/``."""
BAKE = f"{CONTEXT}/bake.json"
"""File in ``dist`` that tells ``docker-bake.hcl`` the platforms, labels and annotations."""


def mode(path: PurePosixPath, *, folder: bool) -> int:
    """Return the permission bits of ``path`` in the image.

    Readable by any UID whatever the umask of the host. Executable is what lies directly in a ``bin``: a rule by name
    and not by the host's bits, because some file systems have none or show all of them set.
    """
    return 0o755 if folder or path.parent.name == "bin" else 0o644


def walk(root: Path) -> Iterator[Path]:
    """Yield everything below ``root``, folders before what is in them, in an order that no host's locale changes."""
    for path in sorted(root.iterdir(), key=lambda path: path.name.encode()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from walk(path)


def normalise(root: Path) -> None:
    """Give ``root`` and everything below it the image's modes and time, since buildx copies those of the host.

    The fraction of a second comes from the content: BuildKit sends a file again only if its path, size or time differs
    from what it got before, even in another build.
    """
    for path in (root, *walk(root)):
        if not path.is_symlink():
            path.chmod(mode(PurePosixPath(path.relative_to(root)), folder=path.is_dir()))
        time = epoch() * 10**9 + _fraction(path)
        os.utime(path, ns=(time, time), follow_symlinks=False)


def _fraction(path: Path) -> int:
    """Return nanoseconds below one second that stand for a file's content."""
    if path.is_symlink() or path.is_dir():
        return 0
    return int.from_bytes(hashlib.sha256(path.read_bytes()).digest()[:8], "big") % 10**9


def prepare(tree: Path, binaries: Mapping[Platform, Path], dist: Path) -> Path:
    """Write ``dist/context``, the input of both packs, and return it.

    ``tree`` is the assembled payload, ``binaries`` the static ``cp`` of every platform of the image. Raises ``OSError``
    and leaves nothing half-written.
    """
    context, fresh = dist / CONTEXT, dist / f"{CONTEXT}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        payload = fresh / "rootfs" / Path(IMAGE_TREE).name
        _copy(tree, payload)
        payload.with_name(Path(IMAGE_TREE_MUSL).name).symlink_to(payload.name)
        for platform, binary in binaries.items():
            folder = platform_folder(fresh, platform) / "bin"
            folder.mkdir(parents=True)
            shutil.copyfile(binary, folder / "cp")
        shutil.copyfile(ROOT / "images" / "image" / "Dockerfile", fresh / "Dockerfile")
        description = json.dumps(_bake(binaries), indent=2) + "\n"
        (fresh / Path(BAKE).name).write_text(description, encoding="utf-8")
        normalise(fresh)
        if context.exists():
            shutil.rmtree(context)
        fresh.rename(context)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return context


def platform_folder(context: Path, platform: Platform) -> Path:
    """Return where the files of one platform lie, laid out as in the image."""
    return context / "platform" / str(platform)


def _copy(source: Path, target: Path) -> None:
    # Not shutil.copytree: that goes on after a full disk and then reports every file.
    target.mkdir(parents=True)
    for path in walk(source):
        to = target / path.relative_to(source)
        if path.is_symlink():
            to.symlink_to(path.readlink())
        elif path.is_dir():
            to.mkdir()
        else:
            shutil.copyfile(path, to)


def _bake(binaries: Mapping[Platform, Path]) -> dict[str, object]:
    target = {
        "platforms": [str(platform) for platform in binaries],
        "tags": [local_name()],
        "labels": labels(),
        # buildx up to 0.13 takes "index,manifest:" for a part of the key.
        "annotations": [f"{level}:{key}={value}" for level in ("index", "manifest") for key, value in labels().items()],
        "args": {"SOURCE_DATE_EPOCH": str(epoch())},
    }
    return {"target": {"image": target}}
