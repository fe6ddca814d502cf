"""Limits a measured program to a tenth of a processor, as containers of small services often are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_PERIOD = 100_000
"""Microseconds of which a program gets a tenth, as Kubernetes has it."""
_ENTER = 'echo $$ > "$0" && exec "$@"'


_LIMITS = {
    _CGROUPS: {"cpu.max": f"{_PERIOD // 10} {_PERIOD}"},
    _CGROUPS / "cpu": {"cpu.cfs_period_us": str(_PERIOD), "cpu.cfs_quota_us": str(_PERIOD // 10)},
}
"""Where groups are made, in version 2 and 1 of cgroups(7), and what is written to which of their files."""


@contextmanager
def tenth_of_a_processor() -> Iterator[Sequence[str] | None]:
    """Yield what to put before a command, or None where this host lets nobody limit processors."""
    group = next((group for parent in _LIMITS if (group := _limited(parent))), None)
    try:
        yield None if group is None else ("sh", "-c", _ENTER, str(group / "cgroup.procs"))
    finally:
        if group is not None:
            with suppress(OSError):
                group.rmdir()


def _limited(parent: Path) -> Path | None:
    """Make a group with the limit below ``parent``; None if that is not possible there."""
    group = parent / f"bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        return None
    try:
        for name, limit in _LIMITS[parent].items():
            with (group / name).open("r+") as file:  # the kernel makes it with the group
                file.write(limit)
    except OSError:
        group.rmdir()
        return None
    return group
