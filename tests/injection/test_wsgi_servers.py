"""Apps of no instrumented framework: the server's requests have their spans, and the answers are as without us."""

from __future__ import annotations

import json

import pytest

from tests.injection.running import Runner
from tests.injection.serving import serve
from tests.receiver import Receiver

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = json.dumps({"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Shop": "north"})

APP = """
import io, logging
log = logging.getLogger("shop")
log.addHandler(logging.NullHandler())

def streamed():
    log.warning("streamed")
    yield b"a"
    yield b"b"

def broken():
    yield b""
    raise LookupError("no stock")

def app(environ, start_response):
    path = environ["PATH_INFO"]
    log.warning("asked")
    if path == "/raise":
        raise LookupError("no stock")
    headers = [("Content-Type", "text/plain"), ("X-Own", "1")]
    if path == "/missing":
        start_response("404 Not Found", headers)
        return [b"missing"]
    if path == "/failed":
        start_response("503 Service Unavailable", headers)
        return (b"fail", b"ed")
    if path == "/file":
        start_response("200 OK", headers)
        return environ["wsgi.file_wrapper"](io.BytesIO(b"file")) if "wsgi.file_wrapper" in environ else [b"file"]
    if path == "/write":
        start_response("200 OK", headers)(b"written")
        return []
    start_response("200 OK", headers)
    return streamed() if path == "/stream" else [b"item"]
"""
PATHS = ["/item", "/missing", "/failed", "/file", "/write", "/stream", "/raise", "/healthz"]
ANSWERS = {
    "/item": (200, "unset"),
    "/missing": (404, "unset"),
    "/failed": (503, "error"),
    "/file": (200, "unset"),
    "/write": (200, "unset"),
    "/stream": (200, "unset"),
    "/raise": (None, "error"),
}
"""By path: the status code and the status of its span; what is not here is excluded."""

SERVERS = {
    "wsgiref": """
        from wsgiref.simple_server import make_server
        server = make_server("127.0.0.1", port, app)
        server.serve_forever()
    """,
    "werkzeug": """
        from werkzeug.serving import run_simple
        run_simple("127.0.0.1", port, app, threaded=True)
    """,
    "gevent": """
        from gevent import monkey
        monkey.patch_all()
        from gevent.pywsgi import WSGIServer
        WSGIServer(("127.0.0.1", port), app, log=None).serve_forever()
    """,
    "gunicorn": "",
    "gunicorn, threads": "",
}
COMMANDS = {
    "gunicorn": ["-m", "gunicorn", "-b", "127.0.0.1:{port}", "shop:app"],
    "gunicorn, threads": ["-m", "gunicorn", "-b", "127.0.0.1:{port}", "--threads", "2", "shop:app"],
}
BEGINNING = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
port = int(os.environ["PORT"])
"""


def _prepare(runner: Runner, server: str) -> list[str]:
    runner.write(APP, "shop.py")
    runner.write(SERVERS[server], "main.py")
    source = (runner.folder / "main.py").read_text()
    runner.write(f"{BEGINNING}\n{source}".replace("(app", "(shop.app").replace(", app", ", shop.app"), "main.py")
    text = (runner.folder / "main.py").read_text()
    mark = "patch_all()" if "patch_all" in text else None
    text = text.replace(mark, f"{mark}\nimport shop") if mark else f"import shop\n{text}"
    runner.write(text, "main.py")
    return COMMANDS.get(server, ["main.py"])


@pytest.mark.parametrize("server", SERVERS)
def test_each_request_of_a_bare_callable_is_one_span_in_its_callers_trace(
    framework_runner: Runner, receiver: Receiver, server: str
) -> None:
    command = _prepare(framework_runner, server)
    headers = {"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST": "x-shop"}
    serve(framework_runner, receiver, command, PATHS, env={"HEADERS": HEADERS, **headers})
    spans = [span for span in receiver.spans if span.kind == "server"]
    expected = [ANSWERS[path] for path in PATHS if path in ANSWERS]
    assert [(each.attributes.get("http.status_code"), each.status) for each in spans] == expected
    assert {(each.name, each.trace_id, each.parent_id) for each in spans} == {("GET", TRACE, PARENT)}
    assert all("http.route" not in each.attributes for each in spans)
    assert all(list(each.attributes["http.request.header.x_shop"]) == ["north"] for each in spans)
    ids = {each.span_id for each in spans}
    records = [log for log in receiver.logs if log.scope == "shop"]
    asked = len(PATHS) - 2
    assert [log.body for log in records] == [*(asked * ["asked"]), "streamed", "asked", "asked"]
    assert [log.span_id in ids for log in records] == [*((asked + 2) * [True]), False]
    assert receiver.sum_count("http.server.duration") == len(expected)


@pytest.mark.parametrize(
    "settings", [{"OTEL_INJECTION_SERVER_SPANS": "false"}, {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "wsgiref"}]
)
def test_settings_switch_it_off(framework_runner: Runner, receiver: Receiver, settings: dict[str, str]) -> None:
    command = _prepare(framework_runner, "wsgiref")
    serve(framework_runner, receiver, command, ["/item"], env=settings)
    assert [log.trace_id for log in receiver.logs if log.scope == "shop"] == [""]
    assert receiver.spans == []


def test_a_frameworks_span_is_the_only_one(framework_runner: Runner, receiver: Receiver) -> None:
    framework_runner.write(
        """
        from flask import Flask
        app = Flask("shop")
        app.add_url_rule("/item", view_func=lambda: "item")
        """,
        "shop.py",
    )
    for server in "wsgiref", "gunicorn":
        receiver.clear()
        framework_runner.write(
            "import os, shop, signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit())\n"
            "from wsgiref.simple_server import make_server\n"
            "make_server('127.0.0.1', int(os.environ['PORT']), shop.app).serve_forever()"
        )
        serve(framework_runner, receiver, COMMANDS.get(server, ["main.py"]), ["/item"])
        assert [(span.name, span.kind) for span in receiver.spans] == [("GET /item", "server")]
