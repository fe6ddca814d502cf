"""The file with the byte code of many modules for one Python: written by the build, read by ``otel_injection.bundle``.

After a head come an index, a line for each module, and the modules' ``.pyc`` files as they are, one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping

_SIGN = b"otel-bundle-1\0\0\0"
_HEAD = 32


def pack(magic: int, modules: Mapping[str, tuple[bytes, bool]]) -> bytes:
    """Return a bundle: by dotted name the content of a ``.pyc`` and whether the module is a package.

    ``magic`` is the magic number of the Python. The order of the modules is the order of their names.
    """
    names = sorted(modules)
    sizes = [len(modules[name][0]) for name in names]
    begin = 0
    while True:  # the length of the index depends on the offsets in it
        offsets = [begin + sum(sizes[:number]) for number in range(len(names))]
        lines = [f"{n} {o} {s} {int(modules[n][1])}" for n, o, s in zip(names, offsets, sizes, strict=True)]
        index = ("\n" + "".join(f"{line}\n" for line in lines)).encode()
        if _HEAD + len(index) == begin:
            break
        begin = _HEAD + len(index)
    head = _SIGN + magic.to_bytes(2, "little") + b"\r\n"
    head += (begin + sum(sizes)).to_bytes(8, "little") + len(index).to_bytes(4, "little")
    return head + index + b"".join(modules[name][0] for name in names)


def unpack(content: bytes) -> dict[str, tuple[bytes, bool]]:
    """Return what ``pack`` was given; ValueError for what is no bundle or not a whole one."""
    size, index = int.from_bytes(content[20:28], "little"), int.from_bytes(content[28:_HEAD], "little")
    if content[: len(_SIGN)] != _SIGN or len(content) != size:
        raise ValueError("not a bundle, or not a whole one")
    found = {}
    for line in content[_HEAD : _HEAD + index].decode().split("\n"):
        if line:
            name, begin, length, package = line.split(" ")
            found[name] = (content[int(begin) : int(begin) + int(length)], package == "1")
    return found
