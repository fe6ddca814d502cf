"""The plot of the README: each figure's bars relative to the longer one, drawn by Vega-Lite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import vl_convert

from benchmarks.figures import Figure, number

_NAMES = {"upstream": "upstream's image", "ours": "this image"}
_COLOURS = ["#b0b7c3", "#2f6fdd"]
_GOAL = "#d9480f"
_WIDTH, _BAR, _LABELS = 430, 14, 330
"""Pixels: of the longest bar, of a bar's height, of the names of the figures. With the values, a README's 830."""


def svg(figures: Sequence[Figure]) -> str:
    """Return the plot as SVG."""
    text: str = vl_convert.vegalite_to_svg(chart(figures))
    return text


def chart(figures: Sequence[Figure]) -> dict[str, Any]:
    """Return the chart of figures that have a goal, as Vega-Lite describes it."""
    rows = [row for figure in figures for row in _rows(figure)]
    order = [each.name for each in figures]
    y: dict[str, Any] = {"field": "figure", "type": "nominal", "sort": order, "title": None}
    y["scale"] = {"paddingInner": 0.25}
    y["axis"] = {"labelLimit": _LABELS, "labelFontSize": 13, "ticks": False, "domain": False}
    offset = {"field": "image", "type": "nominal", "sort": list(_NAMES.values())}
    x = {"field": "share", "type": "quantitative", "axis": None, "scale": {"domain": [0, 1]}}
    colour: dict[str, Any] = {"field": "image", "type": "nominal", "title": None, "sort": list(_NAMES.values())}
    colour["scale"] = {"domain": list(_NAMES.values()), "range": _COLOURS}
    colour["legend"] = {"orient": "top", "labelFontSize": 13, "labelLimit": 0}
    bars = {"mark": {"type": "bar"}, "encoding": {"y": y, "yOffset": offset, "x": x, "color": colour}}
    value = {"y": y, "yOffset": offset, "x": x, "text": {"field": "value", "type": "nominal"}}
    text = {"type": "text", "align": "left", "dx": 5, "fontSize": 12}
    # Behind the text, its outline in white: the mark of a goal would cross it.
    outline = {"color": "#ffffff", "stroke": "#ffffff", "strokeWidth": 3, "strokeJoin": "round"}
    outlines = {"mark": {**text, **outline}, "encoding": value}
    values = {"mark": {**text, "color": "#222222"}, "encoding": value}
    goals = {
        "mark": {"type": "tick", "color": _GOAL, "thickness": 2, "size": 2 * _BAR + 4},
        "encoding": {"y": y, "x": {**x, "field": "goal"}},
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "title": {
            "text": "What injection adds: shorter is better; the orange line is the goal",
            "anchor": "start",
            "fontSize": 14,
        },
        "width": _WIDTH,
        "height": {"step": _BAR, "for": "offset"},
        "padding": 8,
        "background": "#ffffff",
        "data": {"values": rows},
        "layer": [bars, goals, outlines, values],
        "config": {"view": {"stroke": None}, "font": "sans-serif"},
    }


def _rows(figure: Figure) -> list[dict[str, Any]]:
    longest = max(figure.median("upstream"), figure.median("ours"), figure.goal or 0.0) or 1.0
    return [
        {
            "figure": figure.name,
            "image": name,
            "share": max(figure.median(variant), 0.0) / longest,
            "value": f"{number(figure.median(variant))} {figure.unit}",
            "goal": None if figure.goal is None else figure.goal / longest,
        }
        for variant, name in _NAMES.items()
    ]
