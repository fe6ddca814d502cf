"""Which handlers of the payload would swallow an exception that is the app's, and what they ask first.

The app's own signal handler runs wherever the main thread is, in the payload as well. See ``otel_injection.contain``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_RAISED = frozenset({"BaseException", "Exception", "OSError", "IOError", "TimeoutError", "RuntimeError", "ValueError"})
"""What signal handlers raise. KeyError and the like, which are part of how programs work, must cost no question."""

_QUESTION = '__import__("otel_injection").ours('
_PACKAGES = ("opentelemetry.", "otel_injection.")  # not otel_injection itself, which asks
_EXCEPT = ("otel_injection.contain", "otel_injection.doctor")
"""The module that answers, and those that no app runs."""


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
                continue  # means what it says
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
