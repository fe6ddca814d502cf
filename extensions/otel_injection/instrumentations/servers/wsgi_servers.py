"""Where WSGI servers take the app's callable.

Each server is asked for at one place. What it is given there looks like the app, and is the app itself where a
framework's own instrumentation makes the spans.
"""

from __future__ import annotations

from functools import wraps

from otel_injection import ours, report
from otel_injection.instrumentations.servers.frameworks import is_claimed
from otel_injection.settings.early import disabled_instrumentations, flag

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

SETTING = "OTEL_INJECTION_SERVER_SPANS"

_TAKEN_BY = {
    "cheroot.wsgi": ("Server", "wsgi_app"),
    "waitress.server": ("BaseWSGIServer", "application"),
    "werkzeug.serving": ("BaseWSGIServer", "app"),
}
"""By module: the class of the server, and its attribute that holds the app once it is made."""


def served(app: Any) -> Any:
    """Return what a server calls in place of the app; the app itself where a framework makes the spans."""
    try:
        if app is None or is_claimed():
            return app
        from otel_injection.instrumentations.servers import wsgi_requests

        return app if type(app) is wsgi_requests.Served else wsgi_requests.Served(app)
    except ours() as error:
        report.say(f"wsgi: requests have no spans: {type(error).__name__}: {error}")
        return app


def is_on(server: str) -> bool:
    """Return whether a server's requests get spans from here, by the name of its package."""
    disabled = disabled_instrumentations()
    return flag(SETTING, default=True) and disabled.isdisjoint(("*", "wsgi", server))


def hook_attribute(module: Any, name: str) -> None:
    """Have a server keep the app in our wrapper: those of ``_TAKEN_BY``."""
    if not is_on(name.partition(".")[0]):
        return
    kind, attribute = _TAKEN_BY[name]
    server = getattr(module, kind)
    make = server.__init__

    @wraps(make)
    def __init__(self: Any, *arguments: Any, **keywords: Any) -> None:  # noqa: N807 - it takes its place
        make(self, *arguments, **keywords)
        app = getattr(self, attribute, None)
        if app is not None:
            setattr(self, attribute, served(app))

    server.__init__ = __init__


def hook_gunicorn(base: Any, _name: str) -> None:
    """Have gunicorn's workers call our wrapper."""
    if not is_on("gunicorn"):
        return
    load = base.Worker.load_wsgi

    @wraps(load)
    def load_wsgi(self: Any) -> Any:
        result = load(self)
        if not hasattr(self, "asgi") and _is_wsgi(self):
            self.wsgi = served(self.wsgi)
        return result

    base.Worker.load_wsgi = load_wsgi


def _is_wsgi(worker: Any) -> bool:
    """Return whether a worker calls its app as WSGI: uvicorn's and gunicorn's own ASGI worker do not."""
    bases = [each.__module__ for each in type(worker).__mro__]
    return not any(each.startswith(("uvicorn", "gunicorn.workers.gasgi", "aiohttp", "hypercorn")) for each in bases)


def hook_gevent(pywsgi: Any, _name: str) -> None:
    """Have gevent's handlers call our wrapper: a server's app may be set after it is made."""
    if not is_on("gevent"):
        return
    run = pywsgi.WSGIHandler.run_application

    @wraps(run)
    def run_application(self: Any) -> Any:
        self.application = served(self.application)
        return run(self)

    pywsgi.WSGIHandler.run_application = run_application


def hook_wsgiref(handlers: Any, _name: str) -> None:
    """Have the handlers of the standard library run our wrapper."""
    if not is_on("wsgiref"):
        return
    run_app = handlers.BaseHandler.run

    @wraps(run_app)
    def run(self: Any, application: Any) -> Any:
        return run_app(self, served(application))

    handlers.BaseHandler.run = run
