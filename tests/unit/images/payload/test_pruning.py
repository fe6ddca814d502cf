"""Of a package of the tree only what is imported is kept."""

from __future__ import annotations

from pathlib import Path

from images.payload.pruning import remove_unused

MODULES = {
    "names/__init__.py": "",
    "names/used.py": "from .deep import other",
    "names/deep/__init__.py": "",
    "names/deep/other.py": "def late():\n    import names.deep.late",
    "names/deep/late.py": "",
    "names/unused.py": "import names.only",
    "names/only.py": "",
    "names/empty/__init__.py": "",
    "names/empty/inside.py": "",
    "names/typed.py": "",
    "names/asked/__init__.py": "",
    "names/asked/by_name.py": "",
    "app.py": "from names import used\nif TYPE_CHECKING:\n    from names import typed",
}


def test_modules_that_nothing_imports_are_removed(tmp_path: Path) -> None:
    for name, source in MODULES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    remove_unused(tmp_path, "names", ["names.asked"])
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.py")}
    gone = {"names/unused.py", "names/only.py", "names/typed.py", "names/empty/__init__.py", "names/empty/inside.py"}
    assert left == MODULES.keys() - gone
    assert not (tmp_path / "names" / "empty").exists()
