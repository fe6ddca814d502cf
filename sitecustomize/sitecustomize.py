"""The door: the first thing of ours that a Python process runs.

Python imports ``sitecustomize`` at start-up; ``PYTHONPATH``, as the OpenTelemetry Operator sets it, makes this one the
first to be found. It parses on every Python, decides whether this interpreter is one that we support, starts the
injection, and hands on to the app's own ``sitecustomize``. Whatever goes wrong here is kept from the app.
"""

import os
import sys

_SUPPORTED = (3, 10)


def _places():
    # type: () -> tuple[str, str]
    """Return this file's folder and, three levels above, the folder that the payload was copied to."""
    folder = os.path.dirname(os.path.abspath(__file__))
    return folder, os.path.dirname(os.path.dirname(os.path.dirname(folder)))


def _leave_path(folder, mount):
    # type: (str, str) -> None
    """Take the payload off this process's path; ``PYTHONPATH`` stays as it is for children of another Python."""
    sys.path[:] = [each for each in sys.path if os.path.normpath(each) not in (folder, mount)]


def _start():
    # type: () -> None
    folder, mount = _places()
    _leave_path(folder, mount)
    if sys.version_info < _SUPPORTED or getattr(getattr(sys, "implementation", None), "name", "") != "cpython":
        _decline("CPython %d.%d or newer is needed, this is %s" % (_SUPPORTED + (sys.version.split()[0],)))
        return
    sys.path.append(mount)
    try:
        from otel_injection import start

        start.start(mount)
    except Exception:
        _leave_path(folder, mount)
        _decline("its files in %s are incomplete or damaged (%s)" % (mount, sys.exc_info()[1]))


def _decline(reason):
    # type: (str) -> None
    """Say in one line why this process is not instrumented, unless it is a helper whose output a program reads."""
    argv = getattr(sys, "orig_argv", None) or getattr(sys, "argv", None) or [""]
    if "-c" in argv or "-m" in argv or sys.stderr is None:
        return
    try:
        sys.stderr.write("otel-injection: not instrumented: %s\n" % reason)
    except Exception:  # there is nobody left to tell
        pass


def _hand_on():
    # type: () -> None
    """Import the ``sitecustomize`` that Python would have found without us; its errors are the app's."""
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError:
        if getattr(sys.exc_info()[1], "name", None) not in ("sitecustomize", None):
            raise
        if ours is not None:
            sys.modules["sitecustomize"] = ours


try:
    _start()
except Exception:
    _decline("an error in its first file (%s)" % (sys.exc_info()[1],))
_hand_on()
