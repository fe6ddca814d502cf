"""Rewrites a module's imports, so that it uses the payload's private copies under their private names.

Text is replaced at the places where the parser finds import statements; everything else, line numbers included, stays
as it was, whichever Python runs the build. What nobody reads in private copies is left out: see
``images/payload/unread.py``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import cast

from images.errors import UserError
from images.payload import swallowing, unread, upstream_names
from images.payload.cheaper_imports import cheaper
from images.payload.ownership import ENVIRON, LAZY, NAMESPACES, PRIVATE, QUIET, UNIMPORTED, Ownership

_FROM = re.compile(rb"(from\s+)([\w.]+)")

_VIEW = f"__import__('{ENVIRON}').{ENVIRON.partition('.')[2]}.ENVIRON".encode()
_VIEWS = {"environ": _VIEW, "getenv": _VIEW + b".get"}

Edit = tuple[int, int, bytes]
"""Start and end offset in the source, and what takes the place."""


def rewrite(source: bytes, name: str, ownership: Ownership) -> bytes:
    """Return the source of module ``name`` (its upstream name) with its imports pointing at their homes.

    Private copies keep upstream's names: see ``images/payload/upstream_names.py``.
    Raises UserError where an import cannot be rewritten.
    """
    tree = ast.parse(source, filename=name)
    span = spans(source)
    private = ownership.private(name)
    edits = list(_edit_imports(tree, span, source, name, ownership))
    if not (ownership.shared(name) or ownership.foreign):
        edits += unread.edits(tree, source, span)
    for part, before, after in swallowing.insertions(tree, name):
        start, end = span(part) if isinstance(part, ast.expr) else (span(part)[0], span(part)[0] + len("except"))
        edits += [(start, start, before.encode()), (end, end, after.encode())]
    if not private:
        return apply(edits, source)
    edits += [(*span(node), text) for node, text in upstream_names.replacements(tree, name)]
    return apply(edits, source) + upstream_names.footer(name)


def _edit_imports(
    tree: ast.Module, span: Callable[[ast.stmt | ast.expr], tuple[int, int]], source: bytes, name: str, owned: Ownership
) -> Iterator[Edit]:
    private = owned.private(name)
    for node in ast.walk(tree):
        replaced = _replaced(node, name) if private and not owned.foreign else None
        if replaced is not None:
            yield (*span(cast("ast.stmt | ast.expr", node)), replaced)
        elif isinstance(node, ast.Import | ast.ImportFrom) and _unimported(node) in UNIMPORTED.get(name, ()):
            yield (*span(node), _standing_in(node))
        elif isinstance(node, ast.Import) and LAZY.get(name) == node.names[0].name:
            yield (*span(node), _lazily(LAZY[name]))
        elif isinstance(node, ast.Import):
            yield from _edit_import(node, span(node), source, owned)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            text = cheaper(node, name, owned)
            if text:
                yield (*span(node), text)
            else:
                yield from _edit_from(node, span(node), source, name, owned)
        elif isinstance(node, ast.Attribute):
            yield from _edit_attribute(node, span(node), owned)


def apply(edits: list[Edit], source: bytes) -> bytes:
    """Apply the edits, except those inside a place that another edit replaces."""
    parts, done = [], 0
    for start, end, text in sorted(edits, key=lambda edit: (edit[0], edit[0] < edit[1], -edit[1])):
        if start >= done:
            parts += [source[done:start], text]
            done = end
    return b"".join([*parts, source[done:]])


def spans(source: bytes) -> Callable[[ast.stmt | ast.expr | ast.ExceptHandler], tuple[int, int]]:
    """Return a function that gives the start and end offset of a node in this source."""
    offsets = [0]
    for line in source.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))

    def span(node: ast.stmt | ast.expr | ast.ExceptHandler) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return offsets[node.lineno - 1] + node.col_offset, offsets[node.end_lineno - 1] + node.end_col_offset

    return span


def _lazily(module: str) -> bytes:
    return f"from otel_injection.stand_ins import for_asyncio; {module} = for_asyncio.Module({module!r})".encode()


def _unimported(node: ast.Import | ast.ImportFrom) -> str:
    """Return the one module that a statement imports, or imports from."""
    if isinstance(node, ast.ImportFrom):
        return node.module or ""
    return node.names[0].name if len(node.names) == 1 and not node.names[0].asname else ""


def _standing_in(node: ast.Import | ast.ImportFrom) -> bytes:
    """Return code that binds the same names to stand-ins, without importing a module that the app may not have."""
    stand_in = "__import__('otel_injection.stand_ins.for_unimported').stand_ins.for_unimported"
    if isinstance(node, ast.Import):
        package = node.names[0].name.partition(".")[0]
        return f"{package} = {stand_in}.Module({package!r})".encode()
    names = [f"{each.asname or each.name} = {stand_in}.Name({node.module!r}, {each.name!r})" for each in node.names]
    return "; ".join(names).encode()


def _replaced(node: ast.AST, name: str) -> bytes | None:
    """Return the replacement for a statement or an expression in private copies, None if it stays."""
    if isinstance(node, ast.Import | ast.ImportFrom) and _warns(node, name):
        return _quietly(node, name)
    if isinstance(node, ast.ImportFrom) and _takes_environ(node):
        return _viewed(node, name)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
        return _VIEWS.get(node.attr)
    return None


def _warns(node: ast.Import | ast.ImportFrom, name: str) -> bool:
    """Return whether a statement imports something that shows warnings.

    ``typing_extensions`` itself keeps its warnings: the shared API uses it, and the app may be told of the API's.
    """
    names = {alias.name for alias in node.names}
    if name == "typing_extensions":
        return False
    if isinstance(node, ast.Import):
        return "warnings" in names
    return node.module == "warnings" or (node.module == "typing_extensions" and "deprecated" in names)


def _quietly(node: ast.Import | ast.ImportFrom, name: str) -> bytes:
    package, _, module = QUIET.rpartition(".")
    if isinstance(node, ast.ImportFrom) and (node.module == "warnings" or len(node.names) == 1):
        names = ", ".join(f"{alias.name} as {alias.asname or alias.name}" for alias in node.names)
        return f"from {QUIET} import {names}".encode()
    if isinstance(node, ast.Import) and len(node.names) == 1:
        return f"from {package} import {module} as {node.names[0].asname or 'warnings'}".encode()
    raise UserError(f"{name}, line {node.lineno}: cannot rewrite an import of warnings together with others")


def _takes_environ(node: ast.ImportFrom) -> bool:
    return node.module == "os" and any(alias.name in ("environ", "getenv") for alias in node.names)


def _viewed(node: ast.ImportFrom, name: str) -> bytes:
    """Take ``environ`` from where empty and absurd values are hidden, and what stands beside it from where it is."""
    if any(alias.name == "getenv" or alias.asname for alias in node.names):
        raise UserError(f"{name}, line {node.lineno}: cannot rewrite an import of getenv, or under another name")
    others = ", ".join(alias.name for alias in node.names if alias.name != "environ")
    text = f"from {ENVIRON} import ENVIRON as environ"
    return (f"from os import {others}; {text}" if others else text).encode()


def _edit_import(node: ast.Import, where: tuple[int, int], source: bytes, ownership: Ownership) -> Iterator[Edit]:
    parts = []
    for alias in node.names:
        home = ownership.home(alias.name)
        if home == alias.name:
            parts.append(f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else ""))
        elif alias.asname:
            parts.append(f"import {home} as {alias.asname}")
        elif "." not in alias.name:
            package, _, module = home.rpartition(".")
            parts.append(f"from {package} import {module} as {alias.name}")
        elif alias.name.startswith("opentelemetry."):
            parts.append(f"import {home}")  # its uses are rewritten as attribute chains
        else:
            top = alias.name.partition(".")[0]
            parts.append(f"import {home}; from {home.removesuffix(alias.name).rstrip('.')} import {top}")
    text = "; ".join(parts).encode()
    if text != source[where[0] : where[1]]:
        yield (*where, text)


def _edit_from(
    node: ast.ImportFrom, where: tuple[int, int], source: bytes, name: str, ownership: Ownership
) -> Iterator[Edit]:
    assert node.module is not None
    if node.module in NAMESPACES:
        homes = {ownership.home(f"{node.module}.{alias.name}").rpartition(".")[0] for alias in node.names}
        if len(homes) > 1:
            raise UserError(f"{name}, line {node.lineno}: one import takes shared and private modules")
        home = homes.pop()
    else:
        home = ownership.home(node.module)
    if home != node.module:
        match = _FROM.match(source, where[0])
        if match is None or match[2].decode() != node.module:
            raise UserError(f"{name}, line {node.lineno}: cannot rewrite the import of '{node.module}'")
        yield match.start(2), match.end(2), home.encode()


def _edit_attribute(node: ast.Attribute, where: tuple[int, int], ownership: Ownership) -> Iterator[Edit]:
    """Rewrite ``opentelemetry.sdk`` in ``opentelemetry.sdk.metrics.Counter``."""
    if isinstance(node.value, ast.Name) and node.value.id == "opentelemetry":
        module = f"opentelemetry.{node.attr}"
        if module not in NAMESPACES and ownership.home(module) != module:
            yield where[0], where[0], f"{PRIVATE}.".encode()
