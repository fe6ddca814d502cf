"""Settings that are read early, their messages, and the arguments of the command ``opentelemetry-instrument``."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from otel_injection import report, wrapper
from otel_injection.settings import early
from tests.unit.conftest import Said


@pytest.mark.parametrize(("text", "seconds"), [("", 2), (" ", 2), ("0", 0), ("1.5", 1.5), (" 3 ", 3)])
def test_a_duration_is_read(monkeypatch: pytest.MonkeyPatch, said: Said, text: str, seconds: float) -> None:
    monkeypatch.setenv("X", text)
    assert early.seconds("X", 2) == seconds
    assert said.getvalue() == ""


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "soon", "1e99", "1s", "\N{SNOWMAN}"])
def test_an_absurd_duration_costs_one_line(monkeypatch: pytest.MonkeyPatch, said: Said, text: str) -> None:
    monkeypatch.setenv("X", text)
    assert [early.seconds("X", 2) for _ in range(3)] == [2, 2, 2]
    assert said.getvalue() == f"otel-injection: X: '{text}' is not a number of seconds; 2 is used\n"


@pytest.mark.parametrize(("text", "names"), [("", ["a"]), (" ", ["a"]), (",", ["a"]), (" b , c,", ["b", "c"])])
def test_a_list_is_read(monkeypatch: pytest.MonkeyPatch, text: str, names: list[str]) -> None:
    monkeypatch.setenv("X", text)
    assert early.names("X", "a") == names


def test_a_message_is_one_line_and_said_once(said: Said) -> None:
    for _ in range(3):
        report.say("two\nlines", kind="x")
    assert said.getvalue() == "otel-injection: two lines\n"


@pytest.mark.parametrize("stream", [None, io.TextIOWrapper(io.BytesIO(), "ascii"), "closed"])
def test_a_stderr_that_cannot_be_written_is_no_obstacle(monkeypatch: pytest.MonkeyPatch, stream: object) -> None:
    if stream == "closed":
        stream = io.StringIO()
        stream.close()
    monkeypatch.setattr(sys, "__stderr__", stream)
    report.say("\N{SNOWMAN}")


def test_what_the_app_has_put_in_the_place_of_stderr_is_left_alone(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    report.say("hello")
    assert said.getvalue() == "otel-injection: hello\n"


@pytest.mark.parametrize(
    ("current", "folder", "result"),
    [
        (None, "/app", "/d:/app:/m"),
        ("", "/app", "/d:/app:/m"),
        ("/own::rel", "/app", "/d:/own:rel:/app:/m"),
        ("/d:/own:/m", "/app", "/d:/own:/app:/m"),
        ("/own", "", "/d:/own:/m"),
    ],
)
def test_the_command_puts_the_payload_around_the_apps_own_path(current: str | None, folder: str, result: str) -> None:
    assert wrapper.python_path(current, folder, "/d", "/m") == result


def test_the_command_runs_where_the_working_directory_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    before = Path.cwd()
    os.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("PYTHONPATH", "/own")
    try:
        with pytest.raises(SystemExit) as ended:
            wrapper.run(["/nowhere/at-all"], "/d", "/m")
    finally:
        os.chdir(before)
    assert (ended.value.code, os.environ["PYTHONPATH"]) == (127, "/d:/own:/m")
