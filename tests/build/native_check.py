"""Run by a native Python: check that it takes a tree's byte code, and that this is what it would have compiled."""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path

# Not the instructions and line tables themselves: patch releases differ in those.
SAME = (
    *("co_name", "co_filename", "co_firstlineno", "co_flags", "co_argcount", "co_posonlyargcount"),
    *("co_kwonlyargcount", "co_names", "co_varnames", "co_cellvars", "co_freevars"),
)


class ByteCodeOnly(SourceFileLoader):
    """Fails where Python would fall back to the source."""

    def source_to_code(self, *_: object, **__: object) -> types.CodeType:  # type: ignore[override]
        raise AssertionError(f"{self.path}: compiled from source")


def parts(code: types.CodeType) -> Iterator[tuple[object, ...]]:
    """Give what is the same in all patch releases, of this and all nested code objects."""
    yield tuple(getattr(code, name) for name in SAME)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from parts(constant)
        else:
            yield (type(constant), repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant))


def main(tree: Path) -> None:
    """Check every module of the tree."""
    warnings.simplefilter("ignore")
    sources = sorted(tree.rglob("*.py"))
    for source in sources:
        name = str(source)
        head = Path(cache_from_source(name)).read_bytes()[:16]
        assert head == MAGIC_NUMBER + b"\1\0\0\0" + source_hash(source.read_bytes()), name
        loaded = ByteCodeOnly("module", name).get_code("module")
        assert loaded is not None
        native = compile(source.read_bytes(), name, "exec", dont_inherit=True, optimize=0)
        for ours, theirs in zip(parts(loaded), parts(native), strict=True):
            assert ours == theirs, name
    print(f"checked {len(sources)}")


main(Path(sys.argv[1]))
