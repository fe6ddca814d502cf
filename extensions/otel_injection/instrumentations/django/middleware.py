"""Upstream's middleware for Django, which can only run in a thread, made fit for ASGI.

Django would put every request to an ASGI server on a thread of its own, and wait there for the app's asynchronous code.
"""

from __future__ import annotations

import sys
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from opentelemetry.instrumentation.django.middleware import otel_middleware

from otel_injection import ours
from otel_injection.instrumentations import excluded_urls, fallback

_Upstream: Any = otel_middleware._DjangoMiddleware


class Middleware(_Upstream):  # type: ignore[misc]
    """What ``DjangoInstrumentor`` puts in front of the app's middleware."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
            self.__dict__["process_view"] = self._process_view  # of this object alone

    def __call__(self, request: Any) -> Any:
        """Serve a request; return the response, or a coroutine that returns it where Django runs asynchronously."""
        if self._is_async:
            return self._serve(request)
        token = self._begin(request)
        try:
            response = self.get_response(request)
        except BaseException:
            self._end(request)
            raise
        finally:
            excluded_urls.leave(token)
        return self._finish(request, response)

    async def _serve(self, request: Any) -> Any:
        token = self._begin(request)
        try:
            response = await self.get_response(request)
        except BaseException:  # the client is gone: cancelled
            self._end(request)
            raise
        finally:
            excluded_urls.leave(token)
        return self._finish(request, response)

    def _begin(self, request: Any) -> Any:
        self._contained(self.process_request, request)
        return excluded_urls.enter() if self._contained(self._is_excluded, request) else None

    def _finish(self, request: Any, response: Any) -> Any:
        self._contained(self.process_response, request, response)
        if self._environ_activation_key in request.META:
            self._end(request)
        return response

    def process_view(self, request: Any, *arguments: Any, **keywords: Any) -> None:
        """See upstream's; Django calls it by name."""
        self._contained(super().process_view, request, *arguments, **keywords)

    async def _process_view(self, request: Any, *arguments: Any, **keywords: Any) -> None:
        self._contained(super().process_view, request, *arguments, **keywords)

    def process_exception(self, request: Any, exception: Any) -> None:
        """See upstream's; Django calls it by name."""
        self._contained(super().process_exception, request, exception)

    def _contained(self, step: Any, request: Any, *arguments: Any, **keywords: Any) -> Any:
        """Run a step of upstream's, which asks for the request's URL, without any effect on the app.

        Django raises for a host that is not allowed, and keeps on the request what it has found. The app may never ask
        for the URL, or change the request before it does.
        """
        known = "_current_scheme_host" in vars(request)
        try:
            if not known:
                vars(request)["_current_scheme_host"] = f"{request.scheme}://{request._get_raw_host()}"
            return step(request, *arguments, **keywords)
        except ours() as error:
            fallback.tell(_Upstream.process_request, *fallback.described(error))
            return None
        finally:
            if not known:
                vars(request).pop("_current_scheme_host", None)

    def _is_excluded(self, request: Any) -> bool:
        if self._environ_activation_key in request.META or not self._excluded_urls._excluded_urls:
            return False
        return bool(self._excluded_urls.url_disabled(request.build_absolute_uri("?")))

    def _end(self, request: Any) -> None:
        """End the span of a request that has no response."""
        activation = request.META.pop(self._environ_activation_key, None)
        if activation is not None:
            self._active_request_counter.add(-1, request.META.pop(self._environ_active_request_attr_key, None))
            try:
                activation.__exit__(*sys.exc_info())
            except BaseException:
                pass
