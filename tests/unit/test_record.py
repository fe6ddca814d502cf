"""The record of a process: what is written is what the doctor reads, and an app notices nothing of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_injection import record
from otel_injection.doctor import records
from tests.unit.conftest import Said


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that has recorded nothing."""
    for name, value in (("_number", -1), ("_identity", (0, 0)), ("_pid", 0)):
        monkeypatch.setattr(record, name, value)
    for name in ("_kept", "_counts", "_told"):
        monkeypatch.setattr(record, name, type(getattr(record, name))())
    yield
    if record._is_open():
        os.close(record._number)


def read() -> dict[str, object]:
    """Return what the doctor would read."""
    found = records.read(os.getpid())
    assert found is not None
    return found


def test_nothing_is_there_before_the_decision() -> None:
    assert records.read(os.getpid()) is None


def test_lines_add_to_those_before_them() -> None:
    record.decide("injected")
    record.library("flask", "instrumented")
    record.library("redis", "skipped", 'the app\'s "version" is\n1')
    record.sdk(exporters={"traces": "otlp"}, samplers=["a", 1, True, None])
    record.instance("shop-1")
    found = read()
    assert (found["result"], found["pid"], found["executable"]) == ("injected", os.getpid(), sys.executable)
    assert found["libraries"] == {
        "flask": {"result": "instrumented", "details": ""},
        "redis": {"result": "skipped", "details": 'the app\'s "version" is\n1'},
    }
    assert found["sdk"] == {
        "exporters": {"traces": "otlp"}, "samplers": ["a", 1, True, None], "instance": "shop-1",
    }  # fmt: skip


def test_counts_are_overwritten_and_begin_again_with_another_sdk() -> None:
    record.decide("injected")
    for exported in (1, 2):
        record.count("traces", exported, rejected=0, failed=3, problem="refused", errors=1)
    counts = read()["counts"]
    assert isinstance(counts, dict)
    assert {**counts["traces"], "at": 0} == {
        "exported": 2, "rejected": 0, "failed": 3, "errors": 1, "problem": "refused", "at": 0,
    }  # fmt: skip
    record.sdk(exporters={})
    record.count("logs", 1, 0, 0)
    assert read()["counts"].keys() == {"logs"}  # type: ignore[attr-defined]


def test_a_text_from_outside_is_cut() -> None:
    record.decide("failed", "damaged", "x" * 1000)
    record.failed("y" * 1000)
    record.count("traces", 0, 0, 1, problem="z" * 1000)
    found = read()
    assert found["details"] == "x" * 300
    assert found["sdk"] == {"error": "y" * 300}
    assert found["counts"]["traces"]["problem"] == "z" * 300  # type: ignore[index]


def test_the_number_of_the_file_is_a_high_one() -> None:
    lowest = os.dup(0)
    os.close(lowest)
    record.decide("injected")
    assert record._number > 1000
    assert not os.get_inheritable(record._number)
    again = os.dup(0)
    os.close(again)
    assert again == lowest


def test_an_app_that_has_closed_the_file_loses_the_record_and_nothing_else() -> None:
    record.decide("injected")
    os.close(record._number)
    mine = os.open(os.devnull, os.O_RDWR)
    os.dup2(mine, record._number)  # an app's own file may have the number now
    record.library("flask", "instrumented")
    record.count("traces", 1, 0, 0)
    assert str(Path(f"/proc/self/fd/{record._number}").readlink()) == os.devnull
    os.close(record._number)
    os.close(mine)
    assert records.read(os.getpid()) is None


def test_a_forked_child_has_the_record_of_its_parent_until_it_tells_something() -> None:
    record.decide("injected")
    record.sdk(exporters={"traces": "otlp"})
    told, tell = os.pipe()
    if not (pid := os.fork()):
        inherited = read()["pid"]
        record.library("flask", "instrumented")
        found = read()
        os.write(tell, repr((inherited, found["pid"], found["result"], "sdk" in found)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(told, 1000).decode() == repr((os.getpid(), pid, "injected", False))
    assert read()["pid"] == os.getpid()
    os.close(told)
    os.close(tell)


def test_an_app_provider_is_said_once_in_a_process(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "app.py"])
    for _ in range(2):
        record.app_provider("traces", "shop.tracing")
    assert read()["app_providers"] == {"traces": "shop.tracing"}
    assert said.getvalue().count("shop.tracing") == 1
