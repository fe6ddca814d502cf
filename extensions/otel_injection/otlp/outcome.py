"""What became of an export request."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """How an export ended: whether it was accepted, how much of it was rejected all the same, and what to tell."""

    success: bool
    rejected: int
    problem: str


class Verdict(NamedTuple):
    """What an answer means.

    Where it is ``retryable``, the server wants to be left alone for ``wait`` seconds; None leaves that to the client.
    It is ``understood`` if it is one of the protocol that was spoken.
    """

    outcome: Outcome
    retryable: bool = False
    wait: float | None = None
    understood: bool = True
