"""gRPC calls with a client span, and with the app's own results, metadata and arguments.

For a stream of answers, upstream's interceptor returns a generator in place of the call: it has no ``cancel`` and no
``code``, and the call does not begin until it is read. If a key of metadata stands twice, it keeps the last value.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable
from typing import Any

import grpc  # type: ignore[import-untyped]
from opentelemetry.instrumentation.grpc import _client
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.propagate import inject
from opentelemetry.semconv.trace import SpanAttributes
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, use_span
from opentelemetry.trace.status import Status, StatusCode

from otel_injection import ours, report


def instrument(name: str, act: Callable[[], None]) -> None:
    """Let one of gRPC's instrumentations act, and replace how it makes calls."""
    module, functions = _REPLACED.get(name, ("grpc", ()))
    owner = functools.reduce(getattr, module.split(".")[1:], grpc)
    own = {each: getattr(owner, each) for each in functions}
    act()
    for each, function in own.items():
        if getattr(owner, each) is not function:
            setattr(owner, each, _by_keyword(getattr(owner, each), function))
    if name == "grpc_client":
        interceptor: Any = _client.OpenTelemetryClientInterceptor
        interceptor._intercept = interceptor._intercept_server_stream = _call
    elif name == "grpc_aio_client":
        _end_streams()
    elif name in ("grpc_server", "grpc_aio_server"):
        from otel_injection.instrumentations import grpc_server

        grpc_server.complete(name)


_REPLACED = {
    "grpc_server": ("grpc", ("server",)),
    "grpc_aio_server": ("grpc.aio", ("server",)),
    "grpc_aio_client": ("grpc.aio", ("insecure_channel", "secure_channel")),
}
"""Functions to which upstream's stand-ins add ``interceptors`` by keyword, also where they are given by position."""


def _by_keyword(replacement: Any, original: Any) -> Any:
    names = tuple(inspect.signature(original).parameters)

    @functools.wraps(original)
    def call(*arguments: Any, **keywords: Any) -> Any:
        place = names.index("interceptors")
        return replacement(*arguments[:place], **dict(zip(names[place:], arguments[place:], strict=False)), **keywords)

    return call


def _end_streams() -> None:
    """Have ``read`` return ``EOF`` at the end where there is an interceptor, too: older releases of gRPC raise."""
    from grpc.aio import EOF, _interceptor  # type: ignore[import-untyped]

    mixin: Any = getattr(_interceptor, "_InterceptedStreamResponseMixin", None)
    own = getattr(mixin, "read", None)
    if own is None:
        return

    @functools.wraps(own)
    async def read(self: Any) -> Any:
        try:
            return await own(self)
        except StopAsyncIteration:
            return EOF

    mixin.read = read


def _call(self: Any, request: Any, metadata: Any, info: Any, invoker: Callable[[Any, Any], Any]) -> Any:
    """Make a call in a span, which ends with the call; return and raise what the call does."""
    if not is_instrumentation_enabled():
        return invoker(request, metadata)
    span, metadata = _begin(self._tracer, info.full_method, metadata)
    try:
        with use_span(span, record_exception=False, set_status_on_exception=False):
            result = invoker(request, metadata)
    except BaseException as error:
        _fail(span, error)
        raise
    try:
        if not (isinstance(result, grpc.RpcContext) and _follow(span, result)):
            span.end()
    except ours() as error:
        report.debug(f"grpc: a span is not ended: {type(error).__name__}: {error}")
    return result


def _begin(tracer: Any, method: Any, metadata: Any) -> tuple[Span, Any]:
    """Start a span; returns it and the metadata with its context."""
    try:
        name = method.decode() if isinstance(method, bytes) else str(method)
        service, _, call = name.lstrip("/").partition("/")
        attributes = {
            SpanAttributes.RPC_SYSTEM: "grpc",
            SpanAttributes.RPC_GRPC_STATUS_CODE: grpc.StatusCode.OK.value[0],
            SpanAttributes.RPC_METHOD: call,
            SpanAttributes.RPC_SERVICE: service,
        }
        span = tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
    except ours() as error:
        report.debug(f"grpc: a call has no span: {type(error).__name__}: {error}")
        return INVALID_SPAN, metadata
    own = metadata
    try:
        own = tuple(metadata or ())
        carrier: dict[str, str] = {}
        with use_span(span):
            inject(carrier, setter=_client._carrier_setter)
        # A list: of a tuple, some releases of gRPC cannot say that it is invalid.
        return span, [*(each for each in own if each[0] not in carrier), *carrier.items()]
    except ours() as error:  # gRPC says what is wrong with it
        report.debug(f"grpc: a call does not continue its trace: {type(error).__name__}: {error}")
        return span, own


def _follow(span: Span, call: Any) -> bool:
    """End the span when the call ends; return False if the call has ended already.

    gRPC cancels a call that nobody holds any longer: the callback must not hold it.
    """
    held = weakref.ref(call)
    if call.add_callback(functools.partial(_ended, span, held)):
        return True
    _say_how(span, call)
    return False


def _ended(span: Span, held: Callable[[], Any]) -> None:
    try:
        _say_how(span, held())
        span.end()
    except ours() as error:
        report.debug(f"grpc: a span is not ended: {type(error).__name__}: {error}")


def _say_how(span: Span, call: Any) -> None:
    """Set the status of an ended call; one that nobody holds any longer was cancelled."""
    code = grpc.StatusCode.CANCELLED if call is None else call.code()
    if isinstance(code, grpc.StatusCode) and code is not grpc.StatusCode.OK:
        span.set_attribute(SpanAttributes.RPC_GRPC_STATUS_CODE, code.value[0])
        span.set_status(Status(StatusCode.ERROR, call and call.details()))


def _fail(span: Span, error: BaseException) -> None:
    """End the span of a call that raised."""
    try:
        code = error.code() if isinstance(error, grpc.RpcError) and hasattr(error, "code") else None
        if isinstance(code, grpc.StatusCode):
            span.set_attribute(SpanAttributes.RPC_GRPC_STATUS_CODE, code.value[0])
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        span.record_exception(error)
        span.end()
    except ours() as failure:
        report.debug(f"grpc: a span is not ended: {type(failure).__name__}: {failure}")
