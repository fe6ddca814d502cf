"""Leaves out modules that nothing imports: most of the semantic conventions, once their names are written down."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def remove_unused(tree: Path, package: str) -> None:
    """Remove the modules below ``package`` that no module of the tree imports, itself or through another of them."""
    paths = {_name(path, tree): path for path in sorted(tree.rglob("*.py"))}
    waiting = [name for name in paths if not name.startswith(f"{package}.")]
    used = set()
    while waiting:
        name = waiting.pop()
        if name in paths and name not in used:
            used.add(name)
            waiting += [name.rpartition(".")[0], *_imports(name, paths[name])]
    for name in paths.keys() - used:
        paths[name].unlink()
    for folder in sorted((tree / package.replace(".", "/")).rglob("*/"), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _imports(name: str, path: Path) -> Iterator[str]:
    """Name whatever a module imports, at any place in it, and what could be a module among it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                outer = name.split(".") + [""] * (path.name == "__init__.py")
                base = ".".join([*outer[: -node.level], *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _name(path: Path, tree: Path) -> str:
    return path.relative_to(tree).as_posix().removesuffix(".py").removesuffix("/__init__").replace("/", ".")
