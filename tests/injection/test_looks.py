"""Functions that an app looks at are what they are without us: their signatures, and which is which."""

from __future__ import annotations

import pytest

from tests.injection.running import Runner

ROWS = {
    "sqlalchemy, one function": """
        import inspect, sqlalchemy, sqlalchemy.engine.create
        print(sqlalchemy.create_engine is sqlalchemy.engine.create_engine)
        print(sqlalchemy.create_engine is sqlalchemy.engine.create.create_engine)
        print(sqlalchemy.engine.create_engine == sqlalchemy.create_engine, sqlalchemy.create_engine.__name__)
        from sqlalchemy.engine import create_engine
        engine = create_engine("sqlite://")
        with engine.connect() as connection:
            print(connection.execute(sqlalchemy.text("select 1")).fetchall())
        engine.dispose()
    """,
    "pika, channels": """
        import inspect, unittest.mock
        import pika
        from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
        from pika.channel import Channel
        print(inspect.signature(BlockingChannel.basic_publish), inspect.signature(Channel.basic_publish))
        channel = BlockingChannel(unittest.mock.MagicMock(), unittest.mock.MagicMock())
        with unittest.mock.patch.object(BlockingConnection, "__init__", lambda self: None):
            connection = BlockingConnection()
        connection._impl = unittest.mock.MagicMock()
        connection._acquire_event_dispatch = connection._flush_output = unittest.mock.MagicMock()
        with unittest.mock.patch("pika.adapters.blocking_connection.BlockingChannel", return_value=channel):
            made = connection.channel()
        print(made is channel, inspect.signature(made.basic_publish), made.basic_publish.__name__)
        print(made.basic_publish.__doc__ == BlockingChannel.basic_publish.__doc__)
    """,
}


@pytest.mark.parametrize("case", ROWS)
def test_functions_look_as_without_us(library_runner: Runner, case: str) -> None:
    done = library_runner.compare(ROWS[case])
    assert (done.status, done.lines) == (0, []), done.stderr


def test_an_app_without_free_files_is_told_nothing_of_instruments(runner: Runner) -> None:
    """Nobody can act on what fails of ours since the app has used them up."""
    done = runner.run(
        """
        import logging, os, resource, time
        logging.getLogger("shop").error("sold")
        time.sleep(0.5)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        taken = []
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            pass
        time.sleep(1.5)
        for each in taken:
            os.close(each)
        """,
        env={"OTEL_METRIC_EXPORT_INTERVAL": "200"},
    )
    assert [line for line in done.lines if "instrument" in line or "allback" in line] == []
