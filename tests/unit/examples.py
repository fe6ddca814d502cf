"""How many examples a property is tried with."""

from __future__ import annotations

import os


def examples(matrix: int) -> int:
    """Return ``matrix``, the number of ``./build.sh matrix``; a fifth of it by default."""
    return matrix if "OTEL_TEST_MATRIX" in os.environ else matrix // 5
