"""Leaves out modules of the private copies that nothing imports."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TypeGuard

BY_NAME = ("opentelemetry.instrumentation.botocore.extensions", "opentelemetry.instrumentation.django.middleware")
"""Packages of the payload whose modules are imported by computed names, or by names in settings."""


def remove_unused(tree: Path, package: str, used: Collection[str] = ()) -> None:
    """Remove the modules below ``package`` that no module of the tree imports, itself or through another of them.

    ``used`` are modules, and packages with all that is in them, that are imported by other means.
    """
    paths = {_name(path, tree): path for path in sorted(tree.rglob("*.py"))}
    kept = tuple(f"{each}." for each in used)
    waiting = [name for name in paths if not name.startswith(f"{package}.") or f"{name}.".startswith(kept)]
    reached = set()
    while waiting:
        name = waiting.pop()
        if name in paths and name not in reached:
            reached.add(name)
            waiting += [name.rpartition(".")[0], *_imports(name, paths[name])]
    for name in paths.keys() - reached:
        paths[name].unlink()
    for folder in sorted((tree / package.replace(".", "/")).rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _imports(name: str, path: Path) -> Iterator[str]:
    """Name whatever a module imports, at any place in it that is executed, and what could be a module among it."""
    waiting: list[ast.AST] = [ast.parse(path.read_bytes())]
    while waiting:
        node = waiting.pop()
        waiting += node.orelse if _is_for_type_checkers(node) else ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                outer = name.split(".") + [""] * (path.name == "__init__.py")
                base = ".".join([*outer[: -node.level], *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _is_for_type_checkers(node: ast.AST) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _name(path: Path, tree: Path) -> str:
    return path.relative_to(tree).as_posix().removesuffix(".py").removesuffix("/__init__").replace("/", ".")
