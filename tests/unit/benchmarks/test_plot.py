"""The plot shows whole names and the values of what was measured, beside the goal."""

from __future__ import annotations

from html import unescape

from benchmarks import plot
from benchmarks.figures import Figure

FIGURES = [
    Figure("end of a process whose collector refuses, 3.13", "s", 2.5, True, {
        "none": [1.0], "upstream": [16.0], "ours": [2.0],
    }),
    Figure("CPU per request, Flask, all sampled, 3.13", "us", 50.0, False, {
        "none": [], "upstream": [457.0], "ours": [86.5],
    }),
]  # fmt: skip


def test_the_names_are_whole_and_the_values_are_those_of_the_figures() -> None:
    text = unescape(plot.svg(FIGURES))
    for expected in (FIGURES[0].name, FIGURES[1].name, "15.0 s", "1.0 s", "457 us", "86.5 us"):
        assert f">{expected}</text>" in text


def test_bars_and_goal_are_relative_to_the_longest() -> None:
    rows = plot.chart(FIGURES)["data"]["values"]
    assert [each["share"] for each in rows[:2]] == [1.0, 1.0 / 15.0]
    assert [each["goal"] for each in rows[:2]] == [2.5 / 15.0, 2.5 / 15.0]


def test_it_is_no_wider_than_a_readme() -> None:
    width = plot.svg(FIGURES).partition('width="')[2].partition('"')[0]
    assert float(width) <= 830
