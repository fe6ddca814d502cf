"""gRPC: calls, streams, metadata and contexts are what they are without us, and each call has its spans."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.injection.parity import Row, check
from tests.injection.running import Runner
from tests.receiver import Receiver

SERVICE = """
import grpc, logging, time
from concurrent import futures

logging.disable(50)

def one(request, context):
    if request == b"abort":
        context.abort(grpc.StatusCode.NOT_FOUND, "none")
    if request == b"status":
        class Status(grpc.Status):
            code, details, trailing_metadata = grpc.StatusCode.INTERNAL, "broken", ()
        context.abort_with_status(Status())
    if request == b"number":
        context.set_code(5)  # taken for UNKNOWN
        context.set_details("five")
    context.disable_next_message_compression()
    return repr([tuple(each) for each in context.invocation_metadata() if each.key in ("a", "b")]).encode()

def many(request, context):
    yield b"1"
    if request == b"broken":
        raise ValueError
    while request == b"endless" and context.is_active():
        time.sleep(0.01)
        yield b"n"
    yield b"2"

METHODS = {
    "/shop/one": grpc.unary_unary_rpc_method_handler(one),
    "noslash": grpc.unary_unary_rpc_method_handler(one),
    "/shop/many": grpc.unary_stream_rpc_method_handler(many),
    "/shop/joined": grpc.stream_unary_rpc_method_handler(lambda requests, context: b"".join(requests)),
    "/shop/both": grpc.stream_stream_rpc_method_handler(lambda requests, context: requests),
}

class Shop(grpc.GenericRpcHandler):
    def service(self, details):
        return METHODS.get(details.method)

class Passing(grpc.ServerInterceptor):
    def intercept_service(self, continuation, details):
        return continuation(details)

server = grpc.server(futures.ThreadPoolExecutor(4), [Shop()], [Passing()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
one, many = channel.unary_unary("/shop/one"), channel.unary_stream("/shop/many")

def tried(call):
    try:
        return call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    except Exception as error:
        return type(error).__name__
"""

ROWS = {
    "metadata": Row(
        """
            from service import *
            valid = (None, (), [("a", "1"), ("a", "2")], {"a": "1"}.items(), iter([("b", "1")]))
            for given in (*valid, 5, [("A", "1")], [7]):
                print(tried(lambda: one(b"", metadata=given)))
            print(tried(lambda: channel.unary_unary("noslash")(b"")))
            server.stop(0)
        """,
        spans=["noslash"] + ["/shop/one"] * 13,
    ),
    "outcomes": Row(
        """
            from service import *
            for request in (b"abort", b"status", b"number"):
                print(tried(lambda: one(request)))
            print(one.with_call(b"")[1].code(), one.future(b"").result(), tried(lambda: one(b"", timeout=-1)))
            server.stop(0)
        """,
        spans=["/shop/one"] * 11,
    ),
    "streams": Row(
        """
            from service import *
            from grpc.experimental import ChannelOptions
            import gc, weakref
            call = many(b"")
            print(type(call).__name__, list(call), call.code(), call.done(), len(call.trailing_metadata()))
            print(tried(lambda: list(many(b"broken")))[0])
            call = many(b"endless")
            print(next(call), call.cancel(), call.code())
            call = many(b"endless")
            left = weakref.ref(call)
            print(next(call))
            del call
            gc.collect()
            print("cancelled as nobody holds it:", left() is None)
            option = (ChannelOptions.SingleThreadedUnaryStream, 1)
            with grpc.insecure_channel(f"127.0.0.1:{port}", options=(option,)) as single:
                call = single.unary_stream("/shop/many")(b"")
                print(type(call).__name__, list(call), call.code())
            print(channel.stream_unary("/shop/joined")(iter([b"1", b"2"])))
            call = channel.stream_stream("/shop/both")(iter([b"1", b"2"]))
            print(list(call), call.code())
            server.stop(1).wait()
        """,
        spans=["/shop/both"] * 2 + ["/shop/joined"] * 2 + ["/shop/many"] * 10,
    ),
    "asyncio": Row(
        """
            import asyncio, grpc, grpc.aio, logging
            from concurrent import futures
            logging.disable(50)

            async def one(request, context):
                return b"one"

            async def yielding(request, context):
                yield b"1"
                yield b"2"

            async def writing(request, context):
                await context.write(b"1")
                await context.write(b"2")

            async def echo(requests, context):
                while (request := await context.read()) is not grpc.aio.EOF:
                    await context.write(request)

            unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
            METHODS = {
                "/shop/one": unary(one), "/shop/plain": unary(lambda request, context: b"plain"),
                "/shop/yielding": stream(yielding), "/shop/writing": stream(writing),
                "/shop/plain_stream": stream(lambda request, context: iter([b"1", b"2"])),
                "/shop/echo": grpc.stream_stream_rpc_method_handler(echo),
            }

            class Shop(grpc.GenericRpcHandler):
                def service(self, details):
                    return METHODS.get(details.method)

            async def main():
                server = grpc.aio.server(futures.ThreadPoolExecutor(2), [Shop()], ())
                port = server.add_insecure_port("127.0.0.1:0")
                await server.start()
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", None, None, None) as channel:
                    for name in ("one", "plain"):
                        print(await channel.unary_unary(f"/shop/{name}")(b""))
                    for name in ("yielding", "writing", "plain_stream"):
                        print([each async for each in channel.unary_stream(f"/shop/{name}")(b"")])
                    call = channel.unary_stream("/shop/yielding")(b"")
                    print(await call.read(), await call.read(), await call.read() is grpc.aio.EOF, await call.code())
                    call = channel.stream_stream("/shop/echo")()
                    await call.write(b"1")
                    print(await call.read())
                    await call.done_writing()
                    print(await call.read() is grpc.aio.EOF)
                await server.stop(None)

            asyncio.run(main())
        """,
        spans=["/shop/echo", "/shop/one", "/shop/plain", "/shop/plain_stream", "/shop/writing"] * 2
        + ["/shop/yielding"] * 4,
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_grpc_does_what_it_does_without_us(framework_runner: Runner, receiver: Receiver, name: str) -> None:
    framework_runner.write(SERVICE, "service.py")
    row = replace(ROWS[name], env={"GRPC_VERBOSITY": "NONE"})  # it writes times
    check(row, framework_runner, receiver)
    clients = {span.span_id for span in receiver.spans if span.kind == "client"}
    for span in receiver.spans:
        assert span.kind == "client" or span.parent_id in clients
