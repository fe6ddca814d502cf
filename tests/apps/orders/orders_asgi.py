"""The same as an asynchronous application."""

import os
import sqlite3

import httpx
from fastapi import FastAPI

app = FastAPI()


async def work():
    connection = sqlite3.connect(":memory:")
    connection.cursor().execute("CREATE TABLE orders (id INTEGER)")
    connection.close()
    async with httpx.AsyncClient() as client:
        await client.get(os.environ["STOCK"] + "/stock")


@app.get("/healthz")
async def healthy():
    await work()
    return "ok"


@app.get("/orders")
async def orders():
    await work()
    return "ordered"
