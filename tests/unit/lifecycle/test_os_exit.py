"""A replaced function of ``os`` first calls ours, then does what it did, and looks as it did."""

from __future__ import annotations

import os
import posix
from collections.abc import Iterator

import pytest

from otel_injection.lifecycle import os_exit


@pytest.fixture
def replaced() -> Iterator[list[str]]:
    """``os.getppid`` is replaced; what is done before it is noted."""
    done: list[str] = []
    original = os.getppid
    os_exit.replace("getppid", lambda function: os_exit._After(lambda: done.append("before"), function))
    yield done
    os.getppid = posix.getppid = original


def test_it_comes_after_what_is_ours_wherever_it_is_looked_up(replaced: list[str]) -> None:
    expected = os.getppid.__wrapped__()  # type: ignore[attr-defined]
    assert replaced == []
    assert os.getppid() == posix.getppid() == expected
    assert replaced == ["before", "before"]


def test_it_keeps_its_name_and_documentation(replaced: list[str]) -> None:
    original = os.getppid.__wrapped__  # type: ignore[attr-defined]
    assert os.getppid.__name__ == "getppid"
    assert os.getppid.__doc__ == original.__doc__


def test_what_fails_before_it_does_not_keep_it_from_being_called() -> None:
    call = os_exit._After(lambda: print(1 / 0), os.getpid)
    assert call() == os.getpid()
