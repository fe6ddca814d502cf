"""Frameworks and libraries: one span for each operation, one record for each record, and the app's output as it was."""

from __future__ import annotations

import pytest

from tests.injection.harness import Dependency
from tests.injection.running import Runner
from tests.receiver import Receiver

ASGI = """
import asyncio

async def call(app, path):
    answers = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        answers.append(message)
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": path,
             "raw_path": path.encode(), "query_string": b"", "headers": [(b"host", b"shop")], "scheme": "http",
             "server": ("shop", 80), "client": ("127.0.0.1", 1), "root_path": ""}
    await app(scope, receive, send)
    print(answers[0]["status"], answers[1]["body"].decode())

def request(app, path):
    asyncio.run(call(app, path))
"""

WSGI = """
def request(app, path):
    from wsgiref.util import setup_testing_defaults
    environ = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    body = b"".join(app(environ, lambda status, headers, error=None: print(status)))
    print(body.decode())
"""

SERVERS = {
    "flask": """
        from wsgi import request
        from flask import Flask
        app = Flask("shop")
        @app.get("/items/<int:number>")
        def item(number):
            log.warning("sold %d", number)
            return str(number)
        request(app.wsgi_app, "/items/7")
    """,
    "flask, imported as a whole": """
        from wsgi import request
        import flask
        class Shop(flask.Flask):
            pass
        app = Shop("shop")
        app.add_url_rule("/items/<int:number>", view_func=lambda number: log.warning("sold %d", number) or str(number))
        request(app.wsgi_app, "/items/7")
    """,
    "fastapi": """
        from asgi import request
        from fastapi import FastAPI
        app = FastAPI()
        @app.get("/items/{number}")
        async def item(number: int) -> int:
            log.warning("sold %d", number)
            return number
        request(app, "/items/7")
    """,
    "fastapi, after starlette": """
        from asgi import request
        import starlette.applications, fastapi
        app = fastapi.FastAPI()
        @app.get("/items/{number}")
        def item(number: int) -> int:
            log.warning("sold %d", number)
            return number
        request(app, "/items/7")
    """,
    "starlette": """
        from asgi import request
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route
        async def item(request):
            log.warning("sold %d", request.path_params["number"])
            return PlainTextResponse(str(request.path_params["number"]))
        app = Starlette(routes=[Route("/items/{number:int}", item)])
        request(app, "/items/7")
    """,
    "django": """
        from wsgi import request
        import django
        from django.core.wsgi import get_wsgi_application
        from django.http import HttpResponse
        from django.urls import path
        from django.conf import settings
        def item(request, number):
            log.warning("sold %d", number)
            return HttpResponse(str(number))
        urlpatterns = [path("items/<int:number>", item)]
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", MIDDLEWARE=[])
        app = get_wsgi_application()
        request(app, "/items/7")
    """,
}


@pytest.mark.parametrize("framework", SERVERS)
@pytest.mark.parametrize("options", [[], ["-W", "error"]], ids=["", "strict"])
def test_a_request_is_one_server_span_with_its_record(
    framework_runner: Runner, receiver: Receiver, framework: str, options: list[str]
) -> None:
    runner = framework_runner
    runner.write(ASGI, "asgi.py")
    runner.write(WSGI, "wsgi.py")
    runner.write(SERVERS[framework])
    source = (runner.folder / "main.py").read_text()
    done = runner.compare(f"import logging\nlog = logging.getLogger('shop')\n{source}", *options)
    assert (done.status, done.own[2], done.lines) == (0, "sold 7\n", [])
    (server,) = [span for span in receiver.spans if span.kind == "server"]
    assert "items" in server.attributes["http.route"]
    (record,) = [log for log in receiver.logs if log.scope == "shop"]
    assert (record.body, record.trace_id) == ("sold 7", server.trace_id)
    assert receiver.sum_count("http.server.duration") == 1


PYRAMID = """
from pyramid.config import Configurator
from pyramid.response import Response
from wsgi import request

def item(request):
    return Response(request.matchdict["number"])

def broken(request):
    raise LookupError("no stock")

def failed(error, request):
    return Response("failed", status=500)

for settings in {}, {"pyramid.tweens": "pyramid.tweens.excview_tween_factory"}:
    with Configurator(settings=settings) as configurator:
        configurator.include(".views")
        configurator.add_route("item", "/items/{number}")
        configurator.add_view(item, route_name="item")
        configurator.add_route("broken", "/broken")
        configurator.add_view(broken, route_name="broken")
        configurator.add_exception_view(failed, context=LookupError)
        app = configurator.make_wsgi_app()
    print(configurator.package.__name__)
    for path in "/items/7", "/broken", "/nothing":
        request(app, path)
"""


def test_pyramid_finds_its_tween_and_the_package_of_the_app(framework_runner: Runner, receiver: Receiver) -> None:
    """Pyramid imports what its instrumentation names as text, and looks up the stack for the app's package."""
    framework_runner.write(WSGI, "wsgi.py")
    framework_runner.write(PYRAMID, "shop/__init__.py")
    framework_runner.write("def includeme(config): print('included', config.package.__name__)", "shop/views.py")
    done = framework_runner.compare("import shop", "-W", "ignore")
    assert (done.status, done.lines) == (0, [])
    assert done.stdout.startswith("included shop\nshop\n200 OK\n7\n")
    spans = [(span.name, span.attributes.get("http.route"), span.status) for span in receiver.spans]
    assert spans == 2 * [
        ("/items/{number}", "/items/{number}", "unset"),
        ("/broken", "/broken", "error"),
        ("GET /nothing", None, "unset"),
    ]


CLIENTS = {
    "requests": "import requests; print(requests.get(url).status_code)",
    "httpx": "import httpx; print(httpx.get(url).status_code)",
    "httpx, asynchronous": """
import asyncio, httpx
async def get():
    async with httpx.AsyncClient() as client:
        print((await client.get(url)).status_code)
asyncio.run(get())""",
    "urllib": "import urllib.request; print(urllib.request.urlopen(url).status)",
    "urllib3": "import urllib3; print(urllib3.PoolManager().request('GET', url).status)",
}


@pytest.mark.parametrize("library", CLIENTS)
def test_a_call_is_one_client_span_whose_context_is_sent(
    framework_runner: Runner, receiver: Receiver, library: str
) -> None:
    with Dependency({"GET /stock": (200, 7)}) as stock:
        done = framework_runner.compare(f"url = '{stock.url}/stock'\n{CLIENTS[library]}", "-W", "error")
        assert (done.stdout, done.stderr) == ("200\n", "")
        _, call = stock.calls
    clients = [span for span in receiver.spans if span.kind == "client"]
    assert call.context in {(span.trace_id, span.span_id, True) for span in clients}
    assert len([span for span in clients if span.parent_id == ""]) == 1


def test_queries_of_sqlite3_are_client_spans(runner: Runner, receiver: Receiver) -> None:
    runner.compare(
        """
        import sqlite3
        with sqlite3.connect(":memory:") as connection:
            print(connection.execute("create table item (id)").rowcount)
            cursor = connection.cursor()
            cursor.execute("insert into item values (?)", (7,))
            print(cursor.execute("select * from item").fetchall())
    """,
        "-W",
        "error",
    )
    assert {span.name for span in receiver.spans} >= {"insert", "select"}
    assert {span.kind for span in receiver.spans} == {"client"}


LOGGING = {
    "lastResort": "",
    "basicConfig": "logging.basicConfig(level=logging.DEBUG, format='%(levelname)s %(name)s %(message)s')",
    "basicConfig twice": "logging.basicConfig(); logging.basicConfig(force=True, format='again %(message)s')",
    "dictConfig": """logging.config.dictConfig({"version": 1, "disable_existing_loggers": False,
        "formatters": {"f": {"format": "conf %(message)s"}},
        "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f"}},
        "root": {"handlers": ["h"], "level": "INFO"}})""",
    "fileConfig": """open("l.ini", "w").write("[loggers]\\nkeys=root\\n[handlers]\\nkeys=h\\n[formatters]\\nkeys=\\n"
        "[logger_root]\\nlevel=INFO\\nhandlers=h\\n[handler_h]\\nclass=StreamHandler\\nargs=()\\n")
logging.config.fileConfig("l.ini", disable_existing_loggers=False)""",
    "own handler, no propagation": "log.addHandler(logging.StreamHandler()); log.propagate = False",
    "own levels and filters": "log.setLevel('ERROR'); log.addFilter(lambda record: 'no' not in record.msg)",
    "disabled": "logging.disable(logging.WARNING)",
    "raiseExceptions": "logging.raiseExceptions = False; log.addHandler(logging.StreamHandler(open('closed', 'w')))",
    "bad arguments": "log.error('%d items', 'seven')",
    "own record factory": """factory = logging.getLogRecordFactory()
def make(*args, **keywords):
    record = factory(*args, **keywords)
    record.shop = object()
    return record
logging.setLogRecordFactory(make)""",
    "own logger class": """class Own(logging.Logger):
    def makeRecord(self, *args, **keywords):
        return super().makeRecord(*args, **keywords)
logging.setLoggerClass(Own)
log = logging.getLogger('own')""",
}


@pytest.mark.parametrize("configuration", LOGGING)
def test_the_apps_log_is_as_without_us_and_each_record_arrives_once(
    runner: Runner, receiver: Receiver, configuration: str
) -> None:
    """Those that the app's levels and filters let through."""
    done = runner.compare(
        f"""
import logging, logging.config
log = logging.getLogger("shop")
{LOGGING[configuration]}
log.info("informed")
log.warning("warned of %s", "no stock", extra={{"item": 7}})
log.error("failed")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("crashed")
print(logging.root.handlers, log.handlers, logging.lastResort, len(logging._handlerList) < 5)
""".replace("print(logging.root.handlers, log.handlers, ", "print(len(logging.root.handlers), len(log.handlers), ")
    )
    expected = {
        "own levels and filters": ["failed", "crashed"],
        "disabled": ["failed", "crashed"],
        "basicConfig": ["informed", "warned of no stock", "failed", "crashed"],
        "dictConfig": ["informed", "warned of no stock", "failed", "crashed"],
        "fileConfig": ["informed", "warned of no stock", "failed", "crashed"],
    }.get(configuration, ["warned of no stock", "failed", "crashed"])
    assert done.status == 0
    assert [log.body for log in receiver.logs if log.scope in ("shop", "own") and "%d" not in str(log.body)] == expected


def test_gevent_patches_as_without_us(framework_runner: Runner, receiver: Receiver) -> None:
    """Nothing of ours has imported ssl before: gevent would warn, and recurse."""
    with Dependency({"GET /stock": (200, 7)}) as stock:
        done = framework_runner.compare(
            f"""
            import logging
            logging.getLogger("shop").warning("early")
            from gevent import monkey
            monkey.patch_all()
            import gevent, requests, threading
            logging.getLogger("shop").warning("patched")
            jobs = [gevent.spawn(requests.get, "{stock.url}/stock") for _ in range(5)]
            gevent.joinall(jobs, raise_error=True)
            print([job.value.status_code for job in jobs])
        """,
            "-W",
            "error",
        )
    assert (done.status, done.own[2], done.lines) == (0, "early\npatched\n", [])
    assert len([span for span in receiver.spans if span.scope.endswith(".requests")]) == 5
    assert [log.body for log in receiver.logs if log.scope == "shop"] == ["early", "patched"]
