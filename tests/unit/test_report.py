"""Messages are single lines with a prefix, as few as possible, whatever an app does to its streams."""

from __future__ import annotations

import sys
import time

import pytest

from otel_injection import report
from otel_injection.report import Refused
from tests.unit.conftest import Said


@pytest.fixture(autouse=True)
def of_an_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be an app's."""
    monkeypatch.setattr(sys, "orig_argv", ["python", "app.py"])
    monkeypatch.delenv("OTEL_INJECTION_DEBUG", raising=False)


def test_a_message_is_one_line_whatever_is_in_it(said: Said) -> None:
    report.say("first\nsecond\r\n  third \udc80")
    assert said.getvalue() == "otel-injection: first second third \\udc80\n"


def test_a_long_message_is_cut(said: Said) -> None:
    report.say("x" * 5000)
    assert len(said.getvalue()) < 700
    assert said.getvalue().endswith("xxx...\n")


def test_a_kind_of_message_is_said_once_an_hour(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for text, kind in (("a", "k"), ("b", "k"), ("a", None), ("a", None)):
        report.say(text, kind)
    now[0] += 3599.0
    report.say("c", "k")
    now[0] += 1.0
    report.say("d", "k")
    assert said.getvalue().splitlines() == [f"otel-injection: {each}" for each in ("a", "a", "d")]


def test_what_was_said_takes_no_memory_without_end(said: Said) -> None:
    for number in range(1000):
        report.say(str(number))
    assert len(report._last) <= 201


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["python", "-c", "print(1)"], False),
        (["python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main()"], True),
        (["python", "-m", "shop"], True),
    ],
)
def test_a_helper_whose_output_a_program_reads_says_nothing(
    said: Said, monkeypatch: pytest.MonkeyPatch, command: list[str], says: bool
) -> None:
    monkeypatch.setattr(sys, "orig_argv", command)
    report.say("something")
    assert bool(said.getvalue()) is says


@pytest.mark.parametrize("stream", [None, object()])
def test_a_process_without_stderr_goes_on(monkeypatch: pytest.MonkeyPatch, stream: object) -> None:
    report._last.clear()
    monkeypatch.setattr(sys, "__stderr__", stream)
    monkeypatch.setenv("OTEL_INJECTION_DEBUG", "1")
    report.say("something")
    report.debug("something")


@pytest.mark.parametrize(("value", "says"), [("", False), ("0", False), ("no", False), (" True ", True), ("on", True)])
def test_details_are_for_those_who_ask(said: Said, monkeypatch: pytest.MonkeyPatch, value: str, says: bool) -> None:
    monkeypatch.setenv("OTEL_INJECTION_DEBUG", value)
    report.debug("detail")
    assert bool(said.getvalue()) is says


def test_a_refused_file_is_said_unless_nothing_else_is_wanted(said: Said) -> None:
    Refused("it says disabled", wanted=True).say()
    assert said.getvalue() == ""
    Refused("line 3 is broken").say()
    assert said.getvalue() == "otel-injection: no telemetry from this process: line 3 is broken\n"
