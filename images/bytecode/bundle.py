"""The file with the byte code of many modules for one Python: written by the build, read by ``otel_injection.bundle``.

After a head come the modules that every process needs, an index, and the modules' ``.pyc`` files as they are. The first
part is a line with the names below ``otel_injection`` and the sizes of those modules, then their ``.pyc`` files.
The index is a line with the dotted names of all and one with their offset, size and kind: 1 if it is a package, and 2
if what follows the head of its ``.pyc`` is compressed (zlib, RFC 1950).
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence

import deflate

PYC_HEAD = 16
"""Bytes before the code object in a .pyc: magic number, flags, hash of the source (PEP 552)."""

_SIGN = b"otel-bundle\0"
_HEAD = 32
_OWN = "otel_injection."
_PACKAGE, _COMPRESSED = 1, 2
_LEVEL = 9


def pack(
    magic: int,
    modules: Mapping[str, tuple[bytes, bool]],
    first: Sequence[str] = (),
    rare: Collection[str] = (),
) -> bytes:
    """Return a bundle: by dotted name the content of a ``.pyc`` and whether the module is a package.

    ``magic`` is the magic number of the Python, ``first`` are the modules that every process needs, in the order in
    which they are executed, ``rare`` are to be compressed. The order of all but the first is the order of their names.
    """
    kinds = {name: _PACKAGE * package + _COMPRESSED * (name in rare) for name, (_, package) in modules.items()}
    modules = {
        name: (_compressed(content) if name in rare else content, package)
        for name, (content, package) in modules.items()
    }
    needed = " ".join(f"{name.removeprefix(_OWN)}:{len(modules[name][0])}" for name in first)
    beginning = f"{needed}\n".encode() + b"".join(modules[name][0] for name in first)
    others = sorted(modules.keys() - set(first))
    names = [*first, *others]
    begin = 0
    while True:  # the length of the index depends on the offsets in it
        offsets, entries = {_HEAD + len(needed) + 1: first, begin: others}, []
        for offset, part in offsets.items():
            for name in part:
                entries.append(f"{offset},{len(modules[name][0])},{kinds[name]}")
                offset += len(modules[name][0])
        index = f"{' '.join(names)}\n{' '.join(entries)}".encode()
        if _HEAD + len(beginning) + len(index) == begin:
            break
        begin = _HEAD + len(beginning) + len(index)
    content = beginning + index + b"".join(modules[name][0] for name in others)
    head = _SIGN + len(beginning).to_bytes(4, "little") + magic.to_bytes(2, "little") + b"\r\n"
    return head + (_HEAD + len(content)).to_bytes(8, "little") + len(index).to_bytes(4, "little") + content


def unpack(content: bytes) -> dict[str, tuple[bytes, bool]]:
    """Return what ``pack`` was given; ValueError for what is no bundle or not a whole one."""
    first, size, index = (int.from_bytes(content[a:b], "little") for a, b in ((12, 16), (20, 28), (28, _HEAD)))
    if content[: len(_SIGN)] != _SIGN or len(content) != size:
        raise ValueError("not a bundle, or not a whole one")
    found = {}
    names, _, entries = content[_HEAD + first : _HEAD + first + index].decode().partition("\n")
    for name, entry in zip(names.split(), entries.split(), strict=True):
        begin, length, kind = map(int, entry.split(","))
        pyc = content[begin : begin + length]
        if kind & _COMPRESSED:
            pyc = pyc[:PYC_HEAD] + zlib.decompress(pyc[PYC_HEAD:])
        found[name] = (pyc, bool(kind & _PACKAGE))
    return found


def _compressed(pyc: bytes) -> bytes:
    """Compress by libdeflate: the same bytes on every host, see ``images/image/layers.py``."""
    return pyc[:PYC_HEAD] + bytes(deflate.zlib_compress(pyc[PYC_HEAD:], _LEVEL))
