"""Every kind of request, as WSGI servers hand them to Flask, one after the other; prints what became of each.

The fourth column says which way through the instrumentation the request took: ``short`` or ``long``.
"""

import io
import json
import logging
import os
import sys
import threading

import flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

try:
    from opentelemetry import context, metrics, trace
except ImportError:  # not injected
    context = None

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-00"
ways = []


def note_way():
    """Note the way by which this request came."""
    files = set()
    frame = sys._getframe(1)
    while frame is not None:
        files.add(frame.f_code.co_filename)
        frame = frame.f_back
    short = any(name.endswith("otel_injection/instrumentations/flask/wsgi_wrapper.py") for name in files)
    long = any(name.endswith("opentelemetry/instrumentation/flask/__init__.py") for name in files)
    activation = (
        flask.request.environ.get("opentelemetry-flask.activation_key") if flask.has_request_context() else None
    )
    begun = type(activation).__module__.rpartition(".")[2] if activation is not None else "-"
    ways.append(f"{'long' if long else 'short' if short else 'none'}:{begun}")


class ShopError(Exception):
    """An error that the app handles."""


def make(name, base=flask.Flask, **config):  # noqa: C901 - every kind of view
    """Return an app with all kinds of views."""
    app = base(name)
    app.config.update(config)
    app.logger.disabled = True
    part = flask.Blueprint("part", name, url_prefix="/part")

    @app.before_request
    def before():
        note_way()
        if flask.request.path == "/before/raises":
            raise RuntimeError("before")
        return "stopped" if flask.request.path == "/before/answers" else None

    @app.after_request
    def after(response):
        if flask.request.path == "/after/raises":
            raise RuntimeError("after")
        return response

    @app.teardown_request
    def teardown(error):
        if flask.request.path == "/teardown/raises":
            raise RuntimeError("teardown")

    @app.url_value_preprocessor
    def preprocess(endpoint, values):
        if flask.request.path == "/preprocess/raises":
            raise RuntimeError("preprocess")
        if flask.request.path == "/preprocess/changes":
            flask.request.environ["HTTP_HOST"] = "changed.example"

    @app.errorhandler(ShopError)
    def handle(error):
        return f"handled {error}", 418

    @app.route("/", methods=["GET", "POST"])
    @app.route("/before/<what>")
    @app.route("/after/<what>")
    @app.route("/teardown/<what>")
    @app.route("/preprocess/<what>")
    @app.route("/healthz")
    @app.route("/session")
    @app.route("/caf\xe9/<what>")
    @app.route("/a b/<what>")
    def index(what="index"):
        return f"{flask.request.method} {what}"

    @app.route("/items/<int:number>")
    def item(number):
        return str(number)

    @app.route("/folder/")
    def folder():
        return "folder"

    @part.route("/<path:rest>")
    def of_part(rest):
        return rest

    app.register_blueprint(part)

    @app.route("/raises/<kind>")
    def raises(kind):
        raise {"value": ValueError, "shop": ShopError, "exit": SystemExit, "interrupt": KeyboardInterrupt}[kind](kind)

    @app.route("/abort/<int:status>")
    def abort(status):
        flask.abort(status)

    @app.route("/status/<text>")
    def status(text):
        return flask.Response("odd", status=text)

    @app.route("/stream/<kind>")
    def stream(kind):
        def numbers():
            for number in range(3):
                if kind == "fails" and number:
                    raise ValueError("mid-stream")
                yield f"{number} {flask.has_request_context()} "

        body = numbers()
        return flask.Response(flask.stream_with_context(body) if kind == "context" else body)

    @app.route("/copied/<kind>")
    def copied(kind):
        results = []
        work = flask.copy_current_request_context(lambda: results.append(flask.request.path))
        if kind == "thread":
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        else:
            work()
        return str(results)

    @app.route("/nested/<kind>")
    def nested(kind):
        if kind == "context":
            with app.test_request_context("/items/1"):
                return flask.request.path
        if kind == "client":
            return inner.test_client().get("/items/5").data
        if kind == "environ":
            environ = {**flask.request.environ, "PATH_INFO": "/items/6"}
            return flask.Response.from_app(inner.wsgi_app, environ)
        if kind == "excluded":
            flask.request.environ["PATH_INFO"] = "/healthz"
            return flask.Response.from_app(inner.wsgi_app, flask.request.environ)
        flask.request.environ["PATH_INFO"] = "/items/7"
        return flask.Response.from_app(inner.wsgi_app, flask.request.environ)

    @app.route("/spans")
    def spans():
        logging.getLogger("shop").warning("looked at")
        if context is None:
            return "none"
        with trace.get_tracer("shop").start_as_current_span("own"):
            comment = context.get_value("SQLCOMMENTER_ORM_TAGS_AND_VALUES")
        trace.get_current_span().set_attribute("http.route", "mine")
        trace.get_current_span().add_event("seen")
        return json.dumps(comment, sort_keys=True)

    @app.route("/flush")
    def flush():
        if context is not None:
            getattr(metrics.get_meter_provider(), "force_flush", list)()
        return "flushed"

    @app.route("/response-attribute")
    def response_attribute():
        flask.request.response = flask.Response("x")
        flask.request.response.stream = True
        return "set"

    return app


class Sessions(flask.sessions.SecureCookieSessionInterface):
    """Sessions that cannot be opened for one path."""

    def open_session(self, app, request):
        """See Flask."""
        if request.path == "/session":
            raise RuntimeError("session")
        return super().open_session(app, request)


class Prefixed(flask.Flask):
    """An app that looks at a copy of the environ."""

    def wsgi_app(self, environ, start_response):
        """See Flask."""
        if environ["PATH_INFO"] == "/silent":
            return [b"no answer begun"]
        if environ["PATH_INFO"] == "/twice":
            start_response("200 OK", [])
            start_response("503 Sorry", [], None)
            return [b"twice"]
        return super().wsgi_app({**environ, "PATH_INFO": environ["PATH_INFO"].removeprefix("/v1")}, start_response)


class Request(flask.Request):
    """Requests with a URL of their own."""

    @property
    def url(self):
        """See Werkzeug."""
        return "http://own.example/healthz"


class Untouched(flask.Flask):
    """An app with another class of requests."""

    request_class = Request


def server(path="/", method="GET", query="", drop=(), **more):
    """Return what gunicorn makes of a request."""
    environ = {
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query,
        "RAW_URI": path + (f"?{query}" if query else ""), "HTTP_HOST": "shop.example:8000",
        "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "0.0.0.0", "SERVER_PORT": "8000",
        "REMOTE_ADDR": "10.0.0.7", "REMOTE_PORT": "40000",
        "HTTP_USER_AGENT": "test/1", **{key.replace("__", "."): value for key, value in more.items()},
    }  # fmt: skip
    for key in drop:
        del environ[key]
    return environ


inner = make("inner")
shop = make("shop")
shop.session_interface = Sessions()
strict = make("strict", PROPAGATE_EXCEPTIONS=True)
proxied = make("proxied")
proxied.wsgi_app = ProxyFix(proxied.wsgi_app, x_for=1, x_host=1, x_prefix=1)
mounted = make("mounted")
mounted.wsgi_app = DispatcherMiddleware(mounted.wsgi_app, {"/inner": inner})
prefixed = make("prefixed", Prefixed)
untouched = make("untouched", Untouched)
careful = make("careful", TRUSTED_HOSTS=["trusted.example"])

CASES = [
    *[(shop, {"path": path}) for path in ("/", "/items/7", "/items/8", "/folder/", "/folder", "/part/a/b", "/nowhere")],
    *[
        (shop, {"method": method})
        for method in ("HEAD", "OPTIONS", "POST", "PUT", "FOO", "get", "PROPFIND", "QUERY", "")
    ],
    *[(shop, {"path": "/nowhere", "method": method}) for method in ("POST", "FOO", "head")],
    *[(shop, {"path": f"/raises/{kind}"}) for kind in ("value", "shop", "exit", "interrupt")],
    *[(strict, {"path": f"/raises/{kind}"}) for kind in ("value", "shop", "exit")],
    *[(shop, {"path": f"/abort/{status}"}) for status in (401, 404, 500, 503)],
    *[
        (shop, {"path": f"/status/{text}"})
        for text in ("204", "299 Odd reason", "302 Found", "599", "abc", "600", "99")
    ],
    *[
        (app, {"path": f"/{when}/raises"})
        for app in (shop, strict)
        for when in ("before", "after", "teardown", "preprocess")
    ],
    *[(shop, {"path": path}) for path in ("/before/answers", "/preprocess/changes", "/session")],
    *[(shop, {"path": f"/stream/{kind}"}) for kind in ("plain", "context", "fails")],
    *[(shop, {"path": f"/copied/{kind}"}) for kind in ("thread", "here")],
    *[(shop, {"path": f"/nested/{kind}"}) for kind in ("context", "client", "environ", "excluded", "same")],
    *[(mounted, {"path": path}) for path in ("/inner/items/4", "/items/4", "/inner/healthz", "/inner/nowhere")],
    *[(prefixed, {"path": path}) for path in ("/v1/items/3", "/v1/healthz", "/v1/raises/value", "/silent", "/twice")],
    *[(untouched, {"path": path}) for path in ("/", "/healthz")],
    (careful, {"path": "/", "HTTP_HOST": "trusted.example"}),
    (
        proxied,
        {"HTTP_X_FORWARDED_FOR": "1.2.3.4", "HTTP_X_FORWARDED_HOST": "public.example", "HTTP_X_FORWARDED_PREFIX": "/p"},
    ),
    *[
        (shop, {"path": "/healthz", "query": query})
        for query in ("", "a=1", "a=/healthz", "b=%2Fhealthz", "\xe9=/healthz")
    ],
    *[
        (shop, {"path": path, "query": "q=1&AWSAccessKeyId=x"})
        for path in ("/", "//double//slash", "/with;semicolon", "/%41")
    ],
    *[
        (shop, {"path": path})
        for path in ("/caf\xc3\xa9/x", "/a b/x", "/\xff\xfe", "/caf\xc3\xa9/healthz", "/\u20ac"[:1] + "x#y")
    ],
    (shop, {"RAW_URI": "http://user:secret@shop.example/"}),
    (shop, {"RAW_URI": ""}),
    (shop, {"path": "/items/9", "query": "x=1", "drop": ["RAW_URI"]}),
    (shop, {"query": "Signature=abc&y=2", "drop": ["RAW_URI", "HTTP_HOST"], "SCRIPT_NAME": "/app"}),
    (shop, {"drop": ["RAW_URI"], "REQUEST_URI": "/from-uwsgi?x=1", "query": "x=1"}),
    (shop, {"drop": ["RAW_URI"], "HTTP_HOST": "user:secret@shop.example"}),
    (shop, {"SCRIPT_NAME": "/app", "path": "/items/2"}),
    (shop, {"SCRIPT_NAME": "/app", "path": "/healthz"}),
    *[
        (shop, {"HTTP_HOST": host})
        for host in ("[::1]:8080", "[::1]", "shop.example:80", "b\xfccher.example", "xn--bcher-kva.example", "")
    ],
    *[
        (shop, {"HTTP_HOST": host, "path": "/healthz"})
        for host in ("[::1]:8080", "b\xfccher.example", "xn--bcher-kva.example", "")
    ],
    (shop, {"drop": ["HTTP_HOST"], "SERVER_PROTOCOL": "HTTP/1.0"}),
    (shop, {"drop": ["HTTP_HOST"], "SERVER_PROTOCOL": "HTTP/1.0", "path": "/healthz"}),
    *[(shop, {"SERVER_PROTOCOL": text}) for text in ("http/2", "HTTP/", "", "SPDY/3")],
    (shop, {"drop": ["SERVER_PROTOCOL"]}),
    *[(shop, {"wsgi__url_scheme": text, "HTTP_HOST": "shop.example:443"}) for text in ("https", "ws")],
    *[(shop, {"SERVER_PORT": text}) for text in ("", "443", 8001)],
    *[(shop, {"drop": [key]}) for key in ("REMOTE_ADDR", "REMOTE_PORT", "HTTP_USER_AGENT", "QUERY_STRING")],
    *[(shop, {"REMOTE_PORT": text}) for text in ("", "x", 41000)],
    *[(shop, {"REMOTE_HOST": text}) for text in ("", "10.0.0.7", "client.example")],
    *[(shop, {"HTTP_USER_AGENT": text}) for text in ("", "Googlebot/2.1", "alwayson", "kube-probe/1.30", "\xe9")],
    *[
        (shop, {"HTTP_TRACEPARENT": text})
        for text in (PARENT, UNSAMPLED, "", "nonsense", PARENT.replace("00-", "ff-", 1))
    ],
    (shop, {"HTTP_TRACEPARENT": PARENT, "HTTP_TRACESTATE": "a=1,b=2", "HTTP_BAGGAGE": "k=v", "path": "/spans"}),
    (shop, {"HTTP_BAGGAGE": "k=v", "path": "/spans"}),
    (shop, {"HTTP_X_B3_TRACEID": TRACE, "HTTP_X_B3_SPANID": "b7ad6b7169203331", "HTTP_X_B3_SAMPLED": "1"}),
    (shop, {"HTTP_TRACEPARENT": PARENT, "path": "/raises/value"}),
    *[(shop, {"path": path}) for path in ("/spans", "/flush", "/response-attribute", "/items/10")],
]

REFUSED = [
    *[(careful, {"path": path}) for path in ("/", "/healthz")],
    (shop, {"drop": ["HTTP_HOST", "RAW_URI"], "SERVER_NAME": "::1"}),
]
"""Requests without a URL, to a host that the app does not trust, for example: upstream's instrumentation raises."""


def run(app, environ):
    """Serve one request as a server does; return what it has answered."""
    answers = []

    def start_response(status, headers, exc_info=None):
        answers.append((status, sorted(name for name, _ in headers)))
        return answers.append

    try:
        body = app(environ, start_response)
        try:
            text = b"".join(body).decode("latin-1")
        finally:
            getattr(body, "close", list)()
    except BaseException as error:  # noqa: BLE001 - servers see all of them
        text = repr(error)
    return answers, text


def main():
    """Serve all requests; the last ones within a span."""
    for number, (app, wanted) in enumerate(REFUSED if "REFUSED" in os.environ else CASES):
        ways.clear()
        answers, text = run(app, server(**wanted))
        left = context is not None and trace.get_current_span() is not trace.INVALID_SPAN
        shown = json.dumps(wanted, sort_keys=True)
        print(number, app.name, shown, ",".join(ways), answers, repr(text), f"left={left}", sep="\t")
    if context is not None:
        with trace.get_tracer("shop").start_as_current_span("around"):
            for path in ("/items/11", "/raises/value", "/healthz"):
                run(shop, server(path))
    with shop.test_client() as client:
        print(client.get("/items/12").data, flask.request.path)
        print(client.get("/raises/shop").data, flask.request.path)


main()
