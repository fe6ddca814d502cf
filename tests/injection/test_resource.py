"""The resource of a process, and that detecting it does not delay the app."""

from __future__ import annotations

import os
import platform

import pytest

from tests.injection.running import Runner
from tests.receiver import Receiver

pytestmark = pytest.mark.newest_python

LOG = "import logging; logging.getLogger('shop').warning('sold')"


def test_detectors_are_chosen_by_name_and_what_is_set_wins(runner: Runner, receiver: Receiver) -> None:
    done = runner.run(
        LOG,
        env={
            "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "container,k8s,host,os,process,pigeon",
            "OTEL_RESOURCE_ATTRIBUTES_POD_NAME": "web-1",
            "OTEL_RESOURCE_ATTRIBUTES_NODE_NAME": "node-1",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=live,k8s.node.name=other",
        },
    )
    assert done.lines == ["OTEL_EXPERIMENTAL_RESOURCE_DETECTORS: 'pigeon' is unknown and left out"]
    (log,) = receiver.logs
    expected = {
        "service.name": "app",
        "deployment.environment.name": "live",
        "k8s.pod.name": "web-1",
        "k8s.node.name": "other",
        "host.name": os.uname().nodename,
        "host.arch": platform.machine(),
        "os.type": "linux",
        "process.executable.path": log.resource["process.executable.path"],
    }
    assert {key: log.resource[key] for key in expected} == expected


def test_without_detectors_none_of_it_is_said(runner: Runner, receiver: Receiver) -> None:
    runner.run(LOG)
    (log,) = receiver.logs
    assert {"process.pid", "process.runtime.name", "telemetry.distro.name", "service.instance.id"} <= set(log.resource)
    assert not any(key.startswith(("host.", "os.", "container.")) for key in log.resource)
