"""What every process waits for, as the build writes it down."""

from __future__ import annotations

import ast

import pytest

from images.bytecode.tree import FIRST
from images.paths import ROOT
from images.payload import index
from images.payload.triggers import FIRST_TELEMETRY, TRIGGERS, WAITING
from otel_injection.imports import hooks

PACKAGE = ROOT / "extensions" / "otel_injection"


def _after() -> dict[str, tuple[str, ...]]:
    (assignment,) = [each for each in ast.parse(index.render_names()).body if isinstance(each, ast.Assign)]
    found: dict[str, tuple[str, ...]] = ast.literal_eval(assignment.value)
    return found


@pytest.mark.parametrize("reference", sorted({each for references in _after().values() for each in references}))
def test_what_is_called_exists_and_takes_a_module_and_its_name(reference: str) -> None:
    path, _, name = reference.partition(":")
    folder = PACKAGE / path.replace(".", "/")
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    body = ast.parse(file.read_text()).body
    (function,) = [each for each in body if isinstance(each, ast.FunctionDef) and each.name == name]
    assert len(function.args.args) == 2


def test_each_instrumentation_acts_by_the_last_of_its_triggers_and_all_are_watched() -> None:
    after = _after()
    for triggers in TRIGGERS.values():
        assert "instrumentations.activation:arrived" in after[triggers[-1]]
        assert after.keys() >= set(triggers)
    assert all(set(after[name]) >= set(references) for name, references in WAITING.items())


def test_the_packages_that_hold_a_module_are_watched_too() -> None:
    after = _after()
    packages = {name[:place] for name in after for place, letter in enumerate(name) if letter == "."}
    assert packages - after.keys() == set()


def test_the_event_that_is_no_import_has_one_name() -> None:
    assert FIRST_TELEMETRY == hooks.FIRST_TELEMETRY
    assert _after()[FIRST_TELEMETRY][0] == "instrumentations.distro:prepare"


def test_modules_that_every_process_needs_import_nothing_at_once_but_each_other() -> None:
    for position, name in enumerate(FIRST):
        path = PACKAGE / f"{name.rpartition('.')[2]}.py"
        body = ast.parse(path.read_text()).body if path.exists() else []
        known = {f"otel_injection.{each}" for each in ("MOUNT", "contained", "ours")} | set(FIRST[:position])
        for each in body:
            if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("otel_injection"):
                assert {f"{each.module}.{alias.name}" for alias in each.names} <= known
            elif isinstance(each, ast.Import | ast.ImportFrom):
                imported = [alias.name for alias in each.names] if isinstance(each, ast.Import) else [each.module or ""]
                assert set(imported) <= {
                    "__future__",
                    "_frozen_importlib_external",
                    "_thread",
                    "_imp",
                    "marshal",
                    "os",
                    "sys",
                    "time",
                }
