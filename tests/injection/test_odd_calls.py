"""Calls that upstream's instrumentations fail on and the libraries do not: the app's calls succeed.

Each of these failed in an injected app only; see ``otel_injection.instrumentations.fallback``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.injection.running import Runner
from tests.receiver import Receiver

REQUESTS = """
    import requests, types
    class Adapter(requests.adapters.BaseAdapter):
        def send(self, request, **keywords):
            response = requests.Response()
            response.status_code, response._content, response.request = 200, b"ok", request
            response.raw = types.SimpleNamespace(version=None)
            return response
        def close(self):
            pass
    session = requests.Session()
    session.mount("shop://", Adapter())
    for method, headers in (("GET", {}), (None, {}), ("GET", types.MappingProxyType({}))):
        request = requests.Request("GET", "shop://stock/").prepare()
        request.method, request.headers = method, headers
        print(session.send(request).text)
"""

URLLIB = """
    import io, socket, urllib.request
    class Handler(urllib.request.BaseHandler):
        def shop_open(self, request):
            print(request.timeout is socket._GLOBAL_DEFAULT_TIMEOUT)
            return io.BytesIO(b"ok")
    class Request(urllib.request.Request):
        def get_method(self):
            return None
    opener = urllib.request.build_opener(Handler)
    print(opener.open("shop://stock").read(), opener.open(Request("shop://stock"), timeout=3).read())
"""

HTTPX = """
    import asyncio, httpx
    request = httpx.Request("GET", "http://stock/")
    request.method = None
    async def send():
        async with httpx.AsyncHTTPTransport() as transport:
            await transport.handle_async_request(request)
    for way in (lambda: httpx.HTTPTransport().handle_request(request), lambda: asyncio.run(send())):
        try:
            way()
        except TypeError as error:
            print(error)
"""

AIOHTTP = """
    import asyncio
    from aiohttp import web
    @web.middleware
    async def own(request, handler):
        response = await handler(request)
        response.headers["X-Own"] = "1"
        return response
    async def main():
        async def index(request):
            return web.Response(text="ok")
        own_ones = [own]
        for middlewares in ((own,), own_ones):
            app = web.Application(middlewares=middlewares)
            app.router.add_get("/", index)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = site._server.sockets[0].getsockname()[1]
            for head in (b"a", b"a:b:c", b"a:99999999", b"\\xff", b"a\\r\\nbaggage: \\xff"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET / HTTP/1.1\\r\\nHost: " + head + b"\\r\\nConnection: close\\r\\n\\r\\n")
                lines = (await reader.read()).splitlines()
                print(lines[0], lines[-1], b"X-Own: 1" in lines)
                writer.close()
            await runner.cleanup()
        print(len(own_ones))
    asyncio.run(main())
"""

DJANGO = """
    import asyncio, django
    from django.conf import settings
    settings.configure(ROOT_URLCONF="__main__", ALLOWED_HOSTS=["shop"], SECRET_KEY="x", MIDDLEWARE=["__main__.proxied"])
    django.setup()
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpResponse
    from django.urls import path
    from wsgiref.util import setup_testing_defaults
    def proxied(get_response):
        from asgiref.sync import iscoroutinefunction, markcoroutinefunction
        class Proxied:
            sync_capable = async_capable = True
            def __init__(self):
                if iscoroutinefunction(get_response):
                    markcoroutinefunction(self)
            def __call__(self, request):
                request.META["HTTP_HOST"] = "shop"  # as a proxy's name is replaced
                return get_response(request)
        return Proxied()
    urlpatterns = [path("", lambda request: HttpResponse(request.build_absolute_uri()))]
    for host in ("my_service:80", "10.0.0.1", "["):
        environ = {"HTTP_HOST": host}
        setup_testing_defaults(environ)
        print(b"".join(WSGIHandler()(environ, lambda *arguments: print(arguments[0]))))
    async def ask():
        messages = [{"type": "http.request"}]
        async def receive():
            return messages.pop() if messages else await asyncio.Event().wait()
        async def send(message):
            print(message.get("status"), message.get("body"))
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"host", b"my_shop")]}
        await ASGIHandler()(scope, receive, send)
    asyncio.run(ask())
"""

REDIS = """
    import redis
    from unittest import mock
    class Pool:
        connection_kwargs = {"db": object(), "host": None, "port": "x"}
        def get_connection(self, *_, **__):
            connection = mock.MagicMock()
            connection.retry.call_with_retry = lambda work, *_, **__: work()
            connection.read_response.return_value = b"ok"
            return connection
        def release(self, connection):
            pass
        def get_encoder(self):
            return redis.connection.Encoder("utf-8", "strict", False)
    print(redis.Redis(connection_pool=mock.Mock(wraps=Pool(), connection_kwargs=Pool.connection_kwargs)).get("stock"))
"""


@pytest.mark.parametrize(
    "program",
    [REQUESTS, URLLIB, HTTPX, AIOHTTP, DJANGO],
    ids=["requests", "urllib", "httpx", "aiohttp", "django"],
)
def test_calls_go_on_where_their_instrumentation_fails(framework_runner: Runner, program: str) -> None:
    done = framework_runner.compare(program)
    assert done.status == 0, done.stderr
    assert done.lines
    assert all("a call went on without its instrumentation" in line for line in done.lines), done.lines


def test_a_pool_of_redis_may_be_of_any_kind(
    servers_venv: Path, mount: Path, receiver: Receiver, tmp_path: Path
) -> None:
    done = Runner(servers_venv / "bin" / "python", mount, receiver.endpoint, tmp_path / "app").compare(REDIS)
    assert done.stdout == "b'ok'\n"
    assert [line.partition(":")[0] for line in done.lines] == ["redis"]


def test_hosts_that_django_refuses_have_their_span(framework_runner: Runner, receiver: Receiver) -> None:
    framework_runner.compare(DJANGO.replace(', "["', ""))
    assert [span.name for span in receiver.spans] == ["GET"] * 3
