"""Fixtures: the interpreters, the injected tree, the receiver."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from images.errors import UserError
from images.paths import ROOT, TREE
from tests.injection import pythons
from tests.injection.harness import App, Dependency, container_env
from tests.injection.prices import catalogue_service
from tests.injection.running import Runner
from tests.receiver import Receiver

APPS = ROOT / "tests" / "apps"

StartApp = Callable[[Sequence[str], str, Mapping[str, str]], App]
"""Starts a command in a copy of a sample app's folder with additions to the container's own environment."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--python",
        action="append",
        type=Path,
        help="an interpreter to run the apps with; repeatable; default: every supported one found on this host",
    )
    parser.addoption("--tree", type=Path, help="the assembled tree; default: dist/tree, or what OTEL_TEST_TREE names")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "python" in metafunc.fixturenames:
        try:
            chosen = metafunc.config.getoption("--python", None) or pythons.find()
        except UserError as error:
            raise pytest.UsageError(str(error)) from None
        versions = [pythons.version(path) for path in chosen]
        if "" in versions:
            raise pytest.UsageError(f"--python {chosen[versions.index('')]} does not start: name an interpreter")
        if metafunc.definition.get_closest_marker("newest_python"):
            chosen, versions = chosen[-1:], versions[-1:]
        everywhere = metafunc.definition.get_closest_marker("every_python") is not None
        middle = () if everywhere or metafunc.config.getoption("--python", None) else versions[1:-1]
        rows = [
            pytest.param(path, id=version, marks=[pytest.mark.matrix] if version in middle else [])
            for path, version in zip(chosen, versions, strict=True)
        ]
        metafunc.parametrize("python", rows, scope="session")


@pytest.fixture(scope="session")
def venv(python: Path) -> Path:
    """A virtual environment with the sample apps' own dependencies."""
    return pythons.apps_environment(python)


@pytest.fixture(scope="session")
def copy_tree(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Copies the assembled tree, as the init container does, to a folder of the given name."""
    tree = request.config.getoption("--tree", None) or Path(os.environ.get("OTEL_TEST_TREE") or TREE)
    if not tree.is_dir():
        raise pytest.UsageError(f"{tree} is not there: run `python -m images build` first, or name a tree by --tree")

    def copy(name: str) -> Path:
        target = tmp_path_factory.mktemp("volume") / name
        target.mkdir()
        subprocess.run(["cp", "-r", f"{tree}/.", target], check=True)
        return target

    return copy


@pytest.fixture(scope="session")
def mount(copy_tree: Callable[[str], Path]) -> Path:
    """The tree where the operator mounts it."""
    return copy_tree("otel-auto-instrumentation-python")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """What the apps export to."""
    with Receiver() as running:
        yield running


@pytest.fixture
def runner(python: Path, mount: Path, receiver: Receiver, tmp_path: Path) -> Runner:
    """Runs programs with an interpreter that has no packages."""
    return Runner(pythons.without_packages(python), mount, receiver.endpoint, tmp_path / "app")


@pytest.fixture
def framework_runner(python: Path, mount: Path, receiver: Receiver, tmp_path: Path) -> Runner:
    """Runs programs beside the packages of requirements/frameworks.in."""
    folder = pythons.apps_environment(python, "frameworks")
    return Runner(folder / "bin" / "python", mount, receiver.endpoint, tmp_path / "app")


@pytest.fixture
def own_runner(python: Path, mount: Path, receiver: Receiver, tmp_path: Path) -> Runner:
    """Runs programs beside an old OpenTelemetry of the app's own, that of requirements/own-opentelemetry.in."""
    folder = pythons.apps_environment(python, "own-opentelemetry")
    return Runner(folder / "bin" / "python", mount, receiver.endpoint, tmp_path / "app")


@pytest.fixture(scope="session")
def servers_venv(request: pytest.FixtureRequest) -> Path:
    """The packages of requirements/servers.in, for the newest Python: what servers do hangs little on that."""
    chosen = request.config.getoption("--python", None) or pythons.find()
    return pythons.apps_environment(chosen[-1], "servers")


@pytest.fixture
def library_runner(python: Path, mount: Path, receiver: Receiver, tmp_path: Path) -> Runner:
    """Runs programs beside the packages of requirements/libraries.in."""
    folder = pythons.apps_environment(python, "libraries")
    return Runner(folder / "bin" / "python", mount, receiver.endpoint, tmp_path / "app")


@pytest.fixture
def old_pins_runner(python: Path, mount: Path, receiver: Receiver, tmp_path: Path) -> Runner:
    """Runs programs beside the old packages of requirements/old-pins.in."""
    folder = pythons.apps_environment(python, "old-pins")
    return Runner(folder / "bin" / "python", mount, receiver.endpoint, tmp_path / "app")


@pytest.fixture
def catalogue() -> Iterator[Dependency]:
    """The service that the script sample calls."""
    with catalogue_service() as service:
        yield service


@pytest.fixture
def start(venv: Path, tmp_path: Path) -> Iterator[StartApp]:
    """Starts apps; whatever they left running is killed at the end of the test."""
    with ExitStack() as running:
        started: list[App] = []

        def start_app(command: Sequence[str], app: str, env: Mapping[str, str]) -> App:
            folder = tmp_path / f"app-{len(started)}"
            shutil.copytree(APPS / app, folder / "app")
            process = App(
                command, cwd=folder / "app", env={**container_env(venv, folder), **env}, logs=folder / "output"
            )
            started.append(running.enter_context(process))
            return process

        yield start_app
