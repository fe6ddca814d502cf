"""The environments of the measured processes: the app's own, and with what the operator's webhook adds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.trees import Tree

ATTRIBUTES = {
    "k8s.container.name": "app",
    "k8s.deployment.name": "shop",
    "k8s.namespace.name": "shop",
    "k8s.node.name": "node-1",
    "k8s.pod.name": "shop-7c9d5b9f4-abcde",
    "k8s.replicaset.name": "shop-7c9d5b9f4",
    "service.instance.id": "shop.shop-7c9d5b9f4-abcde.app",
    "service.version": "1.0",
}


def environment(
    python: Path, tree: Tree | None, endpoint: str, app: Mapping[str, str], app_path: Path
) -> dict[str, str]:
    """Return the environment of an app's process; ``tree`` None leaves it without injection.

    ``app`` are variables of the app's own, ``app_path`` its own ``PYTHONPATH``.
    """
    own = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8", **app}
    if tree is None:
        return {**own, "PYTHONPATH": str(app_path)}
    return {
        **own,
        "PYTHONPATH": f"{tree.door}:{app_path}:{tree.mount}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_PROPAGATORS": "tracecontext,baggage",
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(f"{key}={value}" for key, value in ATTRIBUTES.items()),
    }
