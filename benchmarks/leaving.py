"""Measures how long a short program with telemetry to send takes to end when no collector accepts it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.figures import VARIANTS, Figure
from benchmarks.trees import Tree
from images.errors import UserError
from tests.injection import pythons

_GOAL = 2.5
_PROGRAM = """
import logging
logging.getLogger("shop").warning("sold")
"""


def measure(
    interpreter: Path, version: str, trees: Mapping[str, Tree | None], folder: Path, rounds: int
) -> Iterator[Figure]:
    """Yield the seconds that injection adds where the collector refuses connections, and where it never answers."""
    python = pythons.apps_environment(interpreter) / "bin" / "python"
    script = folder / "leaving.py"
    script.write_text(_PROGRAM)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else can take it
        for name, where in (("refuses", closed), ("is silent", silent)):
            endpoint = f"http://127.0.0.1:{where.getsockname()[1]}"
            figure = Figure(f"end of a process whose collector {name}, {version}", "s", _GOAL)
            for _ in range(rounds):
                for variant in VARIANTS:
                    env = environment(python, trees[variant], endpoint, {}, folder)
                    began = time.monotonic()
                    done = subprocess.run([str(python), str(script)], env=env, capture_output=True, check=False)
                    if done.returncode:
                        raise UserError(f"a measured program failed: {done.stderr[-300:]!r}")
                    figure.samples[variant].append(time.monotonic() - began)
            yield figure
