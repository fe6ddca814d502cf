"""Every kind of request, as ASGI servers hand them to FastAPI and Starlette; prints what became of each.

The second column says which way through the instrumentation the request took: ``short``, ``long`` or ``none``.
"""

import asyncio
import http
import json
import os
import sys

from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.routing import Host, Match, Mount, Route, WebSocketRoute

try:
    from opentelemetry import context, metrics, trace
except ImportError:  # not injected
    context = None

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01".encode()
UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-00".encode()
ways = []


def note_way():
    """Note the way by which this request came."""
    files = set()
    frame = sys._getframe(1)
    while frame is not None:
        files.add(frame.f_code.co_filename)
        frame = frame.f_back
    short = any(name.endswith("otel_injection/instrumentations/asgi/middleware.py") for name in files)
    long = any(name.endswith("opentelemetry/instrumentation/asgi/__init__.py") for name in files)
    span = bool(context) and trace.get_current_span().get_span_context().is_valid
    ways.append(("long" if long else "short" if short else "none") + (":span" if span else ":-"))


class ShopError(Exception):
    """An error that the app handles."""


class Noting:
    """Middleware of the app's: notes the way, and changes what it is told to."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "lifespan":
            note_way()
        if scope.get("path") == "/headers/changed":
            scope["headers"] = [(b"content-length", b"77")]
        if scope.get("path") == "/middleware/raises":
            raise RuntimeError("middleware")
        await self.app(scope, receive, send)


async def raw(scope, receive, send):
    """Answer what the query says, message by message."""
    note_way()
    for message in json.loads(scope["query_string"]):
        message = dict(message)
        if message.get("enum"):
            message["status"] = http.HTTPStatus(message.pop("enum"))
        if "body" in message:
            message["body"] = message["body"].encode()
        if "headers" in message:
            message["headers"] = [(key.encode(), value.encode()) for key, value in message["headers"]]
        if message.pop("receive", False):
            await receive()
            continue
        await send(message)


class OddRoute(APIRoute):
    """Routes of the app's own kind."""

    def matches(self, scope):
        match, child = super().matches(scope)
        return (Match.NONE, {}) if scope["query_string"] == b"hide" else (match, child)


class HidingRoute(Route):
    """The same for the framework below."""

    def matches(self, scope):
        match, child = super().matches(scope)
        return (Match.NONE, {}) if scope["query_string"] == b"hide" else (match, child)


def make_fastapi(sub=True, **keywords):  # noqa: C901 - every kind of view
    """Return an app with all kinds of views."""
    app = FastAPI(**keywords)
    app.add_middleware(Noting)

    @app.get("/items/{number}")
    async def item(number: int):
        return number

    @app.get("/plain/{text:path}", response_class=PlainTextResponse)
    def plain(text: str):
        return text

    @app.post("/items")
    async def add(request: Request):
        return JSONResponse(await request.json(), 201)

    @app.api_route("/any", methods=["GET", "POST", "HEAD", "OPTIONS", "QUERY", "BREW"])
    async def anything(request: Request):
        return request.method

    @app.get("/boom")
    async def boom():
        raise ValueError("boom")

    @app.get("/handled")
    async def handled():
        raise ShopError

    @app.exception_handler(ShopError)
    async def handle(request, error):
        return PlainTextResponse("handled", 509)

    @app.get("/status/{status}")
    async def status(status: int):
        raise HTTPException(status, "as wanted")

    @app.get("/stream")
    async def stream():
        async def parts():
            yield "a"
            await asyncio.sleep(0)
            yield "b"

        return StreamingResponse(parts())

    @app.get("/stream/breaks")
    async def breaks():
        async def parts():
            yield "a"
            raise ShopError

        return StreamingResponse(parts())

    @app.get("/background")
    async def background(tasks: BackgroundTasks):
        tasks.add_task(note_way)
        return "later"

    @app.get("/healthz")
    async def health():
        return "well"

    @app.get("/headers/changed")
    async def changed():
        return "changed"

    @app.get("/cancelled")
    async def cancelled():
        raise asyncio.CancelledError

    @app.get("/work")
    async def work():
        if context:
            with trace.get_tracer("shop").start_as_current_span("work", attributes={"a": 1}):
                trace.get_current_span().add_event("working")
            metrics.get_meter("shop").create_counter("works").add(1, {"a": 1})
        return "done"

    @app.websocket("/socket/{name}")
    async def socket(websocket: WebSocket, name: str):
        await websocket.accept()
        await websocket.send_text(name + await websocket.receive_text())
        await websocket.close()

    part = APIRouter(prefix="/part", route_class=OddRoute)
    inner = APIRouter(prefix="/inner")

    @part.get("/items/{number}")
    @inner.get("/items/{number}")
    @inner.post("/items/{number}")
    async def part_of(number: int):
        return number

    part.include_router(inner)
    app.include_router(part, prefix="/v1")
    app.include_router(inner)
    app.host("other.example", raw)
    app.mount("/raw", raw)
    if sub:
        app.mount("/sub", make_fastapi(sub=False))
        app.mount("/starlette", make_starlette())
    return app


def make_starlette():
    """Return an app of the framework below."""

    async def item(request):
        note_way()
        return PlainTextResponse(str(request.path_params["number"]))

    async def boom(request):
        raise ValueError("boom")

    async def socket(websocket):
        await websocket.accept()
        await websocket.close()

    return Starlette(
        routes=[
            Route("/items/{number:int}", item),
            Route("/boom", boom),
            HidingRoute("/hiding", boom),
            WebSocketRoute("/socket", socket),
            Host("other.example", app=raw, name="other"),
            Mount("/raw", app=raw),
            Mount("/within", routes=[Route("/items/{number:int}", item)]),
        ]
    )


def scope_of(path, method="GET", query=b"", headers=(), **changes):
    """Return a scope as uvicorn makes it; a change to None leaves a key out."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("10.1.2.3", 41234),
        "scheme": "http",
        "method": method,
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(b"host", b"shop.example:8000"), (b"user-agent", b"curl/8"), *headers],
        "state": {},
    }
    scope.update(changes)
    return {key: value for key, value in scope.items() if value is not None}


def raw_query(*messages):
    """Return the query that has ``raw`` send these messages."""
    return json.dumps(messages).encode()


START = {"type": "http.response.start", "status": 200, "headers": [["Content-Length", "3"]]}
BODY = {"type": "http.response.body", "body": "abc"}

COMMON = {
    "plain": scope_of("/items/7"),
    "again": scope_of("/items/7"),
    "a query": scope_of("/items/8", query=b"a=1&b=%20x+y&c=%C3%A9"),
    "a query with a secret": scope_of("/items/8", query=b"a=1&sig=secret&AWSAccessKeyId=x"),
    "a query with a hidden secret": scope_of("/items/8", query=b"%73ig=secret&a=%2573ig"),
    "a query with what is no secret": scope_of("/items/8", query=b"design=1"),
    "an empty value": scope_of("/items/8", query=b"a="),
    "a parent": scope_of(
        "/items/1", headers=[(b"traceparent", PARENT), (b"tracestate", b"a=b,c=d"), (b"tracestate", b"e=f")]
    ),
    "a parent that is not sampled": scope_of("/items/1", headers=[(b"traceparent", UNSAMPLED)]),
    "a parent that is none": scope_of("/items/1", headers=[(b"traceparent", b"00-0-0-01"), (b"tracestate", b"a=b")]),
    "baggage": scope_of("/items/1", headers=[(b"baggage", b"a=1,b=%20")]),
    "b3": scope_of(
        "/items/1",
        headers=[(b"x-b3-traceid", TRACE.encode()), (b"x-b3-spanid", b"b7ad6b7169203331"), (b"x-b3-sampled", b"1")],
    ),
    "nothing there": scope_of("/nowhere"),
    "another method": scope_of("/items/7", "DELETE"),
    "an unknown method": scope_of("/any", "BREW"),
    "a small method": scope_of("/any", "get"),
    "a method with a space": scope_of("/any", " GET"),
    "no method": scope_of("/items/7", ""),
    "excluded": scope_of("/healthz"),
    "no user agent": scope_of("/items/7", headers=[], client=None) | {"headers": [(b"host", b"shop")]},
    "a bot": scope_of("/items/7") | {"headers": [(b"User-Agent", b"Googlebot/2.1"), (b"HOST", b"shop")]},
    "a test": scope_of("/items/7") | {"headers": [(b"user-agent", b"alwayson"), (b"user-agent", b"second")]},
    "an empty user agent": scope_of("/items/7") | {"headers": [(b"user-agent", b""), (b"host", b"")]},
    "two hosts": scope_of("/items/7", headers=[(b"host", b"other.example")]),
    "foreign letters": scope_of("/items/7")
    | {"headers": [(b"user-agent", b"caf\xe9"), (b"host", "b\u00fccher".encode())]},
    "a host with a password": scope_of("/items/7") | {"headers": [(b"host", b"me:secret@shop")]},
    "no headers": scope_of("/items/7") | {"headers": []},
    "no server": scope_of("/items/7", server=None) | {"headers": []},
    "port 80": scope_of("/items/7", server=("shop", 80)) | {"headers": []},
    "a socket in the file system": scope_of("/items/7", server=("/run/shop", None), client=("", 0)),
    "no scheme": scope_of("/items/7", scheme=None, http_version="2"),
    "https": scope_of("/items/7", scheme="https", server=("shop", 443)),
    "no root": scope_of("/items/7", root_path=None),
    "a root": scope_of("/api/items/7", root_path="/api"),
    "a size": scope_of("/items/7", headers=[(b"content-length", b"5")]),
    "a size that is none": scope_of("/items/7", headers=[(b"content-length", b"five")]),
    "a size of nothing": scope_of("/items/7", headers=[(b"content-length", b"0")]),
    "raises": scope_of("/boom"),
    "raw": scope_of("/raw/x", query=raw_query(START, BODY)),
    "raw, received": scope_of("/raw/x", "POST", query=raw_query({"receive": True}, START, BODY)),
    "raw, no headers": scope_of("/raw/x", query=raw_query({"type": "http.response.start", "status": 204}, BODY)),
    "raw, in parts": scope_of("/raw/x", query=raw_query(START, BODY | {"more_body": True}, BODY)),
    "raw, twice": scope_of("/raw/x", query=raw_query(START, BODY, BODY)),
    "raw, never ended": scope_of("/raw/x", query=raw_query(START)),
    "raw, nothing": scope_of("/raw/x", query=raw_query()),
    "raw, trailers": scope_of(
        "/raw/x",
        query=raw_query(
            START | {"trailers": True},
            BODY,
            {"type": "http.response.trailers", "headers": [["a", "b"]], "more_trailers": True},
            {"type": "http.response.trailers", "headers": [["a", "b"]]},
        ),
    ),
    "raw, a name for the status": scope_of("/raw/x", query=raw_query(START | {"enum": 418}, BODY)),
    "raw, a text for the status": scope_of("/raw/x", query=raw_query(START | {"status": "500"}, BODY)),
    "raw, a word for the status": scope_of("/raw/x", query=raw_query(START | {"status": "fine"}, BODY)),
    "raw, no status": scope_of("/raw/x", query=raw_query(START | {"status": 0}, BODY)),
    "raw, a small status": scope_of("/raw/x", query=raw_query(START | {"status": 42}, BODY)),
    "raw, a negative status": scope_of("/raw/x", query=raw_query(START | {"status": -1}, BODY)),
    "raw, redirected": scope_of("/raw/x", query=raw_query(START | {"status": 302}, BODY)),
    "raw, a size that is none": scope_of(
        "/raw/x", query=raw_query(START | {"headers": [["content-length", "x"]]}, BODY)
    ),
    "raw, two sizes": scope_of(
        "/raw/x", query=raw_query(START | {"headers": [["content-length", "8"], ["content-length", "9"]]}, BODY)
    ),
    "raw, early hints": scope_of(
        "/raw/x", query=raw_query({"type": "http.response.early_hint", "links": []}, START, BODY)
    ),
    "lifespan": {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}},
}

WEBSOCKET = scope_of("/socket/a", method=None, type="websocket", scheme="ws", subprotocols=[])

FASTAPI = {
    "a path": scope_of("/plain/a/b"),
    "posted": scope_of("/items", "POST", headers=[(b"content-length", b"9"), (b"content-type", b"application/json")]),
    "not posted": scope_of("/items"),
    "options": scope_of("/any", "OPTIONS"),
    "head": scope_of("/any", "HEAD"),
    "wrong": scope_of("/items/seven"),
    "handled": scope_of("/handled"),
    **{f"status {each}": scope_of(f"/status/{each}") for each in (204, 304, 400, 418, 499, 500, 503)},
    "stream": scope_of("/stream"),
    "a stream that breaks": scope_of("/stream/breaks"),
    "background": scope_of("/background"),
    "headers changed": scope_of("/headers/changed", headers=[(b"content-length", b"5")]),
    "middleware raises": scope_of("/middleware/raises"),
    "cancelled": scope_of("/cancelled"),
    "work": scope_of("/work"),
    "documentation": scope_of("/docs"),
    "a websocket": WEBSOCKET,
    "a websocket with a parent": WEBSOCKET | {"headers": [(b"traceparent", PARENT)]},
    "no websocket there": WEBSOCKET | {"path": "/nowhere"},
    **{f"part {each}": scope_of(each) for each in ("/v1/part/items/7", "/v1/part/inner/items/7", "/inner/items/7")},
    "part, another method": scope_of("/v1/part/inner/items/7", "DELETE"),
    "part, nothing there": scope_of("/v1/part/nowhere"),
    "part, hidden": scope_of("/v1/part/items/7", query=b"hide"),
    "another host": scope_of("/x", query=raw_query(START, BODY)) | {"headers": [(b"host", b"other.example")]},
    "mounted": scope_of("/sub/items/7"),
    "mounted, nothing there": scope_of("/sub/nowhere"),
    "mounted, raises": scope_of("/sub/boom"),
    "mounted starlette": scope_of("/starlette/items/7"),
    "mounted starlette, raises": scope_of("/starlette/boom"),
    "a mounted websocket": WEBSOCKET | {"path": "/sub/socket/a"},
}

STARLETTE = {
    "another host": scope_of("/x", query=raw_query(START, BODY)) | {"headers": [(b"host", b"other.example")]},
    "within": scope_of("/within/items/7"),
    "hiding": scope_of("/hiding"),
    "hidden": scope_of("/hiding", query=b"hide"),
    "a websocket": WEBSOCKET | {"path": "/socket"},
}


async def ask(app, name, scope):
    """Hand one request to an app, as a server does in a task, and print what came of it."""
    ways.clear()
    sent = []
    incoming = [
        {"type": f"{scope['type']}.connect"}
        if scope["type"] == "websocket"
        else {"type": "http.request", "body": b'{"a": [1]}'},
        {"type": "websocket.receive", "text": "b"} if scope["type"] == "websocket" else {"type": "http.disconnect"},
    ]
    if scope["type"] == "lifespan":
        incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive():
        return incoming.pop(0) if len(incoming) > 1 else incoming[0]

    async def send(message):
        sent.append({**message, "body": message.get("body", b"")[:40]})

    raised = None
    try:
        await asyncio.wait_for(asyncio.ensure_future(app(scope, receive, send)), 5)
    except BaseException as error:  # noqa: BLE001 - whatever comes
        raised = f"{type(error).__name__}: {error}"
    left = bool(context) and trace.get_current_span().get_span_context().is_valid
    print(name, ",".join(ways), raised, left, sent, sorted(scope, key=str), sep="\t")


async def within_other_contexts(app):
    """Ask within a span, and where nothing is to be instrumented."""
    if not context:
        return
    with trace.get_tracer("shop").start_as_current_span("outer"):
        await ask(app, "within a span", scope_of("/items/7"))
    for key in (
        "suppress_instrumentation",
        context._SUPPRESS_INSTRUMENTATION_KEY,
        context._SUPPRESS_HTTP_INSTRUMENTATION_KEY,
    ):
        token = context.attach(context.set_value(key, True))
        await ask(app, f"suppressed by {key.split('-')[0]}", scope_of("/items/7"))
        context.detach(token)
    token = context.attach(context.set_value("other", True))
    await ask(app, "in a context with something else", scope_of("/items/7"))
    context.detach(token)


async def with_response_headers(app):
    """Ask where the answers are to carry the trace."""
    name = "otel_injection._vendor.opentelemetry.instrumentation.propagators"
    propagators = sys.modules.get(name)
    if propagators is not None:
        propagators.set_global_response_propagator(propagators.TraceResponsePropagator())
        await ask(
            app,
            "answers carry the trace",
            scope_of("/raw/x", query=raw_query(START, BODY), headers=[(b"traceparent", PARENT)]),
        )
        propagators.set_global_response_propagator(None)


async def concurrently(app):
    """Ask for several at a time, which end in their own order."""
    await asyncio.gather(*(ask(app, "side by side", scope_of("/stream")) for _ in range(3)))


async def main():
    """Ask for everything, twice: what is remembered must not show."""
    for _ in range(2):
        for kind, app, cases in (
            ("fastapi", make_fastapi(), {**COMMON, **FASTAPI}),
            (
                "debug",
                make_fastapi(debug=True, root_path="/api"),
                {key: COMMON[key] for key in ("plain", "raises", "a root")},
            ),
            ("starlette", make_starlette(), {**COMMON, **STARLETTE}),
        ):
            for name, scope in cases.items():
                await ask(app, f"{kind} {name}", {**scope, "headers": list(scope.get("headers", ()))})
            if kind != "debug":
                await within_other_contexts(app)
                await with_response_headers(app)
        if context:
            for provider in (trace.get_tracer_provider(), metrics.get_meter_provider()):
                getattr(provider, "force_flush", bool)()
    await concurrently(make_fastapi(sub=False))


if os.environ.get("UPSTREAM_ROUTES"):
    for each in ("fastapi", "starlette"):
        instrumentation = sys.modules.get(f"otel_injection._vendor.opentelemetry.instrumentation.{each}")
        instrumentation._get_route_details = instrumentation._get_route_details._upstream
asyncio.run(main())
