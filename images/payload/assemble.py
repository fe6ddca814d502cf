"""Assembles the payload in ``dist/tree``: exactly what lies in ``/autoinstrumentation`` of the image."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from images.bytecode import tree as bytecode
from images.console import step
from images.errors import UserError
from images.image.labels import version
from images.paths import DIST, ROOT, TREE, cache
from images.payload import index, own
from images.payload.cheaper_imports import constants
from images.payload.ownership import COPIED, LEFT_OUT, PRIVATE, STAND_INS, Ownership
from images.payload.pruning import BY_NAME, remove_unused
from images.payload.rewrite import rewrite

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

OLDEST_PYTHON = "3.10"
"""The payload is resolved and installed for the oldest supported Python; newer ones run the same files."""

_DROPPED = (
    "opentelemetry/configuration/_sdk",
    "opentelemetry/configuration/file/",
    "opentelemetry/configuration/instrumentation",
    "opentelemetry/distro/",
    "opentelemetry/instrumentation/auto_instrumentation/",
    "opentelemetry/instrumentation/aws_lambda/",
    "opentelemetry/instrumentation/bootstrap",
    "packaging/dependency_groups",
    "packaging/direct_url",
    "packaging/licenses/",
    "packaging/metadata",
    "packaging/pylock",
    "prometheus_client/aiohttp/",
    "prometheus_client/bridge/",
    "prometheus_client/django/",
    "prometheus_client/openmetrics/parser",
    "prometheus_client/parser",
    "prometheus_client/twisted/",
    "yaml/constructor",
    "yaml/cyaml",
    "yaml/dumper",
    "yaml/emitter",
    "yaml/loader",
    "yaml/representer",
    "yaml/resolver",
    "yaml/serializer",
)
"""Parts of upstream's packages that ours replaces or that an injected process never uses."""


_SCHEMA = "opentelemetry/configuration/schema.json"


def assemble() -> Path:
    """Build the tree from the locked payload and this repository's sources; return its folder.

    The finished tree replaces the previous one at once; an error leaves the previous one as it was. Raises UserError
    when the payload cannot be installed, when a table does not cover it, or when ``dist/`` cannot be written.
    """
    with step("install the locked payload"):
        payload = _install_payload()
    try:
        DIST.mkdir(exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="tree.", dir=DIST))
    except OSError as error:
        raise UserError(f"cannot write {DIST}: {error.strerror}; make it writable or free space on its disk") from None
    try:
        with step("vendor it under private names"):
            _fill(work, payload)
        with step("compile byte code for CPython 3.10 to 3.14"):
            bytecode.compile_tree(work)
            bytecode.verify_tree(work)
        work.chmod(0o755)
        shutil.rmtree(TREE, ignore_errors=True)
        work.rename(TREE)
    except OSError as error:
        raise UserError(
            f"cannot write {error.filename or DIST}: {error.strerror}; free space or fix its mode"
        ) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return TREE


def _install_payload() -> Path:
    return _install(ROOT / "requirements" / "payload.txt")


def _install(lock: Path) -> Path:
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    folder = cache("payload") / digest
    if folder.exists():
        return folder
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        work = Path(name) / "payload"
        command = ["uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
        command += ["--target", str(work), "--python-version", OLDEST_PYTHON]
        command += ["--python-platform", "x86_64-manylinux_2_28", "--link-mode", "copy", "--requirements", str(lock)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise UserError("uv is not on PATH: run ./build.sh, which brings it") from None
        if done.returncode:
            reason = " ".join(done.stderr.split())[-300:]
            raise UserError(f"cannot install {lock.relative_to(ROOT)}: {reason}")
        try:
            work.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    return folder


def _fill(tree: Path, payload: Path) -> None:
    distributions = [PathDistribution(each) for each in sorted(payload.glob("*.dist-info"))]
    api = sorted(_modules(next(each for each in distributions if each.name == "opentelemetry-api")))
    required = _install(own.LOCK) if own.is_locked() else None
    extra = own.sources(required, distributions)
    ownership = Ownership(api, constants(payload), own.names(extra))
    for source in sorted(payload.rglob("*.py")):
        path = source.relative_to(payload).as_posix()
        if path.startswith(_DROPPED) or path.split("/")[0].removesuffix(".py") not in {"opentelemetry", *COPIED}:
            continue
        name = _module_name(path)
        home = "" if ownership.home(name) == name else PRIVATE.replace(".", "/") + "/"
        content = STAND_INS[path].encode() if path in STAND_INS else source.read_bytes()
        _write(tree / f"{home}{path}", rewrite(content, name, ownership))
    for source in sorted((ROOT / "extensions" / "otel_injection").rglob("*.py")):
        path = source.relative_to(ROOT / "extensions").as_posix()
        _write(tree / path, rewrite(source.read_bytes(), _module_name(path), ownership))
    for path, source in extra.items():
        _write(tree / PRIVATE.replace(".", "/") / path, own.rewritten(source, _module_name(path), ownership))
    known = {each.name for each in distributions}
    distributions += [each for each in own.required_distributions(required) if each.name not in known]
    _write(tree / "otel_injection/_index.py", index.render(distributions, api, ownership, own.entry_points()).encode())
    _write(tree / "otel_injection/_names.py", index.render_names().encode())
    schema = json.loads((payload / _SCHEMA).read_bytes())
    _write(tree / PRIVATE.replace(".", "/") / _SCHEMA, json.dumps(_plain(schema), separators=(",", ":")).encode())
    _remove_unused(tree, set(extra))
    for folder in sorted({each.parent for each in (tree / "otel_injection/_vendor").rglob("*.py")}):
        for package in (folder, *folder.parents):
            if package == tree / "otel_injection":
                break
            if not (package / "__init__.py").exists():
                _write(package / "__init__.py", b"")
    door = ROOT / "sitecustomize"
    for name in ("__init__.py", "sitecustomize.py"):
        _write(tree / "opentelemetry/instrumentation/auto_instrumentation" / name, (door / name).read_bytes())
    _write(tree / "bin/opentelemetry-instrument", (door / "opentelemetry-instrument").read_bytes(), 0o755)
    _write(tree / "doctor", (door / "doctor").read_bytes(), 0o755)
    _write(tree / "LICENSE", (ROOT / "LICENSE").read_bytes())
    _write(tree / "THIRD-PARTY-LICENSES", _licences(distributions))
    _write(tree / "version.txt", f"{version()}\n".encode())


def _plain(schema: Any) -> Any:
    """Return a JSON schema without titles and descriptions, which are two thirds of it."""
    if isinstance(schema, dict):
        return {
            name: _plain(each) for name, each in schema.items() if not (name == "description" and type(each) is str)
        }
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema


def _remove_unused(tree: Path, own_files: Collection[str]) -> None:
    """Leave out what nothing needs; of what ``extensions/own`` brings, everything stays."""
    named = re.findall(rf"'({re.escape(PRIVATE)}[\w.]+)", (tree / "otel_injection/_index.py").read_text())
    tops = {_module_name(path.split("/")[0]) for path in own_files}
    remove_unused(tree, PRIVATE, [*named, *(f"{PRIVATE}.{each}" for each in (*BY_NAME, *tops))])


def _modules(distribution: Distribution) -> Iterator[str]:
    """Name all modules and regular packages of a distribution."""
    for file in distribution.files or ():
        if file.suffix == ".py":
            yield _module_name(file.as_posix())


def _module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write with modes that any UID can use, whatever the umask."""
    missing = []
    folder = path.parent
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir()
        folder.chmod(0o755)
    path.write_bytes(content)
    path.chmod(mode)


def _licences(distributions: list[PathDistribution]) -> bytes:
    """Collect the licence texts of what is redistributed, each text once."""
    by_text: dict[str, list[str]] = {}
    for each in distributions:
        if each.name.lower() in LEFT_OUT:
            continue
        texts = [
            text
            for file in each.files or ()
            if "dist-info" in file.as_posix()
            and "LICENSE" in file.name.upper()
            and (text := each.read_text(_inside(file.as_posix())))
        ]
        for text in texts or [_field(each, "License-Expression") or _field(each, "License") or "see its sources"]:
            by_text.setdefault(text, []).append(f"{each.name} {each.version}")
    rule = "=" * 100
    return "\n".join(f"{rule}\n{', '.join(names)}\n{rule}\n{text}" for text, names in by_text.items()).encode()


def _inside(path: str) -> str:
    return path.partition("/")[2]


def _field(distribution: Distribution, name: str) -> str:
    values = distribution.metadata.get_all(name)
    return values[0] if values else ""
