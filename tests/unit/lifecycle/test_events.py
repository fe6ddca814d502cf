"""An event of a process reaches all functions that have registered for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_injection import waiting
from otel_injection.lifecycle import ending, events, own_threads
from otel_injection.lifecycle.events import Event


@pytest.fixture
def numbers() -> Iterator[set[int]]:
    own_threads.numbers.clear()
    yield own_threads.numbers
    own_threads.numbers.clear()


def test_what_registered_first_acts_first_and_backwards_it_acts_last() -> None:
    acted: list[object] = []
    forwards, backwards = Event("forwards"), Event("backwards", backwards=True)
    for event in (forwards, backwards):
        event.register(lambda: acted.append(1))
        event.register(lambda: acted.append(2))
        event.tell()
    assert acted == [1, 2, 2, 1]


def test_one_that_raises_keeps_no_other_from_acting() -> None:
    acted: list[object] = []
    event = Event("event")
    event.register(lambda _: 1 / 0)
    event.register(acted.append)
    event.tell("told")
    assert acted == ["told"]


def test_an_interruption_by_the_user_passes_through() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    event = Event("event")
    event.register(interrupt)
    with pytest.raises(KeyboardInterrupt):
        event.tell()


def test_the_end_is_told_to_what_records_before_it_is_told_to_what_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    acted: list[str] = []

    def fail() -> None:
        acted.append("record")
        raise SystemExit

    monkeypatch.setattr(events, "ends", Event("ends"))
    monkeypatch.setattr(events, "about_to_end", Event("about to end"))
    events.ends.register(lambda: acted.append("send"))
    events.about_to_end.register(fail)
    ending.flush()
    assert acted == ["record", "send"]
    assert ending.flush in waiting.at_exit


def test_threads_are_ours_alone_unless_one_is_not_known(numbers: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_threads, "WARNED_OF", True)
    known = {int(each.name) for each in Path("/proc/self/task").iterdir()} - {threading.get_native_id()}
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        for each in known:
            own_threads.add(each)
        assert not own_threads.are_all()
        own_threads.add(thread.native_id or 0)
        own_threads.add(1 << 40)  # has ended
        assert own_threads.are_all()
        assert numbers == known | {thread.native_id}
    finally:
        end.set()
        thread.join()
