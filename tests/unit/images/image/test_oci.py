"""The archive ``dist/image.oci.tar``, read back as an engine reads it."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from images.errors import UserError
from images.image.labels import DEFAULT_EPOCH, epoch, labels, revision
from images.image.layers import make_layer
from images.image.oci import write_archive
from images.image.platforms import PLATFORMS, Platform
from images.image.rootfs import CONTEXT, normalise
from tests.layout import Layout

LONG = f"{'d' * 90}/{'f' * 90}.py"


@pytest.fixture(autouse=True)
def _no_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree")


@pytest.fixture
def binaries(tmp_path: Path) -> dict[Platform, Path]:
    return make_binaries(tmp_path)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    folder.mkdir()
    return folder


def make_tree(root: Path) -> Path:
    """Make a payload with all kinds of names and entries that a tree can have."""
    for name, content in {
        "version.txt": "1.2.3\n",
        "bin/opentelemetry-instrument": "#!/usr/bin/env python3\n",
        "opentelemetry/__pycache__/context.cpython-312.pyc": "code",
        "opentelemetry/empty.py": "",
        "Z-before-a.txt": "upper case sorts first, in every locale",
        "caf\u00e9.txt": "not ASCII",
        LONG: "longer than the 100 bytes of a tar header",
    }.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    (root / "empty").mkdir()
    (root / "link").symlink_to("version.txt")
    return root


def make_binaries(folder: Path) -> dict[Platform, Path]:
    found = {}
    for platform in PLATFORMS:
        found[platform] = folder / f"cp-{platform.architecture}"
        found[platform].write_text(f"cp for {platform}")
    return found


def test_the_archive_is_the_same_from_any_host(tree: Path, binaries: dict[Platform, Path], tmp_path: Path) -> None:
    """Umask, modes, times, the order of creation and the folder leave no trace in the archive."""
    first = write_archive(tree, binaries, tmp_path / "here" / "dist")
    before = os.umask(0o077)
    try:
        other = tmp_path / "elsewhere"
        for path in sorted(tree.rglob("*"), reverse=True):
            to = other / path.relative_to(tree)
            to.parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink():
                to.symlink_to(path.readlink())
            elif path.is_dir():
                to.mkdir(exist_ok=True)
            else:
                shutil.copyfile(path, to)
                os.utime(to, (1, 1))
        (other / "version.txt").chmod(0o700)
        second = write_archive(other, binaries, tmp_path / "there" / "dist")
    finally:
        os.umask(before)
    assert first.archive.read_bytes() == second.archive.read_bytes()
    assert first.digest == second.digest


def test_a_layer_has_the_same_bytes_on_every_python(tree: Path) -> None:
    """Whatever Python, zlib, processor or system packs it, this tree has this digest."""
    assert make_layer(tree).digest == "sha256:c9c6716206c30658f70130dcbde13f97a5794f86b1340f93547db83d20c8812d"


def test_every_file_can_be_read_by_any_user(tree: Path, binaries: dict[Platform, Path], dist: Path) -> None:
    """All is root's; folders and what lies in a bin are 0755, other files 0644, whatever they were in the tree."""
    (tree / "version.txt").chmod(0o600)
    (tree / "opentelemetry").chmod(0o700)
    (tree / "bin" / "opentelemetry-instrument").chmod(0o600)
    write_archive(tree, binaries, dist)
    for image in Layout(dist / "image.oci.tar").images().values():
        for name, entry in image.files.items():
            modes = {tarfile.DIRTYPE: 0o755, tarfile.SYMTYPE: 0o777}
            executable = name in {"bin/cp", "autoinstrumentation/bin/opentelemetry-instrument"}
            assert entry.mode == modes.get(entry.kind, 0o755 if executable else 0o644), name
            assert entry.owner == (0, 0), name
            assert entry.mtime == DEFAULT_EPOCH, name


def test_the_image_holds_the_tree_under_both_of_the_operators_paths(
    tree: Path, binaries: dict[Platform, Path], dist: Path
) -> None:
    """``/autoinstrumentation`` is the tree, ``/autoinstrumentation-musl`` a link to it, and else there is only cp."""
    write_archive(tree, binaries, dist)
    expected = {f"autoinstrumentation/{path.relative_to(tree)}": path for path in tree.rglob("*")}
    for platform, image in Layout(dist / "image.oci.tar").images().items():
        others = {"autoinstrumentation", "autoinstrumentation-musl", "bin", "bin/cp"}
        assert image.files.keys() == expected.keys() | others
        for name, path in expected.items():
            if path.is_file() and not path.is_symlink():
                assert image.files[name].content == path.read_bytes()
        assert image.files["autoinstrumentation/link"].content == b"version.txt"
        assert image.files["autoinstrumentation-musl"].kind == tarfile.SYMTYPE
        assert image.files["autoinstrumentation-musl"].content == b"autoinstrumentation"
        assert image.files["bin/cp"].content == f"cp for {platform}".encode()


def test_all_platforms_share_the_layer_of_the_tree(tree: Path, binaries: dict[Platform, Path], dist: Path) -> None:
    """A registry and a node store the tree once; what differs between platforms is the layer with cp."""
    write_archive(tree, binaries, dist)
    images = Layout(dist / "image.oci.tar").images()
    assert images.keys() == {str(platform) for platform in PLATFORMS}
    trees, cps = zip(
        *([layer["digest"] for layer in image.manifest["layers"]] for image in images.values()), strict=True
    )
    assert len(set(trees)) == 1
    assert len(set(cps)) == len(PLATFORMS)


def test_index_json_names_one_image(tree: Path, binaries: dict[Platform, Path], dist: Path) -> None:
    """One descriptor with the names that containerd and podman look for, of an index that the returned digest names."""
    packed = write_archive(tree, binaries, dist)
    layout = Layout(packed.archive)
    assert layout.entry["digest"] == packed.digest
    version = labels()["org.opencontainers.image.version"]
    assert layout.entry["annotations"] == {
        "io.containerd.image.name": f"docker.io/library/autoinstrumentation-python:{version}",
        "org.opencontainers.image.ref.name": version,
    }
    assert [platform.digest for platform in packed.platforms] == [
        found["digest"] for found in layout.index["manifests"]
    ]


def test_the_archive_has_nothing_that_is_not_referred_to(
    tree: Path, binaries: dict[Platform, Path], dist: Path
) -> None:
    """Each blob is stored once, and beside them are only the two files of the layout."""
    layout = Layout(write_archive(tree, binaries, dist).archive)
    blobs = {layout.entry["digest"], *(found["digest"] for found in layout.index["manifests"])}
    for image in layout.images().values():
        blobs |= {image.manifest["config"]["digest"], *(layer["digest"] for layer in image.manifest["layers"])}
    expected = [f"blobs/{digest.replace(':', '/')}" for digest in blobs]
    assert sorted(layout.names) == sorted(["oci-layout", "index.json", *expected])


def test_the_sizes_are_those_of_the_layers(tree: Path, binaries: dict[Platform, Path], dist: Path) -> None:
    """What is returned is what a node downloads and what it unpacks."""
    (tree / "zeros").write_bytes(bytes(1_000_000))
    packed = write_archive(tree, binaries, dist)
    images = Layout(packed.archive).images()
    for platform in packed.platforms:
        assert platform.compressed == sum(x["size"] for x in images[str(platform.platform)].manifest["layers"])
        assert platform.uncompressed > 1_000_000 > platform.compressed


def test_a_container_starts_as_somebody_who_is_not_root(tree: Path, binaries: dict[Platform, Path], dist: Path) -> None:
    """``runAsNonRoot`` needs a numeric user, the init container's command needs a PATH."""
    for image in Layout(write_archive(tree, binaries, dist).archive).images().values():
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", image.config["config"]["User"])
        assert image.config["config"]["Env"] == ["PATH=/bin"]


def test_the_image_says_what_it_is(tree: Path, binaries: dict[Platform, Path], dist: Path) -> None:
    """Labels of the config and annotations of manifest and index are the same, and have what registries show."""
    layout = Layout(write_archive(tree, binaries, dist).archive)
    expected = {"title", "description", "licenses", "version", "created"}
    assert expected <= {key.removeprefix("org.opencontainers.image.") for key in labels()}
    assert layout.index["annotations"] == labels()
    for image in layout.images().values():
        assert image.manifest["annotations"] == image.config["config"]["Labels"] == labels()


def test_source_date_epoch_is_the_time_of_everything(
    tree: Path, binaries: dict[Platform, Path], dist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files, config and labels have the time that the caller gives."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for image in Layout(write_archive(tree, binaries, dist).archive).images().values():
        assert {entry.mtime for entry in image.files.values()} == {1700000000}
        assert image.config["created"] == "2023-11-14T22:13:20Z"
        assert image.config["config"]["Labels"]["org.opencontainers.image.created"] == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize("text", ["yesterday", "-1", "1.5", "9" * 12, "\u0664"])
def test_a_bad_source_date_epoch_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no number of seconds, or too large a one, is refused."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    with pytest.raises(UserError, match="SOURCE_DATE_EPOCH"):
        epoch()


def test_the_build_context_has_the_modes_of_the_archive(tree: Path, binaries: dict[Platform, Path], dist: Path) -> None:
    """buildx copies modes and times from ``dist/context``: there they are what the archive has."""
    before = os.umask(0o077)
    try:
        (tree / "opentelemetry").chmod(0o700)
        packed = write_archive(tree, binaries, dist)
    finally:
        os.umask(before)
    for platform, image in Layout(packed.archive).images().items():
        for layer, folder in zip(image.layers, ("rootfs", f"platform/{platform}"), strict=True):
            for name, entry in layer.items():
                status = (dist / CONTEXT / folder / name).lstat()
                assert (status.st_mode & 0o7777, int(status.st_mtime)) == (entry.mode, entry.mtime), name


def test_normalise_leaves_the_target_of_a_link_alone(tmp_path: Path) -> None:
    """A link out of the tree does not change a file of the host."""
    outside = tmp_path / "outside"
    outside.touch(mode=0o600)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(outside)
    normalise(tmp_path / "tree")
    assert outside.stat().st_mode & 0o777 == 0o600
    assert outside.stat().st_mtime != DEFAULT_EPOCH


def test_a_full_disk_leaves_the_old_archive_whole(tree: Path, binaries: dict[Platform, Path], dist: Path) -> None:
    """When writing fails half-way, one line names the folder, and there is only what was there before."""
    write_archive(tree, binaries, dist)
    before = (dist / "image.oci.tar").read_bytes()
    for number in range(4):
        (tree / f"random{number}").write_bytes(os.urandom(40_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, hard))
    try:
        with pytest.raises(UserError, match=re.escape(str(dist))) as caught:
            write_archive(tree, binaries, dist)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert (dist / "image.oci.tar").read_bytes() == before
    assert {path.name for path in dist.iterdir()} == {"context", "image.oci.tar"}


def test_a_full_disk_leaves_the_old_context_whole(tree: Path, binaries: dict[Platform, Path], dist: Path) -> None:
    """When the build context cannot be written, the one of the last build stays."""
    write_archive(tree, binaries, dist)
    (tree / "random").write_bytes(os.urandom(40_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(UserError, match=re.escape(str(dist))):
            write_archive(tree, binaries, dist)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name for path in dist.iterdir()} == {"context", "image.oci.tar"}
    assert not (dist / CONTEXT / "rootfs" / "autoinstrumentation" / "random").exists()


def test_an_unwritable_dist_is_named(tree: Path, binaries: dict[Platform, Path], tmp_path: Path) -> None:
    """Where no folder can be made, the line says which."""
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=re.escape(str(tmp_path / "file" / "dist"))):
        write_archive(tree, binaries, tmp_path / "file" / "dist")


def test_the_revision_is_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is marked when the files differ from the commit, and there is none where there is no checkout."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    assert revision(checkout) is None

    monkeypatch.setenv("GIT_DIR", str(tmp_path / "of-a-hook"))
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    identity = ["-c", "user.name=x", "-c", "user.email=x@localhost"]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *identity, *arguments], cwd=checkout, env=env, check=True, capture_output=True)
        return done.stdout.decode().strip()

    git("init", "--quiet")
    revision.cache_clear()
    assert revision(checkout) is None

    (checkout / "file").touch()
    git("add", "file")
    git("commit", "--quiet", "--message", "first")
    revision.cache_clear()
    assert revision(checkout) == git("rev-parse", "HEAD")

    (checkout / "file").write_text("changed")
    revision.cache_clear()
    assert revision(checkout) == f"{git('rev-parse', 'HEAD')}-dirty"

    unpacked = checkout / "unpacked"
    unpacked.mkdir()
    assert revision(unpacked) is None
    revision.cache_clear()
