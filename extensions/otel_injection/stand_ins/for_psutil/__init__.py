"""Stands in for ``psutil``: what OpenTelemetry's packages use of it, read from Linux' ``/proc`` in plain Python.

``psutil`` has compiled parts, which fit one CPU and one libc. In the built tree, ``import psutil`` of
``opentelemetry-instrumentation-system-metrics`` and of the SDK's detector of process resources leads here.
Names, fields, units and meaning are those of psutil 7.2; what those two packages do not use is not here. Where psutil
differs on purpose, the function says so: mostly, what cannot be read is left out instead of raised, because an error
in an observation ends up in the app's log at every export.
"""

from __future__ import annotations

from otel_injection.stand_ins.for_psutil.connections import net_connections
from otel_injection.stand_ins.for_psutil.cpu import cpu_count, cpu_times, cpu_times_percent
from otel_injection.stand_ins.for_psutil.devices import disk_io_counters, net_io_counters
from otel_injection.stand_ins.for_psutil.memory import swap_memory, virtual_memory
from otel_injection.stand_ins.for_psutil.process import Process

__all__ = [
    "Process",
    "cpu_count",
    "cpu_times",
    "cpu_times_percent",
    "disk_io_counters",
    "net_connections",
    "net_io_counters",
    "swap_memory",
    "virtual_memory",
]
