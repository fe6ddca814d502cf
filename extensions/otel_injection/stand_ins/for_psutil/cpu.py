"""CPU times of the whole system, from ``/proc/stat``."""
# ruff: noqa: PYI024 - typing.NamedTuple would import typing

from __future__ import annotations

import os
from collections import namedtuple

TICKS = os.sysconf("SC_CLK_TCK")

scputimes = namedtuple(
    "scputimes", ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
)

_last: dict[bool, list[scputimes]] = {}


def cpu_count() -> int | None:
    """Return the number of CPUs that are online, or None where the system does not tell."""
    try:
        count = os.sysconf("SC_NPROCESSORS_ONLN")
    except ValueError:
        count = os.cpu_count() or 0
    return count if count > 0 else None


def cpu_times(percpu: bool = False) -> scputimes | list[scputimes]:
    """Return the seconds that the CPUs have spent in each mode since the system started; ``percpu``: a list."""
    times = _read(percpu)
    return times if percpu else times[0]


def cpu_times_percent(percpu: bool = False) -> scputimes | list[scputimes]:
    """Return the percentages of time spent in each mode since the last call; zeros at the first.

    psutil counts by calling thread and from its import; here all threads share one last call.
    """
    after = _read(percpu)
    before = _last.get(percpu, after)
    _last[percpu] = after
    shares = [_share(old, new) for old, new in zip(before, after, strict=False)]
    return shares if percpu else shares[0]


def _read(percpu: bool) -> list[scputimes]:
    found = []
    with open("/proc/stat", "rb") as file:
        first = file.readline()
        for line in file if percpu else (first,):
            if not line.startswith(b"cpu"):
                break  # the lines of the CPUs come first, and the others are long
            found.append(_times(line.split()[1:]))
    return found


def _times(ticks: list[bytes]) -> scputimes:
    seconds = [int(tick) / TICKS for tick in ticks][: len(scputimes._fields)]
    return scputimes(*seconds, *[0.0] * (len(scputimes._fields) - len(seconds)))


def _share(before: scputimes, after: scputimes) -> scputimes:
    # Counters of idle time have been seen to go backwards.
    spent = scputimes(*(max(0.0, new - old) for old, new in zip(before, after, strict=True)))
    total = sum(spent) - spent.guest - spent.guest_nice  # these are part of user and nice, too
    if total <= 0:
        return scputimes(*[0.0] * len(spent))
    return scputimes(*(min(round(100 * seconds / total, 1), 100.0) for seconds in spent))
