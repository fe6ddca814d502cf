"""The stand-in for ``typing_extensions`` does the same as the original for all that is called."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import typing_extensions

from images.payload.ownership import SUBSTITUTES
from otel_injection.stand_ins import for_typing_extensions
from otel_injection.stand_ins.for_deprecated import deprecated

BOTH = pytest.mark.parametrize("mark", [deprecated, typing_extensions.deprecated], ids=["ours", "theirs"])


def _warnings(call: Callable[[], object]) -> list[tuple[str, type[Warning], str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [(str(each.message), each.category, each.filename) for each in caught]


def test_it_has_the_names_that_imports_are_rewritten_to() -> None:
    _, names = SUBSTITUTES["typing_extensions"]
    assert names == set(for_typing_extensions.__all__)
    assert all(hasattr(for_typing_extensions, each) for each in names)


@BOTH
def test_a_deprecated_function_works_and_warns_its_caller(mark: Any) -> None:
    def double(value: int) -> int:
        """Double."""
        return 2 * value

    double = mark("use another")(double)
    assert (double.__name__, double.__doc__, double.__deprecated__) == ("double", "Double.", "use another")  # type: ignore[attr-defined]
    returned: list[int] = []
    assert _warnings(lambda: returned.append(double(value=3))) == [("use another", DeprecationWarning, __file__)]
    assert returned == [6]


@BOTH
def test_a_deprecated_class_warns_who_makes_or_derives_one_but_not_who_uses_what_is_derived(mark: Any) -> None:
    class Base:
        def __init__(self, value: int = 0) -> None:
            self.value = value

    old = mark("use Base")(type("Old", (Base,), {}))
    told = [("use Base", DeprecationWarning, __file__)]
    made: list[Any] = []
    assert _warnings(lambda: made.append(old(3))) == told
    assert (type(made[0]), made[0].value, old.__deprecated__) == (old, 3, "use Base")
    assert _warnings(lambda: made.append(type("New", (old,), {}))) == told
    assert _warnings(lambda: made.append(made[-1](4))) == []
    assert made[-1].value == 4


@BOTH
def test_without_a_category_nobody_is_warned(mark: Any) -> None:
    function = mark("old", category=None)(lambda: 1)
    assert (_warnings(function), function.__deprecated__) == ([], "old")
