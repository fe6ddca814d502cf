"""OTLP over gRPC against the official gRPC library's server."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
import trustme
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs as official_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics as official_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as official_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.version import __version__
from opentelemetry.trace import SpanContext

from otel_injection.otlp import OTLPLogExporter, OTLPMetricExporter, OTLPSpanExporter
from otel_injection.otlp.outcome import Outcome
from otel_injection.otlp.sender import Sender
from tests.grpc_collector import GrpcCollector, Refusal
from tests.unit.otlp.sending import ACCEPTED, Make, closing, timed

EXTENSIONS = Path(__file__).parents[3] / "extensions"


def body(size: int = 3) -> bytes:
    """Return a request of about that many bytes."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().schema_url = "x" * size
    return bytes(request.SerializeToString())


@pytest.fixture
def traces(sender: Make) -> Any:
    """Make senders of traces over gRPC."""
    return lambda collector, **options: sender(collector.url, protocol="grpc", **options)


def test_every_signal_arrives_as_the_official_encoder_says_it(
    monkeypatch: pytest.MonkeyPatch, reports: list[str]
) -> None:
    span = ReadableSpan("work", SpanContext(1, 2, is_remote=False), attributes={"key": "value"})
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    meters.get_meter("tests").create_counter("requests").add(3, {"key": "value"})
    metrics = reader.get_metrics_data()
    assert metrics is not None
    records = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    loggers = LoggerProvider(shutdown_on_exit=False)
    loggers.add_log_record_processor(SimpleLogRecordProcessor(records))
    loggers.get_logger("tests").emit(body="words", attributes={"key": "value"})
    logs = records.get_finished_logs()
    with GrpcCollector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        exporters = (OTLPSpanExporter(reports.append), OTLPMetricExporter(reports.append))
        assert exporters[0].export([span]).name == "SUCCESS"
        assert exporters[1].export(metrics).name == "SUCCESS"
        last = OTLPLogExporter(reports.append)
        assert last.export(logs).name == "SUCCESS"
        last.shutdown()
    assert not reports
    assert [call.signal for call in collector.calls] == ["traces", "metrics", "logs"]
    expected = [official_spans([span]), official_metrics(metrics), official_logs(logs)]
    assert [call.request for call in collector.calls] == expected
    assert len({call.peer for call in collector.calls}) == 1


def test_the_protocol_can_be_forced(sender: Make, monkeypatch: pytest.MonkeyPatch, reports: list[str]) -> None:
    """As by ``OTEL_TRACES_EXPORTER=otlp_proto_grpc``, whatever the environment says of the protocol."""
    with GrpcCollector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        exporter = OTLPSpanExporter(reports.append, "grpc")
        assert exporter.export([ReadableSpan("work", SpanContext(1, 2, is_remote=False))]).name == "SUCCESS"
        exporter.shutdown()
    assert not reports


def test_metadata_names_the_sender_and_what_is_set(traces: Any) -> None:
    headers = "Api-Key=a%20b,x-name=Z%C3%BCrich,secret-bin=%C3%BC%20b,content-type=text/plain,te=gzip,grpc-timeout=1H"
    with GrpcCollector() as collector:
        assert traces(collector, headers=headers).send(body()) == ACCEPTED
    assert collector.calls[0].metadata == {
        "user-agent": f"OTel-OTLP-Exporter-Python/{__version__}",
        "api-key": "a b",
        "x-name": "Zürich",
        "secret-bin": "ü b".encode(),
    }


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
@pytest.mark.parametrize("size", [0, 100, 65_535, 65_536, 5_000_000])
def test_requests_of_every_size_arrive(traces: Any, compression: str, size: int) -> None:
    """Beyond the flow-control window, too. All servers for gRPC take gzip, few know deflate."""
    with GrpcCollector() as collector:
        sender = traces(collector, compression=compression)
        assert [sender.send(body(size)) for _ in range(3)] == [ACCEPTED] * 3
    assert [len(call.request.resource_spans[0].schema_url) for call in collector.calls] == [size] * 3
    assert len({call.peer for call in collector.calls}) == 1


def test_a_request_that_is_too_large_is_a_failure_that_names_the_setting(traces: Any) -> None:
    with GrpcCollector(options={"grpc.max_receive_message_length": 1000}) as collector:
        outcome = traces(collector).send(body(100_000))
        assert "RESOURCE_EXHAUSTED" in outcome.problem
        assert "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" in outcome.problem
        assert traces(collector).send(body(100)) == ACCEPTED


def test_threads_send_at_the_same_time(traces: Any) -> None:
    refusals = [Refusal(grpc.StatusCode.INVALID_ARGUMENT, str(number)) for number in range(40)]
    with GrpcCollector(*refusals) as collector:
        sender = traces(collector)
        outcomes: list[Outcome] = []
        threads = [
            threading.Thread(target=lambda: outcomes.extend(sender.send(body()) for _ in range(10))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(each.problem for each in outcomes) == sorted(
        f"the answer is INVALID_ARGUMENT ({number})" for number in range(40)
    )


def test_nothing_is_logged(traces: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The header compression would log every header, with its secrets, where the app's root logger is at DEBUG."""
    with GrpcCollector() as collector, caplog.at_level(logging.DEBUG):
        assert traces(collector, headers="authorization=secret").send(body()) == ACCEPTED
    assert [record.name for record in caplog.records if not record.name.startswith("grpc")] == []


RETRYABLE = ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"]


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_what_the_specification_calls_retryable_is_tried_again(traces: Any, code: grpc.StatusCode) -> None:
    """And its words, of whatever language, are told where it is not."""
    with GrpcCollector(Refusal(code, "zu viel,\nspäter 100%")) as collector:
        outcome, seconds = timed(lambda: traces(collector).send(body()))
    assert len(collector.calls) == 1 + (code.name in RETRYABLE)
    if code.name in RETRYABLE:
        assert outcome == ACCEPTED
        assert 0.7 < seconds < 2
    else:
        assert not outcome.success
        assert outcome.problem.startswith(f"the answer is {code.name} (zu viel, später 100%)")


def test_a_server_that_says_when_is_asked_again_then(traces: Any) -> None:
    with GrpcCollector(Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy", 0.3)) as collector:
        outcome, seconds = timed(lambda: traces(collector).send(body()))
    assert outcome == ACCEPTED
    assert 0.3 < seconds < 0.7


def test_a_pause_longer_than_the_time_left_is_not_begun(traces: Any) -> None:
    with GrpcCollector(Refusal(grpc.StatusCode.UNAVAILABLE, "down", 60)) as collector:
        outcome, seconds = timed(lambda: traces(collector).send(body()))
    assert outcome.problem == "the answer is UNAVAILABLE (down)"
    assert seconds < 0.5


def test_partial_success_is_read(traces: Any) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 300
    answer.partial_success.error_message = "too  many\nspäns"
    with GrpcCollector(answer) as collector:
        assert traces(collector).send(body()) == Outcome(True, 300, "too many späns")


def test_the_server_is_told_how_much_time_there_is(traces: Any) -> None:
    with GrpcCollector() as collector:
        for seconds in (2.0, 50.0, 20_000_000.0):
            assert traces(collector, timeout=str(seconds)).send(body()) == ACCEPTED
            assert collector.calls[-1].seconds == pytest.approx(seconds, abs=1)


def test_a_silent_server_costs_the_timeout(traces: Any) -> None:
    forever = threading.Event()
    with GrpcCollector(forever) as collector:
        outcome, seconds = timed(lambda: traces(collector, timeout="1").send(body()))
        forever.set()
    assert not outcome.success
    assert 0.9 < seconds < 1.3


def test_closing_cuts_off_a_call(traces: Any) -> None:
    forever = threading.Event()
    with GrpcCollector(forever) as collector:
        outcome, late = closing(traces(collector), body())
        forever.set()
    assert "time ran out while waiting for the answer" in outcome.problem
    assert -0.1 < late < 0.3


def test_a_connection_that_the_server_ends_is_replaced_without_a_pause(traces: Any) -> None:
    """It says GOAWAY to an idle connection after some time."""
    options = {"grpc.max_connection_age_ms": 300, "grpc.max_connection_age_grace_ms": 300}
    with GrpcCollector(options=options) as collector:
        sender = traces(collector)
        assert sender.send(body()) == ACCEPTED
        time.sleep(1.5)
        outcome, seconds = timed(lambda: sender.send(body()))
    assert outcome == ACCEPTED
    assert seconds < 0.5
    assert len({call.peer for call in collector.calls}) == 2


def test_an_answer_after_goaway_is_heard(traces: Any) -> None:
    """A server that is being stopped finishes what it has begun."""
    answering = threading.Event()
    outcomes: list[Outcome] = []
    with GrpcCollector(answering) as collector:
        thread = threading.Thread(target=lambda: outcomes.append(traces(collector).send(body())))
        thread.start()
        while not collector.calls:
            time.sleep(0.01)
        collector.server.stop(5)
        time.sleep(0.3)
        answering.set()
        thread.join(8)
    assert outcomes == [ACCEPTED]
    assert len(collector.calls) == 1


def credentials(ca: trustme.CA, *, clients: bool = False) -> grpc.ServerCredentials:
    served = ca.issue_cert("127.0.0.1", "::1")
    pair = (served.private_key_pem.bytes(), b"".join(each.bytes() for each in served.cert_chain_pems))
    return grpc.ssl_server_credentials([pair], ca.cert_pem.bytes() if clients else None, clients)


def test_tls_with_the_given_authority(traces: Any, ca: trustme.CA, tmp_path: Path) -> None:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with GrpcCollector(credentials=credentials(ca)) as collector:
        sender = traces(collector, certificate=str(tmp_path / "ca.pem"))
        assert [sender.send(body(200_000)) for _ in range(2)] == [ACCEPTED] * 2
        assert "certificate is not trusted" in traces(collector).send(body()).problem
    assert len({call.peer for call in collector.calls}) == 1


def test_client_certificates_are_shown_to_the_server(traces: Any, ca: trustme.CA, tmp_path: Path) -> None:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    client = ca.issue_cert("app@example.com")
    client.private_key_pem.write_to_path(tmp_path / "key.pem")
    client.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    files = {
        "certificate": str(tmp_path / "ca.pem"),
        "client_key": str(tmp_path / "key.pem"),
        "client_certificate": str(tmp_path / "cert.pem"),
    }
    with GrpcCollector(credentials=credentials(ca, clients=True)) as collector:
        assert traces(collector, **files).send(body()) == ACCEPTED
        del files["client_certificate"], files["client_key"]
        assert not traces(collector, timeout="1", **files).send(body()).success
    assert len(collector.calls) == 1


@pytest.mark.parametrize("insecure", ["", "true"])
def test_an_endpoint_without_a_scheme_is_encrypted_unless_insecure_is_set(
    sender: Make, ca: trustme.CA, tmp_path: Path, insecure: str
) -> None:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with GrpcCollector(host="[::1]", credentials=None if insecure else credentials(ca)) as collector:
        bare = collector.url.partition("//")[2]
        options = {"certificate": str(tmp_path / "ca.pem"), "insecure": insecure}
        assert sender(bare, protocol="grpc", **options).send(body()) == ACCEPTED


def test_a_path_in_the_endpoint_means_nothing(sender: Make) -> None:
    with GrpcCollector() as collector:
        assert sender(f"{collector.url}/v1/traces", protocol="grpc").send(body()) == ACCEPTED


class TestHttpThatMeetsAPortForGrpc:
    """As where the operator sets http/protobuf and the endpoint ends in ``:4317``."""

    @pytest.mark.parametrize("size", [3, 5_000_000])
    @pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
    def test_everything_goes_over_grpc_and_one_line_says_so(
        self, sender: Make, reports: list[str], size: int, compression: str
    ) -> None:
        with GrpcCollector() as collector:
            senders = [sender(collector.url, signal, compression=compression) for signal in ("traces", "metrics")]
            outcomes = [each.send(body(size)) for each in senders * 2]
        assert outcomes == [ACCEPTED] * 4
        assert [call.signal for call in collector.calls] == ["traces", "metrics"] * 2
        assert [call.request.ByteSize() > size for call in collector.calls] == [True] * 4
        assert len({call.peer for call in collector.calls}) == 1
        assert len(reports) == 1
        assert reports[0].startswith(f"{collector.url} is a port for gRPC: ")

    def test_threads_that_find_out_at_once_say_one_line(self, sender: Make, reports: list[str]) -> None:
        with GrpcCollector() as collector:
            senders = [sender(collector.url, signal) for signal in ("traces", "metrics", "logs") * 3]
            outcomes: list[Outcome] = []

            def send(each: Sender) -> None:
                outcomes.append(each.send(body()))

            threads = [threading.Thread(target=send, args=(each,)) for each in senders]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert outcomes == [ACCEPTED] * 9
        assert len(reports) == 1

    def test_it_does_so_over_tls(self, sender: Make, reports: list[str], ca: trustme.CA, tmp_path: Path) -> None:
        ca.cert_pem.write_to_path(tmp_path / "ca.pem")
        with GrpcCollector(credentials=credentials(ca)) as collector:
            https = sender(collector.url, certificate=str(tmp_path / "ca.pem"))
            assert [https.send(body()) for _ in range(2)] == [ACCEPTED] * 2
        assert len(reports) == 1

    def test_a_busy_server_is_asked_again(self, sender: Make, reports: list[str]) -> None:
        with GrpcCollector(Refusal(grpc.StatusCode.UNAVAILABLE)) as collector:
            assert sender(collector.url).send(body()) == ACCEPTED
        assert len(collector.calls) == 2
        assert len(reports) == 1


FORKING = """
import ctypes, os, sys
from otel_injection.otlp import exporter_settings as settings
from otel_injection.otlp.sender import Sender
sender = Sender(settings.read("traces", print), print)
assert sender.send(b"").success
child = os.fork() if sys.argv[1] == "python" else ctypes.PyDLL(None).fork()
if not child:
    ok = sender.send(b"").success and sender.send(b"").success
    sender.shutdown()
    os._exit(0 if ok else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert sender.send(b"").success
sender.shutdown()
"""


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("by", ["python", "c"])
def test_a_forked_child_uses_a_connection_of_its_own(protocol: str, by: str) -> None:
    """And the parent's goes on to work; what the parent found out, the child knows."""
    with GrpcCollector() as collector:
        environ = {
            "PYTHONPATH": str(EXTENSIONS),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        }
        command = [sys.executable, "-W", "error", "-c", FORKING, by]
        ran = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count("is a port for gRPC") == (protocol != "grpc")
    peers = [call.peer for call in collector.calls]
    assert peers == [peers[0], peers[1], peers[1], peers[0]]
    assert peers[0] != peers[1]


def test_nothing_of_grpc_is_imported_where_http_is_spoken() -> None:
    script = (
        "import sys\n"
        "from otel_injection.otlp import OTLPSpanExporter\n"
        "exporter = OTLPSpanExporter()\n"
        "exporter._sender.send(b'')\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('h2', 'hpack', 'hyperframe')])\n"
    )
    environ = {"PYTHONPATH": str(EXTENSIONS), "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2"}
    ran = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
