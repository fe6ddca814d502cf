"""Identities are unique among living processes, and used again when a process has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

EXTENSIONS = Path(__file__).parents[3] / "extensions"

HOLD = """
import sys
from otel_injection.sdk import identity
print(identity.claim(sys.argv[1]), flush=True)
sys.stdin.read()
"""


class Process:
    """A process that holds an identity until it is ended."""

    def __init__(self, base: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(EXTENSIONS)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLD, base], env=environment, stdin=-1, stdout=-1, text=True
        )
        assert self._process.stdout is not None
        self.identity = self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.communicate("")


def test_the_first_process_keeps_the_value_and_later_ones_get_the_lowest_free_number() -> None:
    base = f"shop.pod-{uuid.uuid4()}.app"
    first, second, third = (Process(base) for _ in range(3))
    assert [first.identity, second.identity, third.identity] == [base, f"{base}-1", f"{base}-2"]
    second.end()
    fourth = Process(base)
    assert fourth.identity == f"{base}-1"
    for each in (first, third, fourth):
        each.end()


def test_processes_of_different_containers_do_not_count_each_other() -> None:
    base = f"shop.pod-{uuid.uuid4()}"
    one, other = Process(f"{base}.app"), Process(f"{base}.sidecar")
    assert (one.identity, other.identity) == (f"{base}.app", f"{base}.sidecar")
    one.end()
    other.end()


def test_a_very_long_value_is_no_obstacle() -> None:
    base = "x" * 5000 + str(uuid.uuid4())
    process = Process(base)
    assert process.identity == base
    process.end()
