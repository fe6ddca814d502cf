"""The door: the first thing of ours that a Python process runs.

Python imports ``sitecustomize`` at start-up; ``PYTHONPATH``, as the OpenTelemetry Operator sets it, makes this one the
first to be found. It parses on every Python, decides whether this interpreter is one that we support, starts the
injection, and hands on to the app's own ``sitecustomize``. Whatever goes wrong here is kept from the app.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any  # noqa: F401 - in comments that type checkers read

_SUPPORTED = (3, 10)


def _places():
    # type: () -> tuple[str, str]
    """Return this file's folder and, three levels above, the folder that the payload was copied to."""
    folder = os.path.dirname(os.path.abspath(globals().get("__file__") or _places.__code__.co_filename))
    return folder, os.path.dirname(os.path.dirname(os.path.dirname(folder)))


def _drop_empty_entry(folder, mount):
    # type: (str, str) -> None
    """Remove the working directory from the path, where an app's empty ``PYTHONPATH`` stands between our entries.

    An empty entry means the working directory, while an empty ``PYTHONPATH`` counts as not set; in Python 2 both mean
    the directory.
    """
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if sys.version_info >= (3,) and len(entries) == 3 and not entries[1] and folder in sys.path[:-1]:
        place = sys.path.index(folder) + 1
        if sys.path[place] != mount:
            del sys.path[place]


def _leave_path(folder, mount):
    # type: (str, str) -> None
    """Take the payload off this process's path; ``PYTHONPATH`` stays as it is for children of another Python."""
    sys.meta_path[:] = [each for each in sys.meta_path if not type(each).__module__.startswith("otel_injection.")]
    sys.path[:] = [each for each in sys.path if os.path.normpath(each) not in (folder, mount)]


def _spare_the_wrapped(mount):
    # type: (str) -> None
    """Take the payload off ``PYTHONPATH`` in an app's own ``opentelemetry-instrument``, for the command that it runs.

    Upstream's ``sitecustomize`` runs there in place of this one, and the SDK beside it needs the API that it came with.
    Our own command of that name adds the payload again. The first entry stays, for other children.
    """
    if "opentelemetry-instrument" in [os.path.basename(each) for each in _arguments()[:4]]:
        entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        os.environ["PYTHONPATH"] = os.pathsep.join([each for each in entries if os.path.normpath(each) != mount])


def _arguments():
    # type: () -> list[str]
    """Return the command line after the interpreter; Pythons before 3.10 do not keep it."""
    if hasattr(sys, "orig_argv"):
        return sys.orig_argv[1:]
    try:
        with open("/proc/self/cmdline", "rb") as file:
            return file.read().decode("latin-1").split("\0")[1:]
    except (IOError, OSError):  # in Python 2 these are two classes
        return []


def _start():
    # type: () -> None
    folder, mount = _places()
    if getattr(sys.modules.get("otel_injection.start"), "_started", False):
        sys.path[:] = [each for each in sys.path if os.path.normpath(each) != folder]
        return
    _drop_empty_entry(folder, mount)
    _spare_the_wrapped(mount)
    _leave_path(folder, mount)
    if sys.version_info < _SUPPORTED or getattr(getattr(sys, "implementation", None), "name", "") != "cpython":
        _decline("CPython %d.%d or newer is needed, this is %s" % (_SUPPORTED + (sys.version.split()[0],)))
        return
    sys.path.append(mount)
    try:
        from otel_injection import start

        start.start(mount)
    except KeyboardInterrupt:
        raise
    except BaseException:
        reason = "its files in %s are incomplete or damaged (%s)" % (mount, sys.exc_info()[1])
        _record(reason)
        _leave_path(folder, mount)
        _decline(reason)


def _record(reason):
    # type: (str) -> None
    """Leave the reason for the doctor, if that much of the payload is there."""
    try:
        from otel_injection import record

        record.decide("failed", "damaged", reason)
    except BaseException:  # the line on stderr says it
        pass


def _decline(reason):
    # type: (str) -> None
    """Say in one line why this process is not instrumented, unless it is a helper whose output a program reads."""
    try:
        if not _is_helper() and sys.stderr is not None:
            sys.stderr.write("otel-injection: not instrumented: %s\n" % " ".join(reason.split()))
    except Exception:  # stderr is closed: the line cannot be printed
        pass


def _is_helper():
    # type: () -> bool
    """Return whether this process runs ``-c`` or ``-m``."""
    arguments = iter(_arguments())
    for argument in arguments:
        if argument in ("-W", "-X", "-Q"):
            next(arguments, None)
        elif not argument.startswith("-") or argument.startswith("--"):
            return False
        elif argument[1:2] not in ("W", "X", "Q") and ("c" in argument or "m" in argument):
            return True
    return False


def _hand_on():
    # type: () -> None
    """Import the ``sitecustomize`` that Python would have found without us.

    If there is none, the import fails as it does without us, and Python's ``site`` ignores that.
    """
    own = vars(sys.modules.get(__name__, os)) is globals()
    others = _others()
    if own and not others and __name__ == "sitecustomize":
        del sys.modules["sitecustomize"]
        import sitecustomize  # noqa: F401
    elif sys.version_info >= (3, 5):
        _run_next(others, own)


def _others():
    # type: () -> set[str]
    """Return the folders of the ``sitecustomize`` files that are running already, one of which has loaded this one."""
    files = [getattr(sys.modules.get("sitecustomize"), "__file__", None) or ""]
    frame = sys._getframe()  # type: Any
    while frame is not None:
        code = frame.f_code
        if code.co_name == "<module>" and os.path.basename(code.co_filename).startswith("sitecustomize."):
            files.append(code.co_filename)
        frame = frame.f_back
    return {os.path.dirname(os.path.abspath(each)) for each in files if each} - {_places()[0]}


def _run_next(others, own):
    # type: (set[str], bool) -> None
    """Run the next ``sitecustomize`` on the path under the name that this one was loaded by."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    folders = [each for each in sys.path if os.path.abspath(each) not in others]
    spec = PathFinder.find_spec("sitecustomize", folders)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        if own:
            sys.modules[__name__] = module
        spec.loader.exec_module(module)
    elif own and _is_imported():
        del sys.modules[__name__]
        raise ImportError("No module named %r" % __name__, name=__name__)


def _is_imported():
    # type: () -> bool
    """Return whether an import statement has loaded this file: it gets an ImportError if there is no other."""
    frame = sys._getframe(4)  # type: Any # behind the three of ours and this file
    while frame is not None and "importlib" in frame.f_code.co_filename:
        if frame.f_code.co_name == "_find_and_load":
            return True
        frame = frame.f_back
    return False


try:
    _start()
except KeyboardInterrupt:
    raise
except BaseException:
    _decline("an error in its first file (%s)" % (sys.exc_info()[1],))
_hand_on()
