"""Fixtures: what is said on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_injection import report
from otel_injection.settings import environment


class Said:
    """What has been written on the process's stderr, which is a file: lines are written past the stream's buffer."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def getvalue(self) -> str:
        """Return all of it."""
        return self._path.read_text()


@pytest.fixture(autouse=True)
def _an_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be an app: nothing is said of helpers, which workers of pytest-xdist are, started by ``-c``."""
    monkeypatch.setattr(sys, "orig_argv", ["python", "main.py"])


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Said]:
    """What is written on the process's stderr, from here on, as if nothing had been said before."""
    path = tmp_path / "stderr"
    report._last.clear()
    environment._known.clear()
    with path.open("w") as stream:
        monkeypatch.setattr(sys, "__stderr__", stream)
        yield Said(path)
