"""Assertions in modules that tests share explain themselves as those in tests do."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "tests.injection.parity",
    "tests.injection.prices",
    "tests.injection.running",
    "tests.injection.servers",
    "tests.injection.serving",
    "tests.injection.shop",
)
