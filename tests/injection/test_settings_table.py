"""The table of variables holds what the assembled payload reads, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from otel_injection.settings.table import TABLE
from otel_injection.settings.table.variable import UNUSED

_NAME = re.compile(r"_?(OTEL|PROMETHEUS|WRAPT|REQUESTS|CURL|AWS|X)_[A-Z0-9_]*[A-Z0-9]")
_ENVIRON = (
    "environ",
    "os.environ",
    "ENVIRON",
    "__import__('otel_injection.settings.environment').settings.environment.ENVIRON",
)
_OF_A_REQUEST = (
    "instrumentation/wsgi/",
    "instrumentation/flask/",
    "prometheus_client/exposition",
    "asgiref/wsgi",
    "instrumentations/server_requests/",
    "instrumentations/flask/",
    "instrumentations/asgi/",
    "instrumentations/servers/",
)
"""Where ``environ`` is that of a request."""

_SIGNALS = ("TRACES", "METRICS", "LOGS")
_PARTS = {
    "get_excluded_urls": ("OTEL_PYTHON_{}_EXCLUDED_URLS",),
    "get_traced_request_attrs": ("OTEL_PYTHON_{}_TRACED_REQUEST_ATTRS",),
    "_root.format": ("OTEL_PYTHON_{}",),
    "given": ("OTEL_EXPORTER_OTLP_{}", *(f"OTEL_EXPORTER_OTLP_{signal}_{{}}" for signal in _SIGNALS)),
    "first": ("OTEL_EXPORTER_OTLP_{}", *(f"OTEL_EXPORTER_OTLP_{signal}_{{}}" for signal in _SIGNALS)),
}
"""Functions that make names of variables from a part of them."""

MADE = {f"OTEL_{signal}_EXPORTER" for signal in _SIGNALS} | {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
"""Read by names that are made otherwise: by the configurator, and by ``urllib``."""

BESIDE = {
    "OTEL_BSP": "a prefix",
    "OTEL_BLRP": "a prefix",
    "PYTHONPATH": "the door's and the command's own",
}
"""Names in the payload that are no settings, and why."""


@pytest.fixture(scope="session")
def modules(mount: Path) -> dict[str, ast.Module]:
    """The payload's modules, by their path, but for the table itself."""
    others = re.compile("/(semconv|doctor)/|/settings/table/")
    paths = [path for path in sorted(mount.rglob("*.py")) if not others.search(str(path))]
    return {str(path.relative_to(mount)): ast.parse(path.read_bytes()) for path in paths}


@pytest.fixture(scope="session")
def constants(modules: dict[str, ast.Module]) -> dict[str, str]:
    """The texts that module variables hold, by their names: upstream names most variables so."""
    return {
        target.id: node.value.value
        for tree in modules.values()
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


@pytest.fixture(scope="session")
def read(modules: dict[str, ast.Module], constants: dict[str, str]) -> dict[str, set[str]]:
    """The names of variables that the code mentions other than to define or describe them, and where."""
    found: dict[str, set[str]] = {}
    for path, tree in modules.items():
        parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            for name in _names(node, constants, parents):
                found.setdefault(name, set()).add(path)
        if path.startswith("otel_injection") and not any(each in path for each in _OF_A_REQUEST):
            for use, argument in _uses(tree, parents):
                assert use in ("get", "in", "[]"), f"{path}: our view of the environment answers no such question"
                if isinstance(argument, ast.Constant):
                    found.setdefault(str(argument.value), set()).add(path)
    return found


def _names(node: ast.AST, constants: Mapping[str, str], parents: Mapping[int, ast.AST]) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAME.fullmatch(node.value):
        parent = parents[id(node)]
        lists = parents.get(id(parent)) if isinstance(parent, ast.List | ast.Tuple) else None
        if not isinstance(parent, ast.Assign) and not (lists and ast.unparse(lists).startswith("__all__")):
            yield node.value
    elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
        value = constants.get(node.id if isinstance(node, ast.Name) else node.attr, "")
        if _NAME.fullmatch(value):
            yield value
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        for pattern in _PARTS.get(ast.unparse(node.func), ()):
            yield pattern.format(node.args[0].value)


def _uses(tree: ast.Module, parents: Mapping[int, ast.AST]) -> Iterator[tuple[str, ast.AST | None]]:
    """Yield what is asked of the environment, and of which variable."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute) or ast.unparse(node) not in _ENVIRON:
            continue
        if not isinstance(node.ctx, ast.Load):
            continue
        parent = parents[id(node)]
        if isinstance(parent, ast.Attribute):
            call = parents[id(parent)]
            if parent.attr != "ENVIRON":
                yield parent.attr, call.args[0] if isinstance(call, ast.Call) and call.args else None
        elif isinstance(parent, ast.Compare):
            yield "in", parent.left
        elif isinstance(parent, ast.Subscript):
            yield "[]", parent.slice


def test_what_the_payload_reads_is_in_the_table(read: dict[str, set[str]]) -> None:
    unknown = {name: sorted(where) for name, where in read.items() if name not in TABLE and name not in BESIDE}
    assert not unknown, "add it to extensions/otel_injection/settings/table/"


def test_what_is_in_the_table_is_read(read: dict[str, set[str]], constants: dict[str, str]) -> None:
    """But for what is said to have no effect: that is known upstream at least."""
    used = {name for name, variable in TABLE.items() if variable.section != UNUSED}
    assert used - set(read) - MADE == set()
    assert set(TABLE) - used - set(read) - set(constants.values()) == set()


def test_every_exception_is_still_one(read: dict[str, set[str]]) -> None:
    assert set(BESIDE) <= set(read)
    assert not set(BESIDE) & set(TABLE)
    assert set(TABLE) >= MADE
