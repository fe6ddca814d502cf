"""What the image says about itself: OCI labels and annotations, the same in both packs, and the one time stamp.

The keys are those of the OCI image specification (annotations.md, "Pre-Defined Annotation Keys").
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from images.errors import UserError
from images.paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# 2020-01-01T00:00:00Z. A constant, not the time of the commit: a tarball without git gives the same layers as a clone,
# and a commit that leaves the payload alone leaves the layer's digest alone, so that nodes which have it pull nothing.
DEFAULT_EPOCH = 1577836800


def epoch() -> int:
    """Return ``SOURCE_DATE_EPOCH``, seconds since 1970: the time of every file and of the image.

    Raises ``UserError`` when the variable is not a number that a date can be made of.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH") or str(DEFAULT_EPOCH)
    # Eleven octal digits are what a tar header holds without an extension: up to the year 2242.
    if not (text.isascii() and text.isdigit() and int(text) < 8**11):
        raise UserError(f"SOURCE_DATE_EPOCH is {text!r}: give whole seconds since 1970, or unset it")
    return int(text)


def created() -> str:
    """Return ``epoch()`` as RFC 3339 writes it."""
    return datetime.fromtimestamp(epoch(), tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def project() -> dict[str, Any]:
    """Return the table of ``pyproject.toml`` where name, version and the like stand."""
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def version() -> str:
    """Return the version of the image, also its tag until it is pushed under another."""
    return str(project()["version"])


def local_name() -> str:
    """Return the name of the image in an engine that loads it; Docker shows it without ``docker.io/library``."""
    return f"docker.io/library/{project()['name']}:{version()}"


def labels() -> dict[str, str]:
    """Return the labels of the image, which serve as annotations too; without git there is no ``revision``."""
    urls = project().get("urls", {})
    found = {
        "title": project()["name"],
        "description": project()["description"],
        "licenses": project()["license"],
        "source": urls.get("Source") or urls.get("Repository"),
        "version": version(),
        "revision": revision(ROOT),
        "created": created(),
    }
    return {f"org.opencontainers.image.{key}": value for key, value in sorted(found.items()) if value}


@cache
def revision(root: Path) -> str | None:
    """Return the commit checked out at ``root``, with ``-dirty`` when the files are not those of the commit."""
    # A tarball unpacked somewhere inside another repository is not a checkout of that repository.
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None
    return f"{commit}-dirty" if _git(root, "status", "--porcelain") else commit


def _git(root: Path, *arguments: str) -> str | None:
    # A git hook that starts the build exports GIT_DIR and the like of whatever repository it runs for.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(["git", *arguments], cwd=root, env=env, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
