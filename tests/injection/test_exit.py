"""The end of a process: what is buffered is delivered, the status is the app's, a dead collector holds nobody."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.injection.harness import free_port
from tests.injection.running import Runner
from tests.receiver import Behaviour, Receiver

LONGER = 2.5
"""Seconds that a process may take longer to end than with a collector that answers, whatever the collector does."""

HOURLY = {
    "OTEL_BSP_SCHEDULE_DELAY": "3600000",
    "OTEL_BLRP_SCHEDULE_DELAY": "3600000",
    "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
}

WORK = """
    import logging
    from opentelemetry import metrics, trace

    tracer = trace.get_tracer("shop")
    sales = metrics.get_meter("shop").create_counter("sales")

    def work(name):
        with tracer.start_as_current_span(name):
            sales.add(1, {"name": name})
            logging.getLogger("shop").warning(name)

"""
"""An app that uses the API alone, which is the one that makes something of every signal without a library."""


def check_work(receiver: Receiver, *names: str) -> None:
    """Require each piece of work once in every signal, and nothing else but how processes ended."""
    assert sorted(span.name for span in receiver.spans) == sorted(names)
    others = ("opentelemetry.instrumentation.exceptions", "eventlet")  # which warns of Python 3.14's own locks
    records = [log for log in receiver.logs if log.scope not in others]
    assert sorted(str(log.body) for log in records) == sorted(names)
    points = receiver.latest_points("sales")
    assert sorted(point.attributes["name"] for point in points) == sorted(names)
    assert {point.value for point in points} <= {1}


@contextmanager
def collector(kind: str, receiver: Receiver) -> Iterator[str]:
    """Give the address of a collector that misbehaves."""
    if kind == "refuses":
        yield f"http://127.0.0.1:{free_port()}"
    elif kind == "cannot be looked up":
        yield "http://collector.invalid:4318"
    elif kind == "drops connections":
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            address = server.getsockname()
            waiting = [socket.socket() for _ in range(4)]
            for each in waiting:  # the queue of connections that nobody accepts is full: nothing more is answered
                each.setblocking(False)
                each.connect_ex(address)
            yield f"http://127.0.0.1:{address[1]}"
            for each in waiting:
                each.close()
    else:
        receiver.behave({"is silent": Behaviour(silent=True), "is busy": Behaviour(status=503)}[kind])
        yield receiver.endpoint


@pytest.mark.parametrize("kind", ["refuses", "cannot be looked up", "drops connections", "is silent", "is busy"])
@pytest.mark.parametrize("end", ["", "raise ValueError('broken')"])
def test_a_process_ends_soon_whatever_the_collector_does(
    runner: Runner, receiver: Receiver, kind: str, end: str
) -> None:
    program = f"{WORK}\n    work('last')\n    {end}"
    healthy = runner.run(program)
    with collector(kind, receiver) as endpoint:
        injected = runner.run(program, env={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
    assert injected.seconds < healthy.seconds + LONGER
    assert injected.status == healthy.status
    assert len(injected.lines) == 3
    assert all(endpoint in line for line in injected.lines)


def test_the_time_to_end_is_a_setting(runner: Runner, receiver: Receiver) -> None:
    healthy = runner.run(f"{WORK}\n    work('last')")
    receiver.behave(Behaviour(silent=True))
    done = runner.run(f"{WORK}\n    work('last')", env={"OTEL_INJECTION_EXIT_TIMEOUT": "0.2"})
    assert done.seconds < healthy.seconds + 1


ENDS = [
    "pass",
    "import sys; sys.exit(0)",
    "import sys; sys.exit(7)",
    "import sys; sys.exit('no stock')",
    "raise ValueError('broken')",
    "raise KeyboardInterrupt",
    "raise GeneratorExit",
    "import asyncio; asyncio.run(asyncio.sleep(0))",
    "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    "import threading; threading.Thread(target=lambda: 1 / 0).start()",
    "import atexit; atexit.register(lambda: 1 / 0)",
    "import sys; sys.excepthook = lambda *_: print('hooked'); raise ValueError('broken')",
]


@pytest.mark.parametrize("end", ENDS)
def test_what_is_buffered_is_delivered_and_the_app_ends_as_without_us(
    runner: Runner, receiver: Receiver, end: str
) -> None:
    """Although the processors would wait for an hour."""
    head = "import logging; work = logging.getLogger('shop').warning"
    plain = runner.run(f"{head}\nwork('sold')\n{end}", injected=False)
    injected = runner.run(f"{head}\nwork('sold')\n{end}", env=HOURLY)
    assert injected.own == plain.own
    assert injected.lines == []
    assert [log.body for log in receiver.logs if log.scope == "shop"] == ["sold"]
    receiver.clear()
    assert runner.run(f"{WORK}\n    work('sold')\n    {end}", env=HOURLY).status == plain.status
    assert [span.name for span in receiver.spans] == ["sold"]
    assert receiver.sum_count("sales") == 1


@pytest.mark.parametrize(
    ("end", "recorded"),
    [
        ("raise ValueError('broken')", [("broken", "FATAL")]),
        ("import sys; sys.exit(1)", []),
        ("raise KeyboardInterrupt", []),
        ("try: 1 / 0\n    except ZeroDivisionError: pass", []),
        ("import threading; threading.Thread(target=lambda: 1 / 0).start()", [("division by zero", "ERROR")]),
    ],
)
def test_what_ends_a_thread_is_recorded_once(
    runner: Runner, receiver: Receiver, end: str, recorded: list[tuple[str, str]]
) -> None:
    runner.run(f"{WORK}\n    work('sold')\n    {end}")
    crashes = [each for each in receiver.logs if each.scope == "opentelemetry.instrumentation.exceptions"]
    assert [(each.body, each.severity) for each in crashes] == recorded


def test_sys_excepthook_is_as_without_us(runner: Runner) -> None:
    assert runner.run(f"{WORK}\n    import sys; print(sys.excepthook is sys.__excepthook__)").stdout == "True\n"


@pytest.mark.parametrize("options", [[], ["-W", "error", "-X", "dev"]])
@pytest.mark.parametrize("first", ["work('before')\n    ", ""])
def test_what_happens_at_the_end_is_delivered(
    runner: Runner, receiver: Receiver, first: str, options: list[str]
) -> None:
    """Also if it is the first thing to be recorded, when there can be no new threads (Python 3.12)."""
    source = f"""{WORK}
    import atexit
    atexit.register(work, "at exit")
    class Cart:
        def __del__(self):
            work("in __del__")
    cart = Cart()
    atexit.register(globals().pop, "cart")
    {first}"""
    assert runner.run(source, *options).stderr == "".join(
        f"{each}\n" for each in (["before"] if first else []) + ["in __del__", "at exit"]
    )
    check_work(receiver, *(["before"] if first else []), "in __del__", "at exit")


def test_a_record_in_del_at_the_very_end_is_no_obstacle(runner: Runner) -> None:
    runner.compare("""
        import logging
        class Cart:
            def __del__(self, log=logging.getLogger("shop").warning):
                log("dropped")
        cart = Cart()
        logging.getLogger("shop").warning("sold")
    """)
