"""Calls over HTTP/2 to servers that use the protocol's rarer parts, or break its rules."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from h2.events import DataReceived, PingAckReceived, RequestReceived, SettingsAcknowledged
from h2.settings import SettingCodes

from tests.unit.otlp import servers
from tests.unit.otlp.http2_server import GOAWAY, HEADERS, PING, RST_STREAM, Talk, in_turn, well
from tests.unit.otlp.sending import ACCEPTED, Make, closing, timed
from tests.unit.otlp.servers import listening

REFUSED, CANCEL, INTERNAL = 7, 8, 2

Answering = Callable[[Talk, int], None]


@pytest.fixture
def traces(sender: Make) -> Any:
    """Make senders of traces over gRPC."""
    return lambda url, **options: sender(url, protocol="grpc", **options)


def once(answer: Answering) -> Callable[[Talk], None]:
    """Serve one request in a way of its own, and all others well."""

    def serve(talk: Talk) -> None:
        answer(talk, talk.request()[0])
        well(talk)

    return serve


UNPROCESSED: list[Answering] = [
    lambda talk, _: talk.go_away(0),
    lambda talk, _: talk.go_away(0, 11, b"too_many_pings"),
    lambda talk, stream: talk.frame(RST_STREAM, stream, REFUSED.to_bytes(4, "big")),
]


@pytest.mark.parametrize("refuse", UNPROCESSED)
def test_a_request_that_the_server_did_not_begin_with_goes_at_once_to_a_new_connection(
    traces: Any, refuse: Answering
) -> None:
    serve, talks = in_turn(once(refuse), well)
    with listening(serve) as url:
        outcome, seconds = timed(lambda: traces(url).send(b"abc"))
    assert outcome == ACCEPTED
    assert seconds < 0.5
    assert len(talks) == 2


def test_a_server_that_refuses_every_time_is_left_alone_in_between(traces: Any) -> None:
    serve, talks = in_turn(once(lambda talk, _: talk.go_away(0, 11, b"calm down")))
    with listening(serve) as url:
        outcome = traces(url, timeout="2").send(b"abc")
    assert "ENHANCE_YOUR_CALM calm down" in outcome.problem
    assert len(talks) == 4


def test_an_answer_after_goaway_is_heard_and_the_next_call_made_elsewhere(traces: Any) -> None:
    def leave(talk: Talk, stream: int) -> None:
        talk.go_away((1 << 31) - 1)
        talk.go_away(stream)
        talk.answer(stream)

    serve, talks = in_turn(once(leave), well)
    with listening(serve) as url:
        sender = traces(url)
        assert sender.send(b"abc") == ACCEPTED
        assert len(talks) == 1
        assert sender.send(b"abc") == ACCEPTED
    assert len(talks) == 2


def test_an_idle_connection_answers_pings_with_the_next_call(traces: Any) -> None:
    """And goes on to be used: servers ping to learn how fast a network is."""
    acknowledged: list[bytes] = []

    def ping(talk: Talk, stream: int) -> None:
        talk.answer(stream)
        for number in range(3):
            talk.frame(PING, 0, bytes(7) + bytes((number,)))
        stream, _ = talk.request()
        acknowledged.extend(talk.wait(PingAckReceived).ping_data[-1:] for _ in range(3))
        talk.answer(stream)

    serve, talks = in_turn(once(ping))
    with listening(serve) as url:
        sender = traces(url)
        assert sender.send(b"abc") == ACCEPTED
        time.sleep(0.1)
        assert sender.send(b"abc") == ACCEPTED
    assert len(talks) == 1
    assert acknowledged == [b"\0", b"\1", b"\2"]


def test_a_ping_is_answered_while_a_call_waits(traces: Any) -> None:
    """Servers end connections that do not."""

    def ping(talk: Talk, stream: int) -> None:
        talk.h2.ping(b"12345678")
        talk.flush()
        assert talk.wait(PingAckReceived).ping_data == b"12345678"
        talk.answer(stream)

    serve, _ = in_turn(once(ping))
    with listening(serve) as url:
        assert traces(url, timeout="2").send(b"abc") == ACCEPTED


@pytest.mark.parametrize(("window", "size"), [(100, 70_000), (1000, 90_000)])
def test_the_servers_window_is_respected(traces: Any, window: int, size: int) -> None:
    """The server's ``h2`` breaks off if not. The window changes meanwhile."""
    bodies: list[bytes] = []

    def grow(talk: Talk) -> None:
        stream = talk.wait(RequestReceived).stream_id
        first = talk.wait(DataReceived).data
        talk.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window // 2})
        talk.flush()
        bodies.append(first + talk.request()[1])
        talk.answer(stream)

    serve, _ = in_turn(grow, window=window)
    with listening(serve) as url:
        assert traces(url, timeout="5").send(b"x" * size) == ACCEPTED
    assert bodies[0][5:] == b"x" * size


def test_a_server_may_answer_before_it_has_read_everything(traces: Any) -> None:
    """The rest is not sent, and the connection stays in use."""

    def refuse(talk: Talk) -> None:
        stream = talk.wait(RequestReceived).stream_id
        status = [*HEADERS, ("grpc-status", "16"), ("grpc-message", "who%20are you%3F%0a")]
        talk.h2.send_headers(stream, status, end_stream=True)
        talk.flush()
        well(talk)

    serve, talks = in_turn(refuse, window=1000)
    with listening(serve) as url:
        sender = traces(url)
        problem = "the answer is UNAUTHENTICATED (who are you?); check OTEL_EXPORTER_OTLP_HEADERS"
        assert sender.send(b"x" * 100_000).problem == problem
        assert sender.send(b"abc") == ACCEPTED
    assert len(talks) == 1


@pytest.mark.parametrize(("code", "retried"), [(CANCEL, True), (INTERNAL, False), (0, False), (1234, False)])
def test_a_call_that_is_broken_off_is_tried_again_where_that_may_help(traces: Any, code: int, retried: bool) -> None:
    serve, talks = in_turn(once(lambda talk, stream: talk.frame(RST_STREAM, stream, code.to_bytes(4, "big"))), well)
    with listening(serve) as url:
        outcome = traces(url).send(b"abc")
    assert outcome.success == retried
    assert len(talks) == 1 + retried
    assert retried or "broke the call off" in outcome.problem


@pytest.mark.parametrize(("status", "retried"), [(503, True), (429, True), (404, False), (200, False)])
def test_an_answer_of_http_alone_is_taken_as_grpc_says(traces: Any, status: int, retried: bool) -> None:
    def page(talk: Talk, stream: int) -> None:
        talk.h2.send_headers(stream, [(":status", str(status)), ("content-type", "text/html")])
        talk.h2.send_data(stream, b"<html>", end_stream=True)
        talk.flush()

    serve, _ = in_turn(once(page))
    with listening(serve) as url:
        outcome = traces(url).send(b"abc")
    assert outcome.success == retried
    assert retried or f"the answer is HTTP {status} and none of gRPC" in outcome.problem


@pytest.mark.parametrize(
    "body", [b"", b"\1\0\0\0\3abc", b"\0\xff\xff\xff\xff\x0a\x02\x08", b"\0\0\0\0\2\xff\xff", b"x" * 1_000_000]
)
def test_a_success_that_cannot_be_read_is_a_success(traces: Any, body: bytes) -> None:
    """And answers of every size leave the connection in use."""

    def answer(talk: Talk, stream: int) -> None:
        talk.h2.send_headers(stream, HEADERS)
        rest = body
        while rest:
            room = min(talk.h2.local_flow_control_window(stream), 16384)
            if room:
                talk.h2.send_data(stream, rest[:room])
                talk.flush()
                rest = rest[room:]
            else:
                talk.read()
        talk.h2.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        talk.flush()

    serve, talks = in_turn(once(answer))
    with listening(serve) as url:
        sender = traces(url)
        assert [sender.send(b"abc") for _ in range(2)] == [ACCEPTED] * 2
    assert len(talks) == 1


@pytest.mark.parametrize("status", ["17", "-1", "x", "00", "9" * 5000])
def test_a_status_that_does_not_exist_is_a_failure(traces: Any, status: str) -> None:
    serve, _ = in_turn(once(lambda talk, stream: talk.answer(stream, status=status)))
    with listening(serve) as url:
        outcome = traces(url).send(b"abc")
    assert outcome.problem == f"the answer is status {status[:20]}"


BROKEN: list[bytes] = [
    b"\x00\x00\x04\x00\x00\x00\x00\x00\x01abcd",  # DATA before HEADERS
    b"\x00\x00\x01\x01\x05\x00\x00\x00\x01\xff",  # HEADERS that cannot be decompressed
    b"\x00\x00\x00\x09\x04\x00\x00\x00\x01",  # CONTINUATION of nothing
    b"\x00\x00\x01\x05\x04\x00\x00\x00\x01x",  # PUSH_PROMISE, which is switched off
    b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",  # WINDOW_UPDATE by 0
    b"\x00\x00\x03\x07\x00\x00\x00\x00\x00abc",  # GOAWAY that is too short
    b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",  # a frame larger than allowed
    b"\x00\x00\x05\x04\x00\x00\x00\x00\x00abcde",  # half a setting
]


@pytest.mark.parametrize("frame", BROKEN)
def test_a_server_that_breaks_the_rules_is_a_failure_in_one_line(traces: Any, frame: bytes) -> None:
    def speak(talk: Talk, stream: int) -> None:
        talk.send(frame)
        talk.socket.shutdown(socket.SHUT_WR)

    serve, _ = in_turn(once(speak))
    with listening(serve) as url:
        outcome, seconds = timed(lambda: traces(url, timeout="2").send(b"abc"))
    assert not outcome.success
    assert "breaks the rules of HTTP/2" in outcome.problem or frame[3] == GOAWAY
    assert "\n" not in outcome.problem
    assert seconds < 2.2


def test_a_server_for_http_1_is_recognised(traces: Any) -> None:
    def answer(connected: socket.socket, _: threading.Event) -> None:
        connected.recv(65536)
        connected.sendall(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")

    with listening(answer) as url:
        outcome, seconds = timed(lambda: traces(url).send(b"abc"))
    assert "does not speak gRPC (HTTP/1)" in outcome.problem
    assert seconds < 0.5


def test_a_server_of_another_kind_is_recognised(traces: Any) -> None:
    with listening(servers.garbage) as url:
        assert "does not speak gRPC (no frame of HTTP/2)" in traces(url).send(b"abc").problem


def chattering(connected: socket.socket, stop: threading.Event) -> None:
    """Ping without end."""
    talk = Talk(connected, stop)
    while not stop.wait(0.01):
        talk.frame(PING, 0, b"12345678")


BLOCKING = [
    (servers.silent, 3, "waiting for the answer"),
    (chattering, 3, "waiting for the answer"),
    (servers.deaf, 20_000_000, "sending"),
]


@pytest.mark.parametrize(("serve", "size", "doing"), BLOCKING)
def test_the_timeout_holds_for_the_whole_call(traces: Any, serve: Any, size: int, doing: str) -> None:
    with listening(serve) as url:
        outcome, seconds = timed(lambda: traces(url, timeout="1").send(b"x" * size))
    assert f"time ran out while {doing}" in outcome.problem
    assert 0.9 < seconds < 1.3


@pytest.mark.parametrize(("serve", "size", "doing"), BLOCKING)
def test_closing_cuts_off_calls(traces: Any, serve: Any, size: int, doing: str) -> None:
    with listening(serve) as url:
        outcome, late = closing(traces(url), b"x" * size)
    assert f"time ran out while {doing}" in outcome.problem
    assert -0.1 < late < 0.3


def test_a_connection_is_replaced_after_many_calls(traces: Any) -> None:
    """What is kept of each call must not grow for ever."""
    serve, talks = in_turn(well)
    with listening(serve) as url:
        sender = traces(url)
        assert all(sender.send(b"") == ACCEPTED for _ in range(1100))
    assert len(talks) == 2


def greeting(talk_to: Callable[[Talk], None], context: ssl.SSLContext | None = None) -> Any:
    """Serve only clients that speak HTTP/2 from their first byte, or negotiate it; others are left without a word."""

    def serve(connected: socket.socket, stop: threading.Event) -> None:
        with contextlib.ExitStack() as stack:
            if context is not None:
                connected = stack.enter_context(context.wrap_socket(connected, server_side=True))
                if connected.selected_alpn_protocol() != "h2":
                    return
            else:
                first = connected.recv(3, socket.MSG_PEEK)
                if first != b"PRI":
                    connected.sendall(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
                    return  # with the rest of the request unread, so that the connection is reset
            talk_to(Talk(connected, stop))

    return serve


@pytest.mark.parametrize("size", [3, 5_000_000])
@pytest.mark.parametrize("encrypted", [False, True])
def test_http_falls_over_to_grpc_whenever_the_server_hangs_up(
    sender: Make, reports: list[str], ca: trustme.CA, tmp_path: Path, size: int, encrypted: bool
) -> None:
    """Some do so before they have read the request."""
    context = None
    if encrypted:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("127.0.0.1").configure_cert(context)
        context.set_alpn_protocols(["h2"])
        ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with listening(greeting(well, context)) as url:
        url = url.replace("http:", "https:") if encrypted else url
        http = sender(url, certificate=str(tmp_path / "ca.pem") if encrypted else "")
        outcome, seconds = timed(lambda: http.send(b"x" * size))
    assert outcome == ACCEPTED
    assert seconds < 0.8
    assert len(reports) == 1


def test_a_server_that_always_hangs_up_is_not_taken_for_one_of_grpc(
    sender: Make, reports: list[str], ca: trustme.CA, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with listening(greeting(well, context)) as url:
        https = sender(url.replace("http:", "https:"), certificate=str(tmp_path / "ca.pem"), timeout="2")
        assert "closed without an answer" in https.send(b"abc").problem
    assert not reports


def test_a_call_goes_through_a_proxys_tunnel(traces: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is lost of a server that speaks at once."""
    asked: list[bytes] = []

    def proxy(connected: socket.socket, stop: threading.Event) -> None:
        asked.append(connected.recv(65536))
        talk = Talk(connected, stop, before=b"HTTP/1.1 200 Connection established\r\n\r\n")
        stream, _ = talk.request()
        talk.wait(SettingsAcknowledged)
        talk.answer(stream)

    with listening(proxy) as url:
        monkeypatch.setenv("http_proxy", url)
        assert traces("http://collector.invalid:4317").send(b"abc") == ACCEPTED
    assert asked[0].startswith(b"CONNECT collector.invalid:4317 HTTP/1.1\r\n")
