"""Programs that tests run beside the image and that Debian has: unpacked into the cache, not installed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from images import paths
from images.engine import debian
from images.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_SECONDS = 20.0


class _Tool(NamedTuple):
    suite: str
    package: str
    program: str
    closure: bool = False
    """Whether the program needs libraries that the machine may lack, or have in an older version."""


_TOOLS = {
    "docker-registry": _Tool("trixie", "docker-registry", "usr/bin/docker-registry"),
    "kubectl": _Tool("trixie", "kubectl", "usr/bin/kubectl"),
    "qemu-aarch64": _Tool("trixie", "qemu-user", "usr/bin/qemu-aarch64"),
    "skopeo": _Tool("trixie", "skopeo", "usr/bin/skopeo", closure=True),
}


def tool(name: str) -> Path:
    """Return the path under which this program can be run here.

    Where Debian's packages cannot be had, it is the installed program; ``UserError`` where there is none.
    """
    tool = _TOOLS[name]
    if not debian.available():
        if installed := shutil.which(name):
            return Path(installed)
        raise UserError(f"{name} is not installed, and apt has no Debian mirror to bring it from: install it")
    root = debian.unpack(tool.suite, [tool.package], closure=tool.closure)
    program = root / tool.program
    if not tool.closure:
        return program
    loader = next(root.glob("usr/lib/*-linux-gnu/ld-linux-*.so.*"))
    wrapper = paths.cache("tools") / f"{root.name}-{name}"
    with tempfile.NamedTemporaryFile("w", dir=wrapper.parent, delete=False) as script:
        command = shlex.join([str(loader), "--library-path", str(loader.parent), str(program)])
        script.write(f'#!/bin/sh\nexec {command} "$@"\n')
    temporary = Path(script.name)
    temporary.chmod(0o755)
    temporary.rename(wrapper)
    return wrapper


@contextmanager
def registry() -> Iterator[str]:
    """Run a registry on loopback and give its ``host:port``; it and what was pushed to it are gone afterwards.

    Raises ``UserError`` where it does not start.
    """
    with tempfile.TemporaryDirectory(dir=paths.cache("registry")) as folder:
        settings = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": f"{folder}/data"}, "delete": {"enabled": True}},
            "http": {"addr": "127.0.0.1:0"},
        }
        configuration, log = Path(folder, "registry.yml"), Path(folder, "registry.log")
        configuration.write_text(json.dumps(settings))
        # setpriv: it also ends when this process is killed and has no time to end it
        command = ["setpriv", "--pdeathsig", "KILL", str(tool("docker-registry")), "serve", str(configuration)]
        with log.open("wb") as output:
            running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            yield _listening(running, log)
        finally:
            running.kill()
            running.wait()


def _listening(running: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the registry has written which address it got."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        text = log.read_text()
        if found := re.search(r"listening on (127\.0\.0\.1:\d+)", text):
            return found[1]
        if running.poll() is not None or time.monotonic() > deadline:
            raise UserError(f"docker-registry does not start: {(text.splitlines() or ['no log'])[-1]}")
        time.sleep(0.02)
