"""One module to byte code; runs inside the compilers."""

from __future__ import annotations

import importlib.util
import marshal
import warnings

_UNCHECKED_HASH = 0b01
"""PEP 552: valid whatever the source's time and content, so also after ``cp -r``."""


def to_pyc(source: bytes, filename: str) -> bytes | str:
    """Return the content of the ``.pyc``, or in one line why the source does not compile."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's invalid escapes
        try:
            code = compile(source, filename, "exec", dont_inherit=True, optimize=0)
        except SyntaxError as error:
            return f"line {error.lineno}: {error.msg}"
        except ValueError as error:
            return str(error)
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little") + importlib.util.source_hash(source)
    return head + marshal.dumps(code)
