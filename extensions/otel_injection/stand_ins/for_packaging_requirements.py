"""Stands for ``packaging.requirements`` in private copies, most of which never parse a requirement."""

from __future__ import annotations

from typing import Any

InvalidRequirement = ValueError
"""What packaging's is derived from."""


class _Lazy:
    """The class ``Requirement``, imported when it is used."""

    def __call__(self, text: str) -> Any:
        from packaging.requirements import Requirement

        return Requirement(text)

    def __instancecheck__(self, instance: object) -> bool:
        from packaging.requirements import Requirement

        return isinstance(instance, Requirement)


Requirement = _Lazy()
