"""Finds ``except`` clauses of the payload that could swallow an exception of the app, and lets them ask whose it is.

The app's own signal handler runs wherever the main thread is, which may be in the payload. See
``otel_injection.contain``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_RAISED = frozenset({"BaseException", "Exception", "OSError", "IOError", "TimeoutError", "RuntimeError", "ValueError"})
"""Exceptions that signal handlers raise. KeyError and the like are part of ordinary code, and cost no question."""

_QUESTION = '__import__("otel_injection").ours('
_PACKAGES = ("opentelemetry.", "otel_injection.")  # not the package itself, which defines ours()
_EXCEPT = ("otel_injection.contain", "otel_injection.doctor")
"""Modules without such questions: the one that answers them, and those that run in no app."""


def insertions(tree: ast.Module, name: str) -> Iterator[tuple[ast.ExceptHandler | ast.expr, str, str]]:
    """Find the handlers of module ``name`` that end an exception's way.

    Yields what stands behind ``except``, or the handler if there is nothing, and what to put before and after it. The
    expression is evaluated only when there is an exception. Handlers that raise what they caught, or keep it for
    later, stay as they are.
    """
    if not name.startswith(_PACKAGES) or name.startswith(_EXCEPT):
        return
    own = name.startswith("otel_injection.")
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and not _passes_on(node):
            if node.type is None:
                yield node, "", f" {_QUESTION}BaseException)"
            elif own and isinstance(node.type, ast.Name) and node.type.id == "BaseException":
                continue  # is meant to catch it
            elif _RAISED & {each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)}:
                yield node.type, _QUESTION, ")"


def _passes_on(handler: ast.ExceptHandler) -> bool:
    for node in ast.walk(handler):
        if isinstance(node, ast.Raise) and (node.exc is None or _is(node.exc, handler.name)):
            return True
        if isinstance(node, ast.Assign) and _is(node.value, handler.name):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "set_exception":
            return True
    return False


def _is(node: ast.expr, name: str | None) -> bool:
    """Return whether an expression is, or begins with, a variable: ``error``, ``error.with_traceback(None)``."""
    while isinstance(node, ast.Call | ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and node.id == name
