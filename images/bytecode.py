"""Byte code for every supported Python, valid wherever the tree is copied to.

Without it each process of an app would compile what it imports: the modification times that ordinary ``.pyc`` files are
checked by do not survive ``cp -r``, and the app may not write into the volume. ``python -O`` looks for other files and
still compiles from source.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from images import compilers
from images.errors import UserError
from images.paths import cache

PYTHONS = {"3.10": 3439, "3.11": 3495, "3.12": 3531, "3.13": 3571, "3.14": 3627}
"""The supported Pythons and the magic numbers of their byte code."""

_MOUNT = "/otel-auto-instrumentation-python"
"""Where the operator mounts the tree. Python corrects the names in code objects of modules that it finds elsewhere."""

_PROCESSES = 2
"""Compilers run at the same time; each takes about 200 MB of memory."""

_HEAD = 16
"""Bytes before the code object in a .pyc: magic number, flags, hash of the source (PEP 552)."""


@dataclass(frozen=True)
class _Module:
    source: Path
    path: str
    """Relative to the tree."""
    key: str
    """Of what byte code depends on, beside the compiler."""

    def pyc(self, python: str) -> Path:
        return self.source.parent / "__pycache__" / f"{self.source.stem}.cpython-{python.replace('.', '')}.pyc"


def compile_tree(tree: Path) -> None:
    """Write byte code for every Python beside every module of the tree.

    It comes from the cache for modules that have not changed. UserError for a module that does not compile, and when
    the compilers cannot be had.
    """
    modules = _modules(tree)
    cached = {python: cache("bytecode", compilers.recipe(), python) for python in PYTHONS}
    missing = {
        python: [module for module in modules if not (folder / module.key).exists()]
        for python, folder in reversed(cached.items())  # the slowest first
    }
    if any(missing.values()):
        installed = compilers.install()
        pool = ThreadPoolExecutor(_PROCESSES)
        try:
            running = [
                pool.submit(_compile, installed / f"pyodide-{python}", python, todo, cached[python])
                for python, todo in missing.items()
                if todo
            ]
            for each in running:
                each.result()
        finally:
            pool.shutdown(cancel_futures=True)  # after an error, or Ctrl-C, start no more
    for module in modules:
        for python, folder in cached.items():
            pyc = module.pyc(python)
            pyc.parent.mkdir(exist_ok=True)
            pyc.parent.chmod(0o755)  # for any UID, whatever the umask
            shutil.copyfile(folder / module.key, pyc)
            pyc.chmod(0o644)


def verify_tree(tree: Path) -> None:
    """Check that each module has its valid byte code for every Python, and that there is no other; else UserError."""
    expected = {module.pyc(python): magic for module in _modules(tree) for python, magic in PYTHONS.items()}
    found = set(tree.rglob("*.pyc"))
    for pyc in sorted(found ^ expected.keys()):
        raise UserError(f"byte code {'without a module' if pyc in found else 'is missing'}: {pyc}; assemble it again")
    for pyc, magic in expected.items():
        with pyc.open("rb") as file:
            head = file.read(_HEAD)
        if head[:8] != magic.to_bytes(2, "little") + b"\r\n" + (1).to_bytes(4, "little") or len(head) < _HEAD:
            raise UserError(f"byte code is of another Python or not valid after copying: {pyc}; assemble it again")


def _modules(tree: Path) -> list[_Module]:
    modules = []
    for source in sorted(tree.rglob("*.py")):
        path = source.relative_to(tree).as_posix()
        key = hashlib.sha256(path.encode() + b"\0" + source.read_bytes()).hexdigest()
        modules.append(_Module(source, path, key))
    return modules


def _compile(compiler: Path, python: str, modules: list[_Module], target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=target.parent) as name:
        job = {
            "compiler": str(compiler),
            "modules": [
                {
                    "source": str(module.source),
                    "filename": f"{_MOUNT}/{module.path}",
                    "target": str(Path(name, module.key)),
                }
                for module in modules
            ],
        }
        done = compilers.node(compilers.HERE / "compile.cjs", json.dumps(job))
        if done.returncode:
            log = cache("bytecode") / f"{python}.log"
            log.write_text(done.stderr)
            reason = (done.stderr.splitlines() or [f"status {done.returncode}"])[0][:200]
            raise UserError(
                f"the compiler for Python {python} failed: {reason}; its output is in {log}, "
                f"a damaged one comes anew when you delete {compiler.parent}"
            )
        for filename, reason in json.loads(done.stdout).items():
            raise UserError(f"{filename.removeprefix(_MOUNT)[1:]} does not compile on Python {python}: {reason}")
        for module in modules:
            Path(name, module.key).replace(target / module.key)
