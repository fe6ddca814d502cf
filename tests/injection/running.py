"""Runs short programs with and without injection, so that the two can be compared."""

from __future__ import annotations

import re
import subprocess
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.injection.harness import instance_id, operator_env

PREFIX = "otel-injection: "


@dataclass(frozen=True)
class Finished:
    """How a program ended; ``seconds`` is its whole life."""

    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def lines(self) -> list[str]:
        """What the injection said, without its prefix."""
        lines = self.stderr.splitlines()
        return [line.removeprefix(PREFIX) for line in lines if line.startswith(PREFIX)]

    @property
    def own(self) -> tuple[int, str, str]:
        """What the app itself did: status and output, process ids, addresses and durations made equal.

        Without the frames of injected code in tracebacks, and without those of the import system, which are there
        twice where the door hands on to the app's ``sitecustomize``.
        """
        lines = [line for line in self.stderr.splitlines(keepends=True) if not line.startswith(PREFIX)]
        text = re.sub(
            r'  File "(<frozen importlib|\S*/(auto_instrumentation|otel_injection)/).*\n(    .*\n)*', "", "".join(lines)
        )
        stdout, stderr = (re.sub(r"0x[0-9a-f]+|pid=\d+|\bin \d\.\d+s", "N", each) for each in (self.stdout, text))
        return self.status, stdout, stderr


class Runner:
    """Starts programs with one interpreter in one folder, with an environment of their own."""

    def __init__(self, python: Path, mount: Path, endpoint: str, folder: Path) -> None:
        self.python = python
        self.mount = mount
        self.folder = folder
        self.endpoint = endpoint
        self.app_pythonpath: str | None = None
        self.operator = operator_env(mount, service="app", endpoint=endpoint)
        folder.mkdir(exist_ok=True)

    @property
    def instance(self) -> str:
        """The ``service.instance.id`` that the operator has given."""
        return instance_id(self.operator)

    def write(self, source: str, name: str = "main.py") -> Path:
        """Write a file of the app."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    def run(
        self,
        source: str | Sequence[str],
        *options: str,
        injected: bool = True,
        app_pythonpath: str | None = None,
        env: Mapping[str, str] | None = None,
        given: str = "",
        timeout: float = 60.0,
    ) -> Finished:
        """Run a program, or the interpreter with these arguments, in the folder.

        ``options`` are the interpreter's, ``app_pythonpath`` is the app's own ``PYTHONPATH``, ``given`` its input.
        """
        app_pythonpath = self.app_pythonpath if app_pythonpath is None else app_pythonpath
        if isinstance(source, str):
            self.write(source)
            source = ["main.py"]
        environment = {"PATH": f"{self.python.parent}:/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8"}
        if injected:
            environment |= self.operator
            if app_pythonpath is not None:
                environment["PYTHONPATH"] = environment["PYTHONPATH"].replace(":", f":{app_pythonpath}:", 1)
        elif app_pythonpath is not None:
            environment["PYTHONPATH"] = app_pythonpath
        start = time.monotonic()
        done = subprocess.run(
            [str(self.python), *options, *source],
            cwd=self.folder,
            env={**environment, **(env or {})},
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr, time.monotonic() - start)

    def compare(self, source: str | Sequence[str], *options: str, **keywords: object) -> Finished:
        """Run a program with and without injection, require that it does the same, and return the injected run."""
        plain = self.run(source, *options, injected=False, **keywords)  # type: ignore[arg-type]
        injected = self.run(source, *options, **keywords)  # type: ignore[arg-type]
        assert injected.own == plain.own
        return injected
