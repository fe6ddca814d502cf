"""Detects ``container.id`` from the control group and the mounts of this process.

See https://opentelemetry.io/docs/specs/semconv/resource/container/. Where it is uncertain, there is no attribute: where
the control group is hidden, the mounts name the container under Docker and CRI-O, but the pod under containerd.
"""

from __future__ import annotations

import re

from opentelemetry.sdk.resources import Resource, ResourceDetector

_SOURCES = (
    ("/proc/self/cgroup", re.compile(r"(?m)[/:-]([0-9a-f]{64})(?:\.scope)?$")),
    (
        "/proc/self/mountinfo",
        re.compile(r"/(?:overlay-)?containers/([0-9a-f]{64})/\S* /etc/(?:hostname|hosts|resolv\.conf) "),
    ),
)


class ContainerDetector(ResourceDetector):
    """``container`` of ``OTEL_EXPERIMENTAL_RESOURCE_DETECTORS``."""

    def detect(self) -> Resource:
        """Return the container's id, nothing where there is none."""
        for path, pattern in _SOURCES:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    found = identity(file.read(1_000_000), pattern)
            except OSError:
                continue
            if found:
                return Resource({"container.id": found})
        return Resource.get_empty()


def identity(text: str, pattern: re.Pattern[str]) -> str:
    """Return the id that a file of /proc names, empty if it names none."""
    found = pattern.search(text)
    return found[1] if found else ""
