"""Keep a private container engine running for as long as standard input is open, then remove every trace of it.

A process of its own (``python -m images.engine.keeper FOLDER``), so that the engine also ends when whoever started it
is killed: the system closes the pipe. Everything of the engine lives in a PID and a mount namespace. When their first
process is killed, the kernel ends all others and unmounts; what is left to remove is the folder, and the cgroups of the
same name. Its last output is the engine's last log line. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

LOG = "engine.log"
SCRIPT = "start.sh"
_PR_SET_CHILD_SUBREAPER = 36


def main(folder: Path) -> None:
    """Run the start script in the folder until standard input closes, SIGTERM comes or the engine ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log = folder / LOG
    try:
        _run(folder / SCRIPT, log)
    finally:
        last = _last_line(log)
        _remove_groups(folder.name)
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(BrokenPipeError):  # whoever would read it can be dead
            os.write(sys.stdout.fileno(), last.encode())


def _run(script: Path, log: Path) -> None:
    """Run the script as the first process of its namespaces; when this returns, all that it started has ended."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)  # so that what unshare starts can be waited for
    namespaces = ["--mount", "--pid", "--mount-proc", "--propagation", "slave", "--fork", "--kill-child"]
    command = ["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, "sh", str(script)]  # it ends before its keeper
    with log.open("wb") as output:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        while running.poll() is None and not select.select([sys.stdin], [], [], 0.2)[0]:
            pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        running.kill()
        with suppress(ChildProcessError):
            while True:
                os.wait()


def _last_line(log: Path) -> str:
    """Return the last line that is a message, where there is one, and not a record of events."""
    lines = log.read_text(errors="replace").splitlines() or ["no log"]
    return next((line for line in reversed(lines) if not line.startswith("time=")), lines[-1])


def _remove_groups(name: str) -> None:
    """Remove the control groups below this name, in every hierarchy; dead members can hold one for a moment."""
    mounted = Path("/sys/fs/cgroup")
    for top in (*mounted.glob(name), *mounted.glob(f"*/{name}")):
        for group in sorted((top, *(path for path in top.rglob("*") if path.is_dir())), reverse=True):
            for _ in range(20):
                with suppress(OSError):
                    group.rmdir()
                    break
                time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
