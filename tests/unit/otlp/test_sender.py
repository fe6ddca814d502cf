"""The sender against real servers on the loopback interface."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trustme
from opentelemetry import context
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.version import __version__

from otel_injection.otlp import exporter_settings
from otel_injection.otlp.outcome import Outcome
from otel_injection.otlp.sender import Sender
from tests.unit.otlp import servers
from tests.unit.otlp.sending import ACCEPTED, Make, closing, timed
from tests.unit.otlp.servers import Collector, Reply

EXTENSIONS = Path(__file__).parents[3] / "extensions"


def server_context(ca: trustme.CA) -> Any:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_requests_share_a_connection(sender: Make) -> None:
    with Collector() as collector:
        traces = sender(collector.url)
        assert [traces.send(b"abc") for _ in range(3)] == [ACCEPTED] * 3
    assert [request.body for request in collector.requests] == [b"abc"] * 3
    assert len({request.peer for request in collector.requests}) == 1


def test_signals_share_a_connection(sender: Make) -> None:
    with Collector() as collector:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        for signal in ("traces", "metrics", "logs"):
            each = Sender(exporter_settings.read(signal, print, environ))
            assert each.send(b"abc").success
        each.shutdown()
    assert [request.path for request in collector.requests] == ["/v1/traces", "/v1/metrics", "/v1/logs"]
    assert len({request.peer for request in collector.requests}) == 1


def test_threads_send_at_the_same_time(sender: Make) -> None:
    """One waits for no other, and none gets another's answer."""
    with Collector(*[Reply(400, body=str(number).encode()) for number in range(40)]) as collector:
        traces = sender(collector.url)
        outcomes: list[Outcome] = []
        threads = [
            threading.Thread(target=lambda: outcomes.extend(traces.send(b"abc") for _ in range(10))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcome.problem for outcome in outcomes) == sorted(
        f"the answer is 400 Bad Request ({number})" for number in range(40)
    )


def test_headers_name_the_content_the_sender_and_what_is_set(sender: Make) -> None:
    with Collector() as collector:
        assert (
            sender(collector.url, headers="api-key=a%20b,x-name=Z%C3%BCrich,Authorization=Bearer abc").send(b"").success
        )
    headers = collector.requests[0].headers
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["user-agent"] == f"OTel-OTLP-Exporter-Python/{__version__}"
    assert headers["api-key"] == "a b"
    assert headers["x-name"].encode("latin-1").decode() == "Zürich"
    assert headers["authorization"] == "Bearer abc"
    assert "content-encoding" not in headers


@pytest.mark.parametrize(("compression", "decompress"), [("gzip", gzip.decompress), ("deflate", zlib.decompress)])
def test_bodies_are_compressed_as_set(sender: Make, compression: str, decompress: Callable[[bytes], bytes]) -> None:
    with Collector() as collector:
        assert sender(collector.url, compression=compression).send(b"abc" * 1000).success
    request = collector.requests[0]
    assert request.headers["content-encoding"] == compression
    assert len(request.body) < 100
    assert decompress(request.body) == b"abc" * 1000


def test_a_password_in_the_endpoint_becomes_a_header(sender: Make) -> None:
    with Collector() as collector:
        traces = sender(collector.url.replace("//", "//user:p%40ss@"))
        assert traces.send(b"").success
        assert "p%40ss" not in traces.settings.endpoint.url
    assert collector.requests[0].headers["authorization"] == "Basic dXNlcjpwQHNz"


def test_tls_with_the_given_authority(sender: Make, ca: trustme.CA, tmp_path: Path) -> None:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Collector(context=server_context(ca)) as collector:
        traces = sender(collector.url, certificate=str(tmp_path / "ca.pem"))
        assert [traces.send(b"abc") for _ in range(2)] == [ACCEPTED] * 2
    assert len({request.peer for request in collector.requests}) == 1


def test_tls_with_an_unknown_authority_fails_at_once_and_says_which_setting_to_use(
    sender: Make, ca: trustme.CA
) -> None:
    with Collector(context=server_context(ca)) as collector:
        outcome, seconds = timed(lambda: sender(collector.url).send(b"abc"))
    assert not outcome.success
    assert "certificate is not trusted" in outcome.problem
    assert "OTEL_EXPORTER_OTLP_CERTIFICATE" in outcome.problem
    assert seconds < 0.8
    assert not collector.requests


def test_a_missing_certificate_file_is_named(sender: Make, tmp_path: Path) -> None:
    outcome = sender("https://127.0.0.1:1", certificate=str(tmp_path / "missing.pem")).send(b"")
    assert str(tmp_path / "missing.pem") in outcome.problem


def test_client_certificates_are_shown_to_the_server(sender: Make, ca: trustme.CA, tmp_path: Path) -> None:
    import ssl

    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    client = ca.issue_cert("app@example.com")
    client.private_key_pem.write_to_path(tmp_path / "key.pem")
    client.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    accepting = server_context(ca)
    accepting.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(accepting)
    files = {
        "certificate": str(tmp_path / "ca.pem"),
        "client_key": str(tmp_path / "key.pem"),
        "client_certificate": str(tmp_path / "cert.pem"),
    }
    with Collector(context=accepting) as collector:
        assert sender(collector.url, **files).send(b"abc") == ACCEPTED
        del files["client_certificate"], files["client_key"]
        assert not sender(collector.url, timeout="1", **files).send(b"abc").success
    assert len(collector.requests) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(sender: Make, status: int) -> None:
    with Collector(Reply(status)) as collector:
        outcome, seconds = timed(lambda: sender(collector.url).send(b"abc"))
    assert outcome == ACCEPTED
    assert len(collector.requests) == 2
    assert seconds > 0.7


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 500, 501])
def test_other_failures_are_final(sender: Make, status: int) -> None:
    with Collector(Reply(status)) as collector:
        outcome = sender(collector.url).send(b"abc")
    assert not outcome.success
    assert f"the answer is {status}" in outcome.problem
    assert len(collector.requests) == 1


@pytest.mark.parametrize("after", [lambda: "2", lambda: formatdate(time.time() + 3, usegmt=True)])
def test_retry_after_is_honoured(sender: Make, after: Callable[[], str]) -> None:
    with Collector(Reply(503, (("Retry-After", after()),))) as collector:
        outcome, seconds = timed(lambda: sender(collector.url).send(b"abc"))
    assert outcome == ACCEPTED
    assert len(collector.requests) == 2
    assert seconds > 1.7


def test_a_pause_longer_than_the_time_left_is_not_begun(sender: Make) -> None:
    with Collector(Reply(503, (("Retry-After", "60"),))) as collector:
        outcome, seconds = timed(lambda: sender(collector.url).send(b"abc"))
    assert not outcome.success
    assert "503" in outcome.problem
    assert seconds < 0.5


def test_a_connection_that_breaks_is_tried_again(sender: Make) -> None:
    with Collector(None) as collector:
        assert sender(collector.url).send(b"abc") == ACCEPTED
    assert len(collector.requests) == 2


def test_an_idle_connection_that_the_server_has_closed_is_replaced_without_sending_twice(sender: Make) -> None:
    with Collector(Reply(hang_up=True)) as collector:
        traces = sender(collector.url)
        assert traces.send(b"first") == ACCEPTED
        time.sleep(0.2)
        outcome, seconds = timed(lambda: traces.send(b"second"))
    assert outcome == ACCEPTED
    assert seconds < 0.5
    assert [request.body for request in collector.requests] == [b"first", b"second"]


def test_what_the_server_says_unasked_is_not_taken_for_an_answer(sender: Make) -> None:
    """Some say 408 when they close an idle connection."""

    def serve(connected: Any, _: threading.Event) -> None:
        connected.recv(65536)
        connected.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        time.sleep(0.1)
        connected.sendall(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    with servers.listening(serve) as url:
        traces = sender(url)
        assert traces.send(b"first") == ACCEPTED
        time.sleep(0.3)
        assert traces.send(b"second") == ACCEPTED


def test_an_idle_connection_that_the_server_closes_at_the_wrong_moment_costs_no_pause(sender: Make) -> None:
    with Collector(Reply(), None) as collector:
        traces = sender(collector.url)
        assert traces.send(b"first") == ACCEPTED
        outcome, seconds = timed(lambda: traces.send(b"second"))
    assert outcome == ACCEPTED
    assert seconds < 0.5
    assert len(collector.requests) == 3


def test_partial_success_is_read(sender: Make) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 300
    answer.partial_success.error_message = "too  many\nspäns"
    with Collector(Reply(body=answer.SerializeToString())) as collector:
        assert sender(collector.url).send(b"abc") == Outcome(True, 300, "too many späns")


@pytest.mark.parametrize("body", [b"\xff" * 20, b"\x0a\xff\xff\xff\xff\x7f", b"\x0b", b"{}", b"\x0a\x02\x08"])
def test_an_answer_that_is_no_message_is_still_a_success(sender: Make, body: bytes) -> None:
    with Collector(Reply(body=body)) as collector:
        assert sender(collector.url).send(b"abc") == ACCEPTED


def test_a_huge_answer_is_read_in_part_and_its_connection_dropped(sender: Make) -> None:
    with Collector(Reply(400, body=b"x" * 10_000_000)) as collector:
        traces = sender(collector.url)
        assert len(traces.send(b"abc").problem) < 300
        assert traces.send(b"abc") == ACCEPTED
    assert len({request.peer for request in collector.requests}) == 2


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (servers.http2_web, "the answer is HTTP 404 and none of gRPC"),
        (servers.garbage, "not HTTP"),
    ],
)
def test_a_server_of_another_kind_fails_at_once_and_is_recognised(sender: Make, serve: Any, words: str) -> None:
    with servers.listening(serve) as url:
        outcome, seconds = timed(lambda: sender(url).send(b"abc"))
    assert words in outcome.problem
    assert seconds < 0.8


BLOCKING = [
    (servers.silent, 3, "waiting for the answer"),
    (servers.dripping, 3, "waiting for the answer"),
    (servers.deaf, 20_000_000, "sending"),
]


@pytest.mark.parametrize(("serve", "size", "doing"), BLOCKING)
def test_the_timeout_holds_for_the_whole_export(sender: Make, serve: Any, size: int, doing: str) -> None:
    with servers.listening(serve) as url:
        outcome, seconds = timed(lambda: sender(url, timeout="1").send(b"x" * size))
    assert f"time ran out while {doing}" in outcome.problem
    assert 0.9 < seconds < 1.3


def test_the_timeout_holds_for_connecting(sender: Make) -> None:
    with servers.black_hole() as url:
        outcome, seconds = timed(lambda: sender(url, timeout="1").send(b"abc"))
    assert "connecting" in outcome.problem
    assert 0.9 < seconds < 1.3


def test_the_timeout_holds_for_tls(sender: Make) -> None:
    with servers.listening(servers.silent) as url:
        outcome, seconds = timed(lambda: sender(url.replace("http:", "https:"), timeout="1").send(b"abc"))
    assert "negotiating TLS" in outcome.problem
    assert 0.9 < seconds < 1.3


@pytest.mark.parametrize(("serve", "size", "doing"), BLOCKING)
def test_closing_cuts_off_requests(sender: Make, serve: Any, size: int, doing: str) -> None:
    with servers.listening(serve) as url:
        outcome, late = closing(sender(url), b"x" * size)
    assert f"time ran out while {doing}" in outcome.problem
    assert -0.1 < late < 0.3


def test_closing_cuts_off_negotiating_tls(sender: Make) -> None:
    with servers.listening(servers.silent) as url:
        outcome, late = closing(sender(url.replace("http:", "https:")))
    assert "time ran out while negotiating TLS" in outcome.problem
    assert -0.1 < late < 0.3


def test_closing_cuts_off_connecting(sender: Make) -> None:
    with servers.black_hole() as url:
        outcome, late = closing(sender(url))
    assert not outcome.success
    assert late < 0.3


def test_closing_cuts_off_pauses(sender: Make) -> None:
    with Collector(*[Reply(503, (("Retry-After", "5"),))] * 5) as collector:
        outcome, late = closing(sender(collector.url))
    assert "503" in outcome.problem
    assert late < 0.3


def test_after_closing_nothing_is_sent(sender: Make) -> None:
    with Collector() as collector:
        traces = sender(collector.url)
        assert traces.send(b"abc") == ACCEPTED
        traces.close_by(time.monotonic())
        outcome, seconds = timed(lambda: traces.send(b"abc"))
    assert not outcome.success
    assert seconds < 0.1
    assert len(collector.requests) == 1


def test_until_the_closing_moment_exports_succeed(sender: Make) -> None:
    with Collector() as collector:
        traces = sender(collector.url)
        traces.close_by(time.monotonic() + 5)
        assert traces.send(b"abc") == ACCEPTED


def test_a_refused_connection_is_tried_again_until_the_deadline(sender: Make) -> None:
    with servers.listening(servers.deaf) as url:
        pass
    outcome, seconds = timed(lambda: sender(url, timeout="2").send(b"abc"))
    assert "refused" in outcome.problem
    assert 0.7 < seconds < 2.2


FORKING = """
import ctypes, os, sys
from otel_injection.otlp import exporter_settings as settings
from otel_injection.otlp.sender import Sender
sender = Sender(settings.read("traces", print))
assert sender.send(b"parent").success
child = os.fork() if sys.argv[1] == "python" else ctypes.PyDLL(None).fork()
if not child:
    ok = sender.send(b"child").success and sender.send(b"child").success
    sender.shutdown()
    os._exit(0 if ok else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert sender.send(b"parent").success
sender.shutdown()
"""


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("by", ["python", "c"])
def test_a_forked_child_uses_a_connection_of_its_own(ca: trustme.CA, tmp_path: Path, tls: bool, by: str) -> None:
    """And the parent's goes on to work. Python's fork hooks do not run where C code forks."""
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Collector(context=server_context(ca) if tls else None) as collector:
        environ = {
            "PYTHONPATH": str(EXTENSIONS),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / "ca.pem"),
        }
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-c", FORKING, by], env=environ, capture_output=True, text=True, timeout=30
        )
    assert (ran.returncode, ran.stderr) == (0, "")
    peers = {body: {each.peer for each in collector.requests if each.body == body} for body in (b"parent", b"child")}
    assert [len(peers[b"parent"]), len(peers[b"child"])] == [1, 1]
    assert peers[b"parent"] != peers[b"child"]


QUIET = """
import os, sys
from otel_injection.otlp import exporter_settings as settings
from otel_injection.otlp.sender import Sender
sender = Sender(settings.read("traces", print))
assert sender.send(b"parent").success
open_before = len(os.listdir("/proc/self/fd"))
child = os.fork()
if not child:
    sys.exit(len(os.listdir("/proc/self/fd")) != open_before - 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
sender.shutdown()
"""


def test_a_forked_child_lets_go_of_the_parents_connection() -> None:
    """Without a warning, also where they are errors."""
    with Collector() as collector:
        environ = {"PYTHONPATH": str(EXTENSIONS), "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-c", QUIET], env=environ, capture_output=True, text=True, timeout=30
        )
    assert (ran.returncode, ran.stderr) == (0, "")


_seen: list[tuple[object, object]] = []
_watching = False


def _watch(event: str, _: object) -> None:
    if _watching and event == "http.client.send":
        keys = (context._SUPPRESS_INSTRUMENTATION_KEY, context._SUPPRESS_HTTP_INSTRUMENTATION_KEY)
        _seen.append((context.get_value(keys[0]), context.get_value(keys[1])))


def test_our_own_requests_are_not_traced(sender: Make) -> None:
    """The context that instrumentations look at says so while the request is sent, and is restored afterwards."""
    global _watching
    sys.addaudithook(_watch)
    before = context.get_current()
    with Collector() as collector:
        _watching = True
        try:
            sender(collector.url).send(b"abc")
        finally:
            _watching = False
    assert _seen
    assert set(_seen) == {(True, True)}
    assert context.get_current() == before


class TestProxies:
    """The environment's proxy settings are read as by the official exporter."""

    def test_http_goes_through_the_proxy(self, sender: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        with Collector() as proxy:
            monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//user:secret@"))
            assert sender("http://collector.invalid:4318").send(b"abc") == ACCEPTED
        request = proxy.requests[0]
        assert request.path == "http://collector.invalid:4318/v1/traces"
        assert request.headers["host"] == "collector.invalid:4318"
        assert request.headers["proxy-authorization"] == "Basic dXNlcjpzZWNyZXQ="

    def test_https_goes_through_a_tunnel(
        self, sender: Make, ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[bytes] = []
        ca.cert_pem.write_to_path(tmp_path / "ca.pem")
        context = server_context(ca)
        ca.issue_cert("collector.invalid").configure_cert(context)

        def tunnel(connected: Any, stop: threading.Event) -> None:
            asked.append(connected.recv(65536))
            connected.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with context.wrap_socket(connected, server_side=True) as tls:
                asked.append(tls.recv(65536))
                tls.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

        with servers.listening(tunnel) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy)
            certificate = str(tmp_path / "ca.pem")
            assert sender("https://collector.invalid:4318", certificate=certificate).send(b"abc") == ACCEPTED
        assert asked[0].startswith(b"CONNECT collector.invalid:4318 HTTP/1.1\r\n")
        assert asked[1].startswith(b"POST /v1/traces HTTP/1.1\r\nHost: collector.invalid:4318\r\n")

    @pytest.mark.parametrize("no_proxy", [None, "127.0.0.1", "127.0.0.0/8", "*"])
    def test_exceptions_are_spoken_to_directly(
        self, sender: Make, monkeypatch: pytest.MonkeyPatch, no_proxy: str | None
    ) -> None:
        """Loopback needs no entry in no_proxy: a proxy cannot reach it."""
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        if no_proxy:
            monkeypatch.setenv("no_proxy", no_proxy)
        with Collector() as collector:
            assert sender(collector.url).send(b"abc") == ACCEPTED

    def test_a_proxy_of_another_kind_is_named(self, sender: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
        assert "socks5" in sender("http://collector.invalid:4318").send(b"abc").problem
