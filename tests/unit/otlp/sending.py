"""What the tests of senders share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from otel_injection.otlp.outcome import Outcome
from otel_injection.otlp.sender import Sender

ACCEPTED = Outcome(True, 0, "")

Make = Callable[..., Sender]
"""Takes the endpoint, a signal if it is not traces, and settings without their prefix."""


def timed(work: Callable[[], Outcome]) -> tuple[Outcome, float]:
    """Return an outcome and the seconds that it took."""
    began = time.monotonic()
    outcome = work()
    return outcome, time.monotonic() - began


def closing(traces: Sender, body: bytes = b"abc") -> tuple[Outcome, float]:
    """Send from another thread, set a deadline once that is under way, and return how late after it the thread ends."""
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(traces.send(body)), daemon=True)
    thread.start()
    time.sleep(0.3)
    moment = time.monotonic() + 0.5
    traces.close_by(moment)
    thread.join(8)
    assert not thread.is_alive()
    return outcomes[0], time.monotonic() - moment
