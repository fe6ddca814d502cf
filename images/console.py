"""Prints a line for each long step of the build, with its duration."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """Print one line at once, also into a pipe."""
    print(text, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announce a step before it runs and say afterwards how many seconds it took."""
    terminal = sys.stdout.isatty()
    if terminal:
        print(f"  {what} ...", end="", flush=True)
    began = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed" if terminal else f"  {what} ... failed", flush=True)
        raise
    seconds = f"{time.monotonic() - began:.1f} s"
    print(f" {seconds}" if terminal else f"  {what} ... {seconds}", flush=True)
