"""The app's metrics API while the app has set no provider: its measurements are our SDK's."""

from __future__ import annotations

import sys
from typing import Any

from opentelemetry.metrics import Observation, _internal

from otel_injection import record
from otel_injection.providers import metering
from otel_injection.providers.bridge import contexts
from otel_injection.providers.bridge.app_providers import show
from otel_injection.settings.early import forced

_SYNCHRONOUS = {
    "create_counter": ("Counter", "add"),
    "create_up_down_counter": ("UpDownCounter", "add"),
    "create_histogram": ("Histogram", "record"),
    "create_gauge": ("Gauge", "set"),
}
"""By method of a meter, the class of what it makes and the method that measures."""

_ASYNCHRONOUS = ("create_observable_counter", "create_observable_up_down_counter", "create_observable_gauge")


def join(app: Any, _name: str) -> None:
    """Put a provider of ours in place where the app has set none, without the API's "set once" guard."""
    provider = _provider(app)
    if app._METER_PROVIDER is None:
        app._METER_PROVIDER = app._PROXY_METER_PROVIDER = provider

    def own() -> Any:
        found = app._METER_PROVIDER
        return None if found is provider or forced() else found

    provider.own = own
    show(_internal, "_METER_PROVIDER", own, metering.GLOBAL)


def _provider(app: Any) -> Any:  # noqa: C901 - classes derived from the app's
    """Return a provider that is one of the app's API; ``app`` is ``opentelemetry.metrics._internal``."""

    class _ProxyMeterProvider(app._ProxyMeterProvider):  # type: ignore[misc]
        __module__ = app._ProxyMeterProvider.__module__

        def __init__(self) -> None:
            super().__init__()
            self._joined: list[Any] = []

        def get_meter(self, *arguments: Any, **keywords: Any) -> Any:
            meter = Meter(self, arguments, keywords)
            self._joined.append(meter)
            return meter

        def on_set_meter_provider(self, meter_provider: Any) -> None:  # noqa: ARG002 - called by the API
            for each in self._joined:
                each._hand_over()

        def force_flush(self, timeout_millis: float = 10_000) -> bool:
            return metering.GLOBAL.force_flush(timeout_millis)

    class Meter(app.NoOpMeter):  # type: ignore[misc]
        __module__ = app.Meter.__module__

        def __init__(self, proxy: Any, arguments: Any, keywords: Any) -> None:
            super().__init__(*arguments[:3], **{key: keywords[key] for key in keywords if key != "attributes"})
            self._proxy = proxy
            self._made = (arguments, keywords)
            self._ours = metering.GLOBAL.get_meter(*arguments, **keywords)
            self._theirs: tuple[Any, Any] = (None, None)
            self._observed: list[tuple[str, Any, Any]] = []

        def _own(self) -> Any:
            """Return the meter of the provider that the app has set; None if it has set none."""
            provider = self._proxy.own()
            theirs = self._theirs  # one object: another thread may be replacing it
            if provider is not None and theirs[0] is not provider:
                record.app_provider("metrics", type(provider).__module__)
                theirs = self._theirs = (provider, provider.get_meter(*self._made[0], **self._made[1]))
            return None if provider is None else theirs[1]

        def _hand_over(self) -> None:
            """Register the asynchronous instruments with the provider that the app has set."""
            own = self._own()
            for factory, arguments, keywords in self._observed if own is not None else ():
                getattr(own, factory)(*arguments, **keywords)

    for factory, (name, measures) in _SYNCHRONOUS.items():
        if hasattr(app.NoOpMeter, factory):
            instruments = sys.modules[f"{app.__name__}.instrument"]
            setattr(Meter, factory, _synchronous(factory, getattr(instruments, name), measures))
    for factory in _ASYNCHRONOUS:
        setattr(Meter, factory, _asynchronous(factory, getattr(app.NoOpMeter, factory)))
    return _ProxyMeterProvider()


def _synchronous(factory: str, base: Any, measures: str) -> Any:
    """Return the method of a meter that makes a synchronous instrument, whose own method ``measures``."""

    class Instrument(base):  # type: ignore[misc]
        __module__ = base.__module__

        def __init__(self, meter: Any, name: str, arguments: Any, keywords: Any) -> None:
            self._meter = meter
            self._definition = (name, arguments, keywords)
            self._ours = getattr(meter._ours, factory)(name, *arguments, **keywords)
            self._theirs: tuple[Any, Any] = (None, None)

        def _measure(self, amount: Any, attributes: Any = None, *context: Any, **named: Any) -> None:
            own = self._meter._own()
            if own is None:
                told = context[0] if context else named.get("context")
                told = None if told is None else contexts.to_ours(told)
                getattr(self._ours, measures)(amount, attributes, told)
                return
            theirs = self._theirs  # one object: another thread may be replacing it
            if theirs[0] is not own:
                name, arguments, keywords = self._definition
                theirs = self._theirs = (own, getattr(own, factory)(name, *arguments, **keywords))
            getattr(theirs[1], measures)(amount, attributes, *context, **named)

    setattr(Instrument, measures, Instrument._measure)
    Instrument.__abstractmethods__ = frozenset()
    Instrument.__name__ = Instrument.__qualname__ = base.__name__

    def create(self: Any, name: str, *arguments: Any, **keywords: Any) -> Any:
        return Instrument(self, name, arguments, keywords)

    create.__name__ = factory
    return create


def _asynchronous(factory: str, unobserved: Any) -> Any:
    """Return the method of a meter that registers an asynchronous instrument; ``unobserved`` makes what it returns."""

    def create(self: Any, *arguments: Any, **keywords: Any) -> Any:
        own = self._own()
        self._observed.append((factory, arguments, keywords))
        if own is not None:
            return getattr(own, factory)(*arguments, **keywords)
        given = {**dict(zip(("name", "callbacks", "unit", "description"), arguments, strict=False)), **keywords}
        given["callbacks"] = [_until_set(self._proxy, each) for each in given.get("callbacks") or ()]
        getattr(self._ours, factory)(**given)
        return unobserved(self, *arguments, **keywords)

    create.__name__ = factory
    return create


def _until_set(proxy: Any, callback: Any) -> Any:
    """Return a callback of the app's for our SDK, which it answers until the app has set a provider of its own."""
    started = False

    def observe(options: Any) -> Any:
        nonlocal started
        if proxy.own() is not None:
            return ()
        if callable(callback):
            found = callback(options)
        else:
            found = callback.send(options) if started else next(callback)
            started = True
        return [Observation(each.value, each.attributes) for each in found]

    return observe
