"""Every relative link of the pages leads to a file, or to a heading in one, and every page can be reached."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from images.paths import ROOT

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "benchmarks" / "results" / "results.md",
]
_CODE = re.compile(r"```.*?```", re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the file and the anchor of each relative link."""
    text = _CODE.sub("", page.read_text())
    found = []
    for target in _LINK.findall(text):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            found.append(((page.parent / path).resolve() if path else page, anchor))
    return found


def anchors(page: Path) -> set[str]:
    """Return the anchors that hosts make of a page's headings."""
    headings = re.findall(r"(?m)^#+ (.*)$", _CODE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    missing = [str(path) for path, _ in links(page) if not path.exists()]
    assert missing == []
    lost = [
        f"{path}#{anchor}"
        for path, anchor in links(page)
        if anchor and path.suffix == ".md" and anchor not in anchors(path)
    ]
    assert lost == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            waiting += [path for path, _ in links(page) if path.suffix == ".md" and path.exists()]
    assert [str(each) for each in PAGES if each not in reached] == []


def test_the_readme_links_every_page_of_docs() -> None:
    linked = {path for path, _ in links(ROOT / "README.md")}
    assert [each for each in sorted((ROOT / "docs").glob("*.md")) if each not in linked] == []
