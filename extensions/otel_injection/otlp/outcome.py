"""What became of an export request."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """How an export ended: whether it was accepted, how much of it was rejected all the same, and what to tell.

    Where it failed, it may be ``retryable`` later, if the server asked for it after ``wait`` seconds, or ``too_large``
    for the server.
    """

    success: bool
    rejected: int
    problem: str
    retryable: bool = False
    wait: float | None = None
    too_large: bool = False


class Verdict(NamedTuple):
    """What an answer means.

    Where it is ``retryable``, the server wants to be left alone for ``wait`` seconds; None leaves that to the client.
    It is ``understood`` if it is one of the protocol that was spoken.
    """

    outcome: Outcome
    retryable: bool = False
    wait: float | None = None
    understood: bool = True
