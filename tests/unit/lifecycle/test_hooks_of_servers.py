"""Hooks around servers' functions act at the right moment and leave the functions as they were."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from otel_injection.lifecycle import celery, ending, events, gunicorn, multiprocessing, supervisors
from otel_injection.lifecycle.events import Event


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens to the process, by its name, in its order."""
    names: list[str] = []
    for name in ("ready_to_serve", "begins_to_supervise", "about_to_end", "ends"):
        event = Event(name)
        event.register(lambda name=name: names.append(name))
        monkeypatch.setattr(events, name, event)
    monkeypatch.setattr(supervisors, "_pid", 0)
    return names


def noting(told: list[str], name: str) -> Callable[..., str]:
    """Return a method that notes its call, and returns what it was called with."""

    def method(self: object, *arguments: object, **keywords: object) -> str:
        told.append(name)
        return f"{arguments} {keywords}"

    method.__doc__ = "What it does."
    method.__name__ = name
    return method


def test_a_gunicorn_worker_is_ready_once_its_app_is_loaded(told: list[str]) -> None:
    worker: Any = type("Worker", (), {"load_wsgi": noting(told, "loaded")})
    gunicorn.hook(SimpleNamespace(Worker=worker), "gunicorn.workers.base")
    worker().load_wsgi()
    assert told == ["loaded", "ready_to_serve"]


def test_a_gunicorn_worker_whose_app_fails_is_never_ready(told: list[str]) -> None:
    def load_wsgi(self: object) -> None:
        raise SystemExit(3)

    worker: Any = type("Worker", (), {"load_wsgi": load_wsgi})
    gunicorn.hook(SimpleNamespace(Worker=worker), "gunicorn.workers.base")
    with pytest.raises(SystemExit):
        worker().load_wsgi()
    assert told == []


def test_a_booting_gunicorn_worker_ends_by_sigterm_and_other_children_keep_the_masters_handler() -> None:
    def spawn_worker(self: object) -> int:
        return os.fork()

    arbiter: Any = type("Arbiter", (), {"spawn_worker": spawn_worker})
    gunicorn.hook_arbiter(SimpleNamespace(Arbiter=arbiter, signal=signal), "gunicorn.arbiter")
    masters = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        statuses = []
        for fork in (arbiter().spawn_worker, os.fork):
            if not (pid := fork()):
                os._exit(1 if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL else 2)
            statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    finally:
        signal.signal(signal.SIGTERM, masters)
    assert statuses == [1, 2]


@pytest.mark.parametrize("module", supervisors._BEGINNINGS)
def test_a_supervisor_begins_before_its_own_work_and_its_children_are_none(told: list[str], module: str) -> None:
    name, method = supervisors._BEGINNINGS[module]
    kind: Any = type(name, (), {})
    setattr(kind, method, lambda *_: told.append(method))
    supervisors.hook(SimpleNamespace(**{name: kind}), module)
    assert not supervisors.supervises()
    getattr(kind, method)(kind, 1)
    assert told == ["begins_to_supervise", method]
    assert supervisors.supervises()
    if not (pid := os.fork()):
        os._exit(supervisors.supervises())
    assert os.waitpid(pid, 0)[1] == 0


def test_a_child_of_celery_sends_before_it_ends(told: list[str]) -> None:
    worker: Any = type("Worker", (), {"_do_exit": noting(told, "_do_exit")})
    celery.hook(SimpleNamespace(Worker=worker), "billiard.pool")
    assert worker()._do_exit(7, exitcode=0) == "(7,) {'exitcode': 0}"
    assert told == ["about_to_end", "ends", "_do_exit"]
    assert (worker._do_exit.__name__, worker._do_exit.__doc__) == ("_do_exit", "What it does.")


def test_a_child_of_multiprocessing_sends_after_the_apps_own_finalizers(told: list[str]) -> None:
    after_fork: list[tuple[object, Callable[[object], object]]] = []
    finalizers: list[tuple[Callable[[], None], int]] = []
    util = SimpleNamespace(
        register_after_fork=lambda key, function: after_fork.append((key, function)),
        Finalize=lambda _obj, function, exitpriority: finalizers.append((function, exitpriority)),
    )
    multiprocessing.hook(util, "multiprocessing.util")
    ((key, function),) = after_fork
    function(key)
    ((flush, priority),) = finalizers
    assert priority < -100
    flush()
    assert told == ["about_to_end", "ends"]


def test_what_one_step_of_the_end_raises_keeps_no_other_from_its_own(told: list[str]) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    events.about_to_end.register(fail)
    ending.flush()
    assert told == ["about_to_end", "ends"]
