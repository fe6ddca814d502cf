"""Run by a native Python: check that it takes a tree's byte code, and that this is what it would have compiled."""

from __future__ import annotations

import marshal
import sys
import types
import warnings
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path

# Not the instructions and line tables themselves: patch releases differ in those.
FILENAME = "-"
SAME = (
    *("co_name", "co_filename", "co_firstlineno", "co_flags", "co_argcount", "co_posonlyargcount"),
    *("co_kwonlyargcount", "co_names", "co_varnames", "co_cellvars", "co_freevars"),
)


def parts(code: types.CodeType) -> Iterator[tuple[object, ...]]:
    """Give what is the same in all patch releases, of this and all nested code objects."""
    yield tuple(getattr(code, name) for name in SAME)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from parts(constant)
        else:
            yield (type(constant), repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant))


def main(tree: Path, root: Path) -> None:
    """Check every module of the tree; ``root`` is this repository's."""
    sys.path.append(str(root / "images" / "bytecode" / "compilers"))
    from to_pyc import to_code  # type: ignore[import-not-found]

    sys.path.append(str(tree))
    import otel_injection

    warnings.simplefilter("ignore")
    (found,) = [each for each in sys.meta_path if isinstance(each, otel_injection.bundle.Bundle)]
    sources = sorted(tree.rglob("*.py"))
    for source in sources:
        path = source.relative_to(tree).as_posix()
        name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        loaded = found.code(name, str(source))
        if loaded is None:
            head, content = divide(Path(cache_from_source(str(source))).read_bytes())
            assert head == MAGIC_NUMBER + b"\1\0\0\0" + source_hash(source.read_bytes()), name
            loaded = marshal.loads(content)  # noqa: S302
        native = to_code(source.read_bytes(), str(source) if found.code(name, "") else FILENAME)
        for ours, theirs in zip(parts(loaded), parts(native), strict=True):
            assert ours == theirs, name
    print(f"checked {len(sources)}")


def divide(pyc: bytes) -> tuple[bytes, bytes]:
    """Return the head and the code."""
    return pyc[:16], pyc[16:]


main(Path(sys.argv[1]), Path(sys.argv[2]))
