"""A child by ``os.fork``: it starts with an SDK of its own, at its first use."""

from __future__ import annotations

import os
import sys


def watch() -> None:
    """Follow forks; registered first, so that no other hook meets the parent's SDK in a child."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=start_anew)


def start_anew() -> None:
    """Forget the parent's SDK in a child."""
    pipeline = sys.modules.get("otel_injection.pipeline")
    if pipeline is not None:
        try:
            pipeline.PIPELINE.after_fork()
        except Exception as error:
            from otel_injection import report

            report.debug(f"after a fork: {type(error).__name__}: {error}")
