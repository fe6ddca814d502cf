"""Files of ours have high numbers: an app counts on the low ones."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from otel_injection.lifecycle import descriptors


def opened() -> set[str]:
    """Return the numbers of the files that are open."""
    return {each.name for each in Path("/proc/self/fd").iterdir()}


def test_a_socket_gets_a_high_number_and_is_closed_on_exec() -> None:
    first, second = socket.socketpair()
    low = first.fileno()
    with descriptors.out_of_the_way(first) as high, second:
        assert high.fileno() >= 200 > low
        assert first.fileno() == -1
        assert not os.get_inheritable(high.fileno())
        high.send(b"x")
        assert second.recv(1) == b"x"


def test_what_an_action_opens_for_good_gets_a_high_number_and_nothing_else_stays_open() -> None:
    before = opened()
    with Path(os.devnull).open() as file:
        number = descriptors.opening_out_of_the_way(file.fileno(), lambda: os.open(os.devnull, os.O_RDONLY))
        assert number > 200
        os.close(number)
    assert opened() == before


def test_an_action_that_fails_leaves_nothing_open() -> None:
    before = opened()
    with pytest.raises(ZeroDivisionError):
        descriptors.opening_out_of_the_way(0, lambda: 1 / 0)
    assert opened() == before
