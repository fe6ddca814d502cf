"""Every name of a module of ours that stands as text leads to that module, and to what is named in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from images.bytecode import tree
from images.paths import ROOT
from images.payload import index, ownership, triggers
from otel_injection.instrumentations.adaptations import BY_NAME

EXTENSIONS = ROOT / "extensions"
MADE_BY_THE_BUILD = {"otel_injection._index", "otel_injection._names"}
SECOND_API = "otel_injection._api."  # what ``imports.private_api`` imports once more
METRICS = "otel_injection.processor."  # the names of our own metrics, which are no modules
_NAME = re.compile(r"(?<![\w./-])otel_injection(?:\.\w+)+(?::\w+)?(?![\w/-])")
_PATH = re.compile(r"(?<![\w./-])(?:extensions/)?otel_injection(?:/\w+)+(?:\.py|/)?(?![\w/-])")
_WAITING_FUNCTION = re.compile(r"[a-z_.]+:[a-z_]+")


def resolves(name: str) -> bool:
    """Return whether a dotted name is a module or package of ours, or something that one of these defines."""
    dotted, _, attribute = name.partition(":")
    if dotted in MADE_BY_THE_BUILD or f"{dotted}.".startswith((METRICS, SECOND_API)) or "__pycache__" in dotted:
        return True
    if dotted.startswith(f"{ownership.PRIVATE}."):
        return not attribute or attribute.isidentifier()  # tests/build asks the tree for those
    path = EXTENSIONS.joinpath(*dotted.split("."))
    if path.with_suffix(".py").exists():
        return not attribute or attribute in _defined(path.with_suffix(".py"))
    if (path / "__init__.py").exists():
        return not attribute or attribute in _defined(path / "__init__.py")
    if attribute:
        return False
    parent, _, last = dotted.rpartition(".")
    above = EXTENSIONS.joinpath(*parent.split("."))
    module = above.with_suffix(".py") if above.with_suffix(".py").exists() else above / "__init__.py"
    return (dotted == ownership.PRIVATE) or (module.exists() and last in _defined(module))


def _defined(module: Path) -> set[str]:
    """Return what a module defines at its top level, and what its classes do; imported names count as defined."""
    found = set()
    for node in ast.walk(ast.parse(module.read_bytes())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return found


def _written() -> Iterator[tuple[str, str]]:
    """Yield each name and where it is written: in code, comments, documents and the door."""
    folders = ("extensions", "images", "sitecustomize", "benchmarks", "docs", "tests/injection")
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".py", ".md")]
    for path in [*files, ROOT / "README.md"]:
        text = path.read_text(encoding="utf-8")
        for match in _NAME.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield match[0], f"{path.relative_to(ROOT)}:{line}"
        for match in _PATH.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield (
                match[0].removeprefix("extensions/").removesuffix(".py").strip("/").replace("/", "."),
                (f"{path.relative_to(ROOT)}:{line}"),
            )


def test_every_name_of_a_module_that_is_written_anywhere_leads_there() -> None:
    wrong = sorted(f"{where}: {name}" for name, where in _written() if not resolves(name))
    assert wrong == []


def test_what_imports_set_off_is_there() -> None:
    functions = {function for functions in triggers.WAITING.values() for function in functions}
    functions.add("instrumentations.activation:arrived")
    assert all(_WAITING_FUNCTION.fullmatch(each) for each in functions)
    assert [each for each in sorted(functions) if not resolves(f"otel_injection.{each}")] == []


@pytest.mark.parametrize("group", sorted(index.OWN_ENTRY_POINTS))
def test_entry_points_of_ours_lead_to_what_they_name(group: str) -> None:
    targets = index.OWN_ENTRY_POINTS[group]
    assert [f"{name} = {target}" for name, target in targets.items() if not resolves(target)] == []


def test_instrumentors_of_ours_are_there() -> None:
    assert [each for each in index.OWN_INSTRUMENTORS.values() if not resolves(each)] == []


def test_what_adapts_an_instrumentation_is_there_and_belongs_to_one() -> None:
    assert [each for each in BY_NAME.values() if not resolves(f"otel_injection.instrumentations.{each}")] == []
    assert BY_NAME.keys() <= triggers.TRIGGERS.keys()


def test_what_takes_the_place_of_other_modules_is_there() -> None:
    substitutes = [f"{module}:{name}" for module, names in ownership.SUBSTITUTES.values() for name in names]
    others = [*ownership.REPLACED.values(), ownership.QUIET, ownership.ENVIRON]
    assert [each for each in [*substitutes, *others] if not resolves(each)] == []
    for text in ownership.STAND_INS.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom):
                assert all(resolves(f"{node.module}:{alias.name}") for alias in node.names), text


def test_what_the_bundle_treats_apart_is_there() -> None:
    assert [each for each in tree.FIRST if not resolves(each)] == []
    own = [each.rstrip(".") for each in tree.RARE if ownership.PRIVATE not in each]
    assert own
    assert [each for each in own if not resolves(each)] == []
    sources = [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in tree.ALONE]
    assert [each for each in sources if each.startswith("otel_injection") and not (EXTENSIONS / each).is_dir()] == []


def _is_importable(module: str, name: str) -> bool:
    """Return whether ``from module import name`` finds a module, or something that one defines."""
    path = ROOT.joinpath(*module.split("."))
    if any(each.exists() for each in ((path / name).with_suffix(".py"), path / name / "__init__.py")):
        return True
    found = [each for each in (path.with_suffix(".py"), path / "__init__.py") if each.exists()]
    return any(name in _defined(each) for each in found)


def test_imports_in_programs_that_tests_run_lead_there() -> None:
    found = {
        (str(path.relative_to(ROOT)), *match.groups())
        for path in (ROOT / "tests").rglob("*.py")
        for match in re.finditer(r"from (images(?:\.\w+)*) import (\w+)", path.read_text(encoding="utf-8"))
    }
    assert len(found) > 50
    assert [each for each in sorted(found) if not _is_importable(each[1], each[2])] == []


def test_a_name_that_leads_nowhere_is_noticed() -> None:
    assert not resolves("otel_injection.nothing_of_the_kind")
    assert not resolves("otel_injection.report:nothing_of_the_kind")
    assert not resolves("otel_injection.report.nothing_of_the_kind")
