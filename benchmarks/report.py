"""Writes the results: JSON, a Markdown table, a plot, and the table between the marks in the README."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks import plot
from benchmarks.figures import VARIANTS, Figure, number
from images.paths import ROOT

RESULTS = ROOT / "benchmarks" / "results"
_README = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- /benchmarks -->)", re.DOTALL)


def write(figures: Sequence[Figure], about: dict[str, str]) -> Path:
    """Write all files below ``benchmarks/results`` and return that folder."""
    RESULTS.mkdir(exist_ok=True)
    samples = [{**vars(each), "missed": each.missed} for each in figures]
    (RESULTS / "results.json").write_text(json.dumps({"about": about, "figures": samples}, indent=1) + "\n")
    (RESULTS / "results.md").write_text(table(figures, about))
    chosen = [each for each in figures if each.goal is not None]
    (RESULTS / "results.svg").write_text(plot.svg([each for each in chosen if each.samples["upstream"]]))
    readme = ROOT / "README.md"
    text = readme.read_text()
    readme.write_text(_README.sub(lambda marks: f"{marks[1]}{_short(chosen)}{marks[2]}", text))
    return RESULTS


def table(figures: Sequence[Figure], about: dict[str, str]) -> str:
    """Return the Markdown table of all figures."""
    lines = [
        "# What injection costs",
        "",
        "Written by `./build.sh bench`. Medians of the rounds of one run, quartiles in brackets. Where the app alone",
        "is given, the others are what is added to it.",
        "",
        *(f"- {name}: {value}" for name, value in about.items()),
        "",
        "| figure | unit | app alone | upstream's image | ours | goal |",
        "|---|---|---|---|---|---|",
    ]
    for each in figures:
        cells = [_cell(each, variant) for variant in VARIANTS]
        lines.append(f"| {each.name} | {each.unit} | {' | '.join(cells)} | {_goal(each)} |")
    return "\n".join(lines) + "\n"


def machine() -> str:
    """Say what this was measured on."""
    models = re.findall(r"(?m)^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text())
    kernel = platform.release().partition("-")[0]
    return f"{len(models) or '?'} x {models[0] if models else platform.machine()}, Linux {kernel}"


def _short(figures: Sequence[Figure]) -> str:
    """Return the table of the figures that have a goal."""
    lines = ["| | upstream's image | ours | goal |", "|---|---|---|---|"]
    lines += [
        f"| {each.name} ({each.unit}) | {_median(each, 'upstream')} | {_median(each, 'ours')} | {_goal(each)} |"
        for each in figures
    ]
    return "\n".join(lines) + "\n"


def _goal(figure: Figure) -> str:
    return "" if figure.goal is None else f"{figure.goal:g}{', **missed**' if figure.missed else ''}"


def _median(figure: Figure, variant: str) -> str:
    return number(figure.median(variant)) if figure.samples[variant] else "-"


def _cell(figure: Figure, variant: str) -> str:
    if not figure.samples[variant]:
        return ""
    if variant == "none" and figure.added:
        alone = Figure("", "", added=False, samples=figure.samples)
        return number(alone.median(variant))
    low, high = figure.quartiles(variant)
    spread = f" [{number(low)}, {number(high)}]" if low != high else ""
    return f"{number(figure.median(variant))}{spread}"
