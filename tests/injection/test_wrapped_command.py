"""Injection by hand: another mount path, and the command wrapped by the tree's own ``opentelemetry-instrument``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.injection.conftest import StartApp
from tests.injection.harness import Dependency, comparable, instance_id, operator_env
from tests.injection.test_flask_gunicorn import COMMAND, FORTY, check_identities, serve
from tests.injection.test_script import catalogue, check_telemetry
from tests.receiver import Receiver

__all__ = ["catalogue"]


@pytest.fixture(scope="session")
def other_mount(copy_tree: Callable[[str], Path]) -> Path:
    """The tree where hand-written manifests mount it."""
    return copy_tree("otel-auto-instrumentation")
