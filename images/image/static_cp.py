"""Compiles the image's one program, the static ``cp`` of ``images/image/cp/cp.c``, for any platform on any host.

The ``ziglang`` wheel is a whole C cross-compiler with musl's sources: no toolchain and no emulation is needed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from images.errors import UserError
from images.image.platforms import Platform
from images.paths import cache

SOURCE = Path(__file__).resolve().parent / "cp" / "cp.c"

# Stripped, without a build id and with only the source's own name in it: the same bytes from every checkout.
FLAGS = ("-std=c11", "-Os", "-static", "-s", "-Wl,--build-id=none", "-Wall", "-Wextra", "-Werror")


def compile_cp(platform: Platform) -> Path:
    """Return the static ``cp`` for a platform, compiled (half a minute the first time) or from the cache.

    The bytes depend on the source, the flags and the version of ``ziglang`` alone. Raises ``UserError`` when that is
    not installed or cannot compile.
    """
    try:
        version = metadata.version("ziglang")
    except metadata.PackageNotFoundError:
        raise UserError(
            "the compiler of the static cp is missing from this Python: run ./build.sh, which installs ziglang"
        ) from None
    flags = ("-target", platform.zig, *FLAGS)
    inputs = "\0".join((version, *flags)).encode() + b"\0" + SOURCE.read_bytes()
    compiled = cache("cp") / f"{platform.zig}-{hashlib.sha256(inputs).hexdigest()[:16]}"
    if not compiled.exists():
        with tempfile.TemporaryDirectory(prefix=".compiling-", dir=compiled.parent) as folder:
            made = Path(folder, "cp")
            _compile(flags, made)
            made.chmod(0o755)
            made.replace(compiled)
    return compiled


def _compile(flags: tuple[str, ...], output: Path) -> None:
    # Paths in the environment (CPATH and others) would bring the host's headers and libraries in.
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    environment |= {f"ZIG_{scope}_CACHE_DIR": str(cache("zig", scope.lower())) for scope in ("GLOBAL", "LOCAL")}
    command = [sys.executable, "-I", "-m", "ziglang", "cc", *flags, "-o", str(output), SOURCE.name]
    done = subprocess.run(command, cwd=SOURCE.parent, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()[-1:]
        reason = lines[0] if lines else f"status {done.returncode}"
        raise UserError(f"ziglang cannot compile {SOURCE}: {reason}; check the free space in {cache('zig')}")
