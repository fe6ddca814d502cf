"""What all tests share: which of them run by default, and which may be run again.

``--matrix`` runs everything. Without it, tests that are marked ``matrix`` are left out, and counted as deselected.

A test that is marked ``timing``, with the reason why its deadline is as short as it is, is run once more if it fails by
a deadline: never if an assertion fails, and never under ``-x`` or ``--maxfail``. Each such run stands in the summary
and in a file of the cache; a test that needed one in the previous run as well fails the run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from images.paths import cache

pytest.register_assert_rewrite(
    "tests.injection.parity",
    "tests.injection.prices",
    "tests.injection.running",
    "tests.injection.servers",
    "tests.injection.serving",
    "tests.injection.shop",
)

DEADLINES = ("TimeoutError", "TimeoutExpired", "Timeout")
"""Exceptions of a deadline, in the words that pytest-rerunfailures looks for."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--matrix", action="store_true", help="run every test, on every Python found")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        marker = item.get_closest_marker("timing")
        if marker is not None:
            if not marker.args:
                raise pytest.UsageError(f"{item.nodeid}: the marker timing names the reason")
            if not config.getoption("maxfail"):
                item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=list(DEADLINES)))
    if not config.getoption("--matrix"):
        left_out = [item for item in items if item.get_closest_marker("matrix")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker("matrix")]


class Reruns:
    """Writes down which tests were run once more, and compares that with the previous run."""

    def __init__(self, folder: str) -> None:
        self.file = cache("reruns") / f"{folder}.json"
        self.names: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome: str = report.outcome
        if outcome == "rerun":  # of pytest-rerunfailures
            self.names.add(report.nodeid)

    def again(self) -> set[str]:
        before = set(json.loads(self.file.read_text())) if self.file.exists() else set()
        return self.names & before

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        self.repeated = sorted(self.again())
        self.file.write_text(json.dumps(sorted(self.names)))
        if self.repeated and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        yield

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for name in sorted(self.names):
            terminalreporter.write_line(f"run once more: {name}")
        for name in self.repeated:
            terminalreporter.write_line(f"FAILED: run once more in two runs in succession: {name}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--matrix"):
        os.environ["OTEL_TEST_MATRIX"] = "1"  # for ``tests.unit.examples``, and for processes that run tests
    if "PYTEST_XDIST_WORKER" not in os.environ:
        folders = {Path(each.partition("::")[0]).name for each in config.args}
        config.pluginmanager.register(Reruns("-".join(sorted(folders))), "reruns")
