"""The same for ASGI servers."""

import logging
import os

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

log = logging.getLogger("shop")
app = FastAPI()


@app.get("/{number}", response_class=PlainTextResponse)
async def answer(number: int):
    log.warning("served %d", number)
    return f"{os.getpid()}\n"
