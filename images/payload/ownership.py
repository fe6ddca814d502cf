"""Whose module is it? The table that decides which imports of the payload are rewritten.

Code of the payload imports four kinds of modules: the standard library, the OpenTelemetry API (shared with the app, so
that the app's own spans join ours), private copies (everything else that we bring), and the library that an
instrumentation patches (the app's, never ours). A name that no table knows fails the build: it is either a new
dependency, which needs a private copy, or a newly instrumented library, which belongs in ``APP``.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping

from images.errors import UserError

PRIVATE = "otel_injection._vendor"
"""The package below which private copies live."""

COPIED = frozenset(
    {"asgiref", "h2", "hpack", "hyperframe", "packaging", "prometheus_client", "typing_extensions", "wrapt", "yaml"}
)
"""Third-party packages of which the payload holds a private copy."""

REPLACED = {"psutil": "otel_injection.stand_ins.for_psutil", "random": "otel_injection.stand_ins.for_random"}
"""Packages with compiled parts, or with state that is the app's, and our stand-ins for them."""

STAND_INS = {
    "hpack/huffman_table.py": "from otel_injection.stand_ins.for_huffman_table import decode_huffman",
    "asgiref/compatibility.py": "from otel_injection.stand_ins.for_asgiref import guarantee_single_callable",
    "opentelemetry/configuration/__init__.py": "",
    "yaml/__init__.py": "",
}
"""Files of private copies that are large, or import what is left out, and the source in their place."""

LEFT_OUT = frozenset({"attrs", "jsonschema", "jsonschema-specifications", "psutil", "referencing", "rpds-py"})
"""Distributions that others require and of which the payload holds nothing."""

APP = frozenset(
    """
    MySQLdb OpenSSL aio_pika aiobotocore aiohttp aiokafka aiopg aiormq annotationlib asyncpg backports billiard boto3
    botocore cassandra celery click compression confluent_kafka django falcon fastapi flask gevent gunicorn grpc httpx
    httpx2 jinja2 kafka multidict mysql pika psycopg psycopg2 pymemcache pymongo pymssql pymysql pyramid redis remoulade
    requests snappy sqlalchemy starlette structlog tornado tortoise twisted urllib3 werkzeug yarl
    """.split()  # noqa: SIM905 - sixty names read better as text
)
"""Libraries that are instrumented or integrated with: always the app's own copy."""

TYPING_ONLY = frozenset({"_typeshed"})
"""Names that exist for type checkers alone."""

LAZY = {"wrapt.synchronization": "asyncio"}
"""By module of the payload: an import of it that is put off until it is used, if ever.

``asyncio`` brings ``ssl``: imported before gevent has patched it, it would recurse for ever (contrib issue 2758).
"""

UNIMPORTED = {
    "opentelemetry.instrumentation.celery": {"billiard.einfo", "celery.worker.request"},
    "opentelemetry.instrumentation.celery.utils": {"celery.app.task"},
    "opentelemetry.instrumentation.psycopg2": {"psycopg2.sql"},
    "opentelemetry.instrumentation.tornado": {"tornado.websocket"},
    "opentelemetry.instrumentation.tornado.client": {"tornado.httpclient"},
    "opentelemetry.instrumentation.tortoiseorm": {
        "tortoise.backends.asyncpg.client",
        "tortoise.backends.mysql.client",
        "tortoise.backends.sqlite.client",
        "tortoise.contrib.pydantic.base",
    },
}
"""By instrumentation: modules of its library that it imports, and the app may not have imported when it acts.

They are not imported on the app's behalf; see ``otel_injection.stand_ins.for_unimported``.
"""

SUBSTITUTES = {
    "opentelemetry.util._importlib_metadata": ("otel_injection.stand_ins.for_packaging_version", {"version"}),
    "packaging.version": ("otel_injection.stand_ins.for_packaging_version", {"parse", "Version"}),
    "packaging.requirements": (
        "otel_injection.stand_ins.for_packaging_requirements",
        {"InvalidRequirement", "Requirement"},
    ),
    "importlib": ("otel_injection.stand_ins.for_import_module", {"import_module"}),
    "ctypes": ("otel_injection.stand_ins.for_ctypes", {"c_double", "c_uint64"}),
    "typing_extensions": (
        "otel_injection.stand_ins.for_typing_extensions",
        {"NotRequired", "ParamSpec", "Self", "TypeAlias", "TypeGuard", "TypeIs", "Unpack"}
        | {"assert_never", "deprecated", "final"},
    ),
}
"""By module that OpenTelemetry's packages import: our cheaper stand-in for these names of it."""

IMPORTED_BY_NAME = frozenset(
    {"opentelemetry.instrumentation.pyramid.callbacks", "opentelemetry.instrumentation.pyramid.trace_tween_factory"}
)
"""Modules that a library imports by a name that its instrumentation gives it: the name must be the private one."""

QUIET = "otel_injection.stand_ins.for_warnings"
"""The stand-in for ``warnings`` in private copies."""

ENVIRON = "otel_injection.settings.environment"
"""The module of ``ENVIRON``, which private copies use in place of ``os.environ``."""

NAMESPACES = frozenset({"opentelemetry", "opentelemetry.util", "opentelemetry.propagators"})
"""Packages without an ``__init__`` that hold modules of the API beside private ones."""


class Ownership:
    """Answers where an imported module is found at run time.

    ``api_modules`` are the dotted names of all modules of the ``opentelemetry-api`` distribution, ``constants`` the
    texts that modules of names define, which are written where they are imported, ``own`` the top-level names of what
    ``extensions/own`` adds.
    """

    def __init__(
        self,
        api_modules: Collection[str],
        constants: Mapping[str, Mapping[str, str]] | None = None,
        own: Collection[str] = (),
    ) -> None:
        self._private = COPIED.union(own)
        self._api = frozenset(api_modules)
        self.constants = constants or {}

    foreign = False
    """Whether it answers for a user's own packages, in which only imports are rewritten."""

    def private(self, module: str) -> bool:
        """Return whether the payload holds a private copy of ``module``."""
        return self.home(module).startswith(PRIVATE)

    def shared(self, module: str) -> bool:
        """Return whether it is a module of the OpenTelemetry API, which the app sees."""
        return module in self._api

    def home(self, module: str) -> str:
        """Return the name under which the payload finds ``module``; it may be unchanged.

        Raises UserError for a module that no table names.
        """
        top = module.partition(".")[0]
        if top == "opentelemetry":
            return module if module in self._api or module in NAMESPACES else f"{PRIVATE}.{module}"
        if top in self._private:
            return f"{PRIVATE}.{module}"
        if top in REPLACED:
            return REPLACED[top] + module[len(top) :]
        if top in sys.stdlib_module_names or top in APP or top in TYPING_ONLY or top == "otel_injection":
            return module
        return self.unknown(module)

    def unknown(self, module: str) -> str:
        """Return the name of a module that no table names; here, raise UserError."""
        top = module.partition(".")[0]
        raise UserError(
            f"the payload imports '{module}', which no table names: add '{top}' to images/payload/ownership.py"
        )
