"""Byte code for every supported Python, valid wherever the tree is copied to.

Without it each process of an app would compile what it imports: the modification times that ordinary ``.pyc`` files are
checked by do not survive ``cp -r``, and the app may not write into the volume. All modules of one Python lie in one
file (``images/bytecode/bundle.py``), which serves ``python -O`` and ``-OO`` as well; only what must run
before that can be read has ``.pyc`` files of its own.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from images.bytecode import bundle, compilers
from images.bytecode.bundle import PYC_HEAD
from images.errors import UserError
from images.paths import cache

PYTHONS = {"3.10": 3439, "3.11": 3495, "3.12": 3531, "3.13": 3571, "3.14": 3627}
"""The supported Pythons and the magic numbers of their byte code."""

ALONE = (
    "opentelemetry/instrumentation/auto_instrumentation/__init__.py",
    "opentelemetry/instrumentation/auto_instrumentation/sitecustomize.py",
    "otel_injection/__init__.py",
)
"""Modules that are not in the bundles, because they run before a bundle can be read."""

FIRST = tuple(f"otel_injection.{name}" for name in ("bundle", "guard", "record", "_names", "waiting", "start"))
"""Modules that every process needs, in the order in which they are executed: each imports only those before it."""

RARE = (
    "otel_injection._vendor.opentelemetry.configuration.",
    "otel_injection._vendor.opentelemetry.exporter.",
    "otel_injection._vendor.opentelemetry.instrumentation.botocore.",
    "otel_injection._vendor.packaging.",
    "otel_injection._vendor.prometheus_client.",
    "otel_injection._vendor.yaml.",
    "otel_injection.settings.file.",
    "otel_injection.doctor.",
)
"""Packages whose modules few processes import: these are compressed. A configuration file takes 1.3 ms more for it."""

_FILENAME = "-"
"""The file name in all code objects; Python or ``otel_injection.bundle`` puts in the real one at import."""

_PROCESSES = 2
"""Compilers run at the same time; each takes about 200 MB of memory."""


@dataclass(frozen=True)
class _Module:
    source: Path
    path: str
    """Relative to the tree."""
    key: str
    """A digest of all that the byte code depends on, except the compiler."""

    @property
    def package(self) -> bool:
        """Whether it is an ``__init__``."""
        return self.source.name == "__init__.py"

    @property
    def name(self) -> str:
        """The dotted name."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def pycs(self, python: str) -> list[Path]:
        """Where Python looks for it: without options, under ``-O`` and under ``-OO``."""
        stem = f"{self.source.stem}.cpython-{python.replace('.', '')}"
        return [self.source.parent / "__pycache__" / f"{stem}{each}.pyc" for each in ("", ".opt-1", ".opt-2")]


def compile_tree(tree: Path) -> None:
    """Write byte code for every Python of every module of the tree.

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
    for python, folder in cached.items():
        contents = {module: (folder / module.key).read_bytes() for module in modules}
        for module in modules:
            for path in module.pycs(python) if module.path in ALONE else ():
                _write(path, contents[module])
        inside = {each.name: (contents[each], each.package) for each in modules if each.path not in ALONE}
        first = [each for each in FIRST if each in inside]
        rare = [each for each in inside if each.startswith(RARE)]
        _write(_bundle(tree, python), bundle.pack(PYTHONS[python], inside, first, rare))


def verify_tree(tree: Path) -> None:
    """Check that each module has its valid byte code for every Python, and that there is no other; else UserError."""
    modules = _modules(tree)
    alone = [module for module in modules if module.path in ALONE]
    files = {pyc.relative_to(tree).as_posix() for pyc in tree.rglob("*.pyc")}
    _compare(
        files,
        {path.relative_to(tree).as_posix() for python in PYTHONS for module in alone for path in module.pycs(python)},
    )
    for python, magic in PYTHONS.items():
        try:
            found = bundle.unpack(_bundle(tree, python).read_bytes())
        except (OSError, ValueError) as error:
            raise UserError(f"{_bundle(tree, python)}: {error}; assemble it again") from None
        inside = {f"{module.name} in {_bundle(tree, python).name}": module for module in modules if module not in alone}
        _compare({f"{name} in {_bundle(tree, python).name}" for name in found}, inside.keys())
        heads = {where: found[module.name][0][:PYC_HEAD] for where, module in inside.items()}
        heads |= {str(path): path.read_bytes()[:PYC_HEAD] for module in alone for path in module.pycs(python)}
        for where, head in heads.items():
            if head[:8] != magic.to_bytes(2, "little") + b"\r\n" + (1).to_bytes(4, "little") or len(head) < PYC_HEAD:
                raise UserError(
                    f"byte code is of another Python or not valid after copying: {where}; assemble it again"
                )


def _compare(found: AbstractSet[str], expected: AbstractSet[str]) -> None:
    for each in sorted(found ^ expected):
        raise UserError(f"byte code {'without a module' if each in found else 'is missing'}: {each}; assemble it again")


def _bundle(tree: Path, python: str) -> Path:
    return tree / "byte-code" / f"cpython-{python.replace('.', '')}.bundle"


def _write(path: Path, content: bytes) -> None:
    """Write with modes that any UID can use, whatever the umask."""
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(0o755)
    path.write_bytes(content)
    path.chmod(0o644)


def _modules(tree: Path) -> list[_Module]:
    modules = []
    for source in sorted(tree.rglob("*.py")):
        path = source.relative_to(tree).as_posix()
        key = hashlib.sha256(f"{_FILENAME}\0".encode() + source.read_bytes()).hexdigest()
        modules.append(_Module(source, path, key))
    return modules


def _compile(compiler: Path, python: str, modules: list[_Module], target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=target.parent) as name:
        job = {
            "compiler": str(compiler),
            "filename": _FILENAME,
            "modules": [{"source": str(each.source), "target": str(Path(name, each.key))} for each in modules],
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
        paths = {str(module.source): module.path for module in modules}
        for source, reason in json.loads(done.stdout).items():
            raise UserError(f"{paths[source]} does not compile on Python {python}: {reason}")
        for compiled in Path(name).iterdir():
            compiled.replace(target / compiled.name)
