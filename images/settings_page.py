"""Writes ``docs/settings.md`` from the table of variables that the payload reads."""

from __future__ import annotations

from collections.abc import Sequence

from images.paths import ROOT
from otel_injection.settings.table import VARIABLES
from otel_injection.settings.table.variable import (
    EXPORT,
    IMAGE,
    LIBRARIES,
    LIMITS,
    LOGGING,
    OTHERS,
    PROCESSORS,
    SECTIONS,
    UNUSED,
    WHAT,
    Variable,
)

PAGE = ROOT / "docs" / "settings.md"

_HEADER = """\
<!-- Written by `./build.sh docs` from extensions/otel_injection/settings/table/: change that, not this. -->
# Settings

All settings are environment variables of the app's container. What the container sets itself wins over what the
operator injects. An empty variable is as if not set. A value that cannot be used is named in one line on stderr, and
the default is used; of a list, what can be used. Booleans are `1`, `true`, `yes`, `on` and `0`, `false`, `no`, `off`,
in any case.

`OTEL_*` of the [specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/) and
upstream's `OTEL_PYTHON_*` keep their meaning. They are read when they are first needed, so what an app sets before its
first span, measurement or log record counts.

Where `OTEL_CONFIG_FILE` names a [configuration file](configuration-file.md), it stands in place of all variables in the
sections "What is exported, and whose", "The export" and "Queues and limits", except `OTEL_SDK_DISABLED`,
`OTEL_PYTHON_CONTEXT`, `OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED` and what the detector `k8s` reads. All others,
`OTEL_INJECTION_*` among them, stay.
"""

_INTRODUCTIONS = {
    IMAGE: "Whether a process is an app is decided at its start; these are read then.",
    WHAT: "",
    EXPORT: "With `TRACES`, `METRICS` or `LOGS` in its name, a variable is for that signal alone, and comes first.",
    LIMITS: "A limit may also be `none`. One for spans, events, links or log records comes before the one for all.",
    LOGGING: "",
    LIBRARIES: "",
    PROCESSORS: "What is dropped, enriched and masked: see [processors.md](processors.md).",
    OTHERS: "Settings of the app that the export goes by, too.",
    UNUSED: "Known, and named in one line where they are set, if their name begins with `OTEL_`.",
}


def render() -> str:
    """Return the page."""
    sections = []
    for section in SECTIONS:
        introduction = _INTRODUCTIONS[section] and f"\n{_INTRODUCTIONS[section]}\n"
        table = _table([each for each in VARIABLES if each.section == section], unused=section == UNUSED)
        sections.append(f"\n## {section}\n{introduction}\n{table}")
    return _HEADER + "".join(sections)


def _table(variables: Sequence[Variable], *, unused: bool) -> str:
    lines = ["| variable | why |", "|---|---|"] if unused else ["| variable | default | meaning |", "|---|---|---|"]
    for each in variables:
        names = "<br>".join(f"`{name}`" for name in each.names)
        meaning = each.meaning + (f" ({each.unit})" if each.unit else "")
        default = f"`{each.default}`" if each.default else ""
        lines.append(f"| {names} | {meaning} |" if unused else f"| {names} | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render())
