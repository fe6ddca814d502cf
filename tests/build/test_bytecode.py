from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from images.bytecode import bundle, compilers
from images.bytecode import tree as bytecode
from images.engine import debian
from images.errors import UserError
from images.paths import ROOT, TREE
from tests.injection import pythons

MODULES = {
    "package/__init__.py": 'KINDS = {each for each in "ab" if each in {"span", "metric", "log", "event", "link"}}\n',
    "package/nested.py": """\
def outer():
    def inner(value=1.5, *, key=(1, 'two', b'3')):
        return lambda: 1 / 0
    return inner()
""",
    "package/deep/__init__.py": '"""Größe."""\n',
    "package/deep/asynchronous.py": "async def wait():\n    return [each async for each in others() if each]\n",
}
SUITES = {"3.11": "bookworm", "3.13": "trixie", "3.14": "forky"}
"""Where Pythons come from that this machine does not have; Debian has no other."""
NATIVE = {pythons.version(each): each for each in pythons.find()}
OLDEST = min(NATIVE, key=lambda each: int(each[2:]))
VERSIONS = [version for version in bytecode.PYTHONS if version in {*NATIVE, *SUITES}]


@pytest.fixture(scope="session")
def installed() -> Path:
    return compilers.install()


@pytest.fixture(autouse=True)
def empty_cache(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without byte code, and with the compilers."""
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "compilers").symlink_to(installed.parent)
    monkeypatch.setenv("AUTOINSTRUMENTATION_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def cache_of_compiled(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the byte code of the modules."""
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "compilers").symlink_to(installed.parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOINSTRUMENTATION_CACHE", str(folder))
        bytecode.compile_tree(_tree(folder / "tree"))
    return folder


@pytest.fixture
def cache(cache_of_compiled: Path, tmp_path: Path, empty_cache: Path) -> Path:
    """A cache of the test's own with the byte code of the modules."""
    shutil.copytree(cache_of_compiled / "bytecode", empty_cache / "bytecode")
    return empty_cache


@pytest.fixture
def compiled(cache: Path, tmp_path: Path) -> Path:
    """The modules with byte code beside them."""
    tree = _tree(tmp_path / "tree")
    bytecode.compile_tree(tree)
    return tree


def _tree(folder: Path, modules: dict[str, str] = MODULES) -> Path:
    for name, source in modules.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)
    return folder


def _byte_code(tree: Path) -> dict[str, bytes]:
    return {
        f"{each.stem} {name}": content
        for each in tree.rglob("*.bundle")
        for name, (content, _) in bundle.unpack(each.read_bytes()).items()
    }


def test_every_module_gets_valid_byte_code_for_every_python(compiled: Path) -> None:
    bytecode.verify_tree(compiled)
    assert len(_byte_code(compiled)) == len(MODULES) * len(bytecode.PYTHONS)


def test_the_bytes_depend_on_neither_folder_nor_what_else_is_compiled_nor_hash_seed(
    cache_of_compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    some = dict(list(MODULES.items())[:2])
    tree = _tree(tmp_path / "elsewhere" / "other", {"before.py": "KINDS = {'link', 'event', 'span'}\n", **some})
    bytecode.compile_tree(tree)
    everything = _byte_code(cache_of_compiled / "tree")
    assert len(_byte_code(tree)) == (len(some) + 1) * len(bytecode.PYTHONS)
    common = {name: content for name, content in _byte_code(tree).items() if not name.endswith(" before")}
    assert common.items() <= everything.items()


def test_an_unchanged_tree_needs_no_compiler_and_a_changed_module_is_compiled_alone(
    cache: Path, compiled: Path, tmp_path: Path
) -> None:
    before = set((cache / "bytecode").rglob("*"))
    (cache / "compilers").rename(cache / "away")
    other = _tree(tmp_path / "other")
    bytecode.compile_tree(other)
    assert not (cache / "compilers").exists()
    assert _byte_code(other) == _byte_code(compiled)

    (cache / "away").rename(cache / "compilers")
    (other / "package/nested.py").write_text("CHANGED = True\n")
    bytecode.compile_tree(other)
    bytecode.verify_tree(other)
    assert len(set((cache / "bytecode").rglob("*")) - before) == len(bytecode.PYTHONS)
    changed = {name for name, content in _byte_code(other).items() if content != _byte_code(compiled)[name]}
    assert {each.partition(" ")[2] for each in changed} == {"package.nested"}


def test_a_module_that_an_older_python_does_not_parse_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "tree", {"package/newer.py": "try:\n    pass\nexcept* OSError:\n    pass\n"})
    with pytest.raises(UserError, match=r"^package/newer\.py does not compile on Python 3\.10: line 3: .+"):
        bytecode.compile_tree(tree)
    assert _byte_code(tree) == {}


def test_a_compiler_that_is_damaged_is_one_line_that_says_what_to_delete(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "compilers" / installed.name
    shutil.copytree(installed, damaged)
    (damaged / "pyodide-3.14" / "pyodide.asm.wasm").write_bytes(b"")
    monkeypatch.setenv("AUTOINSTRUMENTATION_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=rf"^the compiler for Python 3\.14 failed: wasm .* delete {damaged}$"):
        bytecode.compile_tree(_tree(tmp_path / "tree"))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_native_python_takes_the_byte_code_of_the_whole_tree_for_its_own(version: str, tmp_path: Path) -> None:
    assert TREE.is_dir(), "run ./build.sh first"
    tree = tmp_path / "tree"
    shutil.copytree(TREE, tree, copy_function=shutil.copyfile)
    check = [str(ROOT / "tests/build/native_check.py"), str(tree), str(ROOT)]
    done = subprocess.run(
        [*_python(version), "-I", "-X", "no_debug_ranges", *check], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (f"checked {len(list(TREE.rglob('*.py')))}\n", "")


@pytest.mark.parametrize("options", [[], ["-O"], ["-OO"]], ids=["plain", "optimised", "optimised twice"])
def test_a_traceback_through_byte_code_shows_where_the_module_lies(options: list[str], tmp_path: Path) -> None:
    source = "def outer():\n    assert 0, 1 / 0\n"
    tree = _tree(tmp_path / "tree", {"otel_injection/failing.py": source})
    shutil.copytree(ROOT / "extensions/otel_injection", tree / "otel_injection", dirs_exist_ok=True)
    bytecode.compile_tree(tree)
    path = tree / "otel_injection/failing.py"
    path.write_text(source.replace("assert 0", "assert 1"))  # what the byte code is not of
    code = f"import sys; sys.path.insert(0, {str(tree)!r}); from otel_injection.failing import outer; outer()"
    command = [*_python(OLDEST), "-I", "-B", *options, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f'File "{path}", line 2, in outer\n    assert 1, 1 / 0\n' in done.stderr
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(("options", "kind"), [([], ""), (["-O"], ".opt-1"), (["-OO"], ".opt-2")])
def test_what_is_outside_of_the_bundles_is_not_compiled_at_a_start(
    options: list[str], kind: str, tmp_path: Path
) -> None:
    tree = _tree(tmp_path / "tree", {"otel_injection/__init__.py": "VALUE = 'of the source'\n"})
    bytecode.compile_tree(tree)
    (tree / "otel_injection/__init__.py").write_text("VALUE = 'compiled'\n")
    code = f"import sys; sys.path.insert(0, {str(tree)!r}); from otel_injection import VALUE, __cached__; "
    command = [*_python(OLDEST), "-I", *options, "-c", f"{code}print(VALUE, __cached__)"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    cached = tree / f"otel_injection/__pycache__/__init__.cpython-{OLDEST.replace('.', '')}{kind}.pyc"
    assert (done.stdout, done.stderr) == (f"of the source {cached}\n", "")


def _python(version: str) -> list[str]:
    """Return how to start this Python."""
    if version in NATIVE:
        return [str(NATIVE[version])]
    root = debian.unpack(SUITES[version], [f"python{version}-minimal", f"libpython{version}-stdlib"], closure=True)
    loader = next(root.glob("usr/lib/*-linux-gnu/ld-linux-*.so.*"))
    return [str(loader), "--library-path", str(loader.parent), str(root / f"usr/bin/python{version}")]
