"""Packages of one's own that go into the image: what lies in ``extensions/own``, and what that requires.

The folder holds packages or modules, ``entry_points.txt`` (in the form that distributions have it) and, if they need
others, ``requirements.in`` with the ``requirements.txt`` that ``nox -s lock`` makes of it. All of it becomes private
copies, as the rest of the payload: an app never sees it, and may have other versions of the same.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from importlib.metadata import Distribution, EntryPoints, PathDistribution
from pathlib import Path

from images.errors import UserError
from images.ownership import APP, COPIED, REPLACED
from images.paths import ROOT

FOLDER = ROOT / "extensions" / "own"
LOCK = FOLDER / "requirements.txt"


def sources(required: Path | None, distributions: Collection[Distribution]) -> dict[str, Path]:
    """Return the modules to copy, by their path in the tree; ``required`` is where the requirements are installed.

    ``distributions`` are those of the payload. Raises UserError for what does not fit into it.
    """
    found = {each.relative_to(FOLDER).as_posix(): each for each in sorted(FOLDER.rglob("*.py"))}
    taken = {*APP, *COPIED, *REPLACED, *sys.stdlib_module_names, "opentelemetry", "otel_injection"}
    for name in sorted({_top(path) for path in found} & taken):
        raise UserError(f"extensions/own holds '{name}', a name that is taken: give it another one")
    known = {each.name.lower(): each.version for each in distributions}
    for each in required_distributions(required):
        if known.get(each.name.lower(), each.version) != each.version:
            raise UserError(
                f"extensions/own/requirements.txt wants {each.name} {each.version}, the payload has "
                f"{known[each.name.lower()]}: run ./build.sh lock"
            )
        if each.name.lower() not in known:
            found.update(_files(each, required))
    return found


def required_distributions(required: Path | None) -> list[PathDistribution]:
    """Return the distributions that the own packages require."""
    return [PathDistribution(each) for each in sorted(required.glob("*.dist-info"))] if required is not None else []


def names(found: Collection[str]) -> frozenset[str]:
    """Return the top-level names of the modules."""
    return frozenset(_top(path) for path in found) - {"opentelemetry"}


def entry_points() -> EntryPoints:
    """Return what ``entry_points.txt`` says."""
    path = FOLDER / "entry_points.txt"
    text = path.read_text(encoding="utf-8") if path.exists() else ""

    class _Own(Distribution):
        def read_text(self, filename: str) -> str | None:
            return text if filename == "entry_points.txt" else None

        def locate_file(self, path: object) -> Path:
            return FOLDER / str(path)

    return _Own().entry_points


def _files(distribution: PathDistribution, required: Path | None) -> Iterator[tuple[str, Path]]:
    assert required is not None
    for file in distribution.files or ():
        if file.suffix in (".so", ".pyd"):
            raise UserError(
                f"extensions/own requires {distribution.name}, which is compiled code: only pure Python fits"
            )
        if file.suffix == ".py" and ".." not in file.parts:
            yield file.as_posix(), required / file


def _top(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")
