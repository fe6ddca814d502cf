"""Reads an image back from an OCI layout in a tar, as a registry or an engine would: by digest, checking each one."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Entry:
    """A path in an image; ``content`` is a file's bytes or a link's target."""

    kind: bytes
    mode: int
    owner: tuple[int, int]
    mtime: float
    content: bytes


@dataclass(frozen=True)
class Image:
    """One platform of an image, with its layers merged."""

    manifest: dict[str, Any]
    config: dict[str, Any]
    layers: tuple[dict[str, Entry], ...]

    @property
    def files(self) -> dict[str, Entry]:
        return {name: entry for layer in self.layers for name, entry in layer.items()}


class Layout:
    """The blobs of an image layout."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with tarfile.open(path) as archive:
            members = [member for member in archive if member.isfile()]
            self.names = [member.name for member in members]
            self._files = {member.name: _read(archive, member) for member in members}

    @property
    def entry(self) -> dict[str, Any]:
        """The one descriptor of ``index.json``."""
        (entry,) = json.loads(self._files["index.json"])["manifests"]
        return dict(entry)

    @property
    def index(self) -> dict[str, Any]:
        """The index of the platforms."""
        return dict(json.loads(self.blob(self.entry)))

    def images(self) -> dict[str, Image]:
        """Return the images by platform, without the attestations that buildx adds."""
        found = {}
        for descriptor in self.index["manifests"]:
            if descriptor["platform"]["os"] != "unknown":
                manifest = json.loads(self.blob(descriptor))
                config = json.loads(self.blob(manifest["config"]))
                layers = [gzip.decompress(self.blob(layer)) for layer in manifest["layers"]]
                assert config["rootfs"]["diff_ids"] == [_digest(layer) for layer in layers]
                platform = f"{descriptor['platform']['os']}/{descriptor['platform']['architecture']}"
                assert platform == f"{config['os']}/{config['architecture']}"
                found[platform] = Image(manifest, config, tuple(_entries(layer) for layer in layers))
        return found

    def blob(self, descriptor: dict[str, Any]) -> bytes:
        content = self._files[f"blobs/{descriptor['digest'].replace(':', '/')}"]
        assert (_digest(content), len(content)) == (descriptor["digest"], descriptor["size"])
        return content


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _entries(layer: bytes) -> dict[str, Entry]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        return {
            member.name.rstrip("/"): Entry(
                member.type,
                member.mode,
                (member.uid, member.gid),
                member.mtime,
                _read(archive, member) if member.isfile() else member.linkname.encode(),
            )
            for member in archive
        }


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file
    return file.read()
