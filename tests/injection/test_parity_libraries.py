"""Parity of apps with packages: those of long ago, what they serve and call, and how they look at their libraries."""

from __future__ import annotations

import pytest

from tests.injection.parity import Row, check
from tests.injection.running import Runner
from tests.receiver import Receiver

WSGI = """
def request(app, path="/", **environ):
    from wsgiref.util import setup_testing_defaults
    environ = {"PATH_INFO": path, **environ}
    setup_testing_defaults(environ)
    body = b"".join(app(environ, lambda status, headers, error=None: print(status, sorted(headers))))
    print(body.decode())
"""

FLASK = """
import logging, flask
from wsgi import request
app = flask.Flask("shop")

@app.get("/")
def index():
    app.logger.warning("sold")
    return "sold"

@app.get("/broken")
def broken():
    raise LookupError("no stock")

@app.get("/exit")
def leave():
    raise SystemExit(3)
"""

BASE = {"base.py": FLASK, "wsgi.py": WSGI}

OLD = {
    "versions": Row(
        """
            import importlib, importlib.metadata as m, os, requests, flask, psutil, wrapt
            for name in ('requests', 'urllib3', 'idna', 'certifi', 'packaging', 'wrapt', 'psutil', 'asgiref', 'google.protobuf', 'flask', 'typing_extensions', 'importlib_metadata', 'httpx'):
                module = importlib.import_module(name)
                print(name, getattr(module, '__version__', ''), module.__file__, sorted(dir(module)))
            print(sorted((d.metadata['Name'], d.version) for d in m.distributions()))
            requests.get(os.environ['STOCK_URL'] + '/stock')
        """,
        spans=["GET"],
    ),
    "importlib_metadata": Row(
        """
            import importlib_metadata as m, flask
            print(sorted(d.metadata['Name'] for d in m.distributions()), m.version('wrapt'))
        """
    ),
    "own modules hide libraries": Row(
        """
            import os, requests, urllib3, urllib.request
            urllib.request.urlopen(os.environ['STOCK_URL'] + '/stock').read()
        """,
        files={"requests.py": "print(__name__)", "urllib3.py": "print(__name__)"},
        spans=["GET"],
    ),
    "requests, urllib3 1.26": Row(
        """
            import os, requests
            url = os.environ['STOCK_URL']
            for path in ('/stock', '/missing', '/broken'):
                r = requests.get(url + path)
                print(r.status_code, r.text, r.request.method, sorted(h for h in r.request.headers if h != 'traceparent'))
            s = requests.Session()
            s.mount('http://', requests.adapters.HTTPAdapter(max_retries=2))
            print(s.post(url + '/stock', json={}).status_code)
            try:
                requests.get('http://127.0.0.1:1/', timeout=1)
            except requests.ConnectionError as e:
                print(type(e.args[0]), type(e.args[0].pool))
        """,
        spans=["GET", "GET", "GET", "POST", "GET"],
    ),
    "urllib3 1.26 under warnings as errors": Row(
        """
            import os, urllib3
            print(urllib3.PoolManager(retries=urllib3.Retry(1)).request('GET', os.environ['STOCK_URL'] + '/stock').data)
        """,
        ["-W", "error::UserWarning", "main.py"],
        spans=["GET"],
    ),
    "httpx without its successor": Row(
        """
            import os, sys, httpx
            httpx.get(os.environ['STOCK_URL'] + '/stock')
            print('httpx2' in sys.modules, 'timeit' in sys.modules)
        """,
        files={"httpx2.py": "print('imported')"},
        spans=["GET"],
    ),
    "httpx 0.23": Row(
        """
            import os, httpx
            with httpx.Client(base_url=os.environ['STOCK_URL'], headers={'a': 'b'}) as c:
                print(c.get('/stock').json(), c.get('/missing').status_code)
            try:
                httpx.get('http://127.0.0.1:1/')
            except httpx.ConnectError as e:
                print(e)
        """,
        spans=["GET", "GET", "GET"],
    ),
    "generated code of protobuf 3.20": Row(
        """
            from google.protobuf import timestamp_pb2, descriptor_pb2, json_format, descriptor_pool, message_factory
            t = timestamp_pb2.Timestamp(seconds=7)
            print(json_format.MessageToJson(t), t.SerializeToString())
            f = descriptor_pb2.FileDescriptorProto(name='opentelemetry/proto/common/v1/common.proto', package='opentelemetry.proto.common.v1')
            m = f.message_type.add(name='AnyValue')
            m.field.add(name='own', number=1, type=9, label=1)
            pool = descriptor_pool.Default()
            print(pool.AddSerializedFile(f.SerializeToString()))
            cls = message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName('opentelemetry.proto.common.v1.AnyValue'))
            print(cls(own='x'))
            import logging; logging.warning('sold')
        """,
        logs=["sold"],
    ),
    "wrapt 1": Row(
        """
            import wrapt, flask
            @wrapt.decorator
            def loud(wrapped, instance, args, kwargs):
                print('calling', wrapped.__name__)
                return wrapped(*args, **kwargs)
            @loud
            def f(x):
                return x
            print(f(1), isinstance(f, wrapt.FunctionWrapper), type(f).__module__, wrapt.ObjectProxy([1]))
        """
    ),
    "psutil": Row(
        """
            import psutil, os, logging
            logging.warning('sold')
            print(psutil.Process().pid == os.getpid(), psutil.__file__, psutil.Process().name()[:6])
        """,
        logs=["sold"],
    ),
    "packaging 20": Row(
        """
            import packaging.version as v, logging
            logging.warning('sold')
            print(v.parse('french toast'), v.LegacyVersion('x'))
        """,
        ["-W", "ignore", "main.py"],
        logs=["sold"],
    ),
    "flask 2.3": Row(
        """
            from base import *
            for path in ('/', '/missing', '/broken'):
                request(app.wsgi_app, path)
        """,
        files=BASE,
        logs=None,
        spans=["GET /", "GET /missing", "GET /broken"],
    ),
}

NEW = {
    "flask: errors, exits, teardown": Row(
        """
            from base import *
            @app.teardown_request
            def down(error):
                print('down', error)
            @app.errorhandler(404)
            def missing(error):
                return 'nothing', 404
            for path in ('/', '/missing', '/broken', '/exit'):
                try:
                    request(app.wsgi_app, path)
                except SystemExit as e:
                    print(e.code)
        """,
        files=BASE,
        logs=None,
        spans=["GET /", "GET /missing", "GET /broken", "GET /exit"],
    ),
    "flask: propagated exception": Row(
        """
            from base import *
            app.testing = True
            try:
                app.test_client().get('/broken')
            except LookupError as e:
                print(repr(e), e.__context__, e.__cause__)
        """,
        files=BASE,
        logs=None,
        spans=["GET /broken"],
    ),
    "flask: how it looks": Row(
        """
            from base import *
            import inspect, typing, copy, pickle, functools
            @app.get('/typed')
            def typed(number: int = 1) -> str:
                return str(number)
            print(typing.get_type_hints(app.view_functions['typed']), inspect.signature(app.view_functions['typed']), app.view_functions['typed'] is typed)
            print(flask.Flask.__name__, flask.Flask.__module__, inspect.signature(flask.Flask), flask.Flask.__doc__[:20], isinstance(app, flask.Flask), inspect.signature(flask.Flask.__init__).parameters.keys() == inspect.signature(flask.app.Flask.__init__).parameters.keys())
            print(app.name, app.import_name, app.root_path, app.url_map, app.config)
            print([type(h) for h in app.logger.handlers], app.logger.name, app.logger.level)
            print(app)
            class Own(flask.Flask):
                pass
            print(Own.__mro__[-1], issubclass(Own, flask.Flask), Own('own').name)
        """,
        files=BASE,
        logs=(),
        spans=(),
    ),
    "flask: context, session, url_for": Row(
        """
            from base import *
            app.secret_key = 'x'
            @app.get('/who/<name>')
            def who(name):
                flask.session['n'] = name
                flask.g.name = name
                return flask.url_for('who', name=name) + str(sorted(k for k in flask.request.environ if k.startswith('otel')))
            c = app.test_client()
            r = c.get('/who/me')
            print(r.status, r.headers.getlist('Set-Cookie') != [], r.text)
            with app.test_request_context('/who/me'):
                print(flask.request.path, flask.has_app_context())
            with app.app_context():
                print(flask.current_app.name, flask.has_request_context())
            print(app.test_cli_runner().invoke(args=['routes']).output)
        """,
        files=BASE,
        logs=None,
        spans=None,
    ),
    "flask: streaming and large answers": Row(
        """
            from base import *
            @app.get('/stream')
            def stream():
                def parts():
                    for i in range(3):
                        yield str(i)
                    print('closed')
                return flask.Response(parts())
            @app.get('/fail')
            def fail():
                def parts():
                    yield 'a'
                    raise OSError('cut')
                return flask.Response(parts())
            request(app.wsgi_app, '/stream')
            try:
                request(app.wsgi_app, '/fail')
            except OSError as e:
                print(e)
        """,
        files=BASE,
        logs=None,
        spans=["GET /stream", "GET /fail"],
    ),
    "flask: run by its command": Row(
        arguments=["-m", "flask", "--app", "shop", "routes"],
        files={**BASE, "shop.py": FLASK},
        spans=None,
    ),
    "flask: command of the app": Row(
        arguments=["-m", "flask", "--app", "shop", "sell", "7"],
        files={
            "shop.py": """
            from base import *
            import click
            @app.cli.command()
            @click.argument('number', type=int)
            def sell(number):
                click.echo(number)
                raise SystemExit(number)
        """,
            **BASE,
        },
        spans=None,
        status=7,
    ),
    "flask: command with a wrong option": Row(
        arguments=["-m", "flask", "--app", "shop", "sell"],
        files={**BASE, "shop.py": FLASK},
        spans=None,
        status=2,
    ),
    "flask: app that cannot be loaded": Row(
        arguments=["-m", "flask", "--app", "shop", "routes"],
        files={
            "shop.py": """
            import flask
            1 / 0
        """
        },
        spans=None,
        logs=None,
        status=1,
    ),
    "click": Row(
        """
            import click
            @click.command()
            @click.option('--n', default=1)
            def main(n):
                'Help.'
                click.echo(n)
                raise click.ClickException('no stock')
            main()
        """,
        ["main.py", "--n", "3"],
        spans=["main.py"],
        status=1,
    ),
    "requests: mocks, adapters, copies": Row(
        """
            import copy, os, pickle, requests
            from unittest import mock
            with mock.patch('requests.get') as m, mock.patch('requests.Session.send') as n, mock.patch('requests.sessions.Session.request') as o:
                requests.get('http://x')
                requests.Session().send('x')
                requests.Session().request('GET', 'x')
                print(len(m.mock_calls), len(n.mock_calls), len(o.mock_calls))
            s = requests.Session()
            s.headers['a'] = 'b'
            for c in (copy.copy(s), copy.deepcopy(s), pickle.loads(pickle.dumps(s))):
                print(c.headers['a'], c.get(os.environ['STOCK_URL'] + '/stock').json())
            print(pickle.loads(pickle.dumps(requests.get)) is requests.get, requests.Session.send.__name__, requests.Session.send.__qualname__)
            m = mock.create_autospec(requests.Session)
            m.send('x')
            print(m.mock_calls)
            r = requests.get(os.environ['STOCK_URL'] + '/stock')
            print(pickle.loads(pickle.dumps(r)).json(), r.elapsed.total_seconds() < 9, r.request.url[-6:], r.history)
        """,
        spans=["GET"] * 4,
    ),
    "requests: errors": Row(
        """
            import os, requests, traceback
            for url in ('http://127.0.0.1:1/', 'nonsense', 'http://', 'http://a b/', 'ftp://x', os.environ['STOCK_URL'] + '/missing'):
                try:
                    requests.get(url, timeout=1).raise_for_status()
                except Exception as e:
                    print(type(e), str(e), type(e.__context__), type(e.__cause__))
        """,
        spans=None,
    ),
    "httpx: errors, hooks, transports, copies": Row(
        """
            import copy, httpx, os, pickle, asyncio, inspect
            url = os.environ['STOCK_URL']
            seen = []
            with httpx.Client(event_hooks={'request': [lambda r: seen.append(r.method)], 'response': [lambda r: seen.append(r.status_code)]}, transport=httpx.HTTPTransport(retries=1)) as c:
                print(c.get(url + '/stock').json(), seen, c)
                print(c._transport.__class__, isinstance(c._transport, httpx.HTTPTransport))
            print(httpx.Client(transport=httpx.MockTransport(lambda r: httpx.Response(201, json={}))).get('http://x').status_code)
            for u in ('http://127.0.0.1:1/', 'nonsense', 'http://[', 'x://y'):
                try:
                    httpx.get(u)
                except Exception as e:
                    print(type(e), e)
            print(inspect.signature(httpx.get) == inspect.signature(httpx.get), inspect.signature(httpx.Client.send), inspect.signature(httpx.HTTPTransport.handle_request), pickle.loads(pickle.dumps(httpx.get)) is httpx.get)
            import flask
            app = flask.Flask('x')
            @app.get('/')
            def f():
                return 'wsgi'
            print(httpx.Client(transport=httpx.WSGITransport(app=app)).get('http://x/').text)
            async def main():
                async with httpx.AsyncClient() as c:
                    print([r.status_code for r in await asyncio.gather(*(c.get(url + '/stock') for _ in range(3)))])
            asyncio.run(main())
        """,
        spans=None,
    ),
    "jinja2": Row(
        """
            import jinja2
            e = jinja2.Environment()
            print(e.from_string('{{ a }}').render(a=1))
            try:
                e.from_string('{% if %}')
            except jinja2.TemplateSyntaxError as x:
                print(x)
            try:
                e.from_string('{{ a.b.c }}').render()
            except jinja2.UndefinedError as x:
                print(x)
        """,
        spans=None,
    ),
    "fastapi": Row(
        """
            import asyncio, inspect, typing, httpx
            from fastapi import FastAPI, HTTPException, Depends, BackgroundTasks, WebSocket
            from fastapi.responses import StreamingResponse
            app = FastAPI()
            def dependency():
                yield 1
                print('after')
            @app.get('/items/{n}')
            async def item(n: int, tasks: BackgroundTasks, d: int = Depends(dependency)) -> int:
                tasks.add_task(print, 'background')
                return n + d
            @app.get('/broken')
            def broken():
                raise LookupError('no stock')
            @app.get('/missing')
            def missing():
                raise HTTPException(404, 'none')
            @app.exception_handler(KeyError)
            async def handle(request, error):
                from fastapi.responses import JSONResponse
                return JSONResponse({'e': str(error)}, 418)
            @app.get('/handled')
            def handled():
                raise KeyError('k')
            @app.get('/stream')
            def stream():
                return StreamingResponse(iter(['a', 'b']))
            @app.middleware('http')
            async def add(request, call_next):
                r = await call_next(request)
                r.headers['x-own'] = '1'
                return r
            async def main():
                async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url='http://shop') as c:
                    for path in ('/items/1', '/items/x', '/missing', '/handled', '/stream', '/openapi.json'):
                        r = await c.get(path)
                        print(r.status_code, sorted(r.headers.items()), r.text[:300])
                    try:
                        await c.get('/broken')
                    except LookupError as e:
                        print(repr(e), e.__cause__, type(e.__context__))
            asyncio.run(main())
            print(app.title, [r.path for r in app.routes], app.user_middleware[-1:], typing.get_type_hints(item), inspect.signature(FastAPI), FastAPI.__doc__[:20], FastAPI.__name__, FastAPI.__module__)
        """,
        spans=None,
    ),
    "modules that an import brings": Row(
        """
            import sys
            for name in ("click", "requests", "httpx", "jinja2", "uvicorn", "flask", "starlette.applications", "fastapi"):
                __import__(name)
                own = {m.partition(".")[0] for m, v in list(sys.modules.items()) if "site-packages" in (getattr(v, "__file__", "") or "")}
                print(name, sorted(own - {"opentelemetry"}))
        """
    ),
    "gevent": Row(
        """
            from gevent import monkey; monkey.patch_all()
            import gevent, os, requests, sqlite3, threading, logging
            logging.warning('sold')
            c = sqlite3.connect(':memory:'); c.cursor().execute('select 1')
            print([j.value.status_code for j in gevent.joinall([gevent.spawn(requests.get, os.environ['STOCK_URL'] + '/stock') for _ in range(3)])])
            print(threading.current_thread().name, gevent.getcurrent())
        """,
        logs=["sold"],
        spans=["select", "GET", "GET", "GET"],
    ),
}


@pytest.mark.parametrize("name", OLD)
def test_an_app_has_the_old_packages_that_it_pins(old_pins_runner: Runner, receiver: Receiver, name: str) -> None:
    check(OLD[name], old_pins_runner, receiver)


@pytest.mark.parametrize("name", NEW)
def test_libraries_do_as_without_us(framework_runner: Runner, receiver: Receiver, name: str) -> None:
    check(NEW[name], framework_runner, receiver)


def test_a_request_that_a_command_serves_is_a_trace_of_its_own(framework_runner: Runner, receiver: Receiver) -> None:
    """A command of click that starts a server: its requests are server spans, and measured."""
    done = framework_runner.compare("""
        import click, sqlite3
        from wsgiref.util import setup_testing_defaults
        import flask
        app = flask.Flask("shop")
        @app.get("/")
        def index():
            return "sold"
        @click.command()
        def serve():
            sqlite3.connect(":memory:").cursor().execute("select 1")
            for parent in ({}, {"HTTP_TRACEPARENT": f"00-{7:032x}-{8:016x}-01"}):
                environ = {**parent}
                setup_testing_defaults(environ)
                print(b"".join(app(environ, lambda status, headers, error=None: None)))
            sqlite3.connect(":memory:").cursor().execute("select 2")
        serve()
    """)
    assert done.lines == []
    spans = {f"{span.kind} {span.name}": span for span in receiver.spans}
    command = spans["internal main.py"]
    first, second = sorted((span for span in receiver.spans if span.kind == "server"), key=lambda span: span.start)
    assert [first.parent_id, second.trace_id, second.parent_id] == ["", f"{7:032x}", f"{8:016x}"]
    assert first.trace_id != command.trace_id
    assert [span.parent_id for span in receiver.spans if span.kind == "client"] == [command.span_id] * 2
    assert receiver.sum_count("http.server.duration") == 2


def test_headers_that_an_app_sends_again_hold_one_context(framework_runner: Runner, receiver: Receiver) -> None:
    """Upstream's instrumentation adds one with each message, to the app's own list (kafka, confluent_kafka, aiokafka)."""
    done = framework_runner.compare("""
        import kafka
        headers = [("tenant", b"a")]
        producer = kafka.KafkaProducer(bootstrap_servers="127.0.0.1:1", api_version=(2, 5), max_block_ms=20)
        for _ in range(3):
            try:
                producer.send("orders", b"new", headers=headers)
            except kafka.errors.KafkaTimeoutError:
                print("nobody there")
        print(headers[0], len(headers) <= 2)
        producer.close(0)
    """)
    assert done.stdout.endswith("('tenant', b'a') True\n")
    assert len(receiver.spans) == 3
