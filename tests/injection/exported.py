"""Everything that was exported, to the last field, in a form that is equal from run to run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.receiver import Receiver

_TIMES = frozenset({"startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "observedTimeUnixNano"})
_IDS = frozenset({"traceId", "spanId", "parentSpanId"})
_MEASURED = frozenset({"sum", "min", "max", "bucketCounts"})
_FRAME = re.compile(r'^ +File "[^"]*/(otel_injection|opentelemetry)/.*\n(?:    .*\n)*', re.MULTILINE)


class Exported:
    """What a receiver got: ``spans`` in the order of their start, ``points`` by export, and ``logs``.

    Ids are numbered in the order in which spans start, times are left out, and so are the frames of the payload in
    stack traces, and how long requests took. An exemplar is kept where it is the only one that there can be.
    """

    def __init__(self, receiver: Receiver, scopes: Iterable[str]) -> None:
        self._scopes = frozenset(scopes)
        self._ids: dict[str, str] = {}
        bodies: dict[str, list[bytes]] = {}
        for request in receiver.requests:
            assert request.status == 200, request
            bodies.setdefault(request.path, []).append(request.body)
        spans = [each for body in bodies.get("/v1/traces", ()) for each in self._spans(body)]
        spans.sort(key=lambda each: (int(each[1]["startTimeUnixNano"]), int(each[1]["endTimeUnixNano"])))
        for _, span in spans:
            for key in ("traceId", "spanId"):
                self._ids.setdefault(span[key], f"{key} {len(self._ids)}")
        self.spans = [self._plain([scope, span]) for scope, span in spans]
        self.points = [self._points(body) for body in bodies.get("/v1/metrics", ())]
        self.logs = [self._plain(each) for body in bodies.get("/v1/logs", ()) for each in self._records(body)]

    def _spans(self, body: bytes) -> Iterable[tuple[Any, Any]]:
        for resource in _parsed(ExportTraceServiceRequest, body)["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    yield [scope["scope"], scope.get("schemaUrl")], span

    def _records(self, body: bytes) -> Iterable[Any]:
        for resource in _parsed(ExportLogsServiceRequest, body)["resourceLogs"]:
            for scope in resource["scopeLogs"]:
                for record in scope["logRecords"]:
                    yield [scope["scope"], scope.get("schemaUrl"), record]

    def _points(self, body: bytes) -> list[Any]:
        points = []
        for resource in _parsed(ExportMetricsServiceRequest, body)["resourceMetrics"]:
            for scope in resource["scopeMetrics"]:
                for metric in scope["metrics"] if scope["scope"]["name"] in self._scopes else ():
                    kind = next(each for each in ("sum", "histogram", "gauge") if each in metric)
                    for point in metric[kind].pop("dataPoints"):
                        if kind == "histogram":
                            _take_measured(point)
                        elif point.get("exemplars"):  # chance chooses them
                            point["exemplars"] = True
                        points.append([scope["scope"], scope.get("schemaUrl"), metric, self._plain(point)])
        return sorted(points, key=lambda each: json.dumps(each, sort_keys=True))

    def _plain(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            if set(value) == {"key", "value"}:
                return [value["key"], self._plain(value["value"], value["key"])]
            return {key: self._plain(each, key) for key, each in sorted(value.items()) if key not in _TIMES}
        if isinstance(value, list):
            plain = [self._plain(each) for each in value]
            return sorted(plain, key=repr) if key == "attributes" else plain
        if key in _IDS:
            return self._ids.get(value, f"{value} from elsewhere")
        if isinstance(value, str):
            return re.sub(r"0x[0-9a-f]+", "0x", _FRAME.sub("", value))
        return value


def _parsed(kind: Any, body: bytes) -> Any:
    return MessageToDict(kind.FromString(body))


def _take_measured(point: Any) -> None:
    assert sum(map(int, point["bucketCounts"])) == int(point["count"])
    for key in _MEASURED:
        point.pop(key, None)
    for exemplar in point.get("exemplars", ()):
        exemplar.pop("asDouble", None)
        exemplar.pop("asInt", None)
    if point["count"] != "1":
        point["exemplars"] = bool(point.get("exemplars"))
