"""The processors' parts: what is masked in texts, how parts of traces are decided, what changes in a finished span."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags, set_span_in_context

from otel_injection import report
from otel_injection.processors import changed
from otel_injection.processors.mask import MaskLogs, MaskSpans
from otel_injection.processors.mask_rules import Rules
from otel_injection.processors.options import pairs, patterns
from otel_injection.processors.trace_parts import PartStep


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """What is written on the process's stderr."""
    path = tmp_path / "stderr"
    with path.open("w") as stream:
        monkeypatch.setattr(sys, "__stderr__", stream)
        report._last.clear()
        yield path


class Kept:
    """The end of a chain."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def on_end(self, span: Any) -> None:
        self.spans.append(span)

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]


@pytest.mark.parametrize(
    ("key", "text", "masked"),
    [
        ("http.url", "https://ann:pa55@shop:1/x", "https://REDACTED:REDACTED@shop:1/x"),
        ("http.url", "https://ann:p@55@shop/x?a=b@c", "https://REDACTED:REDACTED@shop/x?a=b@c"),
        ("http.url", "https://shop/users/@ann", "https://shop/users/@ann"),
        ("x", "amqp://t0ken@mq and redis://:pw@cache/0", "amqp://REDACTED:REDACTED@mq and redis://REDACTED:REDACTED@cache/0"),
        ("url.query", "token=a&item=7", "token=REDACTED&item=7"),
        ("http.target", "/x?item=7&Access_Token=a#y", "/x?item=7&Access_Token=REDACTED#y"),
        ("http.target", "/x?mytoken=a&tokens=b&token", "/x?mytoken=a&tokens=b&token"),
        ("body", 'GET /x?password=a%20b HTTP/1.1" 200', 'GET /x?password=REDACTED HTTP/1.1" 200'),
        ("http.request.header.authorization", "Basic x", "REDACTED"),
        ("http.response.header.set_cookie", "id=1", "REDACTED"),
        ("http.request.header.accept", "text/html", "text/html"),
        ("body", "Authorization: Bearer abc\nAccept: b", "Authorization: REDACTED\nAccept: b"),
        ("body", "{'Cookie': 'id=1', 'a': 'b'}", "{'Cookie': REDACTED, 'a': 'b'}"),
        ("db.statement", "SELECT a1 FROM t3 WHERE x=-4.5e3 AND y=(1,2)", "SELECT a1 FROM t3 WHERE x=? AND y=(?,?)"),
        ("db.statement", "SELECT 'it''s', E'a\\'b', \"na'me\", `1`, [2]", "SELECT ?, ?, \"na'me\", `1`, [?]"),
        ("db.query.text", "UPDATE t SET a=$1, b=%(x)s, c=:y, d=@z, e=?", "UPDATE t SET a=$1, b=%(x)s, c=:y, d=@z, e=?"),
        ("db.query.text", "SELECT $$it's$$, $q$a$b$q$, 0xFF", "SELECT ?, ?, ?"),
        ("db.statement", "INSERT INTO t VALUES ('cut off", "INSERT INTO t VALUES (?"),
        ("db.statement.parameters", "('secret',)", "REDACTED"),
        ("body", "INSERT INTO t VALUES ('secret', 7)", "INSERT INTO t VALUES (?, ?)"),
        ("body", "Update 7 of ann's items", "Update 7 of ann's items"),
        ("body", "select 7 of ann's items from the list", "select ? of ann?"),
        ("body", "it's 7 o'clock", "it's 7 o'clock"),
    ],
)  # fmt: skip
def test_texts_are_masked_by_default(key: str, text: str, masked: str) -> None:
    assert Rules().for_key(key)(text) == masked


def test_double_quotes_hold_text_in_mysql() -> None:
    kept = Kept()
    text = """SELECT `a`, "it's \\" secret", 'say "hi"' FROM t WHERE b = "cut off"""
    for system in ("mysql", "postgresql"):
        with _provider(MaskSpans(kept)).start_as_current_span(
            "a", attributes={"db.system": system, "db.statement": text}
        ):
            pass
    statements = [each.attributes["db.statement"] for each in kept.spans]
    assert statements[0] == "SELECT `a`, ?, ? FROM t WHERE b = ?"
    assert "secret" in statements[1]


EVIL = [
    *("SELECT " * 20000, "/*" * 50000, "--\n" * 50000, "/**/" * 20000 + "x", "SELECT " + "a" * 100000),
    *("://" * 50000 + "@", "://" + "@" * 50000, "://" + "a@" * 50000, "a=&" * 50000, "?" * 100000 + "="),
    *("authorization " * 20000 + ":", "authorization" + " " * 100000 + "=", "update" + " " * 100000),
    *("UPDATE " + "a " * 50000, "with a as " + " " * 100000),
    *(f"INSERT INTO {each}" for each in ("'" * 100001, "$a" * 50000, "$$" * 50001, "1e" * 50000, "[" * 100000)),
    *(f"INSERT INTO {each}" for each in ('"' * 100001, "1" * 100000 + "a", "\\" * 100001, "'" + "\\" * 100001)),
]


@pytest.mark.parametrize("text", EVIL, ids=range(len(EVIL)))
def test_no_text_takes_long(text: str) -> None:
    rules = Rules()
    began = time.process_time()
    rules.for_key("x")(text)
    rules.for_key("db.statement")(text)
    rules.for_mysql("db.statement")(text)
    assert time.process_time() - began < 2


def test_masks_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INJECTION_MASK_QUERY", "*")
    monkeypatch.setenv("OTEL_INJECTION_MASK_HEADERS", "none")
    monkeypatch.setenv("OTEL_INJECTION_MASK_SQL", "off")
    monkeypatch.setenv("OTEL_INJECTION_MASK_ATTRIBUTES", "^user[.],Secret")
    monkeypatch.setenv("OTEL_INJECTION_MASK_VALUES", r"\b\d{13,16}\b,[a-z,]+@x")
    rules = Rules()
    for key, text, masked in (
        ("url.query", "a=1&b=2", "a=REDACTED&b=REDACTED"),
        ("http.request.header.cookie", "id", "id"),
        ("db.statement", "SELECT 1", "SELECT 1"),
        ("user.name", "ann", "REDACTED"),
        ("app.secret.thing", "x", "REDACTED"),
        ("body", "card 4111111111111111 of a,b@x", "card REDACTED of REDACTED"),
    ):
        assert rules.for_key(key)(text) == masked


def test_a_broken_pattern_costs_one_line(monkeypatch: pytest.MonkeyPatch, said: Path) -> None:
    monkeypatch.setenv("OTEL_INJECTION_DROP_URLS", "(,a{1,2},(?i)B,[,;]")
    assert [each.pattern for each in patterns("OTEL_INJECTION_DROP_URLS")] == ["a{1,2}", "(?i)B", "[,;]"]
    assert said.read_text().count("\n") == 1


def test_pairs_are_read(monkeypatch: pytest.MonkeyPatch, said: Path) -> None:
    monkeypatch.setenv("OTEL_INJECTION_ATTRIBUTES", "a=1, b = x%2Cy ,=,c,d==")
    assert pairs("OTEL_INJECTION_ATTRIBUTES") == {"a": "1", "b": "x,y", "d": "="}
    assert said.read_text().count("\n") == 1


def _provider(*processors: Any) -> Any:
    provider = TracerProvider(shutdown_on_exit=False)
    for each in processors:
        provider.add_span_processor(each)
    return provider.get_tracer("test")


def test_masked_spans_keep_all_else_and_the_apps_own_span_is_left_alone() -> None:
    kept, seen = Kept(), Kept()
    tracer = _provider(_delegating(seen), MaskSpans(kept))
    with tracer.start_as_current_span("a") as span:
        span.set_attributes(
            {"url.query": "token=a", "n": 7, "list": ["://a:b@c", "d"], "http.request.header.cookie": ["a", "b"]}
        )
        span.add_event("e", {"x": "https://a:b@c"})
        span.set_status(StatusCode.ERROR, "at https://a:b@c")
        span.set_attribute("http.response.header.set_cookie", 7)
    (masked,), (plain,) = kept.spans, seen.spans
    assert dict(masked.attributes) == {
        "url.query": "token=REDACTED",
        "n": 7,
        "list": ("://REDACTED:REDACTED@c", "d"),
        "http.request.header.cookie": ("REDACTED", "REDACTED"),
        "http.response.header.set_cookie": "REDACTED",
    }
    assert [(each.name, dict(each.attributes)) for each in masked.events] == [
        ("e", {"x": "https://REDACTED:REDACTED@c"})
    ]
    assert masked.status.description == "at https://REDACTED:REDACTED@c"
    assert plain.attributes["url.query"] == span.attributes["url.query"] == "token=a"
    assert (masked.context, masked.start_time, masked.resource) == (plain.context, plain.start_time, plain.resource)
    assert masked.end_time == plain.end_time


def _delegating(kept: Kept) -> SpanProcessor:
    class Delegating(SpanProcessor):
        def on_end(self, span: Any) -> None:
            kept.on_end(span)

    return Delegating()


def test_a_span_without_secrets_is_handed_on_as_it_is() -> None:
    kept, seen = Kept(), Kept()
    with _provider(_delegating(seen), MaskSpans(kept)).start_as_current_span("a", attributes={"a": "b", "n": 1.5}):
        pass
    assert kept.spans[0] is seen.spans[0]


def test_what_cannot_be_masked_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    step = MaskSpans(kept)
    monkeypatch.setattr(step._mask._rules, "in_text", lambda _text: 1 / 0)
    with _provider(step).start_as_current_span("name", attributes={"a": "secret"}):
        pass
    span: Any = kept.spans[0]
    assert (span.name, dict(span.attributes)) == ("REDACTED", {"a": "REDACTED"})


def test_log_bodies_of_any_form_are_masked() -> None:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(MaskLogs(SimpleLogRecordProcessor(exporter)))
    endless: list[Any] = []
    endless.append(endless)
    bodies: list[Any] = [{"a": {"url": "http://a:b@c"}, "authorization": "x"}, ["http://a:b@c", 7], None, 7, endless]
    for body in bodies:
        provider.get_logger("test").emit(body=body, attributes={"x": "http://a:b@c"})
    logs: list[Any] = [each.log_record for each in exporter.get_finished_logs()]
    url = "http://REDACTED:REDACTED@c"
    assert logs[0].body == {"a": {"url": url}, "authorization": "x"}
    assert [each.body for each in logs[1:4]] == [(url, 7), None, 7]
    assert "REDACTED" in repr(logs[4].body)
    assert [each.attributes["x"] for each in logs] == [url] * 5


def test_a_changed_span_keeps_the_counts_of_what_was_dropped() -> None:
    kept = Kept()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(_delegating(kept))
    with provider.get_tracer("test").start_as_current_span("a") as span:
        for number in range(200):
            span.set_attribute(f"k{number}", number)
            span.add_event("e")
    other: Any = changed(kept.spans[0], name="b", attributes={"x": 1}, events=())
    assert (other.name, dict(other.attributes), len(other.events)) == ("b", {"x": 1}, 0)
    assert (other.dropped_attributes, other.dropped_events) == (72, 72)
    assert kept.spans[0].name == "a"


class Undecided(PartStep):
    def is_certain(self, root: Any) -> bool:
        return bool(root.name == "certain")


@pytest.fixture
def kept() -> Kept:
    return Kept()


def _spans(tracer: Any, names: Sequence[str], *, failing: str = "") -> None:
    with tracer.start_as_current_span(names[0]) as span:
        if names[1:]:
            _spans(tracer, names[1:], failing=failing)
        if names[0] == failing:
            span.set_status(StatusCode.ERROR)


def test_a_part_is_dropped_as_a_whole_unless_it_is_certain_or_failed(kept: Kept) -> None:
    step = Undecided(kept, 10**12, 100)
    tracer = _provider(step)
    _spans(tracer, ["a", "b", "c"])
    assert (kept.names, step.dropped) == ([], 3)
    _spans(tracer, ["certain", "b"])
    _spans(tracer, ["d", "e", "f"], failing="e")
    assert (kept.names, step.dropped) == (["b", "certain", "f", "e", "d"], 3)


def test_two_parts_of_one_trace_are_decided_singly(kept: Kept) -> None:
    """As with a service that calls this one twice: the parent's process is another one."""
    step = Undecided(kept, 10**12, 100)
    tracer = _provider(step)
    remote = set_span_in_context(NonRecordingSpan(SpanContext(1, 2, True, TraceFlags(1))))
    with tracer.start_as_current_span("a", context=remote), tracer.start_as_current_span("b"):
        pass
    with tracer.start_as_current_span("c", context=remote) as span, tracer.start_as_current_span("d"):
        span.set_status(StatusCode.ERROR)
    assert (kept.names, step.dropped) == (["d", "c"], 2)


@pytest.mark.parametrize("failing", [False, True])
def test_a_span_after_its_root_follows_the_verdict(kept: Kept, failing: bool) -> None:
    step = Undecided(kept, 10**12, 100)
    tracer = _provider(step)
    with tracer.start_as_current_span("root") as root:
        late = tracer.start_span("late")
        if failing:
            root.set_status(StatusCode.ERROR)
    late.end()
    tracer.start_span("later", context=set_span_in_context(root)).end()
    assert kept.names == (["root", "late", "later"] if failing else [])
    assert step.dropped == (0 if failing else 3)


def test_the_oldest_part_is_kept_when_too_many_spans_wait(kept: Kept) -> None:
    step = Undecided(kept, 10**12, 5)
    tracer = _provider(step)
    with tracer.start_as_current_span("first") as first:
        tracer.start_span("early").end()
        with tracer.start_as_current_span("second", context=Context()):
            for _ in range(5):
                tracer.start_span("child").end()
            assert kept.names == ["early"]
        tracer.start_span("late", context=set_span_in_context(first)).end()
    assert (kept.names, step.dropped) == (["early", "late", "first"], 6)


def test_spans_that_never_end_do_not_pile_up(kept: Kept) -> None:
    step = Undecided(kept, 10**12, 10)
    tracer = _provider(step)
    for _ in range(10_000):
        tracer.start_span("endless")
    tracer.start_span("ends").end()
    assert len(step._open) < 5000
    assert len(step._undecided) < 5000


def test_no_span_is_lost_or_doubled_by_threads(kept: Kept) -> None:
    """Children in other threads end while the root does."""
    step = Undecided(kept, 10**12, 7)
    tracer = _provider(step)

    def child(context: Any) -> None:
        for _ in range(50):
            tracer.start_span("child", context=context).end()

    for number in range(30):
        with tracer.start_as_current_span("root") as root:
            threads = [threading.Thread(target=child, args=(set_span_in_context(root),)) for _ in range(4)]
            for each in threads:
                each.start()
            if number % 2:
                root.set_status(StatusCode.ERROR)
        for each in threads:
            each.join()
    assert step._undecided == {}
    assert len({id(each) for each in kept.spans}) == len(kept.spans)
    assert len(kept.spans) + step.dropped == 30 * 201
