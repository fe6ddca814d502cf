"""Writes ``docs/libraries.md`` from the index and the sources of the assembled payload."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from images.paths import ROOT
from images.payload.assemble import assemble
from images.payload.ownership import PRIVATE
from images.payload.triggers import LEFT_OUT

PAGE = ROOT / "docs" / "libraries.md"

_INSTRUMENTATIONS = f"{PRIVATE}.opentelemetry.instrumentation"
_SHARED = frozenset({"instrumentor", "propagators", "utils"})
"""Modules that every instrumentation imports: they say nothing of its signals."""
_SIGNALS = {
    "traces": re.compile(r"\bget_tracer\("),
    "metrics": re.compile(r"\bget_meter\("),
    "logs": re.compile(r"\bopentelemetry\._logs\b"),
}

_HEADER = """\
<!-- Written by `./build.sh docs` from the payload: change images/libraries_page.py, not this. -->
# Instrumented libraries

The instrumentations are those of the upstream operator image: OpenTelemetry {api} / {instrumentation}. An
instrumentation acts when the app imports its library in a version given here; `threading` and `asyncio` act
with the first telemetry. A library in another version runs as without injection,
and the [doctor](troubleshooting.md) says so.

`OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=redis,jinja2` switches off those that it names, `*` all of them.

Log records of the standard library's `logging` are exported whatever is instrumented: see
[settings.md](settings.md).

| library | versions | signals | name to disable it |
|---|---|---|---|
"""

_LEFT_OUT = """
## Left out

These instrumentations of the upstream image are not used, or something else does the same:

| name | why |
|---|---|
"""


def render(tree: Path) -> str:
    """Return the page for the payload in ``tree``."""
    index: dict[str, Any] = {}
    for node in ast.parse((tree / "otel_injection" / "_index.py").read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            index[node.targets[0].id] = ast.literal_eval(node.value)
    rows = []
    for name, target, triggers, requires in index["INSTRUMENTATIONS"]:
        signals = ", ".join(_signals(tree, target.partition(":")[0])) or "context only"
        library, versions = _library(requires) if requires else (triggers[0].partition(".")[0], "standard library")
        rows.append((library.lower(), f"| {library} | {versions} | {signals} | `{name}` |\n"))
    header = _HEADER.format(api=index["API_VERSION"], instrumentation=index["INSTRUMENTATION_VERSION"])
    left_out = "".join(f"| `{name}` | {why} |\n" for name, why in LEFT_OUT.items())
    return header + "".join(row for _, row in sorted(rows)) + _LEFT_OUT + left_out


def _library(requires: tuple[tuple[tuple[str, str, Any], ...], ...]) -> tuple[str, str]:
    """Return the names of the distributions and their versions; of each group, one must be installed."""
    names = [" or ".join(name for _, name, _ in group) for group in requires]
    versions = [_versions(group[0][0], group[0][1]) for group in requires]
    if len(names) == 1:
        return names[0], versions[0]
    return " with ".join(reversed(names)), ", ".join(
        f"{name} {version}" for name, version in zip(reversed(names), reversed(versions), strict=True)
    )


def _versions(requirement: str, name: str) -> str:
    """Return the bounds in a requirement, the lower one first."""
    bounds = [each.strip() for each in requirement[len(name) :].strip(" ()").split(",")]
    return " ".join(f"`{each}`" for each in sorted(bounds, key=lambda bound: bound.startswith("<")))


def _signals(tree: Path, module: str) -> list[str]:
    """Return the signals that an instrumentation makes, itself or by another one that it imports."""
    text = "".join(path.read_text() for each in _with_imported(tree, module) for path in _files(tree, each))
    return [signal for signal, mark in _SIGNALS.items() if mark.search(text)]


def _with_imported(tree: Path, module: str) -> set[str]:
    found: set[str] = set()
    waiting = [module]
    while waiting:
        current = waiting.pop()
        if current in found or not any(path.exists() for path in _files(tree, current)):
            continue
        found.add(current)
        for path in _files(tree, current):
            names = {each.removeprefix(f"{_INSTRUMENTATIONS}.").partition(".")[0] for each in _imported(path)}
            waiting += [f"{_INSTRUMENTATIONS}.{each}" for each in names - _SHARED]
    return found


def _imported(path: Path) -> Iterator[str]:
    """Yield the names below ``opentelemetry.instrumentation`` that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_INSTRUMENTATIONS):
            if node.module == _INSTRUMENTATIONS:
                yield from (f"{_INSTRUMENTATIONS}.{each.name}" for each in node.names)
            else:
                yield node.module


def _files(tree: Path, module: str) -> list[Path]:
    path = tree.joinpath(*module.split("."))
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


if __name__ == "__main__":
    PAGE.write_text(render(assemble()))
