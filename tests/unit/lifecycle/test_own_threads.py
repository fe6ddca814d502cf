"""Threads of ours start with all signals blocked, and leave those of the app as they were."""

from __future__ import annotations

import os
import signal
import threading
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from otel_injection.lifecycle import own_threads


class HandlerError(Exception):
    """What the app's signal handler raises."""


@pytest.fixture
def alarms() -> Iterator[None]:
    """An app's handler that raises."""

    def handle(*_: object) -> None:
        raise HandlerError

    before = signal.signal(signal.SIGUSR1, handle)
    yield
    signal.signal(signal.SIGUSR1, before)


def _mask() -> set[Any]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def test_all_signals_are_blocked_in_a_thread_and_none_beside_it() -> None:
    masks: list[set[Any]] = []
    thread = own_threads.Thread(target=lambda: masks.append(_mask()))
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    blockable = {*signal.valid_signals()} - {signal.SIGKILL, signal.SIGSTOP}
    assert masks == [blockable]
    assert _mask() == set()


def test_what_the_app_has_blocked_stays_blocked() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        own_threads.start_deaf(start_new_thread, int)
        assert _mask() == {signal.SIGUSR2}
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})


@pytest.mark.usefixtures("alarms")
@pytest.mark.parametrize("failing", [False, True])
def test_a_handler_that_raises_meanwhile_leaves_no_signal_blocked(failing: bool) -> None:
    def start(function: Callable[..., Any], _arguments: tuple[()]) -> int:
        os.kill(os.getpid(), signal.SIGUSR1)
        if failing:
            raise RuntimeError("can't start new thread")
        return start_new_thread(function, ())

    with pytest.raises(HandlerError):
        own_threads.start_deaf(start, int)
    assert _mask() == set()


def test_a_thread_that_cannot_be_started_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    thread = own_threads.Thread(target=lambda: None)
    monkeypatch.setattr("_thread.start_new_thread", fail)
    with pytest.raises(RuntimeError):
        thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert thread.ident is None


def test_a_thread_that_asks_for_itself_is_forgotten() -> None:
    seen: list[str] = []

    def work() -> None:
        seen.append(type(threading.current_thread()).__name__)
        own_threads.stay_unseen()
        seen.extend(each.name for each in threading.enumerate() if each.name.startswith("Dummy"))

    thread = own_threads.Thread(target=work)
    thread.start()
    thread.join(10)
    assert seen == ["_DummyThread"]
