"""One process, from ``/proc/<pid>``."""
# ruff: noqa: PYI024 - typing.NamedTuple would import typing

from __future__ import annotations

import os
import time
from collections import namedtuple

from otel_injection.stand_ins.for_psutil.cpu import TICKS

PAGE = os.sysconf("SC_PAGE_SIZE")
SHORTEST = 0.1
"""Seconds that a CPU percentage is measured over at least: the kernel counts in hundredths."""

pcputimes = namedtuple("pcputimes", ("user", "system", "children_user", "children_system", "iowait"))
pctxsw = namedtuple("pctxsw", ("voluntary", "involuntary"))
pio = namedtuple("pio", ("read_count", "write_count", "read_bytes", "write_bytes", "read_chars", "write_chars"))
pmem = namedtuple("pmem", ("rss", "vms", "shared", "text", "lib", "data", "dirty"))


class Process:
    """A process of this PID namespace; without ``pid`` the one that calls.

    What cannot be read raises ``OSError``, here and in the methods, where psutil raises errors of its own.
    """

    def __init__(self, pid: int | None = None) -> None:
        self.pid = os.getpid() if pid is None else pid
        self._percent = 0.0
        self._measured: tuple[float, float] | None = None
        self._stat()

    def cpu_times(self) -> pcputimes:
        """Return the CPU seconds of the process, of its children that it has waited for, and of waiting for disks."""
        fields = self._stat()
        waited = fields[39] if len(fields) > 39 else 0
        return pcputimes(*(int(ticks) / TICKS for ticks in (*fields[11:15], waited)))

    def cpu_percent(self) -> float:
        """Return the CPU time since the last call as a percentage of one CPU; 0 at the first call.

        A call within a tenth of a second gets the last answer again: two metrics ask one after the other, and between
        them the kernel, which counts in hundredths of a second, counts nothing.
        """
        times = self.cpu_times()
        now, used = time.monotonic(), times.user + times.system
        if self._measured is None:
            self._measured = now, used
        elif now - self._measured[0] >= SHORTEST:
            self._percent = round(100 * (used - self._measured[1]) / (now - self._measured[0]), 1)
            self._measured = now, used
        return self._percent

    def memory_info(self) -> pmem:
        """Return the sizes of the process in memory, in bytes."""
        vms, rss, *others = (int(pages) * PAGE for pages in self._read("statm").split()[:7])
        return pmem(rss, vms, *others)

    def num_threads(self) -> int:
        """Return the number of threads, Python's and others."""
        return int(self._stat()[17])

    def num_fds(self) -> int:
        """Return the number of open file descriptors."""
        return len(os.listdir(self._path("fd")))

    def num_ctx_switches(self) -> pctxsw:
        """Return how often the main thread gave up its CPU or lost it. NotImplementedError: this kernel hides it."""
        status = self._fields("status")
        try:
            return pctxsw(int(status[b"voluntary_ctxt_switches"]), int(status[b"nonvoluntary_ctxt_switches"]))
        except KeyError:
            raise NotImplementedError("no context switches in /proc") from None

    def io_counters(self) -> pio:
        """Return what the process has read and written. NotImplementedError: this kernel does not count it."""
        try:
            counted = self._fields("io")
            names = (b"syscr", b"syscw", b"read_bytes", b"write_bytes", b"rchar", b"wchar")
            return pio(*(int(counted[name]) for name in names))
        except (FileNotFoundError, KeyError):
            raise NotImplementedError("no counters of input and output in /proc") from None

    def username(self) -> str:
        """Return the name of the real user, or the number where the container has no name for it."""
        import pwd

        uid = int(self._fields("status")[b"Uid"].split()[0])
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return str(uid)

    def _stat(self) -> list[bytes]:
        """Return the fields of ``stat`` from the third on; the second may hold spaces and parentheses."""
        return self._read("stat").rpartition(b")")[2].split()

    def _fields(self, name: str) -> dict[bytes, bytes]:
        pairs = (line.partition(b":") for line in self._read(name).splitlines())
        return {key: value.strip() for key, _, value in pairs}

    def _read(self, name: str) -> bytes:
        with open(self._path(name), "rb") as file:
            return file.read()

    def _path(self, name: str) -> str:
        # "self" is right even where /proc is that of another PID namespace, such as the host's.
        return f"/proc/{'self' if self.pid == os.getpid() else self.pid}/{name}"
