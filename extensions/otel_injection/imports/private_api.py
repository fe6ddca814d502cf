"""A copy of the OpenTelemetry API that only the payload uses, beside an app's OpenTelemetry of another release.

An SDK uses what is private in the API and fits only the API of its own release (measured with 1.12 to 1.44 on 1.45).
Where the app brings an older SDK, or a newer API, the app keeps what it brings. Code of the payload then finds, under
the name ``opentelemetry``, the payload's own copy of the API, and ``providers.bridge`` joins the two: the current span,
the baggage, and what the app records by its API while it has set no provider.

The copy is the file that would otherwise be shared, imported a second time as ``otel_injection._api.opentelemetry``.
What the payload's modules import is directed there by an ``__import__`` of their own, which Python takes from the
``__builtins__`` in a module's namespace: other processes pay nothing for it.
"""

from __future__ import annotations

import builtins
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location

from otel_injection import MOUNT, bundle, ours, report, waiting
from otel_injection.waiting import NAMES

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from types import CodeType, ModuleType
    from typing import Any

PREFIX = "otel_injection._api"
_NAMESPACES = ("opentelemetry", "opentelemetry.propagators", "opentelemetry.util")
_BRIDGE = {
    "opentelemetry._logs._internal": ("providers.bridge.logs:join",),
    "opentelemetry.context": ("providers.bridge.contexts:join",),
    "opentelemetry.metrics._internal": ("providers.bridge.metrics:join",),
    "opentelemetry.propagate": ("providers.bridge.propagation:join",),
    "opentelemetry.trace": ("providers.bridge.spans:join",),
}
"""By module of the app's API, what joins it to ours once the app has imported it."""

_PROPAGATORS = "OTEL_PROPAGATORS"

_used = False
_hidden: list[str] = []


def is_used() -> bool:
    """Return whether the payload has an API of its own in this process."""
    return _used


def module(name: str) -> ModuleType | None:
    """Return a module of the API that the payload uses, if it has been imported."""
    return sys.modules.get(f"{PREFIX}.{name}" if _used else name)


def target(reference: str) -> str:
    """Return where an entry point of the payload leads that names a module of the API."""
    return f"{PREFIX}.{reference}" if _used and reference.startswith("opentelemetry.") else reference


def use() -> None:
    """Give the payload an API of its own, before anything of it has imported one."""
    global _used
    if _used:
        return
    _used = True
    noticing = [place for place, each in enumerate(sys.meta_path) if waiting.is_finder(each)]
    sys.meta_path.insert(noticing[0] + 1 if noticing else 0, _Finder())
    for name in [each for each in NAMES if each.partition(".")[0] == "opentelemetry"]:
        NAMES[f"{PREFIX}.{name}"] = NAMES[name]
        NAMES[name] = ()
    NAMES[PREFIX] = ()
    NAMES.update(_BRIDGE)


def hide_propagators() -> None:
    """Hide ``OTEL_PROPAGATORS`` while the app's API is imported: one that the app lacks would be the app's error."""
    if _PROPAGATORS in os.environ:
        _hidden.append(os.environ[_PROPAGATORS])
        del os.environ[_PROPAGATORS]


def show_propagators() -> bool:
    """Put the setting back; return whether it was there."""
    if not _hidden:
        return False
    os.environ[_PROPAGATORS] = _hidden.pop()
    return True


def _import(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:  # noqa: A002
    """Import for a module of the payload; see ``builtins.__import__``."""
    if level or name.partition(".")[0] != "opentelemetry":
        return builtins.__import__(name, globals, locals, fromlist, level)
    imported = builtins.__import__(f"{PREFIX}.{name}", globals, locals, fromlist, 0)
    return imported if fromlist else sys.modules[f"{PREFIX}.opentelemetry"]


_BUILTINS = {**vars(builtins), "__import__": _import}


class _Loader(SourceFileLoader):
    """Executes a module of the payload with the ``__import__`` above."""

    def __init__(self, fullname: str, path: str, behind: Any, name: str) -> None:
        super().__init__(fullname, path)
        self._behind = behind
        self._name = name

    def get_code(self, fullname: str) -> CodeType | None:  # noqa: ARG002
        code: CodeType | None = self._behind.get_code(self._name)
        return code

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = _BUILTINS
        super().exec_module(module)


class _Finder:
    """Finds the copy of the API, and the payload's modules; import system reference: importlib.abc.MetaPathFinder."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if not fullname.startswith("otel_injection."):
            return None
        try:
            if fullname == PREFIX:
                return _namespace(fullname, MOUNT)
            if not fullname.startswith(f"{PREFIX}."):
                return self._payloads(fullname, path, target)
            name = fullname[len(PREFIX) + 1 :]
            if name in _NAMESPACES:
                return _namespace(fullname, os.path.join(MOUNT, *name.split(".")))
            folder = os.path.join(MOUNT, *name.split(".")[:-1])
            return _with_our_imports(fullname, bundle.spec(name) or PathFinder.find_spec(name, [folder]), name)
        except ours() as error:
            report.debug(f"'{fullname}' is not found: {type(error).__name__}: {error}")
            return None

    def _payloads(self, fullname: str, path: Any, target: Any) -> Any:
        for each in sys.meta_path:
            found = each.find_spec(fullname, path, target) if isinstance(each, bundle.Bundle) else None
            if found is not None:
                return _with_our_imports(fullname, found, fullname)
        return _with_our_imports(fullname, PathFinder.find_spec(fullname, path, target), fullname)


def _namespace(fullname: str, folder: str) -> ModuleSpec:
    spec = ModuleSpec(fullname, None, is_package=True)
    spec.submodule_search_locations = [folder]
    return spec


def _with_our_imports(fullname: str, found: Any, name: str) -> Any:
    """Return the spec of a module under another name, and with a loader that directs its imports."""
    if found is None or not isinstance(found.loader, SourceFileLoader):
        return found
    loader = _Loader(fullname, found.origin, found.loader, name)
    locations = found.submodule_search_locations
    return spec_from_file_location(fullname, found.origin, loader=loader, submodule_search_locations=locations)
