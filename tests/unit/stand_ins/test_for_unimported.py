"""A stand-in for a module that the app has not imported acts as absent until the app imports the module."""

from __future__ import annotations

import sys
import typing

import pytest

from otel_injection.stand_ins.for_unimported import Module, Name


def test_nothing_is_an_instance_of_what_has_not_been_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    name: typing.Any = Name("fractions", "Fraction")
    monkeypatch.delitem(sys.modules, "fractions", raising=False)
    assert not isinstance(1, name)
    assert not issubclass(int, name)
    assert isinstance(1, (int, name))
    assert "fractions" not in sys.modules
    made = name(1, 2)
    assert isinstance(made, name)
    assert issubclass(type(made), name)
    assert name.from_float(0.5) == made


def test_it_may_stand_in_types() -> None:
    name: typing.Any = Name("fractions", "Fraction")
    assert typing.cast("typing.Any", name | None) is name
    typing.List[name]  # noqa: UP006 - what makes a type of it asks for more


def test_a_package_shows_what_is_there() -> None:
    package = Module("xml")
    sys.modules.pop("xml.sax", None)
    import xml.dom

    assert package.dom.Node is xml.dom.Node
    assert not isinstance(1, package.nowhere.Class)
