"""Sets the SDK up: from the configuration file that is in force, else from the environment."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk._configuration import _BaseConfigurator
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._shared_internal import BatchProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider

from otel_injection.lifecycle import supervisors
from otel_injection.sdk import cardinality, export_threads
from otel_injection.sdk.assembled import State
from otel_injection.sdk.assembly import assemble
from otel_injection.sdk.faster import replacing
from otel_injection.settings import environment, file


class Configurator(_BaseConfigurator):
    """The configurator of this distribution; see ``opentelemetry.sdk._configuration._BaseConfigurator``."""

    def _configure(self, **_kwargs: Any) -> State:
        _keep_forks_quiet()
        replacing.use()
        cardinality.use()
        export_threads.use(standing=not supervisors.supervises())
        environment.name_the_unusable()
        if file.path():
            from otel_injection.sdk import from_file

            return assemble(from_file.plan(file.load()))
        from otel_injection.sdk import from_environment

        return assemble(from_environment.plan())

    def configure(self, **kwargs: Any) -> State:
        """Set the SDK up and return it; nothing global is set."""
        return self._configure(**kwargs)


def _keep_forks_quiet() -> None:
    """Disable the SDK's fork hooks: in a child they would start export threads for the parent's SDK."""
    for part in (BatchProcessor, PeriodicExportingMetricReader):
        setattr(part, "_at_fork_reinit", _nothing)  # noqa: B010 - a method of a foreign class
    for provider in (TracerProvider, MeterProvider, LoggerProvider):
        setattr(provider, "_handle_fork", _nothing)  # noqa: B010


def _nothing(self: Any) -> None:
    """Stand in for a fork hook."""
