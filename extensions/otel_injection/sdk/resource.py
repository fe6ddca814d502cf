"""Makes the resource of this process from the settings, the detectors and the process itself."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from typing import Any

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.util._importlib_metadata import entry_points

from otel_injection import MOUNT, ours, record, report
from otel_injection._index import INSTRUMENTATION_VERSION
from otel_injection.lifecycle import supervisors
from otel_injection.sdk import identity
from otel_injection.sdk.resource_detection import VARIABLE, in_turn
from otel_injection.settings.early import names, text

_INSTANCE_ID = "service.instance.id"
_GROUP = "opentelemetry_resource_detector"


def create(described: Resource | None = None) -> Resource:
    """Return the resource; settings win over what detectors find.

    It is ``described`` by a configuration file, else by the environment.
    """
    if described is None:
        described = in_turn(_detectors()).merge(Resource(_process())).merge(OTELResourceDetector().detect())
    else:
        described = Resource(_process()).merge(described)
    resource = described
    base = str(resource.attributes.get(_INSTANCE_ID) or os.uname().nodename)
    service = (
        resource.attributes.get("service.name") or f"unknown_service:{os.path.basename(sys.executable or 'python')}"
    )
    return resource.merge(
        Resource({"service.name": service, _INSTANCE_ID: identity.claim(base, int(supervisors.supervises()))})
    )


def service_of_the_environment(_options: object = None) -> dict[str, Any]:
    """Return what the detector ``service`` of a configuration file finds; the instance is ``identity``'s."""
    name = text("OTEL_SERVICE_NAME")
    return {"service.name": name} if name else {}


def step_back(resource: Resource) -> None:
    """Leave the operator's ``service.instance.id`` to a process that serves; changes the resource in place."""
    held = str(resource.attributes[_INSTANCE_ID])
    taken = identity.step_back(held)
    if taken != held:
        resource._attributes = resource.merge(Resource({_INSTANCE_ID: taken}))._attributes
        record.instance(taken)


def _detectors() -> Iterator[Any]:
    """Make the detectors that ``OTEL_EXPERIMENTAL_RESOURCEVARIABLE`` names; ``*`` stands for all that are known.

    Not among those is upstream's for ``service.instance.id``, which is ``identity``'s.
    """
    chosen = names(VARIABLE)
    if "*" in chosen:
        chosen += [each.name for each in entry_points(group=_GROUP) if each.name != "service_instance"]
    for name in dict.fromkeys(chosen):
        if name not in ("otel", "*"):
            try:
                yield next(iter(entry_points(group=_GROUP, name=name))).load()()
            except StopIteration:
                report.say(f"{VARIABLE}: '{name}' is unknown and left out")
            except ours() as error:
                report.say(f"{VARIABLE}: '{name}' failed and is left out: {type(error).__name__}: {error}")


def _process() -> dict[str, Any]:
    """Describe the process by the semantic conventions; its arguments, which may hold secrets, are left out."""
    return {
        "process.pid": os.getpid(),
        "process.executable.name": os.path.basename(sys.executable or "python"),
        "process.runtime.name": sys.implementation.name,
        "process.runtime.version": platform.python_version(),
        "process.runtime.description": sys.version.replace("\n", ""),
        "telemetry.auto.version": INSTRUMENTATION_VERSION,
        "telemetry.distro.name": "autoinstrumentation-python",
        "telemetry.distro.version": _payload_version(),
    }


def _payload_version() -> str:
    path = os.path.join(MOUNT, "version.txt")
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(100).strip()
    except OSError:
        return "unknown"
