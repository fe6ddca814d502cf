"""Random numbers of our own: apps that seed theirs draw the same numbers as without us."""

from __future__ import annotations

import os
import random

import pytest

from otel_injection.stand_ins import for_random


def test_the_apps_chance_is_left_alone() -> None:
    random.seed(7)
    first = random.random()  # noqa: S311
    random.seed(7)
    ours = [for_random.getrandbits(64), for_random.randrange(9), for_random.uniform(0, 1)]
    assert random.random() == first  # noqa: S311
    random.seed(7)
    assert [for_random.getrandbits(64), for_random.randrange(9), for_random.uniform(0, 1)] != ours


def test_numbers_are_within_their_bounds() -> None:
    for _ in range(1000):
        assert for_random.getrandbits(64) < 2**64
        assert for_random.randrange(3) in {0, 1, 2}
        assert for_random.randrange(2, 4) in {2, 3}
        assert 0.5 <= for_random.uniform(0.5, 1.5) <= 1.5


def test_a_child_that_python_does_not_know_of_draws_other_numbers(monkeypatch: object) -> None:
    """One that C code has forked, as uWSGI does: no hook of Python's has run."""
    state = for_random._own().getstate()
    pid = os.getpid
    try:
        os.getpid = lambda: pid() + 1
        assert for_random._own().getstate() != state
    finally:
        os.getpid = pid


def test_what_others_want_of_random_is_there_and_leaves_the_apps_numbers_alone() -> None:
    random.seed(1)
    expected = random.random()  # noqa: S311
    random.seed(1)
    assert for_random.choice([7]) == 7
    assert sorted(for_random.sample(range(3), 3)) == [0, 1, 2]
    assert for_random.Random(1).random() == expected == random.random()  # noqa: S311
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        for_random.nonsense  # noqa: B018 - to ask for it is enough
