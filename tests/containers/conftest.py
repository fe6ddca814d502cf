"""What the container tests share: one engine, one registry, a base image per Python, the built image."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from images import paths
from images.engine.debian_tools import registry as running_registry
from images.engine.docker import Engine
from images.engine.docker import engine as running_engine
from images.errors import UserError
from images.image import labels
from tests.containers import bases

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine, which docker, its SDK and testcontainers talk to without being told."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(running_engine())
        except UserError as error:
            pytest.exit(str(error), returncode=1)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in found.env.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    """``host:port`` of an empty registry on loopback."""
    with running_registry() as address:
        yield address


@pytest.fixture(scope="session", params=[*bases.REQUIRED, *bases.OPTIONAL])
def python(request: pytest.FixtureRequest) -> str:
    """The Python of the app's container, as ``3.X``: a test that uses it runs once for each."""
    return str(request.param)


@pytest.fixture(scope="session")
def base_image(engine: Engine, python: str) -> str:
    """An image with this Python and what the sample apps need, ready to run them."""
    try:
        return bases.base_image(engine, python)
    except UserError as error:
        if python in bases.OPTIONAL:
            pytest.skip(str(error))
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The built image, loaded from its archive."""
    if not paths.ARCHIVE.exists():
        pytest.fail(f"{paths.ARCHIVE} is missing: run ./build.sh first")
    engine.run("load", "--input", str(paths.ARCHIVE))
    return labels.local_name()
