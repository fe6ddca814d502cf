"""The image as ``dist/image.oci.tar``, made without a container engine, byte for byte the same on every host.

An OCI image layout (image-spec, image-layout.md) in a tar. ``index.json`` has one descriptor, of an index nested in a
blob: skopeo and podman ask which image is meant when ``index.json`` lists the platforms itself.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from images.errors import UserError
from images.image.labels import created, epoch, labels, local_name, version
from images.image.layers import Blob, Layer, make_layer
from images.image.platforms import Platform
from images.image.rootfs import platform_folder, prepare
from images.paths import ARCHIVE, DIST

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True)
class PackedPlatform:
    """One platform of the archive; sizes in bytes, of all its layers."""

    platform: Platform
    digest: str
    compressed: int
    uncompressed: int


@dataclass(frozen=True)
class Packed:
    """What was written: ``digest`` is the index's, the one by which a registry knows the image."""

    archive: Path
    digest: str
    platforms: tuple[PackedPlatform, ...]


def write_archive(tree: Path, binaries: Mapping[Platform, Path], dist: Path = DIST) -> Packed:
    """Write ``dist/image.oci.tar``, and ``dist/context`` for ``docker buildx bake``.

    ``tree`` is the assembled payload, ``binaries`` the static ``cp`` of every platform of the image. Raises
    ``UserError`` when ``dist`` cannot be written; an archive that was there is then still whole.
    """
    archive = dist / ARCHIVE.name
    temporary = archive.with_name(f"{archive.name}.new")
    try:
        context = prepare(tree, binaries, dist)
        common = make_layer(context / "rootfs")
        blobs: list[Blob] = [common]
        descriptors: list[dict[str, object]] = []
        packed: list[PackedPlatform] = []
        for platform in binaries:
            layers = (common, make_layer(platform_folder(context, platform)))
            config = _json(_CONFIG, _config(platform, layers))
            manifest = _json(_MANIFEST, _manifest(config, layers))
            blobs += [layers[1], config, manifest]
            descriptors.append({**manifest.descriptor(), "platform": _platform(platform)})
            sizes = sum(len(layer.content) for layer in layers), sum(layer.unpacked for layer in layers)
            packed.append(PackedPlatform(platform, manifest.digest, *sizes))
        index = _json(_INDEX, {**_head(_INDEX), "manifests": descriptors, "annotations": labels()})
        try:
            _write_layout(temporary, index, blobs)
            temporary.replace(archive)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = f"{error.strerror} ({error.filename2 or error.filename or archive})"
        raise UserError(f"cannot pack the image in {dist}: {reason}; make room there or make it writable") from error
    return Packed(archive, index.digest, tuple(packed))


def _config(platform: Platform, layers: Iterable[Layer]) -> dict[str, object]:
    """Return the image's configuration, the same that ``images/image/Dockerfile`` gives it."""
    return {
        **_platform(platform),
        "created": created(),
        "config": {"Env": ["PATH=/bin"], "Labels": labels(), "User": "65532:65532", "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }


def _manifest(config: Blob, layers: Iterable[Layer]) -> dict[str, object]:
    return {
        **_head(_MANIFEST),
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
        "annotations": labels(),
    }


def _write_layout(path: Path, index: Blob, blobs: Iterable[Blob]) -> None:
    names = {"io.containerd.image.name": local_name(), "org.opencontainers.image.ref.name": version()}
    entry = {**index.descriptor(), "annotations": names}
    files = {
        "oci-layout": _json("", {"imageLayoutVersion": "1.0.0"}).content,
        "index.json": _json("", {**_head(_INDEX), "manifests": [entry]}).content,
    }
    for blob in sorted({index, *blobs}, key=lambda blob: blob.digest):
        files[f"blobs/{blob.digest.replace(':', '/')}"] = blob.content
    with tarfile.open(path, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), epoch()
            archive.addfile(member, io.BytesIO(content))


def _platform(platform: Platform) -> dict[str, object]:
    variant = {"variant": platform.variant} if platform.variant else {}
    return {"architecture": platform.architecture, "os": platform.os, **variant}


def _head(media_type: str) -> dict[str, object]:
    return {"schemaVersion": 2, "mediaType": media_type}


def _json(media_type: str, value: object) -> Blob:
    return Blob(media_type, json.dumps(value, sort_keys=True, separators=(",", ":")).encode())
