"""``OTEL_PYTHON_LOG_CORRELATION``: the records carry the ids, the app's formats and handlers are its own."""

from __future__ import annotations

import re

import pytest

from tests.injection.running import Finished, Runner
from tests.receiver import Receiver

pytestmark = pytest.mark.newest_python

ON = {"OTEL_PYTHON_LOG_CORRELATION": "true"}
IDS = "%(otelTraceID)s %(otelSpanID)s %(otelTraceSampled)s %(otelServiceName)s"
SELL = """
from opentelemetry import trace
log = logging.getLogger("shop")
log.warning("outside")
with trace.get_tracer("shop").start_as_current_span("sale"):
    log.warning("inside")
"""


def run(runner: Runner, set_up: str, **keywords: object) -> Finished:
    """Run an app that sets its logging up so and makes a record outside of a span and one inside."""
    env = {**ON, **keywords.pop("env", {})}  # type: ignore[dict-item]
    return runner.run(f"import logging, logging.config\n{set_up}\n{SELL}", env=env, **keywords)  # type: ignore[arg-type]


SET_UPS = {
    "basicConfig": f"logging.basicConfig(format='%(message)s {IDS}')",
    "basicConfig again": f"logging.basicConfig(); logging.basicConfig(force=True, format='%(message)s {IDS}')",
    "dictConfig": f"""logging.config.dictConfig({{"version": 1, "root": {{"handlers": ["h"]}},
        "formatters": {{"f": {{"format": "%(message)s {IDS}"}}}},
        "handlers": {{"h": {{"class": "logging.StreamHandler", "formatter": "f"}}}}}})""",
    "own handler": f"""h = logging.StreamHandler()
h.setFormatter(logging.Formatter("%(message)s {IDS}"))
logging.getLogger("shop").addHandler(h)""",
    "own record factory": f"""class Record(logging.LogRecord):
    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.own = self.otelTraceID
logging.setLogRecordFactory(Record)
logging.basicConfig(format="%(message)s {IDS.replace("otelTraceID", "own")}")""",
    "factory around the one of before": f"""before = logging.getLogRecordFactory()
def make(*arguments, **keywords):
    record = before(*arguments, **keywords)
    record.own = record.otelTraceID
    return record
logging.setLogRecordFactory(make)
logging.basicConfig(format="%(message)s {IDS.replace("otelTraceID", "own")}")""",
    "queue": f"""import logging.handlers, queue
q = queue.SimpleQueue()
h = logging.StreamHandler()
h.setFormatter(logging.Formatter("%(message)s {IDS}"))
listener = logging.handlers.QueueListener(q, h)
listener.start()
import atexit
atexit.register(listener.stop)
logging.getLogger("shop").addHandler(logging.handlers.QueueHandler(q))
logging.getLogger("shop").propagate = False""",
}


@pytest.mark.parametrize("set_up", SET_UPS)
def test_the_apps_own_format_shows_the_ids(runner: Runner, receiver: Receiver, set_up: str) -> None:
    """From the first record on, also the service's name."""
    done = run(runner, SET_UPS[set_up])
    (span,) = receiver.spans
    assert done.stderr.splitlines() == ["outside 0 0 False app", f"inside {span.trace_id} {span.span_id} True app"]
    assert [(log.body, log.trace_id) for log in receiver.logs] == [("outside", ""), ("inside", span.trace_id)]


@pytest.mark.parametrize("set_up", ["", "logging.basicConfig()", "logging.warning('first')"])
def test_where_the_app_has_no_format_the_ids_are_shown_in_upstreams(
    runner: Runner, receiver: Receiver, set_up: str
) -> None:
    last = run(runner, set_up).stderr.splitlines()[-1]
    (span,) = receiver.spans
    assert re.fullmatch(
        rf"\S+ \S+ WARNING \[shop\] \[main.py:\d+\] \[trace_id={span.trace_id} span_id={span.span_id} "
        r"resource.service.name=app trace_sampled=True\] - inside",
        last,
    )
    given = {"OTEL_PYTHON_LOG_FORMAT": "%(otelSpanID)s: %(message)s"}
    assert run(runner, set_up, env=given).stderr.splitlines()[-1] == f"{receiver.spans[-1].span_id}: inside"


@pytest.mark.parametrize(
    "set_up",
    [
        "logging.basicConfig(format='%(levelname)s %(message)s', level=logging.INFO)",
        "logging.basicConfig(format='{message}', style='{')",
        "logging.getLogger('shop').addHandler(logging.StreamHandler())",
        "logging.getLogger('shop').addHandler(logging.NullHandler())",
        "logging.lastResort = None",
        "logging.disable()",
    ],
)
def test_what_the_app_has_set_up_without_ids_is_as_without_us(runner: Runner, set_up: str) -> None:
    source = f"""
import logging
{set_up}
log = logging.getLogger("shop")
log.info("informed")
log.error("failed", extra={{"otelTraceID": "own"}})
print(len(logging.root.handlers), logging.root.level, logging.getLogRecordFactory() is logging.LogRecord)
"""
    assert runner.compare(source, env=ON).lines == []


@pytest.mark.parametrize("text", ["%(unfinished", "%(nothing_has_this)s", "plain"])
def test_a_format_that_cannot_be_used_is_told_of(runner: Runner, text: str) -> None:
    done = run(runner, "", env={"OTEL_PYTHON_LOG_FORMAT": text})
    assert done.status == 0
    assert [line.partition(" is ")[0] for line in done.lines] == [f"OTEL_PYTHON_LOG_FORMAT: '{text}'"]


def test_the_level_is_that_of_the_root_logger_where_it_is_given(runner: Runner, receiver: Receiver) -> None:
    source = "import logging; logging.getLogger('shop').info('informed'); print(logging.root.level)"
    assert runner.run(source, env={**ON, "OTEL_PYTHON_LOG_LEVEL": "info"}).stdout == "20\n"
    assert [log.body for log in receiver.logs] == ["informed"]
    assert runner.run(source, env=ON).stdout == "30\n"
