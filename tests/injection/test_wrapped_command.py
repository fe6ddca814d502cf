"""Injection by hand: another mount path, and the command wrapped by the tree's own ``opentelemetry-instrument``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.injection.conftest import StartApp
from tests.injection.harness import Dependency, comparable, instance_id, operator_env
from tests.injection.prices import check_telemetry
from tests.injection.shop import COMMAND, FORTY, check_forty, serve
from tests.receiver import Receiver

pytestmark = pytest.mark.every_python


@pytest.fixture(scope="session")
def other_mount(copy_tree: Callable[[str], Path]) -> Path:
    """The tree where hand-written manifests mount it."""
    return copy_tree("otel-auto-instrumentation")


@pytest.mark.parametrize("place", ["mount", "other_mount"])
def test_a_wrapped_script_is_instrumented_once(
    start: StartApp, receiver: Receiver, catalogue: Dependency, place: str, request: pytest.FixtureRequest
) -> None:
    """Wrapped and injected at once, at either path, a script sends and prints what it does when only injected."""
    tree: Path = request.getfixturevalue(place)
    target = {"CATALOGUE_URL": catalogue.url}
    plain = start(["python3", "run.py"], "script", target)
    assert plain.wait() == 0
    catalogue.calls.clear()

    env = operator_env(tree, service="prices", endpoint=receiver.endpoint)
    wrapper = f"{tree}/bin/opentelemetry-instrument"
    injected = start(["python3", wrapper, "python", "run.py"], "script", {**env, **target})
    assert injected.wait() == 0
    check_telemetry(receiver, catalogue)
    assert receiver.instances == {instance_id(env)}
    assert {span.resource["process.pid"] for span in receiver.spans} == {injected.process.pid}
    assert comparable(injected.stdout) == comparable(plain.stdout)
    assert comparable(injected.stderr, tree) == comparable(plain.stderr)


def test_the_wrapper_alone_is_enough(
    start: StartApp, other_mount: Path, receiver: Receiver, catalogue: Dependency
) -> None:
    """A manifest that puts only the mount on PYTHONPATH and wraps the command gets the same telemetry."""
    env = operator_env(other_mount, service="prices", endpoint=receiver.endpoint)
    env |= {"PYTHONPATH": str(other_mount), "CATALOGUE_URL": catalogue.url}
    app = start(["python3", f"{other_mount}/bin/opentelemetry-instrument", "python", "run.py"], "script", env)
    assert app.wait() == 0
    check_telemetry(receiver, catalogue)


def test_wrapped_gunicorn_at_another_path_serves_and_reports_as_the_operators(
    start: StartApp, other_mount: Path, receiver: Receiver
) -> None:
    """40 requests to the wrapped gunicorn: the same spans, metric and identities; logs as without us."""
    env = operator_env(other_mount, service="shop", endpoint=receiver.endpoint)
    injected = serve(start, env, FORTY, command=("python3", f"{other_mount}/bin/opentelemetry-instrument", *COMMAND))
    plain = serve(start, {}, FORTY)

    check_forty(receiver, env, injected)
    assert (injected.status, plain.status) == (0, 0)
    assert comparable(injected.stderr, other_mount) == comparable(plain.stderr)
