"""Pushes the built image to a registry and prints the resource that makes the operator use it.

``docker buildx`` builds and pushes with provenance; without a Docker that can, ``skopeo`` pushes the archive as it is.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

from images.console import say
from images.errors import UserError
from images.image.rootfs import BAKE
from images.paths import ARCHIVE, DIST, ROOT
from images.publish.reference import Reference, parse

TEMPLATE = ROOT / "deploy" / "instrumentation.yaml"

# Errors of buildx and skopeo (both pass on Go's words), and what they mean to the person who pushes.
_REASONS = {
    r"server gave HTTP response to HTTPS": "speaks plain HTTP: name it among the engine's insecure registries",
    r"x509|certificate": "has a certificate that is not trusted: give the engine the CA of the registry",
    r"unauthorized|denied|forbidden|no basic auth|authorization failed": "refuses: log in (docker login {registry}) as "
    "someone who may push to {repository}",
    r"refused|no such host|timeout|timed out|no route|unreachable|deadline exceeded|connection reset": "does not "
    "answer: check its name, its port and the network",
}

_PASSING = r"\b50[0234]\b.*(Server Error|Gateway|Unavailable)"
_PATIENCE = (1, 4)
"""Seconds before a push is tried again."""


def push(reference: str, env: Mapping[str, str], dist: Path = DIST) -> None:
    """Push what ``./build.sh`` left in ``dist``, all platforms, and print an ``Instrumentation`` with its digest.

    Nothing else goes to stdout, so that it can be piped to ``kubectl apply -f -``; progress goes to stderr. ``env`` is
    the environment of the tools. Raises ``UserError`` for a bad reference, a missing tool, a registry that is not there
    or refuses.
    """
    target = parse(reference)
    for file in (dist / BAKE, dist / ARCHIVE.name):
        if not file.exists():
            raise UserError(f"{file} is missing: run ./build.sh first")
    with redirect_stdout(sys.stderr):
        digest = _push(target, env, dist)
        say(f"pushed {target} as {digest}")
    print(instrumentation(target, digest), end="", flush=True)


def instrumentation(target: Reference, digest: str, template: Path = TEMPLATE) -> str:
    """Return the ``Instrumentation`` resource of ``template`` with the image pinned by its digest."""
    text, count = re.subn(
        r"(?m)^([ \t-]*image:).*$",
        rf"\g<1> {target.name}@{digest} # {target}",
        template.read_text(encoding="utf-8"),
    )
    if count != 1:
        raise UserError(f"{template} has {count} lines 'image:' where there must be one; restore it")
    return text


def _push(target: Reference, env: Mapping[str, str], dist: Path) -> str:
    obstacle = _obstacle(env)
    if obstacle is None:
        return _push_with_buildx(target, env, dist)
    if shutil.which("skopeo", path=env.get("PATH")):
        say(f"{obstacle}: pushing {dist / ARCHIVE.name} with skopeo, without provenance")
        return _push_with_skopeo(target, env, dist)
    copy = f"skopeo copy --all oci-archive:{dist / ARCHIVE.name} docker://{target}"
    raise UserError(
        f"{obstacle}: install Docker with buildx and turn its containerd image store on, or install skopeo, which is"
        f" used instead ({copy})"
    )


def _obstacle(env: Mapping[str, str]) -> str | None:
    """Return why ``docker buildx`` cannot build for several platforms here, if so."""
    docker = shutil.which("docker", path=env.get("PATH"))
    if docker is None:
        return "docker is not installed"
    if _ask(env, docker, "buildx", "version") is None:
        return "docker has no buildx"
    driver = re.search(r"(?m)^Driver:[ \t]+(\S+)", _ask(env, docker, "buildx", "inspect") or "")
    if driver is None:
        return "docker has no engine that answers"
    if driver[1] != "docker":  # a builder in a container, in a cluster or elsewhere: all of those can
        return None
    status = _ask(env, docker, "info", "--format", "{{json .DriverStatus}}")
    return None if status and "io.containerd.snapshotter" in status else "docker has no containerd image store"


def _push_with_buildx(target: Reference, env: Mapping[str, str], dist: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder, "metadata.json")
        files = ["--file", str(ROOT / "images" / "image" / "docker-bake.hcl"), "--file", f"{dist.name}/{BAKE}"]
        options = ["--push", "--progress=plain", f"--metadata-file={metadata}", f"--set=image.tags={target}"]
        # docker-bake.hcl names the context from the folder that dist lies in.
        _run(["docker", "buildx", "bake", *files, *options], env, target, cwd=dist.parent)
        return str(json.loads(metadata.read_text(encoding="utf-8"))["image"]["containerimage.digest"])


def _push_with_skopeo(target: Reference, env: Mapping[str, str], dist: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        digest = Path(folder, "digest")
        options = ["--all", f"--digestfile={digest}"]
        if target.loopback:  # an engine does so by itself
            options.append("--dest-tls-verify=false")
        places = [f"oci-archive:{dist / ARCHIVE.name}", f"docker://{target}"]
        # The policy is about whose signatures to trust in what is fetched; the archive was made here.
        _run(["skopeo", "--insecure-policy", "copy", *options, *places], env, target, cwd=dist)
        return digest.read_text(encoding="utf-8").strip()


def _ask(env: Mapping[str, str], *command: str) -> str | None:
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _run(command: Sequence[str], env: Mapping[str, str], target: Reference, cwd: Path) -> None:
    """Run a command that shows on stderr what it does; raise ``UserError`` with the reason when it fails.

    A registry's own errors pass: it is tried again, twice.
    """
    for patience in (*_PATIENCE, None):
        status, output = _show([shutil.which(command[0], path=env.get("PATH")) or command[0], *command[1:]], env, cwd)
        if not status:
            return
        if patience is None or not re.search(_PASSING, output[-1] if output else ""):
            raise UserError(f"{target} was not pushed: {reason(output, target)}")
        say(f"{target.registry} has an error of its own; trying again in {patience} s")
        time.sleep(patience)


def _show(command: Sequence[str], env: Mapping[str, str], cwd: Path) -> tuple[int, list[str]]:
    output = []
    with subprocess.Popen(
        command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            say(line.rstrip())
            output.append(line)
    return process.returncode, output


def reason(output: Sequence[str], target: Reference) -> str:
    """Return in a few words why buildx or skopeo failed, from what it printed."""
    lines = [line.strip() for line in output if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:") or "level=fatal" in line] or lines or ["no message"]
    for pattern, meaning in _REASONS.items():
        # A name like team/certificates must not decide.
        if re.search(pattern, errors[-1].replace(target.repository, ""), re.IGNORECASE):
            return f"{target.registry} {meaning.format(registry=target.registry, repository=target.repository)}"
    return errors[-1].removeprefix("ERROR: ")
