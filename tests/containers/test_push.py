"""``./build.sh push`` to a real registry, with Docker and without."""

from __future__ import annotations

import json
import os
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from images.engine.debian_tools import tool
from images.engine.docker import Engine
from images.errors import UserError
from images.image.oci import Packed, write_archive
from images.image.platforms import PLATFORMS
from images.publish.push import push

INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """A small image, built."""
    here = tmp_path_factory.mktemp("push")
    (here / "tree").mkdir()
    (here / "tree" / "version.txt").write_text("1.2.3\n")
    binaries = {}
    for platform in PLATFORMS:
        binaries[platform] = here / platform.architecture
        binaries[platform].write_text(f"cp for {platform}")
    return write_archive(here / "tree", binaries, here / "dist")


@pytest.fixture
def skopeo(tmp_path: Path) -> dict[str, str]:
    """An environment with skopeo and without docker."""
    (tmp_path / "skopeo").symlink_to(tool("skopeo"))
    return {"PATH": str(tmp_path)}


def index(registry: str, repository: str, reference: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://{registry}/v2/{repository}/manifests/{reference}", headers={"Accept": INDEX}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.load(answer))


def platforms(found: dict[str, Any]) -> list[str]:
    return [f"{each['platform']['os']}/{each['platform']['architecture']}" for each in found["manifests"]]


def pinned(output: str, name: str) -> str:
    """Return the digest by which the printed resource names the image."""
    resource = yaml.safe_load(output)
    assert (resource["apiVersion"], resource["kind"]) == ("opentelemetry.io/v1alpha1", "Instrumentation")
    found, digest = resource["spec"]["python"]["image"].split("@")
    assert found == name
    return str(digest)


def test_docker_pushes_all_platforms_with_provenance(
    engine: Engine, registry: str, packed: Packed, capfd: pytest.CaptureFixture[str]
) -> None:
    """By the digest in the printed resource the registry has an index of both platforms and their attestations."""
    push(f"{registry}/team/python:dev", {**os.environ, **engine.env}, packed.archive.parent)
    digest = pinned(capfd.readouterr().out, f"{registry}/team/python")
    found = index(registry, "team/python", digest)
    assert found == index(registry, "team/python", "dev")
    assert platforms(found) == [*map(str, PLATFORMS), *("unknown/unknown" for _ in PLATFORMS)]
    assert packed.digest != digest  # it has attestations, and another compressor


def test_skopeo_pushes_the_archive_as_it_is(
    skopeo: dict[str, str], registry: str, packed: Packed, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without docker the registry's digest is the one that the build printed."""
    push(f"{registry}/team/archive:dev", skopeo, packed.archive.parent)
    captured = capfd.readouterr()
    assert "docker is not installed: pushing" in captured.err
    assert pinned(captured.out, f"{registry}/team/archive") == packed.digest
    assert platforms(index(registry, "team/archive", packed.digest)) == [str(platform) for platform in PLATFORMS]


@pytest.mark.parametrize("with_docker", [True, False])
def test_a_registry_that_is_not_there_is_named(
    with_docker: bool,
    engine: Engine,
    skopeo: dict[str, str],
    packed: Packed,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """One line says that it does not answer, and no resource is printed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening: refuses, and nobody else gets the port meanwhile
        registry = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match=f"{registry} does not answer") as caught:
            push(f"{registry}/a:b", {**os.environ, **engine.env} if with_docker else skopeo, packed.archive.parent)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().out == ""


def test_an_engine_that_is_not_running_is_named(engine: Engine, packed: Packed, tmp_path: Path) -> None:
    """With a docker whose engine is stopped, the line says so and how to go on."""
    (tmp_path / "docker").symlink_to(engine.docker)
    plugins = {name: value for name, value in engine.env.items() if name == "DOCKER_CONFIG"}
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/none", **plugins}
    with pytest.raises(UserError, match=r"docker has no engine that answers.*skopeo copy --all"):
        push("127.0.0.1:1/a:b", env, packed.archive.parent)
