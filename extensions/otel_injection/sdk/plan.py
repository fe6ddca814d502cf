"""The plan of an SDK: ``from_environment`` and ``from_file`` make it, ``assembly`` builds the SDK from it.

None stands for the SDK's own default, an empty sequence for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Export:
    """One way out for spans or log records.

    ``facts`` are what the doctor shows of the exporter. ``batching`` are the options of the SDK's batch processor; with
    None each item is exported by itself, while the app waits. ``place`` is where the configuration file names it.
    """

    exporter: Any
    facts: Mapping[str, Any]
    batching: Mapping[str, Any] | None = field(default_factory=dict)
    place: str = ""


@dataclass
class Traces:
    """Spans; ``steps`` are processors of ours by name, which come after those that the environment names."""

    sampler: Any
    exports: Sequence[Export] = ()
    steps: Sequence[tuple[str, Any]] = ()
    limits: Any = None
    id_generator: Any = None
    configurator: Any = None


@dataclass
class Logs:
    """Log records; see ``Traces``."""

    exports: Sequence[Export] = ()
    steps: Sequence[tuple[str, Any]] = ()
    limits: Any = None
    configurator: Any = None


@dataclass
class Reader:
    """A reader of metrics, and what the doctor shows of its exporter."""

    reader: Any
    facts: Mapping[str, Any]


@dataclass
class Metrics:
    """Metrics; see ``Traces``."""

    readers: Sequence[Reader] = ()
    steps: Sequence[tuple[str, Any]] = ()
    views: Sequence[Any] = ()
    exemplar_filter: Any = None
    configurator: Any = None


@dataclass
class Plan:
    """The plan of all signals; a signal that is None has no provider.

    ``at`` is a context manager that adds the place in the configuration file ``file`` to an error within it.
    """

    resource: Any
    traces: Traces | None
    metrics: Metrics | None
    logs: Logs | None
    file: str = ""
    at: Callable[[str], AbstractContextManager[Any]] = nullcontext
