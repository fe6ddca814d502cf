"""The resource of telemetry from a container with a PID namespace of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.pods import APP_USER, OPERATORS_COMMAND, Copied, app, empty_dir, init
from tests.containers.pods import OPERATORS_MOUNT as MOUNT
from tests.injection.harness import instance_id, operator_env
from tests.receiver import Receiver

SHOP = """
import multiprocessing, os, sqlite3, sys, time
def work():
    sqlite3.connect(":memory:").cursor().execute("select 1")
    print("done by", os.getpid(), file=sys.stderr)
if __name__ == "__main__":
    work()
    child = multiprocessing.get_context("spawn").Process(target=work)
    child.start()
    child.join()
    time.sleep(60)
"""


@pytest.fixture
def volume(image: str) -> Iterator[Path]:
    """The volume as the init container leaves it."""
    with empty_dir() as folder:
        assert init(image, OPERATORS_COMMAND, {folder: (MOUNT, "rw")}) == Copied(0, "", "")
        yield folder


@pytest.mark.parametrize("python", ["3.13"], indirect=True)
def test_each_process_says_in_which_container_it_runs_and_which_process_it_is_there(
    base_image: str, volume: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "app"
    folder.mkdir(mode=0o755)
    (folder / "main.py").write_text(SHOP)
    with Receiver() as receiver:
        env = operator_env(MOUNT, service="shop", endpoint=receiver.endpoint)
        env |= {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "container,process,host,os", "OTEL_BSP_SCHEDULE_DELAY": "100"}
        command = ["python", "main.py"]
        with app(base_image, command, folder, env, {volume: (MOUNT, "rw")}) as running:
            receiver.wait_for(lambda got: len(got.spans) == 2, 30)
            parent, child = sorted((each.resource for each in receiver.spans), key=lambda each: each["process.pid"])
            hostname = running.execute(["cat", "/etc/hostname"])[1].strip()
    for each in (parent, child):
        assert each["container.id"] == running.identity
        assert each["process.owner"] == APP_USER.partition(":")[0]
        assert each["process.runtime.name"] == "cpython"
        assert each["process.runtime.version"].startswith("3.13.")
        assert each["process.executable.path"] == "/usr/local/bin/python"
        assert each["os.type"] == "linux"
        assert each["host.name"] == hostname
    assert (parent["process.pid"], child["process.parent_pid"]) == (1, 1)
    assert child["process.pid"] > 1
    assert parent["service.instance.id"] == instance_id(env)
    assert child["service.instance.id"] == f"{instance_id(env)}-1"
