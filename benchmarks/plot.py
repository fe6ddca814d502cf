"""A plot of bars as SVG, without any library: each figure's values relative to upstream's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.figures import Figure

_ROW, _LEFT, _WIDTH = 44, 300, 440
_COLOURS = {"upstream": "#b0b7c3", "ours": "#2f6fdd"}
_FONT = 'font-family="sans-serif" font-size="12"'
_GOAL = "#d9480f"


def bars(figures: Sequence[Figure]) -> str:
    """Return an SVG with two bars for each figure, upstream's as long as the plot is wide, and a mark for the goal."""
    height = _ROW * len(figures) + 36
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 110}" height="{height}" {_FONT}>',
        f'<rect width="100%" height="{height}" fill="#ffffff"/>',
    ]
    for row, figure in enumerate(figures):
        top = row * _ROW + 8
        parts.append(_text(_LEFT - 8, top + 20, f"{figure.name} ({figure.unit})", "end"))
        whole = max(figure.median("upstream"), figure.median("ours"), figure.goal or 0.0) or 1.0
        for offset, (variant, colour) in enumerate(_COLOURS.items()):
            value = figure.median(variant)
            width = max(1.0, value / whole * _WIDTH)
            y = top + offset * 16
            parts.append(f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="14" fill="{colour}"/>')
            parts.append(_text(_LEFT + width + 4, y + 11, f"{value:.3g}"))
        if figure.goal is not None:
            x = _LEFT + figure.goal / whole * _WIDTH
            parts.append(f'<rect x="{x - 1:.1f}" y="{top - 2}" width="2" height="34" fill="{_GOAL}"/>')
    parts.append(_text(_LEFT, height - 8, "grey: upstream's image; blue: ours; orange: the goal"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
