"""Writes every lock in requirements/ anew, with the newest releases that fit together.

Run by ``nox -s lock``. A lock serves every supported Python with one version of each package: two builders with
different Pythons must get the same image, and the payload is one tree for all of them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from images.console import say, step
from images.errors import UserError
from images.paths import ROOT
from images.payload import own

LOCKS = (
    "payload",
    "tools",
    "build",
    "apps",
    "frameworks",
    "servers",
    "libraries",
    "tests",
    "lint",
    "own-opentelemetry",
    "old-pins",
    "upstream",
)
"""In this order: a package that stands in several locks has the version of the first one everywhere."""
APART = frozenset({"own-opentelemetry", "old-pins", "upstream"})
"""Locks that may have other versions than the earlier locks, since they ask for given releases."""
PYTHONS = ("3.10", "3.14")
"""The oldest and the newest Python that every lock must be installable on."""
FOLDER = ROOT / "requirements"
SDK_RELEASES = ("1.12", "1.20", "1.27", "1.30", "1.34", "1.36", "1.38", "1.39", "1.40", "1.42", "1.44", "1.45")
"""Releases of the SDK that apps bring themselves: each is locked by itself, in requirements/sdk-releases/."""

_PLATFORM = "x86_64-manylinux_2_28"


def lock(folder: Path = FOLDER) -> None:
    """Resolve every ``*.in`` of the folder into its ``*.txt`` and print what changed.

    All of them are resolved and tried before the first one is replaced: raises ``UserError`` and leaves the old ones
    where one does not resolve, or could not be installed on the oldest and the newest Python.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".lock-") as name:
        work = Path(name) / "requirements"
        work.mkdir()
        for source in folder.glob("*.in"):
            shutil.copy(source, work)
        for position, each in enumerate(LOCKS):
            with step(f"resolving {each}.in"):
                _resolve(work, each, () if each in APART else LOCKS[:position])
            for python in PYTHONS:
                with step(f"trying {each}.txt on Python {python}"):
                    _try(work, each, python)
        changes = _changes(folder, work)
        for each in LOCKS:
            (work / f"{each}.txt").replace(folder / f"{each}.txt")
    lock_own()
    say("\n".join(changes) or "nothing changed")


def pins(text: str) -> dict[str, str]:
    """Return the version of each package in a lock, by name."""
    return dict(re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", text))


def _resolve(work: Path, name: str, earlier: tuple[str, ...]) -> None:
    command = ["pip", "compile", "--generate-hashes", "--universal", "--python-version", PYTHONS[0]]
    # One version of a package for all Pythons, where two would be newer for the newer Pythons (asgiref).
    command += ["--fork-strategy", "fewest", "--only-binary", ":all:", "--annotation-style", "line"]
    command += ["--custom-compile-command", "nox -s lock", "--quiet"]
    for each in earlier:
        command += ["--constraints", f"requirements/{each}.txt"]
    _uv(
        work,
        f"{name}.in does not resolve",
        *command,
        "--output-file",
        f"requirements/{name}.txt",
        f"requirements/{name}.in",
    )


def lock_sdk_releases(folder: Path = FOLDER / "sdk-releases") -> None:
    """Lock those that have no lock yet: what a release consists of changes no more."""
    folder.mkdir(exist_ok=True)
    for release in SDK_RELEASES:
        if not (folder / f"{release}.txt").exists():
            with step(f"resolving opentelemetry-sdk {release}"), tempfile.TemporaryDirectory() as name:
                source = Path(name) / f"opentelemetry-sdk-{release}.in"
                source.write_text(
                    f"opentelemetry-sdk=={release}.*\nsetuptools<81 # old releases import pkg_resources\n"
                )
                command = [
                    "pip",
                    "compile",
                    "--generate-hashes",
                    "--universal",
                    "--python-version",
                    PYTHONS[0],
                    "--quiet",
                ]
                command += ["--fork-strategy", "fewest", "--only-binary", ":all:", "--no-annotate"]
                command += ["--custom-compile-command", "nox -s lock"]
                command += ["--output-file", str(folder / f"{release}.txt"), str(source)]
                _uv(FOLDER, f"sdk-releases/{release} does not resolve", *command)


def lock_own() -> None:
    """Resolve what the packages in ``extensions/own`` require, with the payload's versions where it has the same."""
    source = own.FOLDER / "requirements.in"
    if source.exists():
        with step("resolving extensions/own/requirements.in"):
            command = ["pip", "compile", "--generate-hashes", "--universal", "--python-version", PYTHONS[0], "--quiet"]
            command += [
                "--fork-strategy",
                "fewest",
                "--only-binary",
                ":all:",
                "--custom-compile-command",
                "nox -s lock",
            ]
            command += ["--constraints", "requirements/payload.txt", "--output-file", str(own.LOCK), str(source)]
            _uv(FOLDER, "../extensions/own/requirements.in does not resolve", *command)


def _try(work: Path, name: str, python: str) -> None:
    """Let uv say what it would install: with ``--require-hashes`` nothing may be missing from the lock."""
    command = ["pip", "install", "--dry-run", "--target", str(work / "none"), "--require-hashes"]
    command += ["--only-binary", ":all:", "--python-version", python, "--python-platform", _PLATFORM]
    _uv(work, f"{name}.txt cannot be installed on Python {python}", *command, "-r", f"requirements/{name}.txt")


def _uv(work: Path, failure: str, *arguments: str) -> None:
    # sys.executable: without it uv would try every Python on PATH. The lock must not depend on which one this is.
    command = [sys.executable, "-m", "uv", *arguments[:2], "--python", sys.executable, *arguments[2:]]
    done = subprocess.run(command, cwd=work.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"uv ended with status {done.returncode}"
        raise UserError(f"requirements/{failure}, the locks stay as they were: {reason}")


def _changes(old: Path, new: Path) -> list[str]:
    """Return a line for each package that changed, with the locks that it changed in."""
    changed: dict[str, list[str]] = {}
    for each in LOCKS:
        before = pins((old / f"{each}.txt").read_text()) if (old / f"{each}.txt").exists() else {}
        after = pins((new / f"{each}.txt").read_text())
        for name in {*before, *after}:
            if before.get(name) != after.get(name):
                line = f"{name} {before.get(name, '(new)')} -> {after.get(name, '(gone)')}"
                changed.setdefault(line, []).append(each)
    return [f"{line} ({', '.join(changed[line])})" for line in sorted(changed)]


def main() -> int:
    """Write the locks; 1 and one line on stderr where that fails."""
    try:
        if sys.argv[1:] == ["own"]:
            lock_own()
        else:
            lock()
            lock_sdk_releases()
    except (UserError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
