"""An engine that has packed an earlier build packs the new one, and none of the old one's files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from images.image.oci import write_archive
from images.image.platforms import PLATFORMS
from tests.containers.test_packing import bake
from tests.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from images.engine.docker import Engine


def test_a_file_that_changed_in_content_alone_is_packed_anew(engine: Engine, tmp_path: Path) -> None:
    """BuildKit takes a file of the same path, size and time for one that it has: our times never change."""
    tree, dist, packed = tmp_path / "tree", tmp_path / "dist", tmp_path / "buildx.tar"
    tree.mkdir()
    binaries = {platform: tmp_path / platform.architecture for platform in PLATFORMS}
    for binary in binaries.values():
        binary.write_text("cp")
    found = []
    for version in ("1.0.0", "1.0.1"):
        (tree / "version.txt").write_text(version)
        write_archive(tree, binaries, dist)
        bake(engine, dist, f"--set=image.output=type=oci,dest={packed}")
        found.append(
            {image.files["autoinstrumentation/version.txt"].content for image in Layout(packed).images().values()}
        )
    assert found == [{b"1.0.0"}, {b"1.0.1"}]
