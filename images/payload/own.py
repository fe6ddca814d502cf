"""Adds a user's own packages to the image: the content of ``extensions/own``, and what it requires.

The folder holds packages or modules, ``entry_points.txt`` (in the form that distributions have it) and, if they need
others, ``requirements.in`` with the ``requirements.txt`` that ``./build.sh lock own`` makes of it. All of it becomes
private copies, as the rest of the payload: an app never sees it, and may have other versions of the same packages.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from importlib.metadata import Distribution, EntryPoints, PathDistribution
from pathlib import Path

from images.errors import UserError
from images.paths import ROOT
from images.payload import ownership
from images.payload.ownership import APP, COPIED, PRIVATE, REPLACED
from images.payload.rewrite import rewrite

FOLDER = ROOT / "extensions" / "own"
LOCK = FOLDER / "requirements.txt"
_NOT_DATA = (".py", ".pyc", ".pyi", ".so", ".pyd")


def is_locked() -> bool:
    """Return whether the own packages require others; UserError if those are not locked."""
    if (FOLDER / "requirements.in").exists() and not LOCK.exists():
        raise UserError("extensions/own/requirements.in has no lock beside it: run ./build.sh lock own")
    return LOCK.exists()


def rewritten(source: Path, name: str, payloads: ownership.Ownership) -> bytes:
    """Return what is written into the tree for one of the files: a module ``name``, or data."""
    content = source.read_bytes()
    return rewrite(content, name, Ownership(payloads, source)) if source.suffix == ".py" else content


class Ownership(ownership.Ownership):
    """Answers for one of these modules, the file ``source``.

    A module that it imports and that the payload lacks raises ImportError in the app, as if it were not installed: the
    importing code handles that. The lock holds all that the required packages need, so that anything else is optional.
    """

    foreign = True

    def __init__(self, payloads: ownership.Ownership, source: Path) -> None:
        vars(self).update(vars(payloads))
        self._source = source
        self._optional = _optional(source.read_bytes()) if source.is_relative_to(FOLDER) else None

    def home(self, module: str) -> str:
        """Return the name under which the module finds another one; the stand-in for psutil is not offered to it."""
        top = module.partition(".")[0]
        return self.unknown(module) if top == "psutil" and top not in self._private else super().home(module)

    def unknown(self, module: str) -> str:
        """Return a private name, which nothing has, for what may be missing; UserError for all else."""
        if self._optional is None or module in self._optional:
            return f"{PRIVATE}.{module}"
        raise UserError(
            f"{self._source.relative_to(ROOT)} imports '{module}', which is neither in the payload nor in "
            "extensions/own/requirements.txt: name it in extensions/own/requirements.in and run ./build.sh lock own"
        )


def _optional(source: bytes) -> frozenset[str]:
    """Return the modules that are imported where an ImportError is caught, or for type checkers alone."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        guards = isinstance(node, ast.Try) and any(_catches(each) for each in node.handlers)
        guards = guards or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        body: list[ast.stmt] = getattr(node, "body", []) if guards else []
        for each in (inner for statement in body for inner in ast.walk(statement)):
            if isinstance(each, ast.Import):
                found.update(alias.name for alias in each.names)
            elif isinstance(each, ast.ImportFrom) and each.module:
                found.add(each.module)
    return frozenset(found)


def _catches(handler: ast.ExceptHandler) -> bool:
    text = "Exception" if handler.type is None else ast.unparse(handler.type)
    return any(each in text for each in ("ImportError", "ModuleNotFoundError", "Exception"))


def sources(required: Path | None, distributions: Collection[Distribution]) -> dict[str, Path]:
    """Return the modules to copy, by their path in the tree; ``required`` is where the requirements are installed.

    ``distributions`` are those of the payload. Raises UserError for what does not fit into it.
    """
    found = {each.relative_to(FOLDER).as_posix(): each for each in sorted(FOLDER.rglob("*")) if _belongs(each)}
    taken = {*APP, *COPIED, *REPLACED, *sys.stdlib_module_names, "opentelemetry", "otel_injection"}
    for name in sorted({_top(path) for path in found} & taken):
        raise UserError(f"extensions/own holds '{name}', a name that is taken: give it another one")
    known = {each.name.lower(): each.version for each in distributions}
    for each in required_distributions(required):
        if known.get(each.name.lower(), each.version) != each.version:
            raise UserError(
                f"extensions/own/requirements.txt wants {each.name} {each.version}, the payload has "
                f"{known[each.name.lower()]}: run ./build.sh lock own"
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
        in_package = len(file.parts) > 1 and file.suffix not in _NOT_DATA and not file.parts[0].endswith(".dist-info")
        if (file.suffix == ".py" or in_package) and not {"..", "bin", "__pycache__"} & {
            *file.parts[:1],
            file.parent.name,
        }:
            yield file.as_posix(), required / file


def _belongs(path: Path) -> bool:
    """Return whether a file is a module, or the data of a package."""
    if not path.is_file() or path.suffix == ".pyc":
        return False
    return path.suffix == ".py" or path.parent != FOLDER


def _top(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")
