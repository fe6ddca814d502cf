"""Layers of an OCI image, with the same bytes on every host."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import deflate

from images.image.labels import epoch
from images.image.rootfs import mode, walk

# The zlib of a Python may be zlib, zlib-ng or another, each with its own output; zlib-ng and ISA-L even choose by CPU.
# libdeflate, locked with its wheel, does neither: amd64 with and without AVX, and arm64, gave the same bytes. For the
# byte code of four Pythons, 31 MB, level 9 takes 0.6 s and gives 6.5 MB, level 12 takes 7 s for 6.3 MB. zstd would give
# 4.1 MB in 11 s, but registries, scanners and engines that know only gzip are still about.
_LEVEL = 9


@dataclass(frozen=True)
class Blob:
    """What the image layout stores by its digest."""

    media_type: str
    content: bytes

    @cached_property
    def digest(self) -> str:
        """The name of the blob: ``sha256:<hex>``."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    def descriptor(self) -> dict[str, object]:
        """Return how other parts of the image refer to this one."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


@dataclass(frozen=True)
class Layer(Blob):
    """A layer, compressed; ``diff_id`` is the digest and ``unpacked`` the size in bytes of its uncompressed tar."""

    diff_id: str
    unpacked: int


def make_layer(root: Path) -> Layer:
    """Pack everything below ``root``, as root's own, with the image's modes and time."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in walk(root):
            _add(archive, path, path.relative_to(root).as_posix())
    content = tar.getvalue()
    return Layer(
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
        content=bytes(deflate.gzip_compress(content, _LEVEL)),
        diff_id=f"sha256:{hashlib.sha256(content).hexdigest()}",
        unpacked=len(content),
    )


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.mtime = epoch()
    if path.is_symlink():
        entry.type, entry.mode, entry.linkname = tarfile.SYMTYPE, 0o777, path.readlink().as_posix()
    else:
        entry.mode = mode(PurePosixPath(name), folder=path.is_dir())
        if path.is_dir():
            entry.type = tarfile.DIRTYPE
        else:
            content = path.read_bytes()
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
            return
    archive.addfile(entry)
