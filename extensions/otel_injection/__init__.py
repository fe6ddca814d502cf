"""OpenTelemetry for apps that know nothing of it: the package that runs inside the injected process.

This file, and ``doctor``, run on Python 3.6 and later.
"""

import os
import sys

MOUNT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The folder of the payload."""

TYPE_CHECKING = False  # importing typing would cost more than all else here
if TYPE_CHECKING:
    from typing import Any  # noqa: F401 - in a comment that type checkers read


def ours(kinds=BaseException, asking=False):
    # type: (Any, bool) -> Any
    """Return what an ``except`` clause is to catch: ``kinds``, or nothing if the exception is the app's.

    Every boundary between the app and us is ``except ours() as error``. ``contain`` decides whose an exception is; it
    is imported only when there is an exception. ``asking`` is set where importing or asking ``contain`` itself fails.
    """
    error = sys.exc_info()[1]
    trace = getattr(error, "__traceback__", None)
    if trace is not None and trace.tb_next is None and type(error).__module__ == "builtins":
        return () if isinstance(error, KeyboardInterrupt) else kinds  # raised in the very frame that catches it
    try:
        from otel_injection import contain

        is_the_apps = error is not None and contain.is_the_apps(error)
    except BaseException if asking else ours(asking=True):  # noqa: B030 - contain.py is damaged
        is_the_apps = isinstance(error, KeyboardInterrupt)
    return () if is_the_apps else kinds


def contained(function):
    # type: (Any) -> Any
    """Return a function that calls another and raises nothing: the interpreter would print it in its hooks."""

    def call():
        # type: () -> None
        try:
            function()
        except ours():
            pass

    return call


def begin(mount):
    # type: (str) -> None
    """Import what lies in ``mount`` from its bundle, if it has one for this Python; ImportError if that is damaged.

    The modules that every process needs come first in it and are made here: the import system would take longer to
    find each of them than they take to run. See ``bundle`` for all others,
    and ``images/bytecode/bundle.py`` for the format.
    """
    import marshal
    from _frozen_importlib_external import MAGIC_NUMBER
    from _imp import _fix_co_filename  # type: ignore[attr-defined]

    path = f"{mount}/byte-code/{sys.implementation.cache_tag}.bundle"
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        head = os.read(file, 32)
        if head[:12] != b"otel-bundle\0" or os.fstat(file).st_size != int.from_bytes(head[20:28], "little"):
            raise ImportError(f"{path} is damaged")
        if head[16:20] != MAGIC_NUMBER:
            return
        content = os.read(file, int.from_bytes(head[12:16], "little"))
    finally:
        os.close(file)
    names, _, codes = content.partition(b"\n")
    for entry in names.decode().split():
        name, _, size = entry.partition(":")
        location = f"{mount}/otel_injection/{name}.py"
        try:
            code = marshal.loads(codes[16 : int(size)])  # noqa: S302 - our own
        except (EOFError, ValueError, TypeError) as error:
            raise ImportError(f"{path} is damaged: {error}")  # noqa: B904
        codes = codes[int(size) :]
        _fix_co_filename(code, location)
        module = type(sys)("otel_injection." + name)
        module.__file__, module.__package__ = location, "otel_injection"
        module.__spec__ = type(__spec__)(module.__name__, None, origin=location)
        sys.modules[module.__name__] = module
        globals()[name] = module
        exec(code, vars(module))  # noqa: S102
    from otel_injection import bundle

    bundle.install(path, mount)


if sys.version_info >= (3, 10):  # noqa: UP036 - the doctor
    begin(MOUNT)
