"""Which import of the app makes an instrumentation act.

The metadata of an instrumentation names distributions, not modules, and those of the standard library name nothing:
so this is a table by hand. An instrumentation acts once *all* its modules have been executed; where only one of a
library's parts is patched, that part is named, so that the other parts are not imported on the app's behalf.
"""

from __future__ import annotations

FIRST_TELEMETRY = "otel_injection:first_telemetry"
"""An event of ``imports.hooks``, no module: instrumentations that only pass the context on need not act earlier."""

TRIGGERS: dict[str, tuple[str, ...]] = {
    "aio-pika": ("aio_pika",),
    "aiobotocore": ("aiobotocore.client",),
    "aiohttp-client": ("aiohttp.client",),
    "aiohttp-server": ("aiohttp.web",),
    "aiokafka": ("aiokafka",),
    "aiopg": ("aiopg",),
    "asyncio": ("asyncio", FIRST_TELEMETRY),
    "asyncpg": ("asyncpg",),
    "boto3": ("boto3.session",),
    "botocore": ("botocore.client",),
    "cassandra": ("cassandra.cluster",),
    "celery": ("celery.app.base",),
    "click": ("click",),
    "confluent_kafka": ("confluent_kafka",),
    "django": ("django.core.handlers.base",),
    "falcon": ("falcon",),
    "fastapi": ("fastapi",),
    "flask": ("flask",),
    "grpc_aio_client": ("grpc.aio",),
    "grpc_aio_server": ("grpc.aio",),
    "grpc_client": ("grpc",),
    "grpc_server": ("grpc",),
    "httpx": ("httpx",),
    "httpx2": ("httpx2",),
    "jinja2": ("jinja2",),
    "kafka": ("kafka",),
    "mysql": ("mysql.connector",),
    "mysqlclient": ("MySQLdb",),
    "pika": ("pika",),
    "psycopg": ("psycopg",),
    "psycopg2": ("psycopg2",),
    "pymemcache": ("pymemcache",),
    "pymongo": ("pymongo",),
    "pymssql": ("pymssql",),
    "pymysql": ("pymysql",),
    "pyramid": ("pyramid.config",),
    "redis": ("redis",),
    "remoulade": ("remoulade",),
    "requests": ("requests",),
    "sqlalchemy": ("sqlalchemy",),
    "sqlite3": ("sqlite3",),
    "starlette": ("starlette.applications",),
    "structlog": ("structlog",),
    "threading": ("threading", FIRST_TELEMETRY),
    "tornado": ("tornado.web",),
    "tortoiseorm": ("tortoise",),
    "urllib": ("urllib.request",),
    "urllib3": ("urllib3",),
}

WAITING: dict[str, tuple[str, ...]] = {
    "billiard.pool": ("lifecycle.celery:hook",),
    "billiard.util": ("lifecycle.multiprocessing:hook",),
    "celery.concurrency.prefork": ("lifecycle.supervisors:hook",),
    "cheroot.wsgi": ("instrumentations.servers.wsgi_servers:hook_attribute",),
    "eventlet": ("lifecycle.greenlets:hook_eventlet",),
    "gevent.monkey": ("lifecycle.greenlets:hook",),
    "gevent.pywsgi": ("instrumentations.servers.wsgi_servers:hook_gevent",),
    "gunicorn.arbiter": ("lifecycle.gunicorn:hook_arbiter", "lifecycle.supervisors:hook"),
    "gunicorn.dirty.arbiter": ("lifecycle.supervisors:hook",),
    "gunicorn.workers.base": ("lifecycle.gunicorn:hook", "instrumentations.servers.wsgi_servers:hook_gunicorn"),
    "logging": ("logs.capture:hook",),
    "multiprocessing.util": ("lifecycle.multiprocessing:hook",),
    FIRST_TELEMETRY: ("instrumentations.distro:prepare",),
    "opentelemetry._logs._internal": ("providers:offer_loggers",),
    "opentelemetry.metrics._internal": ("providers:offer_meters",),
    "opentelemetry.propagate": ("settings.file:propagate",),
    "opentelemetry.trace": ("providers:offer_tracers", "logs.uncaught:hook"),
    "opentelemetry.util._importlib_metadata": ("imports.entry_points:install",),
    "uvicorn.supervisors.basereload": ("lifecycle.supervisors:hook",),
    "uvicorn.supervisors.multiprocess": ("lifecycle.supervisors:hook",),
    "waitress.server": ("instrumentations.servers.wsgi_servers:hook_attribute",),
    "werkzeug.serving": ("instrumentations.servers.wsgi_servers:hook_attribute",),
    "wsgiref.handlers": ("instrumentations.servers.wsgi_servers:hook_wsgiref",),
}
"""By module: functions in ``otel_injection`` that are called when it has been executed, beside instrumentations."""

LEFT_OUT = {
    "aws-lambda": "patches the handler of a Lambda function, which is not started from a container image like this",
    "exceptions": "otel_injection.logs.uncaught does the same without importing asyncio into every app",
    "logging": "otel_injection.logs.recorder records what the loggers let through without a handler on the root logger",
    "system_metrics": "otel_injection.sdk.pipeline starts it with the metrics, since it instruments no library",
}
"""Instrumentations of the payload that no import triggers, and why."""
