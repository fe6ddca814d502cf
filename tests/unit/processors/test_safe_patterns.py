"""No regular expression of an operator stops an app."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest

from otel_injection import report
from otel_injection.processors.safe_patterns import Search
from otel_injection.settings.ambiguity import exponential
from otel_injection.settings.table import TABLE
from otel_injection.settings.values import read

HANGING = [
    "(a+)+$",
    "(a*)*b",
    "(a|ab|b)*c",
    "(a|aa)+$",
    r"(\w+\s?)*$",
    r"(\d+,?)+$",
    "(.*,)*x",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    "(a*b*)*c",
    r"([a-zA-Z0-9._-]+)*@",
    r"(?:\s*\w+\s*)+$",
    r"x(?=(a+)+$)",
    "(?i:a+|A+)*b",
]
FINE = [
    "a",
    "",
    "^/metrics$",
    r"\d{4}-\d{4}-\d{4}-\d{4}",
    r"(?:[a-z]+\.)+com",
    r"(?:\d{1,3}\.){3}\d{1,3}",
    r"(?:foo|far|fuzz)+x",
    r"[\w.+-]+@[\w-]+\.[\w.-]+",
    r"(\w+\s)*$",
    r"/api/v\d+/.*",
    r"(?i)\b(?:password|token)\b\s*=\s*\S+",
    r"eyJ[\w-]+\.[\w-]+\.[\w-]+",
    r'"(?:[^"\\]|\\.)*"',
    r"(?:[^/]+/)*health",
    r"(a)(?(1)b|c)",
    r"(?<=x)y+(?!z)",
    r"([ab])\1",
]


@pytest.mark.parametrize("pattern", HANGING)
def test_an_expression_that_can_take_for_ever_is_known(pattern: str) -> None:
    assert exponential(pattern)


@pytest.mark.parametrize("pattern", FINE)
def test_an_expression_that_cannot_is_let_be(pattern: str) -> None:
    re.compile(pattern)
    assert not exponential(pattern)


def test_they_are_left_out_of_a_list_with_a_reason() -> None:
    usable, wrong = read(TABLE["OTEL_INJECTION_MASK_VALUES"], "(a+)+$,secret")
    assert usable == "secret"
    assert "'(a+)+$' could take for ever" in wrong


def test_neither_is_one_used_for_urls_that_are_excluded() -> None:
    usable, wrong = read(TABLE["OTEL_PYTHON_EXCLUDED_URLS"], "^/(a+)+$,health.*")
    assert usable == "health.*"
    assert "'^/(a+)+$' cannot be used" in wrong


def test_one_that_takes_the_cube_of_the_length_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "stderr"
    search = Search(".*.*.*.*=x", "OTEL_INJECTION_MASK_VALUES")
    start = time.monotonic()
    with path.open("w") as stream:
        monkeypatch.setattr(sys, "__stderr__", stream)
        monkeypatch.setattr(report, "_is_helper", lambda: False)
        report._last.clear()
        assert search.replaced("a" * 100_000, "M") is None
        assert search.found_in("a" * 100_000) is None
        assert search.replaced("=x", "M") == "M"
    assert time.monotonic() - start < 5
    assert path.read_text().count("takes too long") == 1


def test_long_texts_are_searched_in_full() -> None:
    search = Search(r"\d{4}", "OTEL_INJECTION_MASK_VALUES")
    text = ("a" * 9_996 + "1234") * 10
    assert search.replaced(text, "M") == ("a" * 9_996 + "M") * 10
    assert search.replaced("", "M") == ""
    assert search.found_in("a1234") is True
    assert search.found_in("a123") is False
