"""Detects ``k8s.*`` from what the kubelet and the operator have put into the container.

See https://opentelemetry.io/docs/specs/semconv/resource/k8s/. Only certain attributes are set: a host name is not
always the name of a pod.
"""

from __future__ import annotations

import re

from opentelemetry.sdk.resources import Resource, ResourceDetector

from otel_injection.settings.environment import ENVIRON

_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
_MOUNTS = "/proc/self/mountinfo"
_UID = re.compile(r"/pods/([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})/etc-hosts /etc/hosts ")
"""The kubelet keeps a pod's ``/etc/hosts`` in a folder that is named after the pod's UID."""


class K8sDetector(ResourceDetector):
    """``k8s`` of ``OTEL_EXPERIMENTAL_RESOURCE_DETECTORS``."""

    def detect(self) -> Resource:
        """Return the namespace, the pod and the node, as far as they are known."""
        uid = _UID.search(_text(_MOUNTS))
        found = {
            "k8s.namespace.name": _text(_NAMESPACE).strip(),
            "k8s.pod.name": ENVIRON.get("OTEL_RESOURCE_ATTRIBUTES_POD_NAME"),
            "k8s.pod.uid": uid[1] if uid else ENVIRON.get("OTEL_RESOURCE_ATTRIBUTES_POD_UID"),
            "k8s.node.name": ENVIRON.get("OTEL_RESOURCE_ATTRIBUTES_NODE_NAME"),
        }
        return Resource({key: value for key, value in found.items() if value})


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1_000_000)
    except OSError:
        return ""
