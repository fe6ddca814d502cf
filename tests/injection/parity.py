"""Small apps that are run with and without injection: what they do must be the same, and what they did must arrive."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.injection.harness import Dependency
from tests.injection.running import Finished, Runner
from tests.receiver import Receiver

STOCK = {"GET /stock": (200, 7), "GET /missing": (404, "none"), "GET /broken": (500, "broken")}
"""What the service answers whose address apps find in ``STOCK_URL``."""


@dataclass(frozen=True)
class Row:
    """An app: ``source`` is its ``main.py``, ``files`` are others by name, ``arguments`` what follows the interpreter.

    ``logs`` and ``spans`` are the bodies of log records and the names of spans that must arrive, in any order, and no
    others; None where that is not the point. ``given`` is its input, ``app_pythonpath`` its own ``PYTHONPATH``,
    ``lines`` how many of ours it is told.
    """

    source: str = ""
    arguments: Sequence[str] = ("main.py",)
    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    given: str = ""
    app_pythonpath: str | None = None
    logs: Sequence[str] | None = ()
    spans: Sequence[str] | None = ()
    status: int = 0
    lines: int = 0


def check(row: Row, runner: Runner, receiver: Receiver) -> Finished:
    """Run an app both ways; require the same output and status, and its telemetry."""
    runner.write(row.source)
    for name, text in row.files.items():
        runner.write(text, name)
    with Dependency(STOCK) as stock:
        keywords: dict[str, Any] = {
            "env": {"STOCK_URL": stock.url, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", **row.env},
            "given": textwrap.dedent(row.given).lstrip("\n"),
            "app_pythonpath": row.app_pythonpath,
        }
        before = _files(runner)
        plain = runner.run(row.arguments, injected=False, **keywords)
        left = _restore(runner, before)
        injected = runner.run(row.arguments, **keywords)
        assert injected.own == plain.own, _difference(plain, injected)
        assert _restore(runner, before) == left
    assert plain.status == row.status, plain.stderr
    assert len(injected.lines) == row.lines, injected.lines
    if row.logs is not None:
        logs = [log for log in receiver.logs if log.scope != "opentelemetry.instrumentation.exceptions"]
        assert sorted(str(log.body) for log in logs) == sorted(row.logs)
    if row.spans is not None:
        assert sorted(span.name for span in receiver.spans) == sorted(row.spans)
    return injected


def _difference(plain: Finished, injected: Finished) -> str:
    without, ours = (f"status {each.own[0]}\n{each.own[1]}{each.own[2]}".splitlines() for each in (plain, injected))
    return "\n".join(difflib.unified_diff(without, ours, "without", "with", lineterm="", n=1))


def _files(runner: Runner) -> set[str]:
    return {str(path.relative_to(runner.folder)) for path in runner.folder.rglob("*")}


def _restore(runner: Runner, before: set[str]) -> set[str]:
    """Take away what a run left behind in its folder, and return what that was."""
    left = _files(runner) - before
    for name in sorted(left, reverse=True):
        path = runner.folder / name
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    return left
