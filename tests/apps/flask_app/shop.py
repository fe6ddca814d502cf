"""A small shop: the web application."""

import logging
import os
import time

from flask import Flask, jsonify

log = logging.getLogger("shop")


def create_app():
    app = Flask(__name__)
    app.logger.setLevel(logging.INFO)  # the logger "shop" as well; its handler is there from the start

    @app.get("/")
    def index():
        return "shop\n"

    @app.get("/users/<int:id>")
    def user(id):  # noqa: A002
        return jsonify(id=id, name=f"user {id}")

    @app.get("/boom")
    def boom():
        raise RuntimeError("the till is stuck")

    @app.get("/slow")
    def slow():
        time.sleep(0.1)
        return "done\n"

    @app.get("/log")
    def write_log():
        log.info("stock is %d", 12)
        log.warning("stock of %s is low: %d left", "apples", 3)
        log.error("order %s failed", "A-17")
        return "logged\n"

    @app.get("/healthz")
    def healthy():
        return "ok\n"

    @app.get("/pid")
    def pid():
        return jsonify(pid=os.getpid())

    @app.errorhandler(404)
    def not_found(error):
        return jsonify(error="not found"), 404

    @app.errorhandler(500)
    def failed(error):
        return jsonify(error="internal error"), 500

    return app
