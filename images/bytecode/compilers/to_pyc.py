"""Compiles one module to byte code; runs inside the compilers."""

from __future__ import annotations
import __future__

import ast
import importlib.util
import marshal
import warnings

_UNCHECKED_HASH = 0b01
"""PEP 552: valid whatever the source's time and content, so also after ``cp -r``."""


def to_pyc(source: bytes, filename: str) -> bytes | str:
    """Return the content of the ``.pyc``, or in one line why the source does not compile."""
    code = to_code(source, filename)
    if isinstance(code, str):
        return code
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little") + importlib.util.source_hash(source)
    return head + marshal.dumps(code)


def to_code(source: bytes, filename: str):  # type: ignore[no-untyped-def]
    """Return the code object, or in one line why the source does not compile."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's invalid escapes
        try:
            tree = ast.parse(source, filename)
            flags = _take_out_future(tree)
            return compile(tree, filename, "exec", flags=flags, dont_inherit=True, optimize=0)
        except SyntaxError as error:
            return f"line {error.lineno}: {error.msg}"
        except ValueError as error:
            return str(error)


def _take_out_future(tree: ast.Module) -> int:
    """Take out what is for the compiler, which each import would otherwise import again; return it as flags."""
    flags = 0
    for node in list(tree.body):
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                flags |= getattr(__future__, alias.name).compiler_flag
            tree.body.remove(node)
    return flags
