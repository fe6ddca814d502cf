"""The table of variables: the page written from it, and the settings that a process reads at its start without it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from images import settings_page
from images.paths import ROOT
from otel_injection import guard
from otel_injection.settings import early
from otel_injection.settings.table import TABLE, VARIABLES, default
from otel_injection.settings.table.variable import FLAG, SECTIONS


def test_the_page_is_current() -> None:
    assert settings_page.PAGE.read_text() == settings_page.render(), "run ./build.sh docs"


def test_every_variable_is_there_once_and_has_a_section_and_a_meaning() -> None:
    assert len(TABLE) == sum(len(each.names) for each in VARIABLES)
    assert all(each.section in SECTIONS and each.meaning and "|" not in each.meaning for each in VARIABLES)


def test_what_is_read_before_the_table_has_the_same_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TABLE:
        monkeypatch.delenv(name, raising=False)
    assert early.exit_timeout() == float(default("OTEL_INJECTION_EXIT_TIMEOUT"))
    assert early.disabled_instrumentations() == set()
    assert default("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS") == ""
    assert guard.reason_to_skip({}, ["python", "app.py"]) is None
    for name, reason in (("OTEL_INJECTION_ENABLED", "disabled"), ("OTEL_SDK_DISABLED", "sdk_disabled")):
        assert guard.reason_to_skip({name: default(name)}, ["python", "app.py"]) is None
        opposite = {"true": "false", "false": "true"}[default(name)]
        assert (guard.reason_to_skip({name: opposite}, ["python", "app.py"]) or ("",))[0] == reason


@pytest.mark.parametrize("name", [each.names[0] for each in VARIABLES if each.kind == FLAG])
def test_a_switch_that_is_set_to_its_default_is_as_if_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in ("", " ", "perhaps", default(name)):
        monkeypatch.setenv(name, value)
        assert early.flag(name, default(name) == "true") == (default(name) == "true")


def test_the_start_of_a_process_does_without_the_table() -> None:
    program = "import sys, otel_injection.start; print(sorted(each for each in sys.modules if each in %r))"
    unwanted = {
        "otel_injection.settings.table",
        "otel_injection.settings.values",
        "otel_injection.settings.environment",
    }
    done = subprocess.run(
        [sys.executable, "-c", program % unwanted], capture_output=True, text=True, check=True, cwd=ROOT,
        env={"PYTHONPATH": "extensions"},
    )  # fmt: skip
    assert done.stdout == "[]\n"
