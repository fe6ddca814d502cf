"""Imports the payload's modules from the one file that holds their byte code for this Python.

One file is faster to copy, and to import from, than one for each module and Python. Modules, specs and loaders look as
if the modules were imported from their sources. These lie in their usual places, for tracebacks and for Pythons
without a bundle.
"""

from __future__ import annotations

import marshal
import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader, spec_from_file_location
from _imp import _fix_co_filename  # type: ignore[attr-defined]

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

_HEAD = 32
_PYC_HEAD = 16
_PACKAGE, _COMPRESSED = 1, 2


def install(path: str, mount: str) -> None:
    """Import what lies in ``mount`` from a bundle that is this Python's."""
    sys.meta_path.insert(0, Bundle(path, mount))


def uninstall() -> None:
    """Import from the sources from now on."""
    sys.meta_path[:] = [each for each in sys.meta_path if not isinstance(each, Bundle)]


def spec(fullname: str) -> Any:
    """Return the spec of a module in the bundle, wherever its package was found; None if there is none."""
    for each in sys.meta_path:
        if isinstance(each, Bundle):
            return each.spec(fullname)
    return None


class Bundle:
    """The finder; import system reference: importlib.abc.MetaPathFinder. The file is open only while it is read."""

    def __init__(self, path: str, mount: str) -> None:
        self._path = path
        self._mount = mount
        self._index: dict[str, str] = {}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002
        """Answer for modules whose package is the payload's."""
        if not fullname.startswith(("otel_injection.", "opentelemetry.")) or type(path) is not list or not path:
            return None
        parent = fullname.rpartition(".")[0].replace(".", "/")
        return self.spec(fullname) if path[0] == f"{self._mount}/{parent}" else None

    def spec(self, fullname: str) -> Any:
        """Return the spec of a module; None if it is not in the bundle."""
        entry = self._entry(fullname)
        if entry is None:
            return None
        folder = f"{self._mount}/{fullname.replace('.', '/')}"
        location = f"{folder}/__init__.py" if entry[2] & _PACKAGE else f"{folder}.py"
        return spec_from_file_location(
            fullname,
            location,
            loader=_Loader(self, fullname, location),
            submodule_search_locations=[folder] if entry[2] & _PACKAGE else None,
        )

    def code(self, fullname: str, location: str) -> CodeType | None:
        """Return the code of a module, None if it has to come from its source; ImportError if it cannot be read."""
        entry = self._entry(fullname)
        if entry is None:
            return None
        offset, size, kind = entry
        content = self._read(offset, size)
        if content[:4] != MAGIC_NUMBER:
            raise ImportError(f"{self._path} is damaged", name=fullname)
        try:
            codes = _plain(memoryview(content)[_PYC_HEAD:], kind)
            if codes is None:
                return None
            code: CodeType = marshal.loads(codes)  # noqa: S302 - our own
        except (EOFError, ValueError, TypeError) as error:
            raise ImportError(f"{self._path} is damaged: {error}", name=fullname) from None
        _fix_co_filename(code, location)
        return code

    def _entry(self, fullname: str) -> tuple[int, int, int] | None:
        """Look a module up: where its byte code begins, its size, and its kind."""
        if not self._index:
            head = self._read(0, _HEAD)
            names, _, entries = self._read(
                _HEAD + int.from_bytes(head[12:16], "little"), int.from_bytes(head[28:32], "little")
            ).partition(b"\n")
            self._index = dict(zip(names.decode().split(), entries.decode().split()))  # noqa: B905 - costs more
        entry = self._index.get(fullname)
        if entry is None:
            return None
        offset, size, kind = entry.split(",")
        return int(offset), int(size), int(kind)

    def _read(self, offset: int, size: int) -> bytes:
        file = os.open(self._path, os.O_RDONLY)
        try:
            content = os.pread(file, size, offset)
        finally:
            os.close(file)
        if len(content) != size:
            raise ImportError(f"{self._path} is damaged")
        return content


def _plain(content: memoryview, kind: int) -> memoryview | bytes | None:
    """Return content decompressed, where it is compressed; None if this Python lacks zlib. ValueError if damaged."""
    if not kind & _COMPRESSED:
        return content
    try:
        import zlib
    except ImportError:
        return None
    try:
        return zlib.decompress(content)
    except zlib.error as error:
        raise ValueError(str(error)) from None


class _Loader(SourceFileLoader):
    """A loader of a module's source that takes the byte code from the bundle."""

    def __init__(self, bundle: Bundle, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._bundle = bundle

    def get_code(self, fullname: str) -> CodeType | None:
        code = self._bundle.code(fullname, self.path)
        return super().get_code(fullname) if code is None else code
