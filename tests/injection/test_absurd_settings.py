"""A setting that cannot be used costs one line that names it, and nothing else.

The rows are made from the table of variables: a variable that is added there is tried here. Each row is a process of
its own; several run at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from otel_injection.settings.table import VARIABLES
from otel_injection.settings.table.variable import ELSEWHERE, PATTERNS, PROCESSORS, REGEXES, TEXT, UNUSED, Variable
from tests.injection import pythons
from tests.injection.running import Finished, Runner
from tests.injection.test_exit import WORK
from tests.receiver import Receiver

pytestmark = [pytest.mark.newest_python, pytest.mark.xdist_group("absurd settings")]

PROGRAM = f"""{WORK}
    from flask import Flask
    from wsgiref.util import setup_testing_defaults

    app = Flask("shop")

    @app.get("/items/<int:number>")
    def item(number):
        return str(number)

    def request(path):
        environ = {{"PATH_INFO": path, "REQUEST_URI": path, "HTTP_X_COLOUR": "red"}}
        setup_testing_defaults(environ)
        print(b"".join(app(environ, lambda status, headers, error=None: print(status))).decode())

    work("sold")
    request("/items/7")
"""

VALUES = {
    "a name that nothing has": "pigeon",
    "a negative number": "-1",
    "no number": "nan",
    "no end": "inf",
    "pages": "9" * 5_000,
    "not UTF-8": os.fsdecode(b"caf\xff"),
    "punctuation": "a,=b,(,%(x)s,;{%",
}
NOTHING = {"empty": "", "spaces": " \t "}

FILE = "OTEL_CONFIG_FILE"
"""Not among the rows: without what it names there is no telemetry; see test_configuration_file.py."""

ENDPOINTS = "OTEL_EXPORTER_OTLP_ENDPOINT"

UNSEEN = {
    ENDPOINTS: "each signal has its own, so that its telemetry arrives",
    "OTEL_EXPORTER_OTLP_CERTIFICATE": "the collector is spoken to without TLS",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY": "the same",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "the same",
    "REQUESTS_CA_BUNDLE": "the same",
    "http_proxy": "the collector is on this machine",
    "OTEL_PYTHON_TRACER_CONFIGURATOR": "an entry point of the app's packages; a line tells of it in upstream's words",
    "OTEL_PYTHON_METER_CONFIGURATOR": "the same",
    "OTEL_PYTHON_LOGGER_CONFIGURATOR": "the same",
}
"""Variables that are read elsewhere, and not named in this app."""


@dataclass(frozen=True)
class Row:
    """Variables that are set to what they cannot be, in one process."""

    variables: tuple[Variable, ...]
    value: str

    @property
    def env(self) -> dict[str, str]:
        """What is added to the environment; a signal's own endpoint stays usable while the one for all is not."""
        return {name: self.value for each in self.variables for name in each.names if name != ENDPOINTS}


def rows() -> dict[str, Row]:
    """Each variable by itself, and all of them together for each kind of value."""
    made = {each.names[0]: Row((each,), "(" if each.kind in (PATTERNS, REGEXES) else "pigeon") for each in VARIABLES}
    del made[FILE]
    together = tuple(each for each in VARIABLES if each.names[0] != FILE)
    return made | {f"all: {name}": Row(together, value) for name, value in {**VALUES, **NOTHING}.items()}


ROWS = rows()


@dataclass(frozen=True)
class Result:
    """What became of a row's process, and what arrived of it."""

    done: Finished
    spans: list[str]
    logs: list[str]
    points: int


Run = Callable[[str], Result]

_CHOSEN = {
    "OTEL_INJECTION_SPAN_PROCESSORS": "drop_probes,drop_urls,add_attributes,mask",
    "OTEL_INJECTION_DROP_URLS": "/metrics",
}
"""What reads the processors' settings and drops nothing here."""


@pytest.fixture(scope="module")
def run(
    request: pytest.FixtureRequest, python: Path, mount: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    """Start the processes of all rows that were chosen, a few at a time, and wait for those that are asked for."""
    interpreter = pythons.apps_environment(python, "frameworks") / "bin" / "python"
    chosen = {
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path and "name" in item.callspec.params
    }
    folder = tmp_path_factory.mktemp("rows")
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        futures: dict[str, Future[Result]] = {
            name: pool.submit(_run, row, interpreter, mount, folder / str(number))
            for number, (name, row) in enumerate(ROWS.items())
            if name in chosen
        }
        yield lambda name: futures[name].result()


def _run(row: Row, interpreter: Path, mount: Path, folder: Path) -> Result:
    with Receiver() as receiver:
        runner = Runner(interpreter, mount, receiver.endpoint, folder)
        env = row.env
        if row.variables[0].section == PROCESSORS:
            env = {**_CHOSEN, **env}
        if any(ENDPOINTS in each.names for each in row.variables):
            env |= _own_endpoints(receiver)
        done = runner.run(PROGRAM, env=env)
        spans = [span.name for span in receiver.spans]
        logs = [str(log.body) for log in receiver.logs]
        return Result(done, spans, logs, len(receiver.latest_points("sales")))


def _own_endpoints(receiver: Receiver) -> Mapping[str, str]:
    signals = ("traces", "metrics", "logs")
    return {f"OTEL_EXPORTER_OTLP_{each.upper()}_ENDPOINT": f"{receiver.endpoint}/v1/{each}" for each in signals} | {
        ENDPOINTS: "pigeon"
    }


def must_be_named(variable: Variable, value: str) -> bool:
    """Return whether a line must name a variable that has this value."""
    if value in NOTHING.values() or variable.names[0] in UNSEEN:
        return False
    if variable.section == UNUSED:
        return variable.names[0].startswith("OTEL_")
    return variable.kind != TEXT


@pytest.mark.parametrize("name", ROWS)
def test_it_costs_a_line_at_most_and_no_telemetry(run: Run, name: str) -> None:
    row, result = ROWS[name], run(name)
    assert result.done.own == (0, "200 OK\n7\n", "sold\n")
    assert sorted(result.spans) == ["GET /items/<int:number>", "sold"]
    assert result.logs == ["sold"]
    assert result.points == 1
    named = [line.partition(":")[0] for line in result.done.lines]
    allowed = {each for variable in row.variables for each in variable.names}
    if len(row.variables) == 1:
        variable = row.variables[0]
        assert len(named) == len(set(named)) <= len(variable.names)
        assert set(named) <= allowed or variable.names[0] in UNSEEN
        if must_be_named(variable, row.value):
            for_one_signal = set(variable.names[1:]) if variable.kind == ELSEWHERE else allowed  # they come first
            assert set(named) >= (for_one_signal or allowed)
            assert all(row.value in line or variable.secret or variable.section == UNUSED for line in result.done.lines)
        if variable.secret:
            assert row.value not in result.done.stderr
    elif row.value in NOTHING.values():
        assert not named
