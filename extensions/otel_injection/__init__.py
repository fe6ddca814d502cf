"""OpenTelemetry for apps that know nothing of it: the package that runs inside the injected process.

This file, and ``doctor``, run on Python 3.6 and later.
"""

import os
import sys

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any  # noqa: F401 - in a comment that type checkers read


def ours(kinds=BaseException, asking=False):
    # type: (Any, bool) -> Any
    """Return what an ``except`` clause is to catch: ``kinds``, and nothing if the exception is the app's.

    Every boundary between the app and us is ``except ours() as error``. Whose an exception is, ``contain`` knows; it is
    imported when there is one. ``asking`` is set where this very question fails.
    """
    error = sys.exc_info()[1]
    trace = getattr(error, "__traceback__", None)
    if trace is not None and trace.tb_next is None and type(error).__module__ == "builtins":
        return () if isinstance(error, KeyboardInterrupt) else kinds  # raised here: as when a file is not there
    try:
        from otel_injection import contain

        is_the_apps = error is not None and contain.is_the_apps(error)
    except BaseException if asking else ours(asking=True):  # noqa: B030 - that module is damaged
        is_the_apps = isinstance(error, KeyboardInterrupt)
    return () if is_the_apps else kinds


def contained(function):
    # type: (Any) -> Any
    """Return a function for the interpreter to call, which would print what is raised there."""

    def call():
        # type: () -> None
        try:
            function()
        except ours():
            pass

    return call


if sys.version_info >= (3, 10):  # noqa: UP036 - the doctor
    from otel_injection import bundle

    bundle.install(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
