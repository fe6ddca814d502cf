"""Prepares the measured trees: that of the operator's image and ours, as an init container leaves them."""

from __future__ import annotations

import compileall
import gzip
import hashlib
import io
import platform
import shutil
import subprocess
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from images.errors import UserError
from images.image.platforms import PLATFORMS, Platform
from images.image.static_cp import compile_cp
from images.paths import ROOT, TREE, cache

LOCK = ROOT / "requirements" / "upstream.txt"
UPSTREAM_PYTHON = "3.14"
"""The Python of the operator's image."""


@dataclass(frozen=True)
class Tree:
    """An image's payload: ``source`` as it lies in the image, ``mount`` as the app finds it."""

    name: str
    source: Path
    mount: Path

    @property
    def door(self) -> Path:
        """The folder that ``PYTHONPATH`` begins with."""
        return self.mount / "opentelemetry" / "instrumentation" / "auto_instrumentation"


def prepare(folder: Path) -> tuple[Tree, Tree]:
    """Return upstream's tree and ours, copied into ``folder`` by ``cp -r`` and not writable from then on.

    Raises UserError where upstream's cannot be installed or ours has not been built.
    """
    if not TREE.is_dir():
        raise UserError("there is no dist/tree: run ./build.sh first")
    trees = (Tree("upstream", _upstream(), folder / "upstream"), Tree("ours", TREE, folder / "ours"))
    for tree in trees:
        tree.mount.mkdir()
        subprocess.run(["cp", "-r", f"{tree.source}/.", str(tree.mount)], check=True)
        subprocess.run(["chmod", "-R", "a-w", str(tree.mount)], check=True)
    return trees


def discard(tree: Tree) -> None:
    """Remove what ``prepare`` has made."""
    subprocess.run(["chmod", "-R", "u+w", str(tree.mount)], check=True)
    shutil.rmtree(tree.mount)


def _upstream() -> Path:
    """Install what the operator's Dockerfile installs, byte code included, once for each lock."""
    target = cache("upstream") / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent) as name:
            work = Path(name) / "workspace"
            command = ["uv", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"]
            command += ["--target", str(work), "--python-version", UPSTREAM_PYTHON]
            command += ["--python-platform", "x86_64-manylinux_2_28", "--link-mode", "copy", "-r", str(LOCK)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise UserError(f"cannot install requirements/upstream.txt: {' '.join(done.stderr.split())[-300:]}")
            compileall.compile_dir(work, quiet=2)  # as pip does; cp -r makes it stale, whatever Python wrote it
            work.rename(target)
    return target


def copy_seconds(tree: Tree, folder: Path) -> float:
    """Return how long an init container's command takes: our image's own ``cp`` for ours, this machine's for theirs.

    The copy stays in ``folder``. A pod's volume is new; where files have just been deleted, ext4 looks at the inode of
    each before it takes a free one, and that was two thirds of the time.
    """
    target = Path(tempfile.mkdtemp(prefix="copied-", dir=folder))
    program = "cp" if tree.name == "upstream" else str(compile_cp(_platform()))
    began = time.perf_counter()
    subprocess.run([program, "-r", f"{tree.source}/.", str(target)], check=True)
    return time.perf_counter() - began


def size(tree: Tree) -> tuple[int, int, int]:
    """Return the number of files, the bytes in them, and the bytes of all as a compressed layer."""
    files = [path for path in sorted(tree.source.rglob("*")) if path.is_file()]
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for path in files:
            archive.add(path, path.relative_to(tree.source).as_posix())
    return len(files), sum(path.stat().st_size for path in files), len(gzip.compress(layer.getvalue(), 9, mtime=0))


def _platform() -> Platform:
    """Return the platform of this machine."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
    return next(each for each in PLATFORMS if each.architecture == architecture)
