"""Leaving docstrings, comments and annotations out of the payload's modules changes nothing else in them."""

from __future__ import annotations

import ast

import pytest

from images.paths import ROOT
from images.payload import assemble, unread
from images.payload.rewrite import apply, spans


class _Bare(ast.NodeTransformer):
    """Does to a syntax tree what ``unread`` does to text."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment] # noqa: N815

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node


class _Common(ast.NodeTransformer):
    """Takes out what both ways leave out of every module."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        self.generic_visit(node)
        text = node.value
        return ast.Pass() if isinstance(text, ast.Constant) and isinstance(text.value, str) else node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            node.body = [ast.Pass()]
        return node


def _dump(tree: ast.AST) -> str:
    return ast.dump(_Common().visit(tree))


def _lines(tree: ast.AST) -> list[int]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.Return, ast.Raise)
    return [each.lineno for each in ast.walk(tree) if isinstance(each, kinds)]


@pytest.mark.parametrize("origin", ["payload", "own"])
def test_only_what_nobody_reads_is_left_out(origin: str) -> None:
    folder = assemble._install_payload() if origin == "payload" else ROOT / "extensions" / "otel_injection"
    kept = 0
    for path in sorted(folder.rglob("*.py")):
        source = path.read_bytes()
        tree = ast.parse(source)
        shorter = ast.parse(apply(list(unread.edits(tree, source, spans(source))), source))
        if any(isinstance(each, ast.arg) and each.annotation for each in ast.walk(shorter)):
            kept += 1
            assert unread._READS.search(source), path
            assert _dump(shorter) == _dump(tree), path
        else:
            assert _dump(shorter) == _dump(_Bare().visit(tree)), path
        assert _lines(shorter) == _lines(tree), path
    assert kept < 12
