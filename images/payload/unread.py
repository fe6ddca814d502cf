"""Leaves docstrings, comments and annotations of functions out of private copies.

Line numbers stay, so that tracebacks fit upstream's sources, and so do licences. Classes keep their annotations, which
dataclasses and the like need; functions keep theirs in modules that read annotations.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

Span = Callable[[ast.stmt | ast.expr], tuple[int, int]]
Edit = tuple[int, int, bytes]

_COMMENT = re.compile(rb"^[ \t\f]*#.*$", re.MULTILINE)
_KEPT = re.compile(rb"copyright|license|licence|spdx|coding[:=]|^#!", re.IGNORECASE)
_READS = re.compile(rb"__annotations__|get_type_hints|get_annotations|singledispatch|\.annotation\b|validate_call")
"""Names by which code reads the annotations of functions."""


def edits(tree: ast.Module, source: bytes, span: Span) -> Iterator[Edit]:
    """Yield start and end of what is left out of a module, and what takes its place; they do not overlap by halves."""
    keeps = _READS.search(source) is not None
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and _is_text(node.value):
            yield (*span(node.value), b'""' + _lines(source, *span(node.value)))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not keeps:
            yield from _annotations(node, source, span)
        elif isinstance(node, ast.If) and _imports_for_type_checkers(node):
            start, end = span(node.body[0])[0], span(node.body[-1])[1]
            yield start, end, b"pass" + _lines(source, start, end)
        if isinstance(node, ast.JoinedStr | ast.Constant) and node.end_lineno != node.lineno:
            texts.append(span(node))
    for comment in _COMMENT.finditer(source):
        if not _KEPT.search(comment[0]) and not any(start < comment.start() < end for start, end in texts):
            yield comment.start(), comment.end(), b""


def _is_text(node: ast.expr) -> bool:
    """Return whether a statement is a text, and no licence."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and "copyright" not in node.value.lower()


def _imports_for_type_checkers(node: ast.If) -> bool:
    return ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING") and all(
        isinstance(each, ast.Import | ast.ImportFrom) for each in node.body
    )


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef, source: bytes, span: Span) -> Iterator[Edit]:
    given = node.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    for each in arguments:
        if each is not None and each.annotation is not None:
            begin, end = span(each.annotation)
            start = source.rindex(b":", 0, begin)
            end = _closed(source, start, begin, end)
            yield start, end, _lines(source, start, end)
    if node.returns is not None:
        begin, end = span(node.returns)
        start = source.rindex(b"->", 0, begin)
        end = _closed(source, start, begin, end)
        start = len(source[:start].rstrip(b" "))
        yield start, end, _lines(source, start, end).replace(b"\n", b"\\\n")


def _closed(source: bytes, start: int, begin: int, end: int) -> int:
    """Return where an expression ends with the parentheses around it, which open between ``start`` and ``begin``."""
    for _ in range(source.count(b"(", start, begin)):
        end = source.index(b")", end) + 1
    return end


def _lines(source: bytes, start: int, end: int) -> bytes:
    return b"\n" * source.count(b"\n", start, end)
