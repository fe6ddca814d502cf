"""Stands in for ``packaging.requirements`` in private copies, and imports it only when one parses a requirement."""

from __future__ import annotations

from typing import Any

InvalidRequirement = ValueError
"""The base of packaging's class of the same name, which is derived from ``ValueError`` too."""


class _Lazy:
    """The class ``Requirement``, imported when it is used."""

    def __call__(self, text: str) -> Any:
        from packaging.requirements import Requirement

        return Requirement(text)

    def __instancecheck__(self, instance: object) -> bool:
        from packaging.requirements import Requirement

        return isinstance(instance, Requirement)


Requirement = _Lazy()
