"""``http.server.response.size`` is that of the answer itself: one without a length has none."""

from __future__ import annotations

import pytest

from tests.injection.running import Runner
from tests.injection.test_exit import HOURLY
from tests.receiver import Receiver

CALL = """
import asyncio
async def call(app, path):
    asked = []
    async def receive():
        if asked:
            await asyncio.sleep(60)
        asked.append(1)
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        pass
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": "", "headers": []}
    more = {"scheme": "http", "query_string": b"", "http_version": "1.1", "server": ("127.0.0.1", 80)}
    await app({**scope, **more, "client": ("127.0.0.1", 5)}, receive, send)
async def parts(*_):
    yield b"a"
    yield b"b"
async def main():
    for path in ("/sized", "/streamed", "/streamed", "/streamed"):
        await call(app, path)
asyncio.run(main())
"""
FRAMEWORKS = {
    "fastapi": """
import fastapi
from fastapi.responses import PlainTextResponse, StreamingResponse
app = fastapi.FastAPI()
app.get("/sized")(lambda: PlainTextResponse("x" * 1000))
app.get("/streamed")(lambda: StreamingResponse(parts()))
""",
    "starlette": """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
def sized(request):
    return PlainTextResponse("x" * 1000)
def streamed(request):
    return StreamingResponse(parts())
app = Starlette(routes=[Route("/sized", sized), Route("/streamed", streamed)])
""",
}


@pytest.mark.parametrize("mode", ["", "http"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_streamed_answers_have_not_the_size_of_an_earlier_one(
    framework_runner: Runner, receiver: Receiver, framework: str, mode: str
) -> None:
    source = f"{FRAMEWORKS[framework]}{CALL}"
    done = framework_runner.run(source, env={**HOURLY, "OTEL_SEMCONV_STABILITY_OPT_IN": mode})
    assert (done.status, done.lines) == (0, []), done.stderr
    name = "http.server.response.body.size" if mode else "http.server.response.size"
    (point,) = [point for point in receiver.points if point.name == name]
    assert (point.count, point.sum) == (1, 1000)
