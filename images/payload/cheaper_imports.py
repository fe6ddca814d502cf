"""Replaces expensive imports by cheaper code when the tree is assembled.

The semantic conventions are modules of constants, of which an instrumentation uses a few: these are written as literals
in place of the import. For ``packaging`` there are stand-ins: see ``SUBSTITUTES`` in images/payload/ownership.py.
"""

from __future__ import annotations

import ast
from pathlib import Path

from images.payload.ownership import SUBSTITUTES, Ownership

_NAMES = "opentelemetry/semconv"


def constants(payload: Path) -> dict[str, dict[str, str]]:
    """Return the texts that the modules of the semantic conventions define, by module and name."""
    found = {}
    for source in sorted((payload / _NAMES).rglob("*.py")):
        module = source.relative_to(payload).as_posix().removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        texts: dict[str, str] = {}
        for node in ast.parse(source.read_bytes()).body:
            target = (
                node.target
                if isinstance(node, ast.AnnAssign)
                else node.targets[0]
                if isinstance(node, ast.Assign)
                else None
            )
            value = node.value if isinstance(node, ast.AnnAssign | ast.Assign) else None
            if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                texts[target.id] = value.value
        found[module] = texts
    return found


def cheaper(node: ast.ImportFrom, name: str, ownership: Ownership) -> bytes:
    """Return the replacement, of as many lines, for an import in module ``name``; empty if the import stays."""
    if not name.startswith("opentelemetry.") or node.module is None:
        return b""
    names = {alias.name: alias.asname or alias.name for alias in node.names}
    if node.module in ownership.constants:
        text = _written(names, node.module, ownership)
    elif node.module in SUBSTITUTES and names.keys() <= SUBSTITUTES[node.module][1]:
        taken = ", ".join(f"{each} as {known}" for each, known in names.items())
        text = f"from {SUBSTITUTES[node.module][0]} import {taken}"
    elif list(names) == ["version"] and node.module == "packaging":
        text = f"from otel_injection.stand_ins import for_packaging_version as {names['version']}"
    elif list(names) == ["default_timer"] and node.module == "timeit":
        text = f"from time import perf_counter as {names['default_timer']}"  # what it is
    else:
        return b""
    assert node.end_lineno is not None
    return (text + "\n" * (node.end_lineno - node.lineno)).encode() if text else b""


def _written(names: dict[str, str], module: str, ownership: Ownership) -> str:
    """Write the texts down, and import the rest."""
    texts = ownership.constants[module]
    parts = [f"{known} = {texts[each]!r}" for each, known in names.items() if each in texts]
    rest = ", ".join(f"{each} as {known}" for each, known in names.items() if each not in texts)
    if parts and rest:
        parts.append(f"from {ownership.home(module)} import {rest}")
    return "; ".join(parts)
