"""Programs that tests run beside the image and that Debian has: unpacked into the cache, not installed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import NamedTuple

from images import debian, paths


class _Tool(NamedTuple):
    suite: str
    package: str
    program: str
    closure: bool = False
    """Whether it is linked to libraries that the machine may lack, or have in an older version."""


_TOOLS = {
    "docker-registry": _Tool("trixie", "docker-registry", "usr/bin/docker-registry"),
    "kubectl": _Tool("trixie", "kubernetes-client", "usr/bin/kubectl"),
    "qemu-aarch64": _Tool("trixie", "qemu-user", "usr/bin/qemu-aarch64"),
    "skopeo": _Tool("trixie", "skopeo", "usr/bin/skopeo", closure=True),
}


def tool(name: str) -> Path:
    """Return the path under which this program can be run here; ``UserError`` where Debian's packages cannot be had."""
    tool = _TOOLS[name]
    root = debian.unpack(tool.suite, [tool.package], closure=tool.closure)
    program = root / tool.program
    if not tool.closure:
        return program
    loader = next(root.glob("usr/lib*/ld-linux-*.so.*"))
    libraries = next(root.glob("usr/lib/*-linux-gnu"))
    wrapper = paths.cache("tools") / f"{root.name}-{name}"
    temporary = wrapper.with_suffix(f".{id(wrapper)}")
    command = shlex.join([str(loader), "--library-path", str(libraries), str(program)])
    temporary.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    temporary.chmod(0o755)
    temporary.rename(wrapper)
    return wrapper
