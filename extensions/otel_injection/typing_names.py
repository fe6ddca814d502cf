"""What the API takes from ``typing_extensions``: the very same objects, from where they cost nothing if possible."""

from __future__ import annotations

try:
    from typing import assert_never  # type: ignore[attr-defined,unused-ignore]
    from warnings import deprecated  # type: ignore[attr-defined,unused-ignore]
except ImportError:  # before 3.11, before 3.13
    from typing_extensions import assert_never, deprecated

__all__ = ["assert_never", "deprecated"]
