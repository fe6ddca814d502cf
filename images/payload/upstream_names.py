"""Keeps the names that people and programs see when a module of OpenTelemetry becomes a private copy."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from images.payload.ownership import IMPORTED_BY_NAME, PRIVATE

_GET_LOGGER = b"__import__('otel_injection.stand_ins.for_getlogger').stand_ins.for_getlogger.get_logger"

_FOOTER = """
for _each in list(globals().values()):
    if isinstance(_each, type) and _each.__module__ == __name__:
        _each.__module__ = {name!r}
"""
"""Frameworks that trace by themselves look for upstream's classes by the name of their module, to not do it twice."""


def replacements(tree: ast.AST, name: str) -> Iterator[tuple[ast.expr, bytes]]:
    """Yield the expressions of module ``name`` (its upstream name) to replace, and what takes their place.

    A module's own logger, ``getLogger(__name__)``, leads to ``otel_injection.stand_ins.for_getlogger``. In
    OpenTelemetry's modules ``__name__`` becomes a literal of the upstream name, because scope names are made of it.
    """
    real = _relative_import_calls(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _gets_own_logger(node):
            yield node.func, _GET_LOGGER
        elif isinstance(node, ast.Name) and node.id == "__name__" and node not in real and _is_opentelemetry(name):
            yield node, repr(name).encode()
        elif isinstance(node, ast.Constant) and node.value in IMPORTED_BY_NAME:
            yield node, repr(f"{PRIVATE}.{node.value}").encode()


def footer(name: str) -> bytes:
    """Return code for the end of a module that gives its classes upstream's ``__module__``."""
    return _FOOTER.format(name=name).encode() if _is_opentelemetry(name) else b""


def _is_opentelemetry(name: str) -> bool:
    return name.startswith("opentelemetry.")


def _relative_import_calls(tree: ast.AST) -> set[ast.expr]:
    """Find arguments of ``import_module``, where ``__name__`` must stay the module's real name."""
    return {
        argument
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func)
        for argument in node.args
    }


def _gets_own_logger(node: ast.Call) -> bool:
    return ast.unparse(node.func) in ("getLogger", "logging.getLogger") and any(
        isinstance(each, ast.Name) and each.id == "__name__" for argument in node.args for each in ast.walk(argument)
    )
