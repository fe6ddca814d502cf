"""Stands in for ``typing_extensions``, of which OpenTelemetry's packages use a few names; the rest is 0.7 MB.

Where Python has a name itself, it is the same object. Where it has not, a placeholder is enough: only type checkers
look at these names.
"""

from __future__ import annotations

import sys
from typing import Any, ParamSpec, TypeAlias, TypeGuard, final

if sys.version_info >= (3, 11):
    from typing import NotRequired, Self, Unpack, assert_never
else:

    class _Form:
        def __getitem__(self, _parameters: Any) -> Any:
            return Any

    NotRequired = Self = Unpack = _Form()

    def assert_never(value: Any, /) -> Any:
        """Raise: no value should come here."""
        raise AssertionError(f"Expected code to be unreachable, but got: {value!r}")


if sys.version_info >= (3, 13):
    from typing import TypeIs
    from warnings import deprecated
else:
    from otel_injection.stand_ins.for_deprecated import deprecated

    TypeIs = TypeGuard

__all__ = [
    "NotRequired",
    "ParamSpec",
    "Self",
    "TypeAlias",
    "TypeGuard",
    "TypeIs",
    "Unpack",
    "assert_never",
    "deprecated",
    "final",
]
