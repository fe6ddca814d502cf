"""Every environment variable that the payload reads: its default, how its value is read, and what it means.

``docs/settings.md`` is written from this table (``images/settings_page.py``), ``environment`` reads by it. What decides
whether a process is an app at all (``guard``, ``settings.early``) does without it: a process that is none pays nothing.
"""

from __future__ import annotations

from otel_injection.settings.table import export, image, libraries, others

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_injection.settings.table.variable import Variable

VARIABLES = (*image.VARIABLES, *export.VARIABLES, *libraries.VARIABLES, *others.VARIABLES)

TABLE: Mapping[str, Variable] = {name: variable for variable in VARIABLES for name in variable.names}
"""By name."""


def default(name: str) -> str:
    """Return the default of a variable as it would stand in the environment."""
    return TABLE[name].default
