"""Requests whose URL is excluded leave nothing behind, not even spans of what was done for them."""

from __future__ import annotations

import pytest

from tests.injection.running import Runner
from tests.receiver import Receiver

FLASK = """
from flask import Flask
class Shop(Flask):
    def wsgi_app(self, environ, start_response):
        return super().wsgi_app(dict(environ), start_response)
app = Shop("shop")
app.logger.disabled = True
app.add_url_rule("/healthz", "healthz", query)
app.add_url_rule("/buy", "buy", query)
app.add_url_rule("/broken/healthz", "broken", lambda: 1 / 0)
client = app.test_client()
paths = ["/healthz", "/buy", "/healthz", "/broken/healthz", "/buy"]
for path in paths:
    print(path, client.get(path).status_code)
with app.test_request_context("/healthz"):
    app.preprocess_request()
"""

DJANGO = """
import os
from django.conf import settings
settings.configure(ROOT_URLCONF="main", ALLOWED_HOSTS=["*"], SECRET_KEY="x", LOGGING_CONFIG=None)
import django, sys
from django.http import HttpResponse
from django.urls import path
sys.modules["main"] = sys.modules["__main__"]
async def slowly(request):
    return HttpResponse(query())
urlpatterns = [
    path("healthz", lambda request: HttpResponse(query())),
    path("buy", lambda request: HttpResponse(query())),
    path("slow/healthz", slowly),
]
django.setup()
from django.test import AsyncClient, Client
client = Client()
for each in ["/healthz", "/buy", "/healthz"]:
    print(each, client.get(each).status_code)
import asyncio
async def ask():
    for each in ["/slow/healthz", "/buy"]:
        print(each, (await AsyncClient().get(each)).status_code)
asyncio.run(ask())
"""

FASTAPI = """
import asyncio
from fastapi import FastAPI
app = FastAPI()
@app.get("/healthz")
async def healthz():
    return query()
@app.get("/buy")
async def buy():
    return query()
async def ask(path):
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [],
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    statuses = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        statuses.append(message.get("status"))
    await app(scope, receive, send)
    print(path, statuses[0])
async def main():
    for each in ["/healthz", "/buy", "/healthz", "/buy"]:
        await ask(each)
asyncio.run(main())
"""

AIOHTTP = """
import asyncio, http.client
from aiohttp import web
async def answer(request):
    return web.Response(text=query())
async def main():
    app = web.Application()
    app.add_routes([web.get("/healthz", answer), web.get("/buy", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for each in ["/healthz", "/buy", "/healthz", "/buy"]:
            connection.request("GET", each)
            response = connection.getresponse()
            response.read()
            print(each, response.status)
        connection.close()
    await asyncio.get_running_loop().run_in_executor(None, ask)
    await runner.cleanup()
asyncio.run(main())
"""

FALCON = """
import falcon
print(falcon.App, falcon.App[falcon.Request, falcon.Response])
from falcon import testing
class Resource:
    def on_get(self, request, response):
        response.text = query()
app = falcon.App()
app.add_route("/healthz", Resource())
app.add_route("/buy", Resource())
client = testing.TestClient(app)
for each in ["/healthz", "/buy", "/healthz", "/buy"]:
    print(each, client.simulate_get(each).status_code)
"""

QUERY = """
import sqlite3
def query():
    sqlite3.connect(":memory:").cursor().execute("select 1")
    return "ok"
"""
APPS = {"flask": FLASK, "django": DJANGO, "fastapi": FASTAPI, "aiohttp": AIOHTTP, "falcon": FALCON}


@pytest.mark.parametrize("sampler", ["parentbased_traceidratio", "always_on"])
@pytest.mark.parametrize("framework", APPS)
def test_what_is_done_for_an_excluded_request_makes_no_trace_of_its_own(
    framework_runner: Runner, receiver: Receiver, framework: str, sampler: str
) -> None:
    source = QUERY + APPS[framework] + "query()\n"
    ended = framework_runner.compare(source, env={"OTEL_TRACES_SAMPLER": sampler})
    assert (ended.status, ended.lines) == (0, [])
    bought = ended.stdout.count("/buy 200")
    assert bought == 2
    servers = [each for each in receiver.spans if each.kind.lower() == "server"]
    queries = [each for each in receiver.spans if each.name == "select"]
    assert len(servers) == bought, [each.name for each in receiver.spans]
    assert sorted(each.parent_id or "" for each in queries) == sorted([each.span_id for each in servers] + [""])


def test_the_spans_of_an_app_with_an_opentelemetry_of_its_own_are_left_alone(
    framework_runner: Runner,
) -> None:
    own = """
from opentelemetry import trace
class Provider(trace.NoOpTracerProvider): pass
trace.set_tracer_provider(Provider())
def query():
    return str(trace.get_current_span().get_span_context().is_valid)
"""
    source = own + FLASK.replace(".status_code)", ".text)")
    ended = framework_runner.compare(source)
    assert "True" not in ended.stdout
