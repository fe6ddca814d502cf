"""psycopg 2 and 3: an app's connections and cursors are its own, whatever they are made of, and all are traced."""

from __future__ import annotations

import pytest

from tests.injection.postgres import postgres
from tests.injection.running import Runner
from tests.receiver import Receiver

ROWS = {
    "psycopg: a connection that brings its cursors": (
        """
        class Cursor(psycopg.Cursor):
            def first(self, query):
                return self.execute(query).fetchone()
        class Connection(psycopg.Connection):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.cursor_factory = Cursor
        with Connection.connect() as connection:
            cursor = connection.cursor()
            print(cursor.first("select 1"), type(cursor) is Cursor, cursor, dir(cursor))
        """,
        ["select"],
    ),
    "psycopg: cursors given in every way": (
        """
        class Cursor(psycopg.ClientCursor):
            def execute(self, query, *args, **kwargs):
                print(type(self).__name__, query)
                return super().execute(query, *args, **kwargs)
        print(inspect.signature(psycopg.connect), inspect.signature(psycopg.Cursor.execute))
        connection = psycopg.connect(cursor_factory=Cursor, autocommit=True)
        print(connection.cursor_factory is Cursor, connection.execute("select 1").fetchone())
        print(psycopg.ClientCursor(connection).execute("select 2").fetchone())
        print(connection.cursor(row_factory=psycopg.rows.dict_row).execute("select 3").fetchone())
        connection.cursor_factory = psycopg.Cursor
        print(connection.cursor().execute(b"select 4").fetchone(), hasattr(connection.cursor(), "callproc"))
        print(connection.execute(psycopg.sql.SQL("select {}").format(5)).fetchone())
        try:
            connection.execute("broken")
        except psycopg.Error as error:
            print(type(error), error, error.diag.sqlstate)
        with connection.transaction(), connection.cursor(name="named") as cursor:
            cursor.execute("select 6")
            print(type(cursor).__name__)
        connection.cursor().executemany("select %s", [(7,), (8,)])
        connection.close()
        """,
        ["select"] * 7 + ["broken"],
    ),
    "psycopg: asynchronous": (
        """
        import asyncio
        class Cursor(psycopg.AsyncCursor):
            async def first(self, query):
                await self.execute(query)
                return await self.fetchone()
        async def main():
            async with await psycopg.AsyncConnection.connect(cursor_factory=Cursor) as connection:
                cursor = connection.cursor()
                print(await cursor.first("select 1"), type(cursor) is Cursor)
                print(await (await connection.execute("select 2")).fetchone())
                print(await (await psycopg.AsyncClientCursor(connection).execute("select 3")).fetchone())
        asyncio.run(main())
        """,
        ["select"] * 3,
    ),
    "psycopg2: connections that log": (
        """
        class Log:
            def write(self, text):
                print(re.sub(r"[0-9.]+ ms", "some ms", text))
        for kind in (psycopg2.extras.LoggingConnection, psycopg2.extras.MinTimeLoggingConnection):
            connection = psycopg2.connect("", connection_factory=kind)
            connection.initialize(Log())
            cursor = connection.cursor()
            cursor.execute("select 1")
            print(type(connection).__name__, type(cursor).__name__, cursor.fetchall(), isinstance(connection, kind))
        """,
        ["select"] * 2,
    ),
    "psycopg2: cursors given in every way": (
        """
        print(inspect.signature(psycopg2.connect))
        connection = psycopg2.connect("")
        print(connection.cursor_factory, type(connection).__name__, repr(connection).split()[0], connection.dsn)
        cursor = connection.cursor()
        cursor.execute("select 1")
        print(cursor.fetchall(), type(cursor), cursor.query)
        dicts = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
        dicts.execute("select 2")
        print(dicts.fetchall(), type(dicts), isinstance(dicts, psycopg2.extras.RealDictCursor))
        class Own(psycopg2.extensions.cursor):
            def execute(self, sql, args=None):
                print("own", sql)
                psycopg2.extensions.cursor.execute(self, sql, args)
            def first(self, sql):
                super().execute(sql)
                return self.fetchone()
        own = connection.cursor(None, Own)
        own.execute("select 3")
        print(own.first("select 4"), type(own), own.fetchall())
        connection.cursor_factory = psycopg2.extras.NamedTupleCursor
        with connection.cursor() as named:
            named.execute(b"select 5")
            print(named.fetchall(), connection.cursor_factory)
        psycopg2.extras.execute_values(cursor, "insert into t values %s", [(1,), (2,)])
        cursor.execute(psycopg2.sql.SQL("select 6"))
        try:
            cursor.execute("broken")
        except psycopg2.Error as error:
            print(type(error), error, error.cursor is cursor)
        print(psycopg2.connect("", cursor_factory=Own).cursor().first("select 7"))
        """,
        ["select"] * 7 + ["insert", "broken"],
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_cursors_stay_the_apps_and_all_are_traced(library_runner: Runner, receiver: Receiver, case: str) -> None:
    source, names = ROWS[case]
    start = "        import inspect, re, sys\n"
    if case.startswith("psycopg2"):
        start += "        import psycopg2, psycopg2.extras, psycopg2.sql, psycopg2.extensions\n"
    else:
        start += "        import psycopg, psycopg.rows, psycopg.sql\n"
    with postgres() as env:
        done = library_runner.compare(f"{start}{source}", env=env)
    assert (done.status, done.lines) == (0, []), done.stderr
    assert sorted(span.name for span in receiver.spans) == sorted(names)
    assert {span.attributes["db.name"] for span in receiver.spans} == {"stock"}
    assert {type(span.attributes["db.statement"]) for span in receiver.spans} == {str}
    assert {span.attributes["net.peer.name"] for span in receiver.spans} == {"127.0.0.1"}
    assert {span.status for span in receiver.spans if span.name == "broken"} <= {"error"}
