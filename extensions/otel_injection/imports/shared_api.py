"""Shares the OpenTelemetry API with the app: one copy, the newer of the app's and ours.

The SDK fails to import against an API older than itself, and an app fails against an API older than it was written
for. Beside an SDK of another release nothing is shared: see ``private_api``. ``opentelemetry`` is a namespace package,
so the choice is made per module: where ours leads, a finder answers for the modules that the API distribution consists
of, and for nothing else below ``opentelemetry``.
"""

from __future__ import annotations

import os
import sys

from otel_injection import MOUNT, bundle, ours, report
from otel_injection._index import API_MODULES, API_VERSION
from otel_injection.imports import private_api
from otel_injection.waiting import is_finder

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

_NAMESPACES = ("opentelemetry", "opentelemetry.util", "opentelemetry.propagators")
_LED = frozenset(name for name in API_MODULES if name.rpartition(".")[0] in _NAMESPACES)
"""Modules directly below a namespace; what is below them is found in their folders."""


_VERSION_FILES = (os.path.join("version", "__init__.py"), "version.py")
"""Where releases name their version: since 1.23, and before."""


def share() -> None:
    """Let the newer API lead: called when the app, or any of ours, is about to import ``opentelemetry``."""
    if not private_api.is_used() and not any(isinstance(each, _ApiFinder) for each in sys.meta_path):
        front = [number for number, each in enumerate(sys.meta_path) if is_finder(each)]
        sys.meta_path.insert(front[0] + 1 if front else 0, _ApiFinder(MOUNT))


def choose() -> bool:
    """Give the payload an API of its own where the app brings an older SDK, or a newer API, than ours.

    Called when imports are waited for, and before anything of OpenTelemetry is imported.
    """
    older, version = older_sdk(sys.path, MOUNT), app_version(sys.path, MOUNT)
    if older or version[:2] > _numbers(API_VERSION)[:2]:
        private_api.use()
        brings = f"SDK {older}" if older else "API " + ".".join(map(str, version))
        report.debug(f"the app brings the OpenTelemetry {brings}: the payload uses an API of its own, {API_VERSION}")
    return private_api.is_used()


def older_sdk(path: list[str], mount: str) -> str:
    """Return the version of an SDK of the app's own that our API would break, empty if it has none.

    An SDK uses what is private in the API, and each release of it fits only the API of the same release (measured with
    1.12 to 1.44 against 1.45): there the app's API must stay; see ``private_api``.
    """
    version = _app_version(path, mount, "sdk")
    return version if version and _numbers(version)[:2] < _numbers(API_VERSION)[:2] else ""


def app_version(path: list[str], mount: str) -> tuple[int, ...]:
    """Return the version of the API that the app would import from ``path``, () if it has none."""
    version = _app_version(path, mount)
    return _numbers(version) if version else ()


def _app_version(path: list[str], mount: str, *part: str) -> str:
    for folder in path:
        if folder == mount:
            continue
        for name in _VERSION_FILES:
            try:
                with open(os.path.join(folder, "opentelemetry", *part, name), encoding="utf-8") as file:
                    text = file.read(2000)
            except (OSError, ValueError, TypeError):
                continue
            return text.partition("__version__")[2].partition("\n")[0].strip("= \"'\t\r")
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """Return the release numbers in a version, or in the assignment of one."""
    parts = version.strip("= \"'\t").split(".")[:3]
    return tuple(int("".join(each for each in part if each.isdigit()) or 0) for part in parts)


class _ApiFinder:
    """Finds the API's modules in the payload, unless the app has a newer copy."""

    def __init__(self, mount: str) -> None:
        self._mount = mount
        self._leads: bool | None = None

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002
        if fullname not in _LED:
            return None
        try:
            if self._leads is None:
                newer = app_version(sys.path, self._mount) <= _numbers(API_VERSION)
                self._leads = newer and not older_sdk(sys.path, self._mount)
            if not self._leads:
                return None
            spec = bundle.spec(fullname)
            if spec is not None:
                return spec
            from importlib.machinery import PathFinder

            folder = os.path.join(self._mount, *fullname.split(".")[:-1])
            return PathFinder.find_spec(fullname, [folder], target)
        except ours() as error:
            report.debug(f"'{fullname}' is not looked for: {type(error).__name__}: {error}")
            return None
