"""Chance of our own: apps that seed theirs draw what they draw without us."""

from __future__ import annotations

import os
import random

import pytest

from otel_injection import chance


def test_the_apps_chance_is_left_alone() -> None:
    random.seed(7)
    first = random.random()  # noqa: S311
    random.seed(7)
    ours = [chance.getrandbits(64), chance.randrange(9), chance.uniform(0, 1)]
    assert random.random() == first  # noqa: S311
    random.seed(7)
    assert [chance.getrandbits(64), chance.randrange(9), chance.uniform(0, 1)] != ours


def test_numbers_are_within_their_bounds() -> None:
    for _ in range(1000):
        assert chance.getrandbits(64) < 2**64
        assert chance.randrange(3) in {0, 1, 2}
        assert chance.randrange(2, 4) in {2, 3}
        assert 0.5 <= chance.uniform(0.5, 1.5) <= 1.5


def test_a_child_that_python_does_not_know_of_draws_other_numbers(monkeypatch: object) -> None:
    """One that C code has forked, as uWSGI does: no hook of Python's has run."""
    state = chance._own().getstate()
    pid = os.getpid
    try:
        os.getpid = lambda: pid() + 1
        assert chance._own().getstate() != state
    finally:
        os.getpid = pid


def test_what_others_want_of_random_is_there_and_leaves_the_apps_numbers_alone() -> None:
    random.seed(1)
    expected = random.random()  # noqa: S311
    random.seed(1)
    assert chance.choice([7]) == 7
    assert sorted(chance.sample(range(3), 3)) == [0, 1, 2]
    assert chance.Random(1).random() == expected == random.random()  # noqa: S311
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        chance.nonsense  # noqa: B018 - to ask for it is enough
