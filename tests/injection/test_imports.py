"""An instrumentation that acts imports nothing of a library that the app has not imported itself."""

from __future__ import annotations

import json

import pytest

from images.payload.triggers import FIRST_TELEMETRY, TRIGGERS
from tests.injection.running import Runner
from tests.receiver import Receiver

ABSENT = {"aiobotocore", "boto3", "botocore", "cassandra", "confluent_kafka", "aiokafka", "httpx2", "mysql"} | {
    "mysqlclient",
    "pymssql",
    "remoulade",
}
"""Whose libraries are in no lock of the tests."""

TOO_EARLY = {"_ssl", "asyncio", "ssl"}
"""What takes names from what gevent and eventlet patch, so that they would have to come before it."""

SHARED = {"opentelemetry", "otel_injection", "typing_extensions"}
"""Ours, and what the API that is shared with the app requires."""

MODULES = "import atexit, json, sys; sys.stdout.write(json.dumps(sorted(sys.modules)))"

LATER = {
    "sqlalchemy, both ways to make an engine": """
        import sqlalchemy
        from sqlalchemy.ext.asyncio import create_async_engine
        import asyncio, sqlalchemy.orm
        with sqlalchemy.create_engine("sqlite://").connect() as connection:
            connection.execute(sqlalchemy.text("select 1"))
        async def main():
            engine = create_async_engine("sqlite+aiosqlite://")
            async with engine.connect() as connection:
                await connection.execute(sqlalchemy.text("select 2"))
            await engine.dispose()
        asyncio.run(main())
    """,
    "tornado, its client and web sockets": """
        import asyncio, tornado.web
        class Index(tornado.web.RequestHandler):
            def get(self):
                self.write("ok")
        async def main():
            server = tornado.web.Application([("/", Index)]).listen(0, "127.0.0.1")
            port = next(iter(server._sockets.values())).getsockname()[1]
            from tornado.httpclient import AsyncHTTPClient, HTTPRequest
            print((await AsyncHTTPClient().fetch(HTTPRequest(f"http://127.0.0.1:{port}/"))).code)
            print((await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/")).code)
        asyncio.run(main())
    """,
    "tortoise": """
        import tortoise, tortoise.fields, tortoise.models
        class Item(tortoise.models.Model):
            id = tortoise.fields.IntField(primary_key=True)
            name = tortoise.fields.CharField(10)
        async def main():
            await tortoise.Tortoise.init(db_url="sqlite://:memory:", modules={"models": ["__main__"]})
            await tortoise.connections.get("default").execute_script("create table item (id integer primary key, name)")
            await Item.create(name="lamp")
            print(await Item.all().count())
            await tortoise.Tortoise.close_connections()
        tortoise.run_async(main())
    """,
}
EXPECTED = {
    "sqlalchemy, both ways to make an engine": ["connect", "connect", "select", "select", "select", "select"],
    "tornado, its client and web sockets": ["GET", "GET", "GET /", "GET /"],
    "tortoise": ["INSERT", "SELECT", "create"],
}


@pytest.mark.parametrize("name", sorted(TRIGGERS.keys() - ABSENT))
def test_acting_imports_nothing_that_the_app_has_not(library_runner: Runner, name: str) -> None:
    """Neither of a library nor, before they are patched, of what it waits with."""
    imports = "".join(f"import {each}\n" for each in TRIGGERS[name] if each != FIRST_TELEMETRY)
    library_runner.write(f"{imports}{MODULES}")
    plain, injected = (
        set(json.loads(library_runner.run(["main.py"], injected=injected).stdout)) for injected in (False, True)
    )
    more = {each for each in injected - plain if each.partition(".")[0] not in SHARED}
    assert any(each.startswith("otel_injection.") for each in injected)
    library_runner.write("import sys; sys.stdout.write(' '.join(sys.stdlib_module_names))")
    standard = set(library_runner.run(["main.py"], injected=False).stdout.split())
    assert {each for each in more if each.partition(".")[0] not in standard} == set()
    assert more & TOO_EARLY == set()


@pytest.mark.parametrize("case", LATER)
def test_what_is_imported_later_is_instrumented_then(library_runner: Runner, receiver: Receiver, case: str) -> None:
    done = library_runner.compare(LATER[case])
    assert (done.status, done.lines) == (0, [])
    assert sorted(span.name for span in receiver.spans if span.name != "PRAGMA") == EXPECTED[case]


def test_celery_patches_in_time(library_runner: Runner) -> None:
    """``celery worker -P gevent`` patches when ``celery`` has been imported, before anything that waits."""
    done = library_runner.compare("""
        import celery, select
        celery.maybe_patch_concurrency(["celery", "worker", "--pool", "gevent"])
        import kombu.utils.eventio
        print(kombu.utils.eventio._selectf is select.select)
    """)
    assert done.stdout == "True\n"
