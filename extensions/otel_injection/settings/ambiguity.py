"""Finds regular expressions that can take exponential time, such as ``(a+)+$``.

``re`` knows no time limit and holds the interpreter while it searches: such an expression could stop an app for ever.
An expression can take exponential time if its automaton has a state from which two different ways lead back to it by
the same characters ("exponential degree of ambiguity"). Look-arounds and back references are taken as if they always
held.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

if sys.version_info >= (3, 11):
    from re import _parser as parser  # type: ignore[attr-defined]
else:
    import sre_parse as parser

_CHARACTERS = "".join(map(chr, range(128))) + "\xa0éßΩ中"
_CATEGORIES = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}
_LARGEST = 150
"""The most repeated characters of an expression that is examined in full."""

_Ends = tuple[set[int], set[int], bool]
"""Positions that a part can begin with and end with, and whether it can be empty."""


def exponential(pattern: str, flags: int = 0) -> bool:
    """Return whether an expression can take exponential time; it must be a valid one."""
    parsed = parser.parse(pattern, flags)
    return _Automaton(parsed, parsed.state.flags).ambiguous()


class _Automaton:
    """The automaton of Glushkov: a state for each character of the expression, ``edges`` to those that may follow."""

    def __init__(self, parsed: Any, flags: int) -> None:
        self._flags = flags
        self._masks: list[int] = []
        self._edges: list[Counter[int]] = []
        self._inner = False
        self._sequence(parsed)

    def ambiguous(self) -> bool:
        """Return whether it has two ways from a state to itself by the same characters."""
        count = len(self._masks)
        reached = [self._reached(each) for each in range(count)]
        for state in range(count):
            if any(several > 1 and state in reached[following] for following, several in self._edges[state].items()):
                return True
        looping = sum(each in reached[each] for each in range(count))
        if self._inner or looping > _LARGEST:
            return self._inner
        return any(
            any(state in reached[each] or each == state for each in self._joined(one, other))
            for state in range(count)
            if state in reached[state]
            for one, other in self._ways(state, state)
            if one < other and state in reached[one] and state in reached[other]
        )

    def _reached(self, state: int) -> set[int]:
        found: set[int] = set()
        waiting = list(self._edges[state])
        while waiting:
            each = waiting.pop()
            if each not in found:
                found.add(each)
                waiting += self._edges[each]
        return found

    def _ways(self, one: int, other: int) -> Iterator[tuple[int, int]]:
        for first in self._edges[one]:
            for second in self._edges[other]:
                if self._masks[first] & self._masks[second]:
                    yield first, second

    def _joined(self, one: int, other: int) -> Iterator[int]:
        """Yield the states in which two ways, which began in different states, can meet after the same characters."""
        seen = {(one, other)}
        waiting = [(one, other)]
        while waiting:
            for first, second in self._ways(*waiting.pop()):
                if first == second:
                    yield first
                elif (first, second) not in seen:
                    seen.add((first, second))
                    waiting.append((first, second))

    def _sequence(self, items: Any) -> _Ends:
        first: set[int] = set()
        last: set[int] = set()
        empty = True
        for code, argument in items:
            begin, end, can_be_empty = self._part(str(code), argument)
            self._connect(last, begin)
            first |= begin if empty else set()
            last = end | last if can_be_empty else end
            empty = empty and can_be_empty
        return first, last, empty

    def _connect(self, ends: set[int], begins: set[int]) -> None:
        for each in ends:
            self._edges[each].update(begins)

    def _part(self, code: str, argument: Any) -> _Ends:
        if code.endswith("_REPEAT"):
            least, most, items = argument
            begin, end, empty = self._sequence(items)
            if most > 1:
                self._connect(end, begin)
            return begin, end, empty or least == 0
        if code == "SUBPATTERN":
            return self._sequence(argument[-1])
        if code == "ATOMIC_GROUP":
            return self._sequence(argument)
        if code in ("BRANCH", "GROUPREF_EXISTS"):
            choices = argument[1] if code == "BRANCH" else [each or () for each in argument[1:]]
            parts = [self._sequence(each) for each in choices]
            begins = {state for each in parts for state in each[0]}
            ends = {state for each in parts for state in each[1]}
            return begins, ends, any(each[2] for each in parts)
        if code in ("ASSERT", "ASSERT_NOT"):
            self._inner = self._inner or _Automaton(argument[1], self._flags).ambiguous()
            return set(), set(), True
        if code in ("AT", "FAILURE"):
            return set(), set(), True
        self._masks.append(self._mask(code, argument))
        self._edges.append(Counter())
        state = {len(self._masks) - 1}
        return state, state, code == "GROUPREF"

    def _mask(self, code: str, argument: Any) -> int:
        """Return the characters that a state accepts, as bits; only some are tried, which stand for the others."""
        if code in ("ANY", "GROUPREF"):
            return (1 << len(_CHARACTERS)) - 1
        return sum(1 << number for number, each in enumerate(_CHARACTERS) if self._fits(each, code, argument))

    def _fits(self, character: str, code: str, argument: Any) -> bool:
        if code == "IN":
            negated = any(str(each[0]) == "NEGATE" for each in argument)
            return any(self._fits(character, str(kind), each) for kind, each in argument) != negated
        variants = {character, character.lower(), character.upper()} if self._flags & re.IGNORECASE else {character}
        if code == "LITERAL":
            return chr(argument) in variants
        if code == "NOT_LITERAL":
            return chr(argument) not in variants
        if code == "RANGE":
            return any(len(each) == 1 and argument[0] <= ord(each) <= argument[1] for each in variants)
        if code == "CATEGORY":
            name = str(argument).removeprefix("CATEGORY_").removeprefix("UNI_")
            inside = re.match(_CATEGORIES[name.removeprefix("NOT_")], character) is not None
            return inside != name.startswith("NOT_")
        return False
