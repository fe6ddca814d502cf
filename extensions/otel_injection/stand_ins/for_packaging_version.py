"""Stands in for ``packaging.version``, and finds the versions of the app's libraries.

``packaging`` and parsing metadata would cost each process 30 ms. They are used only where a version is more than
numbers, or where the name of a distribution's folder does not tell its version.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Requirement = tuple[str, str, Sequence[tuple[str, str]] | None]
    """A requirement as it is written, the name in it, and its bounds where they are simple: ``>=`` and ``<``."""


class Release:
    """A version of numbers only; compares as ``packaging.version.Version`` does, and with its instances."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.release = tuple(map(int, text.split(".")))
        key = list(self.release)
        while len(key) > 1 and not key[-1]:  # 1.0 is 1
            key.pop()
        self._key = tuple(key)

    def __str__(self) -> str:
        return ".".join(map(str, self.release))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Release) else self._full() == _full(other)

    def __lt__(self, other: Any) -> Any:
        return self._key < other._key if isinstance(other, Release) else self._full() < _full(other)

    def __le__(self, other: Any) -> Any:
        return self._key <= other._key if isinstance(other, Release) else self._full() <= _full(other)

    def __gt__(self, other: Any) -> Any:
        return self._key > other._key if isinstance(other, Release) else self._full() > _full(other)

    def __ge__(self, other: Any) -> Any:
        return self._key >= other._key if isinstance(other, Release) else self._full() >= _full(other)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._full(), name)

    def _full(self) -> Any:
        return _full(self._text)


def parse(text: str) -> Any:
    """Return a version that can be compared. Raises ``packaging.version.InvalidVersion`` if the text is no version."""
    return Release(text) if _simple(text) else _full(text)


Version = parse
"""Stands in for ``packaging.version.Version``: private copies only compare its instances."""


def version(name: str) -> str:
    """Return the version of a distribution, as ``importlib.metadata.version`` does."""
    installed = _at_first_sight(name)
    if not installed:
        from importlib.metadata import version as find

        installed = find(name)
    return installed


def met(requirement: Requirement, found: dict[str, str]) -> bool:
    """Return whether the app's environment has a distribution in a version that the requirement allows.

    The version that is installed is added to ``found``.
    """
    written, name, bounds = requirement
    installed = _at_first_sight(name)
    if installed and bounds is not None:
        found[name] = installed
        release = Release(installed)
        return all(release >= Release(each) if sign == ">=" else release < Release(each) for sign, each in bounds)
    from importlib.metadata import PackageNotFoundError

    try:
        found[name] = installed = version(name)
    except PackageNotFoundError:
        return False
    from packaging.requirements import Requirement as Parsed

    return Parsed(written).specifier.contains(installed, prereleases=True)


def _simple(text: str) -> bool:
    return text.isascii() and text.replace(".", "").isdigit() and "" not in text.split(".")


def _full(version: Any) -> Any:
    from packaging import version as packaging

    return packaging.Version(version) if isinstance(version, str) else version


_listed: dict[str, tuple[int, dict[str, str]]] = {}
"""By folder: when it was last changed, and the versions in the names of its ``.dist-info`` folders."""


def _at_first_sight(name: str) -> str:
    """Return a version that the name of a ``.dist-info`` folder on the path tells and that is only numbers, else "".

    The first folder on ``sys.path`` that has the distribution counts, as for ``importlib.metadata``.
    """
    wanted = _normal(name)
    for folder in sys.path:
        try:
            changed = os.stat(folder or ".").st_mtime_ns
            known = _listed.get(folder)
            if known is None or known[0] != changed:
                known = _listed[folder] = changed, _list(folder)
        except (OSError, ValueError, TypeError):  # an archive, or an entry that importlib passes over as well
            if isinstance(folder, str) and os.path.isfile(folder):
                return ""  # an archive may hold the distribution and comes first: importlib looks into it
            continue
        if wanted in known[1]:
            return known[1][wanted]
    return ""


def _list(folder: str) -> dict[str, str]:
    versions: dict[str, str] = {}
    for entry in os.listdir(folder or "."):
        base, _, kind = entry.rpartition(".")
        if kind in ("dist-info", "egg-info"):
            name, _, version = base.partition("-")
            usable = kind == "dist-info" and _simple(version) and _normal(name) not in versions
            versions[_normal(name)] = version if usable else ""  # two folders of one name: importlib decides
        elif kind == "egg":
            versions[_normal(base.partition("-")[0])] = ""
    return versions


def _normal(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")
