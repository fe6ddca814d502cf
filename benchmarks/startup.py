"""Measures the start-up time and memory that injection adds to short programs.

A program ends at once when it has done its work and read its own clocks, so that what injection does at the end of a
process is not counted here.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.figures import VARIANTS, Figure
from benchmarks.trees import Tree
from images.errors import UserError
from tests.injection import pythons

_END = """
import os, time
cpu, now = time.process_time_ns(), time.monotonic_ns()
with open("/proc/self/status") as file:
    rss = next(line.split()[1] for line in file if line.startswith("VmRSS"))
os.write(1, f"{now} {cpu} {rss}".encode())
os._exit(0)
"""

_DJANGO = """
ROOT_URLCONF = "django.contrib.auth.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
"""
_MORE = {"DJANGO_SETTINGS_MODULE": "bench_settings"}

PROGRAMS = {
    "bare script": "",
    "import flask": "import flask",
    "import fastapi": "import fastapi",
    "Django check": """
import io
import django
from django.core.management import call_command
django.setup()
call_command("check", stdout=io.StringIO())
""",
}
_GOALS = {"bare script": (2.0, 0.5), "import flask": (50.0, 6.0)}
"""The goals, in milliseconds and MiB, by program."""


THROTTLED = ("bare script", "import flask")
"""What is also started with a tenth of a processor."""


def measure(
    interpreter: Path,
    version: str,
    trees: Mapping[str, Tree | None],
    endpoint: str,
    rounds: int,
    folder: Path,
    limit: Sequence[str] = (),
) -> Iterator[Figure]:
    """Yield wall time (ms), CPU time (ms) and memory (MiB) that injection adds to each program.

    With a ``limit``, which is put before the command, the wall time alone.
    """
    (folder / "bench_settings.py").write_text(_DJANGO)
    for name in THROTTLED if limit else PROGRAMS:
        lock = "apps" if name in _GOALS else "frameworks"  # upstream imports what it could instrument of what is there
        python = pythons.apps_environment(interpreter, lock) / "bin" / "python"
        script = folder / "program.py"
        script.write_text(PROGRAMS[name] + _END)
        time_goal, memory_goal = _GOALS.get(name, (None, None))
        figures = (
            (Figure(f"start-up with 0.1 CPU, {name}, {version}", "ms"),)
            if limit
            else (
                Figure(f"start-up, {name}, {version}", "ms", time_goal),
                Figure(f"start-up CPU, {name}, {version}", "ms"),
                Figure(f"memory, {name}, {version}", "MiB", memory_goal),
            )
        )
        for number in range(-1, rounds):  # one that only fills the caches
            for variant in VARIANTS:
                answer = _run(
                    [*limit, str(python), str(script)],
                    environment(python, trees[variant], endpoint, _MORE, folder),
                    folder,
                )
                if number >= 0:
                    for figure, value in zip(figures, answer, strict=False):
                        figure.samples[variant].append(value)
        yield from figures


def _run(command: Sequence[str], env: Mapping[str, str], folder: Path) -> tuple[float, float, float]:
    began = time.monotonic_ns()
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"a measured program failed: {' '.join(done.stderr.split())[-300:]}")
    now, cpu, rss = map(int, done.stdout.split())
    return (now - began) / 1e6, cpu / 1e6, rss / 1024
