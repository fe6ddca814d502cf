"""Docstrings, comments and annotations are left out of a private copy, and the program stays the same, line by line."""

from __future__ import annotations

import pytest

from images.payload.ownership import Ownership
from images.payload.rewrite import rewrite

OWNERSHIP = Ownership(["opentelemetry.trace"])


def _rewritten(source: str, name: str = "packaging.anything") -> str:
    return rewrite(source.encode(), name, OWNERSHIP).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(a: int, *b: str, c: int = 1, **d) -> int: pass", "def f(a, *b, c = 1, **d): pass"),
        ("async def f(a, b: (int) = 1, /, c: ((x)(y)) = 2) -> (int): pass", "async def f(a, b = 1, /, c = 2): pass"),
        ("def f(a: 'x: y' = ':') -> '->': pass", "def f(a = ':'): pass"),
        ("def f(\n    é: Union[\n        int,  # one\n        str,\n    ],\n): pass", "def f(\n    é\n\n\n,\n): pass"),
        ("def f() -> Union[\n    int,\n    str\n]:\n    pass", "def f()\\\n\\\n\\\n:\n    pass"),
        ("def f(a: opentelemetry.sdk.A = opentelemetry.sdk.B): pass", None),
        ("def f(a: os.environ): pass", "def f(a): pass"),
        ("class C:\n    a: int = 1", "class C:\n    a: int = 1"),
        ("x: int = 1", "x: int = 1"),
        ("lambda a: 1", "lambda a: 1"),
        ("def f(a: int): pass\nget_type_hints(f)", "def f(a: int): pass\nget_type_hints(f)"),
        ("@singledispatch\ndef f(a: int): pass", "@singledispatch\ndef f(a: int): pass"),
    ],
)
def test_functions_lose_their_annotations_and_keep_their_lines(before: str, after: str | None) -> None:
    rewritten = _rewritten(before)
    assert rewritten == (after or "def f(a = otel_injection._vendor.opentelemetry.sdk.B): pass")
    assert rewritten.count("\n") == before.count("\n")
    compile(rewritten, "rewritten", "exec")


def test_comments_are_left_out_but_licences_and_texts_stay() -> None:
    source = (
        "#!/usr/bin/python\n# -*- coding: utf-8 -*-\n# Copyright somebody\n# SPDX-License-Identifier: MIT\n"
        "# gone\nx = 1  # stays\n    # gone\n"
        "y = '''\n# text\n'''\nz = f'''\n# {x}\n'''\nw = 'one' \\\n    'two'\n# gone"
    )
    expected = "\n".join("" if line.strip() == "# gone" else line for line in source.split("\n"))
    assert _rewritten(source) == expected


@pytest.mark.parametrize("name", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_imports_for_type_checkers_are_left_out(name: str) -> None:
    source = f"if {name}:\n    import wrapt\n    from h2 import (\n        events\n    )\nelse:\n    a = 1\n"
    assert _rewritten(source) == f"if {name}:\n    pass\n\n\n\nelse:\n    a = 1\n"
    source = f"if {name}:\n\n    @property\n    def f(): ..."
    assert _rewritten(source) == source


def test_the_api_that_apps_see_keeps_everything() -> None:
    source = "if TYPE_CHECKING:\n    import os\n# comment\ndef f(a: int) -> int:\n    'Say.'\n"
    assert _rewritten(source, "opentelemetry.trace") == source
