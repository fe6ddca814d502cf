"""Imports from a bundle are as from sources, and a bundle that cannot be used costs an ImportError."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from images.bytecode import bundle as made
from images.bytecode.compilers.to_pyc import to_pyc
from otel_injection import begin, bundle

SOURCES = {
    "otel_injection.example": '"""An example."""\nVALUE = 1\n',
    "otel_injection.example.inner": 'def fail():\n    """Fail."""\n    return 1 / 0\n',
    "opentelemetry.shared": "from __future__ import annotations\nx: Unknown = 2\n",
}
MAGIC = int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little")


def _pyc(source: str, path: str) -> bytes:
    content = to_pyc(source.encode(), path)
    assert isinstance(content, bytes)
    return content


@pytest.fixture(params=[(), SOURCES.keys()], ids=["plain", "compressed"])
def mount(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder with sources and their bundle, which is installed and removed."""
    for name, source in SOURCES.items():
        path = tmp_path / (name.replace(".", "/") + ("/__init__.py" if name.endswith("example") else ".py"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    _write(tmp_path, MAGIC, request.param)
    yield tmp_path
    bundle.uninstall()
    for name in [each for each in sys.modules if each in SOURCES]:
        del sys.modules[name]


def _write(mount: Path, magic: int, rare: Collection[str] = ()) -> Path:
    (mount / "byte-code").mkdir(exist_ok=True)
    modules = {
        name: (_pyc(source, f"/built/otel_injection/{name}.py"), name.endswith("example"))
        for name, source in SOURCES.items()
    }
    path = mount / "byte-code" / f"{sys.implementation.cache_tag}.bundle"
    path.write_bytes(made.pack(magic, modules, rare=rare))
    return path


def _spec(name: str, parent: Path) -> object:
    (finder,) = [each for each in sys.meta_path if isinstance(each, bundle.Bundle)]
    return finder.find_spec(name, [str(parent)])


def _load(name: str) -> object:
    spec = bundle.spec(name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_modules_are_as_those_of_their_sources(mount: Path) -> None:
    begin(str(mount))
    package, inner = _load("otel_injection.example"), _load("otel_injection.example.inner")
    assert package.VALUE == 1  # type: ignore[attr-defined]
    assert package.__file__ == f"{mount}/otel_injection/example/__init__.py"  # type: ignore[attr-defined]
    assert package.__path__ == [f"{mount}/otel_injection/example"]  # type: ignore[attr-defined]
    assert not hasattr(inner, "__path__")
    assert inspect.getsource(inner) == SOURCES["otel_injection.example.inner"]  # type: ignore[arg-type]


def test_a_traceback_shows_file_and_line(mount: Path) -> None:
    begin(str(mount))
    inner = _load("otel_injection.example.inner")
    with pytest.raises(ZeroDivisionError) as error:
        inner.fail()  # type: ignore[attr-defined]
    last = traceback.extract_tb(error.value.__traceback__)[-1]
    path = f"{mount}/otel_injection/example/inner.py"
    assert (last.filename, last.lineno, last.line) == (path, 3, "return 1 / 0")


def test_annotations_are_not_evaluated_where_the_source_says_so(mount: Path) -> None:
    begin(str(mount))
    assert _load("opentelemetry.shared").x == 2  # type: ignore[attr-defined]


def test_modules_that_every_process_needs_are_there_at_once(mount: Path) -> None:
    first = "otel_injection.example_of_first"
    source = "from otel_injection import PREFIX\n\ndef fail():\n    return 1 / 0\n".replace("PREFIX", "contained")
    (mount / f"{first.replace('.', '/')}.py").write_text(source)
    path = mount / "byte-code" / f"{sys.implementation.cache_tag}.bundle"
    modules = {**made.unpack(path.read_bytes()), first: (_pyc(source, "/built/first.py"), False)}
    path.write_bytes(made.pack(MAGIC, modules, [first]))
    assert made.unpack(path.read_bytes()) == modules
    try:
        begin(str(mount))
        module = sys.modules[first]
        assert sys.modules["otel_injection"].example_of_first is module
        assert importlib.import_module(first) is module
        assert (module.__package__, module.__file__) == (
            "otel_injection",
            f"{mount}/otel_injection/example_of_first.py",
        )
        assert inspect.getsource(module.fail) == "def fail():\n    return 1 / 0\n"
        with pytest.raises(ZeroDivisionError) as error:
            module.fail()
        assert traceback.extract_tb(error.value.__traceback__)[-1].filename == module.__file__
    finally:
        del sys.modules[first], sys.modules["otel_injection"].example_of_first
    assert _load("otel_injection.example").VALUE == 1  # type: ignore[attr-defined]


def test_only_modules_of_the_payloads_own_packages_are_found(mount: Path) -> None:
    begin(str(mount))
    assert _spec("otel_injection.example", mount / "otel_injection") is not None
    assert _spec("otel_injection.example", mount / "elsewhere") is None
    assert _spec("opentelemetry.shared", mount.parent / "opentelemetry") is None
    assert _spec("otel_injection.none", mount / "otel_injection") is None


def test_a_payload_without_a_bundle_for_this_python_is_imported_from_its_sources(mount: Path) -> None:
    before = list(sys.meta_path)
    _write(mount, MAGIC - 1)
    begin(str(mount))
    assert sys.meta_path == before
    (mount / "byte-code" / f"{sys.implementation.cache_tag}.bundle").unlink()
    begin(str(mount))
    assert sys.meta_path == before
    assert bundle.spec("otel_injection.example") is None


@pytest.mark.parametrize("content", [b"", b"otel-bundle-1", None], ids=["empty", "head only", "cut off"])
def test_a_bundle_that_is_not_whole_is_an_import_error(content: bytes | None, mount: Path) -> None:
    path = mount / "byte-code" / f"{sys.implementation.cache_tag}.bundle"
    path.write_bytes(path.read_bytes()[:-1] if content is None else content)
    with pytest.raises(ImportError, match="is damaged"):
        begin(str(mount))


def test_what_is_compressed_comes_back_as_it_was_and_takes_less(mount: Path) -> None:
    plain, compressed = (_write(mount, MAGIC, rare).read_bytes() for rare in ((), SOURCES))
    assert made.unpack(compressed) == made.unpack(plain)
    assert len(compressed) < len(plain)


def test_a_python_without_zlib_imports_what_is_compressed_from_its_source(
    mount: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(mount, MAGIC, ["otel_injection.example.inner"])
    changed = {"otel_injection/example/__init__.py": "VALUE = 3\n", "otel_injection/example/inner.py": "VALUE = 4\n"}
    for name, source in changed.items():
        (mount / name).write_text(source)
    monkeypatch.setitem(sys.modules, "zlib", None)
    begin(str(mount))
    assert _load("otel_injection.example").VALUE == 1  # type: ignore[attr-defined]
    assert _load("otel_injection.example.inner").VALUE == 4  # type: ignore[attr-defined]


@pytest.mark.parametrize("left", [0, 16], ids=["all of it", "all but its head"])
@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_a_bundle_with_a_damaged_module_is_an_import_error(fill: bytes, left: int, mount: Path) -> None:
    begin(str(mount))
    path = mount / "byte-code" / f"{sys.implementation.cache_tag}.bundle"
    (finder,) = [each for each in sys.meta_path if isinstance(each, bundle.Bundle)]
    entry = finder._entry("otel_injection.example.inner")
    assert entry is not None
    begin_at, size = entry[0] + left, entry[1] - left
    content = path.read_bytes()
    path.write_bytes(content[:begin_at] + fill * size + content[begin_at + size :])
    with pytest.raises(ImportError, match="is damaged"):
        _load("otel_injection.example.inner")
