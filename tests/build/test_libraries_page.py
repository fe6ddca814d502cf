"""The page of instrumented libraries says what is in the payload."""

from __future__ import annotations

from images import libraries_page
from images.paths import TREE


def test_the_page_is_current() -> None:
    assert libraries_page.PAGE.read_text() == libraries_page.render(TREE), "run ./build.sh docs"


def test_signals_are_those_that_the_instrumentations_make() -> None:
    rows = {each.split("|")[4].strip(" `"): each.split("|")[3].strip() for each in _rows()}
    assert rows["flask"] == "traces, metrics"
    assert rows["redis"] == "traces"
    assert rows["psycopg2"].startswith("traces")  # by way of dbapi
    assert rows["structlog"] == "logs"
    assert rows["threading"] == "context only"


def _rows() -> list[str]:
    instrumented = libraries_page.render(TREE).partition("## Left out")[0]
    return [each for each in instrumented.splitlines() if each.startswith("| ") and "`" in each]
