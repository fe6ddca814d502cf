"""The base images of the tests hold an app's Python and its dependencies, and nothing of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from images.errors import UserError
from tests.containers import bases
from tests.containers.running import run

if TYPE_CHECKING:
    from images.engine.docker import Engine

_LOOK = """
import ctypes, importlib.util, json, os, ssl, sys
import flask, gunicorn, httpx, requests
from importlib.util import cache_from_source as cached
print("%d.%d" % sys.version_info[:2], os.getuid())
print([name for name in ("opentelemetry", "otel_injection") if importlib.util.find_spec(name)])
print([module.__name__ for module in (flask, httpx, json, ssl) if not os.path.exists(cached(module.__file__))])
"""


def test_a_base_image_runs_its_python_with_all_that_the_samples_need_and_no_telemetry(
    base_image: str, python: str
) -> None:
    finished = run(base_image, ["python3", "-c", _LOOK], user="4711:4712")
    assert finished.log.splitlines() == [f"{python} 4711", "[]", "[]"], "version and user, telemetry, not compiled"


def test_commands_of_the_dependencies_are_on_the_path(base_image: str) -> None:
    finished = run(base_image, ["sh", "-c", "exec gunicorn --version"])
    assert finished.log.startswith("gunicorn (version ")
    assert finished.status == 0


def test_a_python_that_cannot_be_had_is_told_in_one_line(engine: Engine) -> None:
    with pytest.raises(UserError, match=r"^Python 3\.99 is not covered: .+$"):
        bases.base_image(engine, "3.99")
