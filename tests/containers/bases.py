"""Base images for the container tests: one per Python, with the sample apps' dependencies, like a team's own image.

They are made of Debian's packages, for Pythons that Debian does not have with an interpreter from Maven Central, and of
the official ``python:X-slim`` where those cannot be had but this can be pulled. Dependencies are installed on the host
and copied in, since containers have no network.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from images import console, paths
from images.engine import debian
from images.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from images.engine.docker import Engine

REQUIRED = ("3.11", "3.13", "3.14")
"""Pythons without which the container tests fail."""
OPTIONAL = ("3.10", "3.12")
"""Pythons that no Debian suite has: tested where Maven Central or the official image can be reached."""

_SUITES = {"3.9": "bullseye", "3.11": "bookworm", "3.13": "trixie", "3.14": "forky"}
_SYSTEM = ("base-files", "base-passwd", "bash", "coreutils", "dash", "findutils", "grep", "libc-bin", "sed")
_JARS = {
    "3.10": ("3.10.8-1.5.8", "2f101b1aa06effdbda3c318c1728b13f22b571707c7b7704abaf5d19a33aa981"),
    "3.12": ("3.12.1-1.5.10", "a135fcf4dc01adebf7ea439252276fc3196db80f7e0dd3da0b61f1ec489b68bd"),
}
"""Releases of ``org.bytedeco:cpython`` and the SHA-256 of their archive for linux-x86_64."""
_JARS_SUITE = "bookworm"
_JARS_LIBRARIES = ("libbz2-1.0", "libcrypt1", "liblzma5", "libreadline8", "libsqlite3-0", "libuuid1", "zlib1g")
_LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian")
_REQUIREMENTS = paths.ROOT / "requirements" / "apps.txt"
_DOCKERFILE = """\
FROM {parent}
COPY bin/ /usr/local/bin/
COPY site/ {site}/
# as an installer would: where containers cannot write, an app would else be compiled anew at every start
RUN --network=none ldconfig && \\
    python3 -m compileall -q $(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))') {site}
"""
_REVISION = "1"
"""To be raised with every change here that the images made before must not outlive."""


def base_image(engine: Engine, version: str, requirements: Path = _REQUIREMENTS) -> str:
    """Return the name of an image with this Python and the requirements installed, which the engine then has.

    In the image ``python3`` and the packages' commands (``gunicorn``) are on ``PATH`` in ``/usr/local/bin``. It is kept
    as an archive in the cache. Raises ``UserError`` where there is no way to this Python.
    """
    if not requirements.exists():
        raise UserError(f"{requirements} is missing: run ./build.sh lock")
    key = hashlib.sha256(f"{_REVISION} {version} {os.uname().machine}".encode() + requirements.read_bytes()).hexdigest()
    tag = f"autoinstrumentation-test-base:{version}-{key[:16]}"
    archive = paths.cache("bases") / f"{version}-{key[:16]}.tar"
    if archive.exists():
        engine.run("load", "--input", str(archive))
        return tag
    with tempfile.TemporaryDirectory(dir=paths.cache("bases")) as work:
        parent = _parent(engine, version)
        packages = _install(version, requirements, Path(work))
        packaging = "site-packages" if version not in _SUITES or parent.startswith("python:") else "dist-packages"
        site = f"/usr/local/lib/python{version}/{packaging}"
        with console.step(f"making the base image for Python {version}"):
            (packages / "Dockerfile").write_text(_DOCKERFILE.format(parent=parent, site=site))
            engine.run("buildx", "build", "--load", "--provenance=false", "--tag", tag, str(packages))
            engine.run("save", "--output", f"{work}/image.tar", tag)
            Path(work, "image.tar").rename(archive)
    return tag


def bare_image(engine: Engine, version: str) -> str:
    """Return the name of an image with this Python alone, also with one that is not supported."""
    return _parent(engine, version)


def install(version: str, requirements: Path, site: Path) -> None:
    """Install the requirements for this Python into a folder."""
    platform = f"{os.uname().machine}-manylinux_2_28"
    options = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--python-version", version]
    command = [
        "uv",
        "pip",
        "install",
        *options,
        "--python-platform",
        platform,
        "--target",
        str(site),
        "-r",
        str(requirements),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError("uv is not on PATH: run ./build.sh test, which brings it") from None
    if done.returncode:
        raise UserError(f"cannot install {requirements} for Python {version}: {done.stderr.strip().splitlines()[-1]}")


def _install(version: str, requirements: Path, work: Path) -> Path:
    """Install the requirements for this Python and return a folder with ``site`` and ``bin``."""
    folder = work / "packages"
    site = folder / "site"
    install(version, requirements, site)
    (site / "bin").rename(folder / "bin")
    for script in (folder / "bin").iterdir():
        first, _, rest = script.read_bytes().partition(b"\n")
        if first.startswith(b"#!"):
            script.write_bytes(b"#!/usr/bin/env python3\n" + rest)
    return folder


def _parent(engine: Engine, version: str) -> str:
    """Return an image with this Python and nothing else of note, from wherever it can be had."""
    if debian.available() and version in _SUITES:
        return _from_debian(engine, version)
    try:
        return _from_maven(engine, version)
    except UserError as error:
        reason = error
    try:
        return _pull(engine, version)
    except UserError as error:
        raise UserError(f"Python {version} is not covered: {reason}; {error}") from None


def _pull(engine: Engine, version: str) -> str:
    image = f"python:{version}-slim"
    engine.run("pull", image)
    return image


def _from_debian(engine: Engine, version: str) -> str:
    """Import a root file system with Debian's own Python."""
    with _root(_SUITES[version], [f"python{version}"]) as root:
        for name in ("python", "python3"):
            (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/python{version}")
        return _import(engine, root, version)


def _from_maven(engine: Engine, version: str) -> str:
    """Import a root file system of Debian with the CPython that JavaCPP has in Maven Central, as ``/usr/local``."""
    jar = _jar(version)
    with _root(_JARS_SUITE, _JARS_LIBRARIES) as root, zipfile.ZipFile(jar) as archive:
        local = root / "usr/local"
        top = f"org/bytedeco/cpython/linux-{os.uname().machine}/"
        for name in archive.namelist():
            place = name.removeprefix(top)
            library = re.fullmatch(r"lib[\w.]+\.so[.\d]*", place)
            if library or re.match(rf"(bin|lib/python{version})/(?!site-packages/|test/|lib2to3/).*[^/]$", place):
                target = local / (f"lib/{place}" if library else place)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
                target.chmod(0o755)
        (local / "bin/python").symlink_to("python3")
        return _import(engine, root, version)


def _jar(version: str) -> Path:
    """Download the archive with this Python by its coordinates."""
    try:
        from jgo.maven import MavenContext
    except ImportError:
        raise UserError("jgo is not installed, which downloads from Maven Central") from None
    if version not in _JARS or os.uname().machine != "x86_64":
        raise UserError(f"no archive in Maven Central is known for {os.uname().machine}")
    release, expected = _JARS[version]
    component = MavenContext(repo_cache=paths.cache("maven")).project("org.bytedeco", "cpython").at_version(release)
    try:
        jar = component.artifact(classifier=f"linux-{os.uname().machine}").resolve()
    except (OSError, RuntimeError) as error:
        raise UserError(f"org.bytedeco:cpython:{release} cannot be downloaded: {error}") from None
    if hashlib.sha256(jar.read_bytes()).hexdigest() != expected:
        jar.unlink()
        raise UserError(f"org.bytedeco:cpython:{release} is not what it was: its SHA-256 is not the one in {__file__}")
    return jar


@contextmanager
def _root(suite: str, packages: Sequence[str]) -> Iterator[Path]:
    """Give a root file system of Debian's packages, completed by what their scripts would have made."""
    unpacked = debian.unpack(suite, [*packages, *_SYSTEM], closure=True)
    with tempfile.TemporaryDirectory(dir=unpacked.parent) as work:
        root = Path(work, "root")
        # links to the same files: what is added or replaced from here on does not touch the unpacked packages
        subprocess.run(["cp", "--archive", "--link", unpacked, root], check=True)
        for left_out in _LEFT_OUT:
            shutil.rmtree(root / left_out, ignore_errors=True)
        for name in ("passwd", "group"):
            shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
        (root / "usr/local/bin").mkdir(parents=True, exist_ok=True)
        yield root


def _import(engine: Engine, root: Path, version: str) -> str:
    tag = f"autoinstrumentation-test-root:{version}"
    owner = ["--numeric-owner", "--owner=0", "--group=0"]
    with console.step(f"importing Python {version}"):
        command = ["tar", "--create", "--directory", str(root), *owner, "."]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as archive:
            engine.run("import", "-", tag, stdin=archive.stdout)
    return tag
