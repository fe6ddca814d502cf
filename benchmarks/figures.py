"""A measured figure: samples of the app alone, of upstream's image and of ours, taken in turn, and its goal."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

VARIANTS = ("none", "upstream", "ours")
"""Without injection, with the operator's own image, with ours; always measured in turn."""


@dataclass
class Figure:
    """Samples of one figure, by variant; those of one round have the same place in each list.

    ``goal`` is the most that ours may be; with ``added``, the difference to the app alone counts.
    """

    name: str
    unit: str
    goal: float | None = None
    added: bool = True
    samples: dict[str, list[float]] = field(default_factory=lambda: {each: [] for each in VARIANTS})

    def values(self, variant: str) -> list[float]:
        """Return one value for each round: the difference to the app alone where that is what counts."""
        own = self.samples[variant]
        if not self.added:
            return own
        return [value - base for value, base in zip(own, self.samples["none"], strict=True)]

    def median(self, variant: str) -> float:
        """Return the median over the rounds."""
        return statistics.median(self.values(variant))

    def quartiles(self, variant: str) -> tuple[float, float]:
        """Return the lower and the upper quartile: the spread."""
        values = sorted(self.values(variant))
        if len(values) < 2:
            return values[0], values[0]
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return low, high

    @property
    def missed(self) -> bool:
        """Whether the goal is missed by more than the spread: a quarter of the rounds at the most would meet it."""
        return self.goal is not None and self.quartiles("ours")[0] > self.goal


def number(value: float) -> str:
    """Return a figure with as many digits as a reader needs."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"
