"""Base images for the container tests: one per Python, with the sample apps' dependencies, like a team's own image.

They are made of Debian's packages where those can be had, and of the official ``python:X-slim`` where those can be
pulled. Dependencies are installed on the host and copied in, since containers have no network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from images import console, debian, paths
from images.errors import UserError

if TYPE_CHECKING:
    from images.engine import Engine

REQUIRED = ("3.11", "3.13", "3.14")
"""Pythons without which the container tests fail."""
OPTIONAL = ("3.10", "3.12")
"""Pythons that no Debian suite has: tested where the official image can be pulled."""

_SUITES = {"3.11": "bookworm", "3.13": "trixie", "3.14": "forky"}
_SYSTEM = ("base-files", "base-passwd", "bash", "coreutils", "dash", "findutils", "grep", "libc-bin", "sed")
_LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian")
_REQUIREMENTS = paths.ROOT / "requirements" / "apps.txt"
_DOCKERFILE = """\
FROM {parent}
COPY bin/ /usr/local/bin/
COPY site/ {site}/
# as an installer would: where containers cannot write, an app would else be compiled anew at every start
RUN --network=none python3 -m compileall -q $(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))') {site}
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
        packages = _install(version, requirements, Path(work))
        if version in _SUITES and debian.available():
            parent, site = _from_debian(engine, version), f"/usr/local/lib/python{version}/dist-packages"
        else:
            parent, site = _pull(engine, version), f"/usr/local/lib/python{version}/site-packages"
        with console.step(f"making the base image for Python {version}"):
            (packages / "Dockerfile").write_text(_DOCKERFILE.format(parent=parent, site=site))
            engine.run("buildx", "build", "--load", "--provenance=false", "--tag", tag, str(packages))
            engine.run("save", "--output", f"{work}/image.tar", tag)
            Path(work, "image.tar").rename(archive)
    return tag


def _install(version: str, requirements: Path, work: Path) -> Path:
    """Install the requirements for this Python and return a folder with ``site`` and ``bin``."""
    folder = work / "packages"
    site = folder / "site"
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
    (site / "bin").rename(folder / "bin")
    for script in (folder / "bin").iterdir():
        first, _, rest = script.read_bytes().partition(b"\n")
        if first.startswith(b"#!"):
            script.write_bytes(b"#!/usr/bin/env python3\n" + rest)
    return folder


def _pull(engine: Engine, version: str) -> str:
    image = f"python:{version}-slim"
    try:
        engine.run("pull", image)
    except UserError as error:
        raise UserError(f"Python {version} is not covered: no Debian package here, and {error}") from None
    return image


def _from_debian(engine: Engine, version: str) -> str:
    """Import a root file system of Debian's packages, completed by what their scripts would have made."""
    python = f"python{version}"
    packages = debian.unpack(_SUITES[version], [python, *_SYSTEM], closure=True)
    tag = f"autoinstrumentation-test-debian:{version}"
    with console.step(f"importing Debian's Python {version}"), tempfile.TemporaryDirectory(dir=packages.parent) as work:
        root = Path(work, "root")
        # links to the same files: what is added or replaced from here on does not touch the unpacked packages
        subprocess.run(["cp", "--archive", "--link", packages, root], check=True)
        for left_out in _LEFT_OUT:
            shutil.rmtree(root / left_out, ignore_errors=True)
        for name in ("passwd", "group"):
            shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
        local = root / "usr/local/bin"
        local.mkdir(parents=True, exist_ok=True)
        for name in ("python", "python3"):
            (local / name).symlink_to(f"/usr/bin/{python}")
        owner = ["--numeric-owner", "--owner=0", "--group=0"]
        with subprocess.Popen(["tar", "--create", "--directory", root, *owner, "."], stdout=subprocess.PIPE) as archive:
            engine.run("import", "-", tag, stdin=archive.stdout)
    return tag
