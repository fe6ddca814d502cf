"""An app with the operator's settings, http/protobuf among them, whose endpoint is a port for gRPC, as ``:4317`` is."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from tests.grpc_collector import GrpcCollector
from tests.injection.conftest import StartApp
from tests.injection.harness import comparable, operator_env
from tests.injection.running import PREFIX
from tests.injection.shop import serve
from tests.telemetry import decode_logs, decode_metrics, decode_spans

pytestmark = pytest.mark.every_python

SIGNALS = ("traces", "metrics", "logs")
PATHS = ["/log", "/"] * 6


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_all_signals_reach_a_port_for_grpc(start: StartApp, mount: Path, protocol: str) -> None:
    """With one line of each process that exports where HTTP was asked for, with none where it was gRPC."""
    with GrpcCollector() as collector:
        env = operator_env(mount, service="shop", endpoint=collector.url) | {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        injected = serve(start, env, PATHS)
    plain = serve(start, {}, PATHS)

    requests = {signal: [call.request for call in collector.calls if call.signal == signal] for signal in SIGNALS}
    spans = list(chain.from_iterable(map(decode_spans, requests["traces"])))
    points = list(chain.from_iterable(map(decode_metrics, requests["metrics"])))
    logs = list(chain.from_iterable(map(decode_logs, requests["logs"])))
    assert sorted(span.name for span in spans) == sorted(f"GET {path}" for path in PATHS)
    resources = (
        [each.resource for each in spans] + [each.resource for each in points] + [each.resource for each in logs]
    )
    exporting = {resource["service.instance.id"] for resource in resources}
    assert "http.server.duration" in {point.name for point in points}
    assert sum(log.body == "order A-17 failed" for log in logs) == PATHS.count("/log")
    lines = [line for line in injected.stderr.splitlines() if line.startswith(PREFIX)]
    assert [f"{collector.url} is a port for gRPC" in line for line in lines] == [True] * len(exporting) * (
        protocol != "grpc"
    )
    own = "\n".join(line for line in injected.stderr.splitlines() if line not in lines)
    assert comparable(own, mount) == comparable(plain.stderr)
    assert (injected.status, plain.status) == (0, 0)
