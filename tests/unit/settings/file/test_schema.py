"""The check against the schema says what the package ``jsonschema`` says."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from opentelemetry.configuration import models

from images.paths import ROOT
from otel_injection.settings.file.documents import Document
from otel_injection.settings.file.schema import KEYWORDS, REMARKS, problems

SCHEMA = json.loads((Path(models.__file__).parent / "schema.json").read_text())
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "configuration-file.md").read_text(), re.DOTALL)
WRONG: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2.0,
    "",
    "x",
    [],
    [1],
    ["x"],
    {},
    {"x": 1},
    {"x": {}},
    {"otlp_http": {}},
)


def _keywords(schema: Any) -> Iterator[str]:
    yield from schema
    for name in ("properties", "$defs"):
        for each in schema.get(name, {}).values():
            yield from _keywords(each)
    for each in (schema.get("items"), schema.get("additionalProperties"), *schema.get("oneOf", ())):
        if isinstance(each, dict):
            yield from _keywords(each)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def _valid(value: Any) -> bool:
    return next(problems(value, SCHEMA, SCHEMA), None) is None


def test_every_keyword_of_the_schema_is_known() -> None:
    assert set(_keywords(SCHEMA)) <= KEYWORDS | REMARKS


def test_the_examples_of_the_documentation_are_valid() -> None:
    whole, part = (Document(each, is_json=False, environ={}).data for each in EXAMPLES)
    assert list(problems(whole, SCHEMA, SCHEMA)) == []
    assert list(problems({"file_format": "1.0", **part}, SCHEMA, SCHEMA)) == []


@pytest.mark.parametrize("seed", range(4))
def test_documents_that_are_changed_at_random_are_judged_as_by_jsonschema(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    oracle = jsonschema.Draft202012Validator(SCHEMA)
    start = Document(EXAMPLES[0], is_json=False, environ={}).data
    verdicts = []
    for _ in range(150):
        data = copy.deepcopy(start)
        for _ in range(chance.randint(1, 2)):
            holder, key = chance.choice(list(_places(data)))
            action = chance.random()
            if action < 0.6:
                holder[key] = copy.deepcopy(chance.choice(WRONG))
            elif action < 0.8:
                del holder[key]
            elif isinstance(holder, dict):
                holder[chance.choice(["x", "limits", "timeout", "views"])] = copy.deepcopy(chance.choice(WRONG))
        verdicts.append(_valid(data))
        assert verdicts[-1] == oracle.is_valid(data), data
    assert 15 < sum(verdicts) < 135


@pytest.mark.parametrize(
    ("document", "place", "cause"),
    [
        ({}, "", "lacks 'file_format'"),
        ({"file_format": 1.0}, "file_format", "must be a text"),
        (
            {"file_format": "1.0", "tracer_provider": {"procesors": []}},
            "tracer_provider.procesors",
            "is unknown; known",
        ),
        (
            {"file_format": "1.0", "logger_provider": {"processors": [{"batch": {"exporter": {}}}]}},
            "logger_provider.processors[0].batch.exporter",
            "must hold exactly 1 entry",
        ),
        (
            {"file_format": "1.0", "propagator": {}, "log_level": "secret"},
            "log_level",
            "must be one of trace, trace2, ",
        ),
    ],
)
def test_a_problem_names_the_place_and_no_value(document: Any, place: str, cause: str) -> None:
    found = next(problems(document, SCHEMA, SCHEMA))
    assert found[0] == place
    assert cause in found[1]
    assert "secret" not in found[1]
