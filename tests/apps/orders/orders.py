"""Takes orders: a web application with a database and a service that it calls."""

import logging
import os
import sqlite3
import time
import urllib.request

from flask import Flask, request

log = logging.getLogger("orders")


def work(statement="SELECT 1"):
    """Ask the database and the service."""
    connection = sqlite3.connect(":memory:")
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE orders (id INTEGER, card TEXT)")
    cursor.execute(statement)
    connection.close()
    urllib.request.urlopen(os.environ["STOCK"] + "/stock?token=t0psecret&item=7").read()


app = Flask(__name__)
app.logger.setLevel(logging.INFO)


@app.get("/healthz")
def healthy():
    work()
    return "ok\n"


@app.get("/internal/status")
def status():
    work()
    return "fine\n"


@app.get("/orders")
def orders():
    work("INSERT INTO orders VALUES (17, 'it''s 4111111111111111')")
    log.warning("order %s paid with 4111111111111111, see http://ann:pa55word@shop/x?token=t0psecret", "A-17")
    return "ordered\n"


@app.get("/slow")
def slow():
    work()
    time.sleep(0.3)
    return "done\n"


@app.get("/boom")
def boom():
    work()
    raise RuntimeError("http://ann:pa55word@shop refuses")


@app.get("/echo")
def echo():
    return request.user_agent.string
