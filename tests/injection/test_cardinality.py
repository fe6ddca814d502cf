"""Ever new values in requests make neither an app's memory nor its exports grow without end."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.injection.running import Runner
from tests.injection.test_exit import HOURLY
from tests.receiver import Receiver

REQUESTS = 2500
LIMIT = 2000

ASGI = """
async def call(app, headers=(), **scope):
    async def receive():
        return {{"type": "http.request"}}
    async def send(message):
        pass
    default = {{"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "root_path": "", "scheme": "http"}}
    more = {{"query_string": b"", "http_version": "1.1", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 5)}}
    await app({{**default, **more, "headers": list(headers), **scope}}, receive, send)

def run(request):
    async def main():
        for number in range({requests}):
            await request(number)
    asyncio.run(main())
"""

FASTAPI = (
    "import asyncio, fastapi\n"
    + ASGI.format(requests=REQUESTS)
    + """
app = fastapi.FastAPI()
app.get("/")(lambda: "ok")
"""
)
FLASK = f"""
import flask
from wsgiref.util import setup_testing_defaults
app = flask.Flask("shop")
app.add_url_rule("/", "index", lambda: "ok")
def run(environ):
    for number in range({REQUESTS}):
        made = dict(environ(number))
        setup_testing_defaults(made)
        b"".join(app(made, lambda *_: None))
"""
COUNTER = f"""
import itertools
from opentelemetry import metrics
meter = metrics.get_meter("shop")
counter, changes = meter.create_counter("sold"), meter.create_up_down_counter("held")
sizes = meter.create_histogram("size")
meter.create_observable_gauge("seen", [lambda _: [metrics.Observation(1, {{"n": n}}) for n in range({REQUESTS})]])
for n in range({REQUESTS}):
    for measure in (counter.add, changes.add, sizes.record):
        measure(1, {{"n": n}})
"""

OWN = "the app's own"
ROWS = {
    "flask, Host": f"{FLASK}run(lambda number: {{'HTTP_HOST': f'{{number}}.example'}})",
    "flask, protocol": f"{FLASK}run(lambda number: {{'SERVER_PROTOCOL': f'HTTP/1.{{number}}'}})",
    "flask, method and scheme": (
        f"{FLASK}run(lambda number: {{'REQUEST_METHOD': f'M{{number}}', 'wsgi.url_scheme': f's{{number}}'}})"
    ),
    "flask, path and agent": (
        f"{FLASK}run(lambda number: {{'PATH_INFO': f'/{{number}}', 'HTTP_USER_AGENT': str(number)}})"
    ),
    "fastapi, Host": f"{FASTAPI}run(lambda number: call(app, [(b'host', b'%d.example' % number)]))",
    "fastapi, protocol": f"{FASTAPI}run(lambda number: call(app, http_version=f'1.{{number}}'))",
    "fastapi, server and scheme": (
        f"{FASTAPI}run(lambda number: call(app, server=('a', number), scheme=f's{{number}}'))"
    ),
    OWN: COUNTER,
}


@pytest.mark.parametrize(
    ("case", "mode"), [(case, mode) for case in ROWS for mode in ("", "http") if case != OWN or not mode]
)
def test_no_instrument_has_more_series_than_the_limit(
    framework_runner: Runner, receiver: Receiver, case: str, mode: str
) -> None:
    """And what is beyond them is measured together."""
    env = {
        **HOURLY,
        "OTEL_SEMCONV_STABILITY_OPT_IN": mode,
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_INJECTION_EXIT_TIMEOUT": "20",
    }
    done = framework_runner.run(ROWS[case], env=env)
    assert (done.status, done.lines) == (0, []), done.stderr
    points = defaultdict(list)
    for point in receiver.points:
        points[point.name].append(point)
    durations = [name for name in points if "duration" in name] if case != OWN else ["sold", "held", "size"]
    assert durations
    for name, found in points.items():
        assert len(found) <= LIMIT, name
        assert len([each for each in found if each.attributes == {"otel.metric.overflow": True}]) == (
            len(found) == LIMIT
        ), name
    for name in durations:
        assert sum(each.count if each.count is not None else each.value or 0 for each in points[name]) == REQUESTS
    if case in ("flask, Host", "fastapi, Host", OWN) and not mode:
        assert {len(points[name]) for name in durations} == {LIMIT}
