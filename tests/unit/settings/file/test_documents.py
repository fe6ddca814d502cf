"""Documents are read by the rules of YAML 1.2, with variables of the environment in their values."""

from __future__ import annotations

import time
from typing import Any

import pytest

from otel_injection.settings.file.documents import Document, DocumentError

ENVIRON = {"NAME": "shop", "NUMBER": "42", "YES": "true", "EMPTY": "", "TEXT": "a: b\nc: d", "REF": "${NAME}"}


def read(text: str, **keywords: Any) -> Any:
    return Document(text, is_json=keywords.get("is_json", False), environ=ENVIRON).data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("1:30", "1:30"),
        ("2026-11-21", "2026-11-21"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("1.0.0", "1.0.0"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("|\n  12", "12"),
        ("!!str 12", "12"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_what_a_value_is_follows_the_core_schema(text: str, value: Any) -> None:
    assert read(f"key: {text}") == {"key": value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${NAME}", "shop"),
        ("${env:NAME}", "shop"),
        ("${NUMBER}", 42),
        ("'${NUMBER}'", "42"),
        ("${YES}", True),
        ("${EMPTY}", None),
        ("${MISSING}", None),
        ("'${MISSING}'", ""),
        ("${MISSING:-7}", 7),
        ("${EMPTY:-other}", "other"),
        ("${NAME:-other}", "shop"),
        ("${MISSING:-}", None),
        ("http://${NAME}:${NUMBER}/x", "http://shop:42/x"),
        ("${TEXT}", "a: b\nc: d"),
        ("${REF}", "${NAME}"),
        ("$${NAME}", "${NAME}"),
        ("$$${NAME}", "$shop"),
        ("a $ b", "a $ b"),
    ],
)
def test_variables_stand_in_values(text: str, value: Any) -> None:
    assert read(f"key: {text}") == {"key": value}


def test_variables_do_not_stand_in_keys_and_comments() -> None:
    assert read("${NAME}: 1 # ${1}") == {"${NAME}": 1}


def test_json_is_read_with_variables_in_its_texts() -> None:
    assert read('{"a": ["${NUMBER}", 1, null], "b": {"c": "${MISSING:-x}"}}', is_json=True) == {
        "a": ["42", 1, None],
        "b": {"c": "x"},
    }


def test_anchors_and_merges_are_followed() -> None:
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: *b\nthree: {<<: [{x: 5}, *b]}"
    data = read(text)
    assert (data["one"], data["two"], data["three"]) == ({"x": 1, "y": 3}, {"x": 1, "y": 2}, {"x": 5, "y": 2})


@pytest.mark.parametrize(
    ("text", "place", "cause"),
    [
        ("a: 1\na: 2", "a", "twice"),
        ("a: [1, {b: 1, b: 2}]", "a[1].b", "twice"),
        ("a: ${1X}", "a", "variable"),
        ("a: ${NAME:?no}", "a", "variable"),
        ("a: [", "line 1", "is no YAML"),
        ("a: 1\n b: 2", "line 2", "is no YAML"),
        ("? [a]\n: 1", "", "a key must be a text"),
        ("a: !!python/object/apply:os.getcwd []", "a", "has no meaning"),
        ("a: !custom x", "a", "has no meaning"),
        ("a: {<<: 1}", "a", "must stand for a mapping"),
        ("a: &x {b: *x}", "", "nested too deeply"),
        ("[" * 20_000, "", "nested too deeply"),
        ("a: '\x01'", "", "is no YAML"),
        ("a: 1\n---\nb: 2", "line 2", "is no YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, place: str, cause: str) -> None:
    with pytest.raises(DocumentError, match=cause) as raised:
        read(text)
    assert raised.value.place == place


def test_a_short_text_that_stands_for_millions_of_values_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{each}: &a{each} [{', '.join([f'*a{each - 1}'] * 9)}]" for each in range(1, 15)]
    start = time.monotonic()
    with pytest.raises(DocumentError, match="more than"):
        read("\n".join(lines))
    assert time.monotonic() - start < 5
