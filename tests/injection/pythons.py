"""The Pythons that apps are run with, and the apps' own dependencies for each."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from images.errors import UserError
from images.paths import ROOT, cache

SUPPORTED = ("3.10", "3.11", "3.12", "3.13", "3.14")


@functools.cache
def find() -> list[Path]:
    """Return the interpreters of the supported versions on this host, one for each version, oldest first.

    Looked for on PATH and among pyenv's versions (its shims on PATH start only the selected ones). UserError if there
    is none.
    """
    found = [python for version in SUPPORTED if (python := _find(version))]
    if not found:
        raise UserError(f"no Python of {', '.join(SUPPORTED)} found: put one on PATH or name it by --python")
    return found


@functools.cache
def version(python: Path) -> str:
    """Return an interpreter's version such as ``3.12``; empty if it does not start."""
    command = [str(python), "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def apps_environment(python: Path, lock_name: str = "apps") -> Path:
    """Return a virtual environment of this interpreter with what a lock of requirements/ holds, nothing else.

    Made once for each interpreter and lock file, in the cache; UserError if it cannot be made.
    """
    return _environment(python, lock_name, ROOT / "requirements" / f"{lock_name}.txt")


def without_packages(python: Path) -> Path:
    """Return this interpreter in a virtual environment without packages: its own folder may hold any."""
    return _environment(python, "nothing", None) / "bin" / "python"


def _environment(python: Path, name: str, lock: Path | None) -> Path:
    what = (lock.read_bytes() if lock else b"") + os.fsencode(python.resolve()) + version(python).encode()
    digest = hashlib.sha256(what).hexdigest()[:16]
    folder = cache("apps") / f"{name}-{version(python)}-{digest}"
    with (cache("apps") / f".{digest}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not folder.is_dir():
            unfinished = folder.with_name(f".{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            _uv("venv", "--relocatable", "--python", str(python), str(unfinished))
            if lock:
                locked = ("--require-hashes", "--only-binary", ":all:", "-r", str(lock))
                _uv("pip", "install", "--python", str(unfinished), *locked)
            unfinished.rename(folder)
    return folder


def _find(wanted: str) -> Path | None:
    on_path = shutil.which(f"python{wanted}")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [Path(on_path)] if on_path else []
    candidates += sorted(pyenv.glob(f"{wanted}.*/bin/python{wanted}"), reverse=True)
    return next((candidate for candidate in candidates if version(candidate) == wanted), None)


def _uv(*arguments: str) -> None:
    try:
        subprocess.run(["uv", "--quiet", *arguments], check=True)
    except FileNotFoundError:
        raise UserError("uv is not on PATH: run the tests by ./build.sh test, which brings it") from None
    except subprocess.CalledProcessError as error:
        raise UserError(f"uv {arguments[0]} failed with status {error.returncode}: see its message above") from None
