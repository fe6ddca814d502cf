"""Both ways to pack the image give the same image."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from images.engine.docker import Engine
from images.image.oci import write_archive
from images.image.platforms import PLATFORMS
from images.paths import ROOT
from tests.layout import Entry, Image, Layout

CONTENT = {
    "version.txt": "1.2.3\n",
    "bin/opentelemetry-instrument": "#!/usr/bin/env python3\n",
    "opentelemetry/__pycache__/context.cpython-312.pyc": "code",
    "opentelemetry/empty.py": "",
    "caf\u00e9.txt": "not ASCII",
    f"{'d' * 90}/{'f' * 90}.py": "longer than the 100 bytes of a tar header",
}


@pytest.fixture(scope="module")
def packed(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, Layout]:
    """The same tree packed by us and by buildx; the modes of the tree on the host are those of a strict umask."""
    here = tmp_path_factory.mktemp("packing")
    tree, dist = here / "tree", here / "dist"
    for name, content in CONTENT.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    (tree / "empty").mkdir()
    (tree / "link").symlink_to("version.txt")
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)
    binaries = {}
    for platform in PLATFORMS:
        binaries[platform] = here / platform.architecture
        binaries[platform].write_text(f"cp for {platform}")
    archive = write_archive(tree, binaries, dist).archive
    bake(engine, dist, f"--set=image.output=type=oci,dest={here / 'buildx.tar'}")
    return Layout(archive), Layout(here / "buildx.tar")


def bake(engine: Engine, dist: Path, *options: str) -> None:
    """Run what the head of ``docker-bake.hcl`` says, in the folder that ``dist`` lies in."""
    files = [f"--file={ROOT / 'images' / 'image' / 'docker-bake.hcl'}", f"--file={dist.name}/context/bake.json"]
    command = [engine.docker, "buildx", "bake", "--progress=plain", *files, *options]
    done = subprocess.run(command, cwd=dist.parent, env={**os.environ, **engine.env}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_both_hold_the_same_files_modes_and_contents(packed: tuple[Layout, Layout]) -> None:
    """Every path has the same kind, mode, owner and content in the archive and in buildx's image.

    Not always the same time: BuildKit gives some folders that of the build.
    """
    ours, theirs = (layout.images() for layout in packed)
    assert ours.keys() == theirs.keys() == {str(platform) for platform in PLATFORMS}
    for platform, image in ours.items():
        assert len(image.layers) == len(theirs[platform].layers)
        assert timeless(image) == timeless(theirs[platform])
        assert image.files["autoinstrumentation-musl"].kind == tarfile.SYMTYPE
        for name, content in CONTENT.items():
            assert image.files[f"autoinstrumentation/{name}"].content == content.encode()


def timeless(image: Image) -> dict[str, Entry]:
    return {name: replace(entry, mtime=0) for name, entry in image.files.items()}


def test_both_are_configured_and_described_the_same(packed: tuple[Layout, Layout]) -> None:
    """User, environment, labels, time and annotations are the same."""
    ours, theirs = packed
    assert ours.index["annotations"] == theirs.index["annotations"]
    others = theirs.images()
    for platform, image in ours.images().items():
        assert image.config["config"] == others[platform].config["config"]
        assert image.config["created"] == others[platform].config["created"]
        assert image.manifest["annotations"] == others[platform].manifest["annotations"]


def test_buildx_says_where_its_image_comes_from(packed: tuple[Layout, Layout]) -> None:
    """For each platform there is an attestation of the provenance, with all steps of the build (``mode=max``)."""
    layout = packed[1]
    found = layout.index["manifests"]
    attestations = [descriptor for descriptor in found if descriptor["platform"]["os"] == "unknown"]
    subjects = {descriptor["annotations"]["vnd.docker.reference.digest"] for descriptor in attestations}
    assert subjects == {descriptor["digest"] for descriptor in found} - {each["digest"] for each in attestations}
    for attestation in attestations:
        (statement,) = json.loads(layout.blob(attestation))["layers"]
        assert b'"buildConfig"' in layout.blob(statement)


def test_an_engine_loads_the_archive_under_its_name(engine: Engine, packed: tuple[Layout, Layout]) -> None:
    """After ``docker load`` the image is there as ``autoinstrumentation-python:VERSION``, by the archive's digest."""
    with packed[0].path.open("rb") as archive:
        loaded = engine.run("load", stdin=archive)
    name = packed[0].entry["annotations"]["io.containerd.image.name"].removeprefix("docker.io/library/")
    assert loaded == f"Loaded image: {name}"
    assert engine.run("image", "inspect", "--format", "{{.Id}}", name) == packed[0].entry["digest"]
