"""The Python processes of this container, from /proc."""

import os
import re
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

from otel_injection.doctor import records

_PYTHON = re.compile(r"(?:^|/)(?:python|pypy)[\d.]*[a-z]*$")
_VERSION = re.compile(r"python(\d\.\d+)")


class Process(NamedTuple):
    """One process; fields that may not be read, because it belongs to somebody else, are None."""

    pid: int
    parent: int
    user: int
    started: int
    arguments: List[str]
    executable: Optional[str]
    python: str
    libc: str
    environment: Optional[Dict[str, str]]
    record: Optional[Dict[str, Any]]
    hidden: bool
    """Whether its record may not be read."""
    guarded: bool = False
    """Whether not even its own user may read it, since it has changed its user; see PR_SET_DUMPABLE in prctl(2)."""

    @property
    def command(self) -> str:
        """What it runs, without the arguments, which may hold secrets."""
        shown = [os.path.basename(self.arguments[0])]
        rest = iter(self.arguments[1:])
        for argument in rest:
            if argument in ("-W", "-X"):
                next(rest, None)
            elif argument == "-m":
                return " ".join([*shown, argument, next(rest, "")])
            elif argument.startswith("-c"):
                return " ".join([*shown, "-c ..."])
            else:
                shown.append(argument)
                if not argument.startswith("-"):
                    break
        return " ".join(shown)

    @property
    def inherited(self) -> bool:
        """Whether its record is still that of the process from which it was forked."""
        return bool(self.record) and (
            self.record.get("pid") != self.pid or self.record.get("since_boot", self.started) < self.started  # type: ignore[union-attr]
        )


def find(wanted: Sequence[int] = (), proc: str = "/proc") -> Iterator[Process]:
    """Yield the Python processes except this one, in the order of their numbers; if any are ``wanted``, only those."""
    for pid in sorted(int(name) for name in os.listdir(proc) if name.isdigit()):
        if pid == os.getpid() or (wanted and pid not in wanted):
            continue
        try:
            process = _read(os.path.join(proc, str(pid)), pid, proc)
        except (OSError, ValueError, IndexError):  # it has ended meanwhile
            continue
        if process is not None:
            yield process


def _read(folder: str, pid: int, proc: str) -> Optional[Process]:
    arguments = _text(folder, "cmdline").split("\0")[:-1]
    executable = None  # type: Optional[str]
    maps = ""
    owner = os.stat(folder)
    try:
        with _acting_as(owner.st_uid, owner.st_gid):
            executable = os.readlink(os.path.join(folder, "exe")).replace(" (deleted)", "")
            maps = _text(folder, "maps")
    except PermissionError:
        pass
    if not arguments or not _is_python(arguments[0], executable, maps):
        return None
    fields = _text(folder, "stat").rpartition(")")[2].split()
    hidden = False
    record = environment = None
    try:
        with _acting_as(owner.st_uid, owner.st_gid):
            environment = _environment(folder)
            record = records.read(pid, proc)
    except PermissionError:
        hidden = True
    version = str(record["python"]) if record and "python" in record else _version(executable or arguments[0], maps)
    return Process(
        pid=_inner_pid(folder, pid),
        parent=int(fields[1]),
        user=owner.st_uid,
        started=int(fields[19]),
        arguments=arguments,
        executable=executable,
        python=version,
        libc="musl" if "ld-musl" in maps else "glibc" if "libc.so.6" in maps or "libc-2." in maps else "",
        environment=environment,
        record=record,
        hidden=hidden,
        guarded=hidden and os.stat(os.path.join(folder, "environ")).st_uid != owner.st_uid,
    )


@contextmanager
def _acting_as(user: int, group: int) -> Iterator[None]:
    """Read as the user of a process: in a container, the superuser may not read what belongs to others."""
    own = os.geteuid(), os.getegid()
    try:
        if own[0] == 0 != user:
            os.setegid(group)
            os.seteuid(user)
    except OSError:  # it may not do that either
        pass
    try:
        yield
    finally:
        if os.geteuid() != own[0]:
            os.seteuid(own[0])
        if os.getegid() != own[1]:
            os.setegid(own[1])


def _is_python(name: str, executable: Optional[str], maps: str) -> bool:
    """Return whether it runs Python: the interpreter, or a program such as uWSGI that has it inside."""
    if executable is None:
        return bool(_PYTHON.search(name))
    return bool(_PYTHON.search(executable)) or "/libpython" in maps


def _version(executable: str, maps: str) -> str:
    if "pypy" in executable:
        return "PyPy"
    found = _VERSION.search(os.path.basename(executable)) or _VERSION.search(maps)
    return found.group(1) if found else ""


def _inner_pid(folder: str, pid: int) -> int:
    """Return the number of a process in its own PID namespace, which may be another one."""
    found = re.search(r"^NSpid:.*?(\d+)$", _text(folder, "status"), re.MULTILINE)
    return int(found.group(1)) if found else pid


def _environment(folder: str) -> Dict[str, str]:
    pairs = (each.partition("=") for each in _text(folder, "environ").split("\0"))
    return {name: value for name, equals, value in pairs if equals}


def _text(folder: str, name: str) -> str:
    with open(os.path.join(folder, name), "rb") as file:
        return file.read().decode("utf-8", "replace")
