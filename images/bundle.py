"""The file with the byte code of many modules for one Python: written by the build, read by ``otel_injection.bundle``.

After a head come the modules that every process needs, an index, and the modules' ``.pyc`` files as they are. The first
part is a line with the names below ``otel_injection`` and the sizes of those modules, then their ``.pyc`` files.
The index is a line with the dotted names of all others and one with their offset, size and whether it is a package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_SIGN = b"otel-bundle\0"
_HEAD = 32
_OWN = "otel_injection."


def pack(magic: int, modules: Mapping[str, tuple[bytes, bool]], first: Sequence[str] = ()) -> bytes:
    """Return a bundle: by dotted name the content of a ``.pyc`` and whether the module is a package.

    ``magic`` is the magic number of the Python, ``first`` are the modules that every process needs, in the order in
    which they are executed. The order of the others is the order of their names.
    """
    needed = " ".join(f"{name.removeprefix(_OWN)}:{len(modules[name][0])}" for name in first)
    beginning = f"{needed}\n".encode() + b"".join(modules[name][0] for name in first)
    names = sorted(modules.keys() - set(first))
    sizes = [len(modules[name][0]) for name in names]
    begin = 0
    while True:  # the length of the index depends on the offsets in it
        offsets = [begin + sum(sizes[:number]) for number in range(len(names))]
        entries = [f"{o},{s},{int(modules[n][1])}" for n, o, s in zip(names, offsets, sizes, strict=True)]
        index = f"{' '.join(names)}\n{' '.join(entries)}".encode()
        if _HEAD + len(beginning) + len(index) == begin:
            break
        begin = _HEAD + len(beginning) + len(index)
    head = _SIGN + len(beginning).to_bytes(4, "little") + magic.to_bytes(2, "little") + b"\r\n"
    head += (begin + sum(sizes)).to_bytes(8, "little") + len(index).to_bytes(4, "little")
    return head + beginning + index + b"".join(modules[name][0] for name in names)


def unpack(content: bytes) -> dict[str, tuple[bytes, bool]]:
    """Return the modules that ``pack`` was given; ValueError for what is no bundle or not a whole one."""
    first, size, index = (int.from_bytes(content[a:b], "little") for a, b in ((12, 16), (20, 28), (28, _HEAD)))
    if content[: len(_SIGN)] != _SIGN or len(content) != size:
        raise ValueError("not a bundle, or not a whole one")
    found = {}
    line, _, codes = content[_HEAD : _HEAD + first].partition(b"\n")
    for entry in line.decode().split():
        name, _, length = entry.partition(":")
        found[f"{_OWN}{name}"] = (codes[: int(length)], False)
        codes = codes[int(length) :]
    names, _, entries = content[_HEAD + first : _HEAD + first + index].decode().partition("\n")
    for name, entry in zip(names.split(), entries.split(), strict=True):
        begin, length, package = entry.split(",")
        found[name] = (content[int(begin) : int(begin) + int(length)], package == "1")
    return found
