"""Every name of a private copy that stands as text leads to a module of the assembled tree."""

from __future__ import annotations

import re

from images.bytecode import tree
from images.paths import ROOT, TREE
from images.payload import ownership, pruning

_NAME = re.compile(rf"{re.escape(ownership.PRIVATE)}(?:\.\w+)+(?=[\"'.:])")


def _is_there(name: str) -> bool:
    path = TREE.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def test_names_of_private_copies_lead_to_modules() -> None:
    written = {
        match[0]
        for folder in ("extensions", "images")
        for path in (ROOT / folder).rglob("*.py")
        for match in _NAME.finditer(path.read_text(encoding="utf-8"))
    }
    written |= {each.rstrip(".") for each in tree.RARE}
    written |= {f"{ownership.PRIVATE}.{each}" for each in (*pruning.BY_NAME, *ownership.IMPORTED_BY_NAME)}
    assert len(written) > len(tree.RARE)
    assert sorted(each for each in written if not _is_there(each) and not _is_there(each.rpartition(".")[0])) == []


def test_what_the_index_names_is_in_the_tree() -> None:
    index = (TREE / "otel_injection" / "_index.py").read_text()
    modules = {match[1] for match in re.finditer(r"'(otel_injection(?:\.\w+)+):?[^']*'", index)}
    assert len(modules) > 60
    assert sorted(each for each in modules if not _is_there(each)) == []
