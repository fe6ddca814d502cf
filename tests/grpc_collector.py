"""A collector of the official gRPC library, for all signals."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc  # type: ignore[import-untyped]
from google.protobuf.any_pb2 import Any as AnyMessage  # type: ignore[import-untyped]
from google.protobuf.duration_pb2 import Duration  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import DebugInfo, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

if TYPE_CHECKING:
    from typing_extensions import Self


class Call(NamedTuple):
    """What arrived. ``peer`` tells connections apart, ``seconds`` is the time that the client gives."""

    signal: str
    request: Any
    metadata: dict[str, str | bytes]
    peer: str
    seconds: float


class Refusal(NamedTuple):
    """A status to answer with; ``retry_after``, in seconds, becomes its RetryInfo."""

    code: grpc.StatusCode
    details: str = ""
    retry_after: float | None = None


class GrpcCollector:
    """Keeps what it gets and answers with ``replies`` in turn, then with success.

    A reply that is an event is waited for before the success.
    """

    def __init__(
        self,
        *replies: Any,
        host: str = "127.0.0.1",
        credentials: grpc.ServerCredentials | None = None,
        options: dict[str, int] | None = None,
    ) -> None:
        self.replies = list(replies)
        self.calls: list[Call] = []
        options = {"grpc.max_receive_message_length": -1, "grpc.so_reuseport": 0} | (options or {})
        self.server = grpc.server(ThreadPoolExecutor(8), options=list(options.items()))
        for signal, add, response in (
            ("traces", trace_service_pb2_grpc.add_TraceServiceServicer_to_server, ExportTraceServiceResponse),
            ("metrics", metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server, ExportMetricsServiceResponse),
            ("logs", logs_service_pb2_grpc.add_LogsServiceServicer_to_server, ExportLogsServiceResponse),
        ):
            add(_Servicer(self, signal, response), self.server)  # type: ignore[no-untyped-call]
        if credentials is None:
            port = self.server.add_insecure_port(f"{host}:0")
        else:
            port = self.server.add_secure_port(f"{host}:0", credentials)
        self.url = f"{'http' if credentials is None else 'https'}://{host}:{port}"

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop(0).wait(5)


class _Servicer:
    def __init__(self, collector: GrpcCollector, signal: str, response: type[Any]) -> None:
        self._collector = collector
        self._signal = signal
        self._response = response

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 -- the service's name for it
        metadata = {each.key: each.value for each in context.invocation_metadata()}
        call = Call(self._signal, request, metadata, context.peer(), context.time_remaining())
        self._collector.calls.append(call)
        reply = self._collector.replies.pop(0) if self._collector.replies else None
        if isinstance(reply, threading.Event):
            reply.wait(10)
            reply = None
        if isinstance(reply, Refusal):
            if reply.retry_after is not None:
                context.set_trailing_metadata((("grpc-status-details-bin", _details(reply)),))
            context.abort(reply.code, reply.details)
        return reply or self._response()


def _details(refusal: Refusal) -> bytes:
    after = Duration()
    after.FromNanoseconds(int((refusal.retry_after or 0) * 1e9))
    status = Status(code=refusal.code.value[0], message=refusal.details)
    for detail in (DebugInfo(detail="busy"), RetryInfo(retry_delay=after)):
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return bytes(status.SerializeToString())
