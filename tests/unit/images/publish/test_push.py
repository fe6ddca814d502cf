"""``./build.sh push`` as far as it goes without an engine and a registry."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from images.errors import UserError
from images.image.rootfs import BAKE
from images.paths import ARCHIVE
from images.publish.push import instrumentation, push, reason
from images.publish.reference import Reference, parse

TARGET = Reference("registry.example", "team/certificates", "dev")
DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("127.0.0.1:5000/autoinstrumentation-python:dev", ("127.0.0.1:5000", "autoinstrumentation-python", "dev")),
        ("localhost/a:1", ("localhost", "a", "1")),
        ("[::1]:5000/a:1", ("[::1]:5000", "a", "1")),
        ("ghcr.io/acme/otel/python:1.0.0_rc-1", ("ghcr.io", "acme/otel/python", "1.0.0_rc-1")),
        ("registry:5000/a__b--c.d:_x", ("registry:5000", "a__b--c.d", "_x")),
    ],
)
def test_a_reference_is_taken_apart(text: str, parts: tuple[str, str, str]) -> None:
    """Registry, repository and tag come out as they went in."""
    assert parse(text) == Reference(*parts)
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "no registry"),
        ("autoinstrumentation-python:dev", "no registry"),
        ("acme/autoinstrumentation-python:dev", "no registry"),
        ("ghcr.io/", "no registry"),
        ("ghcr.io/acme/a", "no tag"),
        ("ghcr.io/acme/a:", "no tag"),
        ("ghcr.io/acme/a:b!", "the tag 'b!'"),
        ("ghcr.io/acme/a:b\n", "the tag"),
        ("ghcr.io/acme/a:b c", "the tag"),
        ("ghcr.io/acme/a:-b", "the tag"),
        (f"ghcr.io/acme/a:{'b' * 129}", "the tag"),
        ("ghcr.io/Acme/a:b", "lower case"),
        ("ghcr.io//a:b", "not a repository"),
        ("ghcr.io/a..b:c", "not a repository"),
        (f"ghcr.io/{'a' * 250}:b", "not a repository"),
        ("gh_cr.io/a:b", "not a host name"),
        ("ghcr.io:port/a:b", "not a host name"),
        ("https://ghcr.io/acme/a:b", "leave out https://"),
        (f"ghcr.io/acme/a@{DIGEST}", "@"),
    ],
)
def test_a_bad_reference_is_refused_before_anything_is_done(text: str, wrong: str, tmp_path: Path) -> None:
    """One line says what is wrong with it, and how it should look."""
    with pytest.raises(UserError, match=re.escape(wrong)) as caught:
        push(text, {"PATH": str(tmp_path)}, tmp_path / "dist")
    assert "REGISTRY/NAME:TAG" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("registry", "loopback"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.1.2.3", True),
        ("[::1]:5000", True),
        ("10.0.0.1:5000", False),
        ("localhost.example", False),
        ("127.example:5000", False),
    ],
)
def test_only_this_machine_is_spoken_to_in_plain_http(registry: str, loopback: bool) -> None:
    """A registry on loopback is told from every other."""
    assert Reference(registry, "a", "b").loopback is loopback


def test_without_docker_and_skopeo_the_way_out_is_named(tmp_path: Path) -> None:
    """The line names what to install, and the command that pushes the archive without an engine."""
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "bake.json").touch()
    (tmp_path / "image.oci.tar").touch()
    with pytest.raises(UserError) as caught:
        push(str(TARGET), {"PATH": str(tmp_path)}, tmp_path)
    message = str(caught.value)
    assert message.startswith("docker is not installed: install Docker with buildx")
    assert f"skopeo copy --all oci-archive:{tmp_path}/image.oci.tar docker://{TARGET}" in message
    assert "\n" not in message


def test_pushing_what_is_not_built_says_so(tmp_path: Path) -> None:
    """The line names the missing file and the command that makes it."""
    with pytest.raises(UserError, match=r"bake\.json is missing: run \./build\.sh first"):
        push(str(TARGET), {"PATH": str(tmp_path)}, tmp_path)


def test_the_resource_is_the_template_with_the_image_pinned(tmp_path: Path) -> None:
    """Only the image's value changes: it is named by digest, with the tag as a comment."""
    template = tmp_path / "instrumentation.yaml"
    template.write_text("spec:\n  # image: not this one\n  python:\n    image: old:latest # tag\n    env: []\n")
    assert instrumentation(TARGET, DIGEST, template) == (
        "spec:\n  # image: not this one\n  python:\n"
        f"    image: registry.example/team/certificates@{DIGEST} # {TARGET}\n    env: []\n"
    )


@pytest.mark.parametrize("text", ["spec: {}\n", "a:\n  image: x\nb:\n  image: y\n"])
def test_a_template_without_one_image_is_refused(text: str, tmp_path: Path) -> None:
    """A template that was edited so that the image's place is unclear is not guessed at."""
    template = tmp_path / "instrumentation.yaml"
    template.write_text(text)
    with pytest.raises(UserError, match=re.escape(str(template))):
        instrumentation(TARGET, DIGEST, template)


FAILED = "ERROR: failed to solve: failed to push registry.example/team/certificates:dev: "
HEAD = 'failed to do request: Head "https://registry.example/v2/team/certificates/blobs/sha256:403401": '
FATAL = 'time="2026-01-01T00:00:00Z" level=fatal msg="copying image 1/2 from manifest list: '


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (FAILED + HEAD + "dial tcp 127.0.0.1:5999: connect: connection refused", "does not answer"),
        (FAILED + HEAD + "dial tcp: lookup registry.example on 127.0.0.53:53: no such host", "does not answer"),
        (FAILED + HEAD + "http: server gave HTTP response to HTTPS client", "speaks plain HTTP"),
        (FAILED + HEAD + "tls: failed to verify certificate: x509: certificate signed by unknown authority", "CA"),
        (FAILED + "push access denied, repository does not exist or may require authorization", "docker login"),
        (FAILED + "unexpected status from HEAD request to https://registry.example/v2/: 403 Forbidden", "docker login"),
        (
            FATAL + 'Get \\"https://registry.example/v2/\\": dial tcp 127.0.0.1:5999: connect: connection refused"',
            "answer",
        ),
        (FATAL + 'reading manifest: unauthorized: authentication required"', "team/certificates"),
    ],
)
def test_a_failed_push_is_explained(line: str, meaning: str) -> None:
    """What buildx and skopeo print becomes one line with the registry and what to do."""
    told = reason(["#1 reading dist/context/bake.json done\n", "#1 unauthorized\n", line + "\n"], TARGET)
    assert told.startswith("registry.example ")
    assert meaning in told


def test_a_failure_without_a_known_reason_is_passed_on() -> None:
    """The tool's own error line is shown when there is nothing better to say; the name pushed to decides nothing."""
    assert reason([FAILED + HEAD + "EOF\n", "\n"], TARGET) == (FAILED + HEAD + "EOF").removeprefix("ERROR: ")
    assert reason([], TARGET) == "no message"


@pytest.mark.parametrize(
    ("answer", "tries"), [("500 Internal Server Error", 2), ("503 Service Unavailable", 2), ("401", 1)]
)
def test_a_registrys_own_error_is_tried_again(
    answer: str, tries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of the name of skopeo fails the first time as skopeo does, and counts."""
    monkeypatch.setattr("images.publish.push._PATIENCE", (0, 0))
    program = tmp_path / "bin" / "skopeo"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
echo >> {tmp_path}/tried
if [ $(wc -l < {tmp_path}/tried) = 1 ]; then
    echo 'level=fatal msg="received unexpected HTTP status: {answer}"'
    exit 1
fi
for each; do case $each in --digestfile=*) echo {DIGEST} > "${{each#*=}}" ;; esac; done
"""
    )
    program.chmod(0o755)
    for file in (BAKE, ARCHIVE.name):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(UserError, match="401") if tries == 1 else nullcontext():
        push("registry.example/a:b", {"PATH": f"{program.parent}:/usr/bin:/bin"}, tmp_path)
    assert len((tmp_path / "tried").read_text().splitlines()) == tries
