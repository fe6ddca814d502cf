"""Meters whose instruments find the process's SDK at their first measurement, and find it anew after a fork."""

from __future__ import annotations

from os import getpid
from typing import Any

from opentelemetry import metrics as api
from opentelemetry.metrics import _internal

from otel_injection.providers.resolving import NOTHING, resolve
from otel_injection.sdk.pipeline import PIPELINE
from otel_injection.settings.early import forced


class _ProxyMeterProvider(_internal._ProxyMeterProvider):
    """Stands where no provider has been set; see ``tracing.ProxyTracerProvider`` for the name and ``is_the_apps``."""

    __module__ = _internal._ProxyMeterProvider.__module__

    def __init__(self, *, is_the_apps: bool) -> None:
        super().__init__()
        self.is_the_apps = is_the_apps

    def get_meter(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Any = None
    ) -> api.Meter:
        """Return a meter whose instruments resolve themselves when they are used."""
        return Meter(self, name, version, schema_url, attributes)

    def on_set_meter_provider(self, meter_provider: Any) -> None:
        """Hand the app's asynchronous instruments to the provider that the app has set; called by the API."""
        del meter_provider
        if not forced():
            for meter in _observing:
                if meter.belongs_to_app:
                    meter.observe(None)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Export the current values."""
        state = PIPELINE.state
        return bool(state.meter_provider.force_flush(timeout_millis)) if state is not None else True


class Meter(api.Meter):
    """A meter of the process's current SDK."""

    def __init__(
        self, provider: _ProxyMeterProvider, name: str, version: str | None, schema_url: str | None, attributes: Any
    ):
        super().__init__(name, version, schema_url)
        self._provider = provider
        self._arguments = (name, version, schema_url, attributes)
        self._observables: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def real(self, state: Any) -> api.Meter:
        """Return the meter that stands behind this one now."""
        of_sdk = state.meter_provider if state is not None else NOTHING
        chosen = resolve(
            "metrics",
            _internal._METER_PROVIDER,
            GLOBAL,
            of_sdk,
            api.MeterProvider,
            is_the_apps=self._provider.is_the_apps,
        )
        return api.NoOpMeter(*self._arguments[:3]) if chosen is NOTHING else chosen.get_meter(*self._arguments)

    def observe(self, state: Any) -> None:
        """Create the asynchronous instruments in an SDK that has just been set up, or behind a provider of the app."""
        for factory, arguments, keywords in self._observables:
            self._create(state, factory, arguments, keywords)

    def _create(self, state: Any, factory: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        if state is not None and self.belongs_to_app and not forced():
            names = dict(zip(("name", "callbacks", "unit", "description"), arguments, strict=False))
            arguments, keywords = (), {**names, **keywords}
            keywords["callbacks"] = [_until_set(each) for each in keywords.get("callbacks") or ()]
        getattr(self.real(state), factory)(*arguments, **keywords)

    @property
    def belongs_to_app(self) -> bool:
        """Whether it is the app that measures."""
        return self._provider.is_the_apps

    def create_counter(self, name: str, unit: str = "", description: str = "") -> api.Counter:
        """Return a counter."""
        return Counter(self, "create_counter", name, unit, description)

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> api.UpDownCounter:
        """Return an up-down counter."""
        return UpDownCounter(self, "create_up_down_counter", name, unit, description)

    def create_histogram(self, name: str, unit: str = "", description: str = "", **keywords: Any) -> api.Histogram:
        """Return a histogram; ``explicit_bucket_boundaries_advisory`` is passed on."""
        return Histogram(self, "create_histogram", name, unit, description, **keywords)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Any:
        """Return a gauge."""
        return Gauge(self, "create_gauge", name, unit, description)

    def create_observable_counter(self, *arguments: Any, **keywords: Any) -> Any:
        """Register a counter that is observed at each collection."""
        return self._observable("create_observable_counter", arguments, keywords)

    def create_observable_up_down_counter(self, *arguments: Any, **keywords: Any) -> Any:
        """Register an up-down counter that is observed at each collection."""
        return self._observable("create_observable_up_down_counter", arguments, keywords)

    def create_observable_gauge(self, *arguments: Any, **keywords: Any) -> Any:
        """Register a gauge that is observed at each collection."""
        return self._observable("create_observable_gauge", arguments, keywords)

    def _observable(self, factory: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        if not self._observables:
            _observing.append(self)
        self._observables.append((factory, arguments, keywords))
        state = PIPELINE.state
        if state is not None or _internal._METER_PROVIDER is not GLOBAL:
            self._create(state if _internal._METER_PROVIDER is GLOBAL else None, factory, arguments, keywords)
        return getattr(api.NoOpMeter(self._arguments[0]), factory)(*arguments, **keywords)


def _until_set(callback: Any) -> Any:
    """Let a callback of the app answer our SDK only until the app has set a provider of its own."""
    if not callable(callback):  # a generator
        return callback

    def observe(options: Any) -> Any:
        return callback(options) if _internal._METER_PROVIDER is GLOBAL else ()

    return observe


class _Instrument:
    """A synchronous instrument that is created in each SDK when it is first used there."""

    def __init__(self, meter: Meter, factory: str, name: str, unit: str, description: str, **keywords: Any) -> None:
        super().__init__(name, unit=unit, description=description)  # type: ignore[call-arg]
        self._meter = meter
        self._factory = factory
        self._definition = (name, unit, description)
        self._keywords = keywords
        self._resolved: tuple[Any, Any, Any] = (None, None, None)

    def _instrument(self) -> Any:
        state, provider = PIPELINE.state, _internal._METER_PROVIDER
        if state is None or PIPELINE.pid != getpid():
            state = PIPELINE.current()
        resolved = self._resolved  # one object: another thread may be replacing it
        if resolved[2] is None or resolved[0] is not state or resolved[1] is not provider:
            instrument = getattr(self._meter.real(state), self._factory)(*self._definition, **self._keywords)
            resolved = self._resolved = (state, provider, instrument)
        return resolved[2]


class Counter(_Instrument, api.Counter):
    """See ``opentelemetry.metrics.Counter``."""

    def add(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Record an increment."""
        self._instrument().add(amount, attributes, context)


class UpDownCounter(_Instrument, api.UpDownCounter):
    """See ``opentelemetry.metrics.UpDownCounter``."""

    def add(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Record a change."""
        self._instrument().add(amount, attributes, context)


class Histogram(_Instrument, api.Histogram):
    """See ``opentelemetry.metrics.Histogram``."""

    def record(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Record a value."""
        self._instrument().record(amount, attributes, context)


class Gauge(_Instrument, api._Gauge):
    """See ``opentelemetry.metrics._Gauge``."""

    def set(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Record the current value."""
        self._instrument().set(amount, attributes, context)


_observing: list[Meter] = []
"""Meters with asynchronous instruments, which nobody else may hold on to."""

GLOBAL = _ProxyMeterProvider(is_the_apps=True)
INSTRUMENTATIONS = _ProxyMeterProvider(is_the_apps=False)

# Put in place without the API's "set once" guard: what the app sets, early or late, wins.
if _internal._METER_PROVIDER is None:
    _internal._METER_PROVIDER = GLOBAL
    _internal._PROXY_METER_PROVIDER = GLOBAL


@PIPELINE.on_start
def _observe_all(state: Any) -> None:
    for meter in _observing:
        meter.observe(state)
