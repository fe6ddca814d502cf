"""Makes a span of each command of click, as upstream's instrumentation does, which imports Flask into every such app.

A command may be a server, or start one: see ``command_requests`` for its requests.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click
from opentelemetry import context, trace
from opentelemetry.instrumentation import utils
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
from wrapt import wrap_function_wrapper

from otel_injection._index import INSTRUMENTATION_VERSION
from otel_injection.instrumentations import command_requests

SERVERS = frozenset(
    """
    celery chainlit daphne dramatiq fastapi_cli granian gunicorn hypercorn litestar locust mlflow prefect quart
    rq sanic streamlit uvicorn waitress
    """.split()  # noqa: SIM905 - names read better as text
)
"""Packages whose commands run until they are stopped: a span of such a command would never end."""


class Instrumentor(BaseInstrumentor):  # type: ignore[misc]
    """See ``opentelemetry.instrumentation.click.ClickInstrumentor``."""

    def instrumentation_dependencies(self) -> Any:
        """Return nothing: the index knows the releases that are supported."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        self._tracer = trace.get_tracer(
            "opentelemetry.instrumentation.click", INSTRUMENTATION_VERSION, kwargs["tracer_provider"]
        )
        wrap_function_wrapper(click.core.Command, "invoke", self._invoke)

    def _uninstrument(self, **_kwargs: Any) -> None:
        utils.unwrap(click.core.Command, "invoke")

    def _invoke(self, invoke: Any, command: Any, args: Any, kwargs: Any) -> Any:
        if type(command) is not click.Command or _serves(command, args[0]):  # a group, for example
            return invoke(*args, **kwargs)
        attributes: dict[str, Any] = {
            "process.command_args": sys.argv,
            "process.executable.name": sys.argv[0],
            "process.exit.code": 0,
            "process.pid": os.getpid(),
        }
        with self._tracer.start_as_current_span(args[0].info_name, attributes=attributes) as span:
            token = context.attach(context.set_value(command_requests.COMMAND, span))
            try:
                return invoke(*args, **kwargs)
            except Exception as error:
                span.set_status(trace.StatusCode.ERROR, str(error))
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_attribute("process.exit.code", getattr(error, "exit_code", 1))
                raise
            finally:
                context.detach(token)


def _serves(command: Any, ctx: Any) -> bool:
    module = getattr(command.callback, "__module__", None) or ""
    return module.partition(".")[0] in SERVERS or (module == "flask.cli" and ctx.info_name == "run")
