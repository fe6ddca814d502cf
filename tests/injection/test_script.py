"""A plain script that only makes outbound calls, injected."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.injection.conftest import StartApp
from tests.injection.harness import Dependency, comparable, instance_id, operator_env
from tests.injection.prices import check_telemetry
from tests.receiver import Receiver

pytestmark = pytest.mark.every_python


def test_every_outbound_call_of_a_script_is_a_client_span(
    start: StartApp, mount: Path, receiver: Receiver, catalogue: Dependency
) -> None:
    """Spans, metric and logs arrive although the script ends at once; it prints and returns what it does without us."""
    target = {"CATALOGUE_URL": catalogue.url}
    plain = start(["python", "run.py"], "script", target)
    assert plain.wait() == 0
    catalogue.calls.clear()

    env = operator_env(mount, service="prices", endpoint=receiver.endpoint)
    injected = start(["python", "run.py"], "script", {**env, **target})
    assert injected.wait() == 0
    check_telemetry(receiver, catalogue)
    assert receiver.instances == {instance_id(env)}
    assert {span.resource["process.pid"] for span in receiver.spans} == {injected.process.pid}
    assert comparable(injected.stdout) == comparable(plain.stdout)
    assert comparable(injected.stderr, mount) == comparable(plain.stderr)


def test_the_containers_own_pythonpath_stays_in_force(
    start: StartApp, mount: Path, receiver: Receiver, tmp_path: Path
) -> None:
    """A module that the app finds by its own PYTHONPATH, which the operator puts between its entries, is found."""
    (tmp_path / "pricing.py").write_text("currency = 'EUR'\n")
    command = ["python", "-c", "import pricing; print(pricing.currency, pricing.__file__)"]
    plain = start(command, "script", {"PYTHONPATH": str(tmp_path)})
    env = operator_env(mount, service="prices", endpoint=receiver.endpoint, app_pythonpath=str(tmp_path))
    injected = start(command, "script", env)
    assert (injected.wait(), plain.wait()) == (0, 0)
    assert plain.stdout == f"EUR {tmp_path}/pricing.py\n"
    assert (injected.stdout, injected.stderr) == (plain.stdout, plain.stderr)
