"""A web application for WSGI servers; AT_IMPORT=1 has it work while it is imported."""

import logging
import os

from flask import Flask

log = logging.getLogger("shop")
app = Flask(__name__)


@app.get("/<int:number>")
def answer(number):
    log.warning("served %d", number)
    return f"{os.getpid()}\n"


if os.environ.get("AT_IMPORT"):
    from opentelemetry import metrics, trace

    with trace.get_tracer("shop").start_as_current_span("import"):
        metrics.get_meter("shop").create_counter("imports").add(5)
        log.warning("imported")
