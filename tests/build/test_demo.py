"""The demo as its user meets it: over a pipe, in a terminal, interrupted, and where something is missing."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from rich.console import Console

from images.errors import UserError
from images.paths import ROOT
from tests import demo, demo_view
from tests.receiver import Receiver

COMMAND = (sys.executable, "-m", "tests.demo")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the demo puts what it writes, so that a test sees what it leaves behind."""
    folder = tmp_path / "written"
    folder.mkdir()
    return folder


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "FORCE_COLOR", "NO_COLOR"}}
    return {**env, "TMPDIR": str(folder), "TERM": "xterm-256color", "PYTHONDONTWRITEBYTECODE": "1", **(more or {})}


def run(folder: Path, root: Path = ROOT, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        COMMAND, cwd=root, env=environment(folder, more), capture_output=True, text=True, timeout=300, check=False
    )


def in_a_terminal(folder: Path, columns: int, interrupt_at: str = "", by: int = signal.SIGINT) -> tuple[int, str]:
    """Run it in a terminal, send it a signal as soon as it prints a text; return the exit status and the output."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
    process = subprocess.Popen(COMMAND, cwd=ROOT, env=environment(folder), stdin=its, stdout=its, stderr=its)
    os.close(its)
    output = b""
    while True:
        try:
            output += os.read(ours, 4096)
        except OSError:  # nobody has the terminal open any more
            break
        if interrupt_at and interrupt_at.encode() in output:
            process.send_signal(by)
            interrupt_at = ""
    os.close(ours)
    return process.wait(30), output.decode().replace("\r\n", "\n")


def nothing_is_left(folder: Path) -> bool:
    """Say whether the demo removed what it wrote and no process with its environment runs."""
    environments = "".join(map(_environ, Path("/proc").glob("[0-9]*")))
    return str(folder) not in environments and not list(folder.iterdir())


def _environ(process: Path) -> str:
    try:
        return (process / "environ").read_text(errors="replace")
    except OSError:  # it ended just now, or is someone else's
        return ""


def row(output: str, metric: str) -> list[int]:
    """Return the whole numbers of a line of the table of metrics."""
    line = re.search(rf"^{re.escape(metric)} (.*)$", output, re.MULTILINE)
    assert line, output
    return [int(number) for number in re.findall(r"(?<=\s)\d+(?=\s|$)", line[1])]


def test_over_a_pipe_every_signal_of_every_request_is_shown_as_plain_text(folder: Path) -> None:
    done = run(folder)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "\x1b" not in done.stdout
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100
    spans = re.findall(r"[├└]── ((?:GET|POST) .*?) {2,}(\S+) +(\d{3})( error)? +([\d.]+) ms", done.stdout)
    assert sorted(span[:4] for span in spans) == sorted(
        [
            ("GET /", "/", "200", ""),
            ("GET /boom", "/boom", "500", " error"),
            ("GET /log", "/log", "200", ""),
            ("GET /nowhere", "-", "404", ""),
            ("GET /slow", "/slow", "200", ""),
            ("GET /users/<int:id>", "/users/<int:id>", "200", ""),
        ]
        * 2
    )
    assert all(float(took) >= 100 for name, *_, took in spans if name == "GET /slow")
    below_log = (
        r"GET /log .*\n.*INFO   stock is 12\n.*WARN   stock of apples is low: 3 left\n.*ERROR  order A-17 failed"
    )
    below_boom = r"GET /boom .*\n.*exception  RuntimeError: the till is stuck\n.*ERROR  Exception on /boom"
    assert [len(re.findall(each, done.stdout)) for each in (below_log, below_boom)] == [2, 2]
    traces = [
        int(count)
        for count in re.findall(r"^worker pid \d+  service.instance.id \S+  (\d+) trace", done.stdout, re.MULTILINE)
    ]
    assert sum(traces) == 12
    assert row(done.stdout, "http.server.duration count") == [*traces, 12]
    assert lines[-1].startswith(f"12 requests, 12 spans of {len(traces)} workers, ")
    assert nothing_is_left(folder)


@pytest.mark.parametrize("columns", [80, 50])
def test_in_a_terminal_no_line_is_wider_than_that(folder: Path, columns: int) -> None:
    status, output = in_a_terminal(folder, columns)
    assert status == 0
    assert "\x1b[" in output
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    shown = plain[plain.index("\nspan ") :].splitlines()
    assert max(map(len, shown)) <= columns
    assert ("http.route" in plain) == bool(re.search("worker +worker", plain)) == (columns == 80)


@pytest.mark.parametrize(
    ("at", "by"),
    [
        ("start Flask", signal.SIGINT),
        ("send 12", signal.SIGINT),
        ("send 12", signal.SIGTERM),
        ("stop it", signal.SIGHUP),
    ],
)
def test_an_interrupt_ends_it_with_one_line_and_leaves_nothing_running(folder: Path, at: str, by: int) -> None:
    status, output = in_a_terminal(folder, 100, at, by)
    assert status == 130
    assert output.endswith("error: interrupted\n")
    assert "Traceback" not in output
    assert nothing_is_left(folder)


def test_a_missing_tree_is_assembled_first_and_used_by_the_next_run(folder: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    for each in ("extensions", "images", "requirements", "sitecustomize", "tests"):
        shutil.copytree(ROOT / each, clone / each, ignore=shutil.ignore_patterns("__pycache__"))
    for each in ("LICENSE", "pyproject.toml"):
        shutil.copy(ROOT / each, clone)
    first, second = run(folder, clone), run(folder, clone)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "vendor it under private names" in first.stdout
    assert second.stdout.startswith("  using dist/tree of ")


def test_packages_that_cannot_be_had_are_told_in_one_line(folder: Path, tmp_path: Path) -> None:
    done = run(
        folder, AUTOINSTRUMENTATION_CACHE=str(tmp_path / "cache"), UV_CACHE_DIR=str(tmp_path / "uv"), UV_OFFLINE="1"
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert nothing_is_left(folder)


def test_an_app_that_does_not_serve_is_told_in_one_line(tmp_path: Path) -> None:
    with Receiver() as receiver, pytest.raises(UserError, match=r"gunicorn does not serve; it said last: .*gunicorn"):
        demo._serve(tmp_path, tmp_path / "no-packages", receiver)


def test_spans_that_did_not_arrive_are_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with Receiver() as receiver, pytest.raises(UserError, match=r"^0 server spans arrived for 12 requests: "):
        demo._show(receiver, "")


def test_a_child_span_stands_below_its_parent_with_its_columns_under_the_parents(
    capsys: pytest.CaptureFixture[str],
) -> None:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for name, span_id, parent_id in (("child", b"c" * 8, b"p" * 8), ("parent", b"p" * 8, b"r" * 8)):
        spans.append(Span(name=name, trace_id=b"t" * 16, span_id=span_id, parent_span_id=parent_id))
        spans[-1].start_time_unix_nano, spans[-1].end_time_unix_nano = 10**9, 2 * 10**9
    with Receiver() as receiver:
        headers = {"Content-Type": "application/x-protobuf"}
        post = urllib.request.Request(f"{receiver.endpoint}/v1/traces", request.SerializeToString(), headers)
        urllib.request.urlopen(post).close()
        demo_view.show(Console(width=100), receiver)
    parent, child = capsys.readouterr().out.splitlines()[-2:]
    assert parent.startswith("└── parent ")
    assert child.startswith("    └── child ")
    assert parent.index("1000.0 ms") == child.index("1000.0 ms")
