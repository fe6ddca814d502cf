"""Functions run when a module has been executed, however it is imported, and imports stay as they are."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import textwrap
import traceback
import types
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_injection import start, waiting
from otel_injection.imports import hooks


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Path]:
    """A folder on the path whose modules are forgotten afterwards, with the finder in place."""
    before = set(sys.modules)
    path, meta_path = list(sys.path), list(sys.meta_path)
    sys.path.insert(0, str(tmp_path))
    start.install({})
    yield tmp_path
    sys.path[:], sys.meta_path[:] = path, meta_path
    for name in set(sys.modules) - before:
        del sys.modules[name]
    for kept in (hooks._after, hooks._before, waiting.NAMES, hooks._running, hooks._postponed, hooks._happened):
        kept.clear()
    importlib.invalidate_caches()


def write(app: Path, **sources: str) -> None:
    for name, source in sources.items():
        path = app / (name.replace(".", "/") + ".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(source))
    importlib.invalidate_caches()


def watch(*names: str) -> list[str]:
    """Note what has been executed, in order."""
    seen: list[str] = []
    for name in names:
        hooks.after(name, lambda _, name=name: seen.append(name))  # type: ignore[misc]
    return seen


def test_a_module_is_complete_when_its_function_runs(app: Path) -> None:
    write(app, shop="import sys; stock = 7")
    found: list[Any] = []
    hooks.after("shop", lambda module: found.append(module.stock))
    hooks.before("shop", lambda: found.append("shop" in sys.modules))
    importlib.import_module("shop")
    assert found == [True, 7]


def test_a_module_inside_of_packages_waits_for_them(app: Path) -> None:
    write(app, **{"shop.stock": "", "shop.__init__": "from shop import stock; ready = True"})
    found: list[object] = []
    hooks.after("shop.stock", lambda _: found.append(getattr(sys.modules["shop"], "ready", False)))
    importlib.import_module("shop.stock")
    assert found == [True]


def test_a_module_that_is_there_already_counts_at_once(app: Path) -> None:
    write(app, shop="")
    importlib.import_module("shop")
    assert watch("shop") == ["shop"]


def test_a_reload_counts_again(app: Path) -> None:
    write(app, shop="")
    seen = watch("shop")
    importlib.reload(importlib.import_module("shop"))
    assert seen == ["shop", "shop"]


def test_a_lazy_module_counts_when_it_is_loaded(app: Path) -> None:
    write(app, shop="stock = 7")
    seen = watch("shop")
    spec = importlib.util.find_spec("shop")
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules["shop"] = module
    spec.loader.exec_module(module)
    assert seen == []
    assert (module.stock, seen) == (7, ["shop"])


def test_modules_of_one_zip_archive_count_once_each_whatever_was_looked_for_before(app: Path) -> None:
    with zipfile.ZipFile(app / "shop.zip", "w") as archive:
        for name in ("one", "two", "three"):
            archive.writestr(f"{name}.py", "import two" if name == "one" else "")
    sys.path.insert(0, str(app / "shop.zip"))
    seen = watch("one", "two", "three")
    for _ in range(2):
        for name in ("one", "two", "three"):
            assert importlib.util.find_spec(name) is not None
    for name in ("one", "three"):
        loader = importlib.import_module(name).__loader__
    assert sorted(seen) == ["one", "three", "two"]
    assert "exec_module" not in vars(loader)


def test_a_namespace_package_and_what_is_in_it_are_found(app: Path) -> None:
    write(app, **{"space.stock": ""})
    seen = watch("space", "space.stock")
    importlib.import_module("space.stock")
    assert seen == ["space.stock"]


@pytest.mark.parametrize(
    "error", [RuntimeError("broken"), ImportError("broken"), KeyError(1), AttributeError("x"), SystemExit(3)]
)
def test_a_function_that_fails_is_not_the_apps_problem(
    app: Path, error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_module: Any) -> None:
        raise error

    write(app, shop="")
    hooks.after("shop", fail)
    assert importlib.import_module("shop").__name__ == "shop"


def test_the_end_that_a_user_asks_for_passes_through_a_function(app: Path) -> None:
    def end(_module: Any) -> None:
        raise KeyboardInterrupt

    write(app, shop="")
    hooks.after("shop", end)
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module("shop")


def test_a_package_whose_attributes_are_made_on_demand_is_not_asked_for_them(app: Path) -> None:
    write(app, **{"shop.stock": "", "shop.__init__": "def __getattr__(name): raise RuntimeError(name)"})
    seen = watch("shop.stock")
    importlib.import_module("shop.stock")
    assert seen == ["shop.stock"]


def test_an_import_that_fails_looks_as_without_us_and_can_be_tried_again(app: Path) -> None:
    write(app, shop="import nowhere")
    seen = watch("shop")
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module("shop")
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frame.filename for frame in frames if "otel_injection" in frame.filename] == []
    write(app, shop="# mended, and so longer")
    importlib.import_module("shop")
    assert seen == ["shop"]


def test_a_warning_is_attributed_to_the_importing_line(app: Path) -> None:
    write(app, shop="import warnings; warnings.warn('old', DeprecationWarning, stacklevel=2)", main="import shop")
    watch("shop")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        importlib.import_module("main")
    assert [Path(each.filename).name for each in caught] == ["main.py"]


def test_loader_spec_and_module_are_the_import_systems_own(app: Path) -> None:
    write(app, shop="")
    watch("shop")
    module = importlib.import_module("shop")
    assert type(module.__loader__).__module__ == "_frozen_importlib_external"
    assert module.__spec__ is not None
    assert module.__spec__.loader is module.__loader__
    assert type(module) is types.ModuleType


def test_a_built_in_module_keeps_its_loader(app: Path) -> None:
    watch("xxsubtype", "_imp")
    finder = next(each for each in sys.meta_path if isinstance(each, start.Finder))
    assert finder.find_spec("_imp").loader is importlib.machinery.BuiltinImporter
    assert "_watched" not in dir(importlib.machinery.BuiltinImporter.exec_module)


def test_the_finders_of_the_app_are_asked_in_their_order(app: Path) -> None:
    class Finder:
        def find_spec(self, name: str, *_: object) -> Any:
            return importlib.util.spec_from_file_location(name, app / "other.py") if name == "shop" else None

    write(app, shop="kind = 'shop'", other="kind = 'other'")
    seen = watch("shop")
    sys.meta_path.insert(1, Finder())
    assert (importlib.import_module("shop").kind, seen) == ("other", ["shop"])


def test_uninstalling_leaves_no_finder(app: Path) -> None:
    waiting.uninstall()
    assert [each for each in sys.meta_path if type(each).__module__.startswith("otel_injection")] == []


def test_an_event_that_is_no_import_happens_once_and_counts_at_once_for_whoever_comes_later(app: Path) -> None:
    seen = watch("otel_injection:event")
    hooks.happened("otel_injection:event")
    hooks.happened("otel_injection:event")
    assert seen == ["otel_injection:event"]
    assert watch("otel_injection:event") == ["otel_injection:event"]


def test_an_event_that_nothing_waits_for_does_not_happen(app: Path) -> None:
    hooks.happened("otel_injection:event")
    assert watch("otel_injection:event") == []


def test_a_module_whose_execution_ended_with_its_thread_is_executed_anew(app: Path) -> None:
    write(app, shop="")
    seen = watch("shop")
    hooks._running.add("shop")
    hooks.interrupted("shop")
    importlib.import_module("shop")
    assert seen == ["shop"]
