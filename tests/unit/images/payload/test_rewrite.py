"""Imports of the payload point at private copies after the rewriting, and nothing else changes."""

from __future__ import annotations

import pytest

from images.errors import UserError
from images.payload.ownership import Ownership
from images.payload.rewrite import rewrite

OWNERSHIP = Ownership(["opentelemetry.trace", "opentelemetry.context", "opentelemetry.util.types"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import wrapt", "from otel_injection._vendor import wrapt as wrapt"),
        ("import wrapt as w", "import otel_injection._vendor.wrapt as w"),
        (
            "import wrapt.decorators",
            "import otel_injection._vendor.wrapt.decorators; from otel_injection._vendor import wrapt",
        ),
        ("import os, wrapt", "import os; from otel_injection._vendor import wrapt as wrapt"),
        ("if True: import wrapt", "if True: from otel_injection._vendor import wrapt as wrapt"),
        ("from wrapt import (\n    ObjectProxy,\n)", "from otel_injection._vendor.wrapt import (\n    ObjectProxy,\n)"),
        ("import psutil", "from otel_injection.stand_ins import for_psutil as psutil"),
        ("import random", "from otel_injection.stand_ins import for_random as random"),
        ("from opentelemetry import trace", "from opentelemetry import trace"),
        ("from opentelemetry.util import types", "from opentelemetry.util import types"),
        ("from opentelemetry.util import http", "from otel_injection._vendor.opentelemetry.util import http"),
        ("from opentelemetry.sdk.trace import Span", "from otel_injection._vendor.opentelemetry.sdk.trace import Span"),
        ("import requests", "import requests"),
        ("from .wrapt import x", "from .wrapt import x"),
        (
            "import opentelemetry.sdk.trace\nx = opentelemetry.sdk.trace.Span",
            (
                "import otel_injection._vendor.opentelemetry.sdk.trace\n"
                "x = otel_injection._vendor.opentelemetry.sdk.trace.Span"
            ),
        ),
        ("s = 'import wrapt'  # import wrapt", "s = 'import wrapt'  # import wrapt"),
        ("é = 1; import wrapt", "é = 1; from otel_injection._vendor import wrapt as wrapt"),
    ],
)
def test_an_import_is_rewritten_by_the_table(before: str, after: str) -> None:
    assert rewrite(before.encode(), "packaging.anything", OWNERSHIP).decode() == after


def test_modules_of_a_library_that_the_app_may_not_have_imported_are_stood_in_for() -> None:
    stand_in = "__import__('otel_injection.stand_ins.for_unimported').stand_ins.for_unimported"
    celery, tornado = "opentelemetry.instrumentation.celery", "opentelemetry.instrumentation.tornado"
    before = b"from celery.worker.request import Request\nfrom celery import signals"
    after = f"Request = {stand_in}.Name('celery.worker.request', 'Request')\nfrom celery import signals"
    assert rewrite(before, celery, OWNERSHIP).decode().startswith(after)
    after = f"import tornado.web\ntornado = {stand_in}.Module('tornado')"
    assert rewrite(b"import tornado.web\nimport tornado.websocket", tornado, OWNERSHIP).decode().startswith(after)


NAMES = {"opentelemetry.semconv.http": {"HTTP_ROUTE": "http.route", "HTTP_METHOD": "http.method"}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from opentelemetry.semconv.http import HTTP_ROUTE", "HTTP_ROUTE = 'http.route'"),
        (
            "from opentelemetry.semconv.http import (\n    HTTP_ROUTE as R,\n    HTTP_METHOD,\n)\nx",
            "R = 'http.route'; HTTP_METHOD = 'http.method'\n\n\n\nx",
        ),
        (
            "from opentelemetry.semconv.http import HTTP_ROUTE, Kinds",
            ("HTTP_ROUTE = 'http.route'; from otel_injection._vendor.opentelemetry.semconv.http import Kinds as Kinds"),
        ),
        ("from packaging import version as v", "from otel_injection.stand_ins import for_packaging_version as v"),
        (
            "from packaging.version import parse as p",
            "from otel_injection.stand_ins.for_packaging_version import parse as p",
        ),
        ("from packaging.version import Infinity", "from otel_injection._vendor.packaging.version import Infinity"),
        ("from timeit import default_timer", "from time import perf_counter as default_timer"),
    ],
)
def test_what_costs_more_than_it_brings_is_not_imported(before: str, after: str) -> None:
    ownership = Ownership(["opentelemetry.trace"], NAMES)
    assert rewrite(before.encode(), "opentelemetry.propagators", ownership).decode().partition("\nfor _each")[0] in (
        after,
        f"{after}\n",
    )


def test_docstrings_are_emptied_but_lines_and_licences_stay() -> None:
    source = b'def f():\n    """Say\n    more."""\n    return """text"""\n\nclass C:\n    "Copyright somebody"\n'
    expected = b'def f():\n    ""\n\n    return """text"""\n\nclass C:\n    "Copyright somebody"\n'
    assert rewrite(source, "packaging.anything", OWNERSHIP) == expected
    assert rewrite(source, "opentelemetry.trace", OWNERSHIP) == source


def test_scope_names_stay_upstreams() -> None:
    """``__name__`` is a literal in a private copy of OpenTelemetry's code."""
    source = b"tracer = get_tracer(__name__)"
    rewritten = rewrite(source, "opentelemetry.instrumentation.flask", OWNERSHIP)
    assert rewritten.startswith(b"tracer = get_tracer('opentelemetry.instrumentation.flask')\n")


def test_classes_keep_upstreams_module() -> None:
    """By it frameworks with tracing of their own see that an app is instrumented already."""
    source = rewrite(b"class Middleware:\n    here = __module__", "opentelemetry.instrumentation.asgi", OWNERSHIP)
    module = {"__name__": "otel_injection._vendor.opentelemetry.instrumentation.asgi"}
    exec(source, module)  # noqa: S102 - what an import does
    assert module["Middleware"].__module__ == "opentelemetry.instrumentation.asgi"
    assert module["Middleware"].here == module["__name__"]  # type: ignore[attr-defined] # what Django imports it by


def test_the_real_name_is_kept_where_modules_are_found_by_it() -> None:
    source = b"importlib.import_module('.sqs', __name__)"
    assert rewrite(source, "opentelemetry.instrumentation.botocore", OWNERSHIP).startswith(source)


def test_the_api_and_other_packages_keep_their_name() -> None:
    source = b"name = __name__"
    assert rewrite(source, "opentelemetry.trace", OWNERSHIP) == source
    assert rewrite(source, "packaging.tags", OWNERSHIP) == source


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import warnings", "from otel_injection.stand_ins import for_warnings as warnings"),
        ("from warnings import warn", "from otel_injection.stand_ins.for_warnings import warn as warn"),
        (
            "from typing_extensions import deprecated",
            "from otel_injection.stand_ins.for_warnings import deprecated as deprecated",
        ),
        (
            "from typing_extensions import final",
            "from otel_injection.stand_ins.for_typing_extensions import final as final",
        ),
        ("from typing_extensions import Doc", "from otel_injection._vendor.typing_extensions import Doc"),
    ],
)
def test_private_copies_warn_nobody(before: str, after: str) -> None:
    """An app that turns warnings into errors must not be ended by ours, nor find our filters among its own."""
    assert rewrite(before.encode(), "opentelemetry.sdk.trace", OWNERSHIP).decode().splitlines()[0] == after
    assert rewrite(b"import warnings", "opentelemetry.trace", OWNERSHIP) == b"import warnings"
    assert rewrite(b"import warnings", "typing_extensions", OWNERSHIP) == b"import warnings"


def test_what_gevent_must_patch_first_is_imported_at_first_use() -> None:
    assert rewrite(b"import asyncio", "wrapt.synchronization", OWNERSHIP) == (
        b"from otel_injection.stand_ins import for_asyncio; asyncio = for_asyncio.Module('asyncio')"
    )
    assert rewrite(b"import asyncio", "wrapt.wrappers", OWNERSHIP) == b"import asyncio"


def test_private_loggers_are_outside_of_the_apps_hierarchy() -> None:
    source = b"_logger = logging.getLogger(__name__)\nroot = logging.getLogger()"
    own, root, *_ = rewrite(source, "opentelemetry.sdk.trace", OWNERSHIP).decode().splitlines()
    assert (
        own == "_logger = __import__('otel_injection.stand_ins.for_getlogger')"
        ".stand_ins.for_getlogger.get_logger('opentelemetry.sdk.trace')"
    )
    assert root == "root = logging.getLogger()"
    assert rewrite(source, "packaging.tags", OWNERSHIP).startswith(own[: own.index("(")].encode())
    assert rewrite(source, "opentelemetry.trace", OWNERSHIP) == source


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from os import environ", "from otel_injection.settings.environment import ENVIRON as environ"),
        (
            "from os import environ, linesep",
            "from os import linesep; from otel_injection.settings.environment import ENVIRON as environ",
        ),
        (
            "import os\nos.getenv('A')",
            "import os\n__import__('otel_injection.settings.environment').settings.environment.ENVIRON.get('A')",
        ),
        (
            "import os\n'A' in os.environ",
            "import os\n'A' in __import__('otel_injection.settings.environment').settings.environment.ENVIRON",
        ),
        ("def app(environ):\n    environ.get('A')", "def app(environ):\n    environ.get('A')"),
    ],
)
def test_private_copies_see_no_absurd_environment(before: str, after: str) -> None:
    """The API's copy, which the app may have without us, reads the real one."""
    assert rewrite(before.encode(), "packaging.anything", OWNERSHIP).decode() == after
    assert rewrite(before.encode(), "opentelemetry.trace", OWNERSHIP).decode() == before


@pytest.mark.parametrize("source", [b"from os import getenv", b"from os import environ as e"])
def test_an_unusual_import_of_the_environment_fails_the_build(source: bytes) -> None:
    with pytest.raises(UserError, match="line 1"):
        rewrite(source, "packaging.anything", OWNERSHIP)


def test_a_dependency_that_no_table_names_fails_the_build() -> None:
    with pytest.raises(UserError, match="'newcomer'"):
        rewrite(b"import newcomer.part", "opentelemetry.instrumentation.new", OWNERSHIP)


def test_one_import_of_shared_and_private_modules_fails_the_build() -> None:
    with pytest.raises(UserError, match="shared and private"):
        rewrite(b"from opentelemetry.util import types, http", "opentelemetry.instrumentation.new", OWNERSHIP)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("except Exception:", "except {}Exception):"),
        ("except (OSError, KeyError) as error:", "except {}(OSError, KeyError)) as error:"),
        ("except (\n    Exception  # all\n) as error:", "except (\n    {}Exception)  # all\n) as error:"),
        ("except:", "except {}BaseException):"),
        ("except KeyError:", "except KeyError:"),
        ("except Exception as error: raise", "except Exception as error: raise"),
        (
            "except Exception as error: raise error.clean() from None",
            "except Exception as error: raise error.clean() from None",
        ),
        ("except Exception as error: kept = error", "except Exception as error: kept = error"),
        (
            "except Exception as error: raise ValueError from error",
            "except {}Exception) as error: raise ValueError from error",
        ),
        (
            "except BaseException as error: future.set_exception(error)",
            "except BaseException as error: future.set_exception(error)",
        ),
    ],
)
def test_a_handler_that_would_swallow_an_exception_asks_first_whose_it_is(before: str, after: str) -> None:
    question = '__import__("otel_injection").ours('
    body = "" if before[-1] != ":" else " pass"
    source = f"try: pass\n{before}{body}".encode()
    rewritten = rewrite(source, "opentelemetry.sdk.trace", OWNERSHIP).decode()
    assert rewritten.startswith(f"try: pass\n{after.format(question)}{body}")
    assert rewrite(source, "packaging.anything", OWNERSHIP).decode().startswith(source.decode())
