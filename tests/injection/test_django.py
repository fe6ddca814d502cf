"""Django: instrumented when its settings can be read, not before, however it is started."""

from __future__ import annotations

import re
import signal
import textwrap

import pytest

from tests.injection.running import Runner
from tests.injection.serving import serve
from tests.receiver import Receiver

pytestmark = pytest.mark.newest_python

FILES = {
    "manage.py": """
        import os, sys
        if __name__ == "__main__":
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
            from django.core.management import execute_from_command_line
            execute_from_command_line(sys.argv)
    """,
    "shop/__init__.py": "",
    "shop/settings.py": """
        import os
        SECRET_KEY = "x"
        DEBUG = "DEBUG" in os.environ
        ALLOWED_HOSTS = ["*"]
        ROOT_URLCONF = "shop.urls"
        INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
        MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
        WSGI_APPLICATION = "shop.wsgi.application"
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    """,
    "shop/urls.py": """
        import logging, os
        from django.http import HttpResponse
        from django.urls import path

        def item(request, number):
            logging.getLogger("shop").warning("sold %d", number)
            return HttpResponse(f"pid {os.getpid()}")

        def broken(request):
            raise LookupError("no stock")

        urlpatterns = [path("items/<int:number>", item), path("broken", broken)]
    """,
    "shop/wsgi.py": """
        import os
        from django.core.wsgi import get_wsgi_application
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
        application = get_wsgi_application()
    """,
    "shop/asgi.py": """
        import os
        from django.core.asgi import get_asgi_application
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
        application = get_asgi_application()
    """,
}

SERVERS = {
    "gunicorn": (["-m", "gunicorn", "-b", "127.0.0.1:{port}", "shop.wsgi"], signal.SIGTERM),
    "runserver": (["manage.py", "runserver", "127.0.0.1:{port}"], signal.SIGINT),
    "runserver without its reloader": (["manage.py", "runserver", "127.0.0.1:{port}", "--noreload"], signal.SIGINT),
    "uvicorn": (["-m", "uvicorn", "--port", "{port}", "shop.asgi:application"], signal.SIGTERM),
}


@pytest.fixture
def shop(framework_runner: Runner) -> Runner:
    for name, text in FILES.items():
        framework_runner.write(text, name)
    return framework_runner


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("env", [{}, {"DJANGO_SETTINGS_MODULE": "shop.settings", "DEBUG": "1"}], ids=["", "debug"])
def test_django_serves_and_logs_as_without_us_and_each_request_is_one_server_span(
    shop: Runner, receiver: Receiver, server: str, env: dict[str, str]
) -> None:
    """Of the process that serves: a reloader, or a master, serves nothing."""
    command, stop = SERVERS[server]
    done = serve(shop, receiver, command, ["/items/7", "/broken", "/missing"], stop=stop, env=env)
    spans = sorted((span for span in receiver.spans if span.kind == "server"), key=lambda span: span.start)
    assert [span.name for span in spans] == ["GET items/<int:number>", "GET broken", "GET"]
    assert [span.status for span in spans] == ["unset", "error", "unset"]
    (pid,) = re.findall(r"pid (\d+)", done.stdout)
    assert {span.resource["process.pid"] for span in receiver.spans} == {int(pid)}
    assert {point.resource["process.pid"] for point in receiver.points if "server" in point.name} == {int(pid)}
    records = [log for log in receiver.logs if log.scope in ("shop", "django.request")]
    assert [(log.body, log.trace_id) for log in records if "Missing" not in str(log.body)][:2] == [
        ("sold 7", spans[0].trace_id),
        ("Internal Server Error: /broken", spans[1].trace_id),
    ]
    assert [log.body for log in records] == ["sold 7", "Internal Server Error: /broken", "Not Found: /missing"]


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["check"], 0),
        (["check", "--deploy"], 0),
        (["migrate", "--verbosity", "1"], 0),
        (["showmigrations"], 0),
        (["shell", "-c", "import django; print(django.VERSION[0] > 3)"], 0),
        (["diffsettings"], 0),
        (["help"], 0),
        (["nonsense"], 1),
        (["test"], 0),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_commands_of_django_do_as_without_us(shop: Runner, command: list[str], status: int) -> None:
    for env in ({}, {"DJANGO_SETTINGS_MODULE": "shop.settings"}):
        runs = []
        for injected in (False, True):
            done = shop.run(["manage.py", *command], injected=injected, env={"PYTHONHASHSEED": "0", **env})
            (shop.folder / "db.sqlite3").unlink(missing_ok=True)
            runs.append(done)
        assert runs[1].own == runs[0].own
        assert (runs[1].status, runs[1].lines) == (status, [])


@pytest.mark.parametrize(
    "settings", ["1 / 0", "import nowhere", "SECRET_KEY = ''", "raise SystemExit(7)", "MIDDLEWARE = ['nowhere.X']"]
)
@pytest.mark.parametrize("command", [["manage.py", "check"], ["-c", "import shop.wsgi"], ["-c", "import shop.asgi"]])
def test_a_django_whose_settings_are_broken_says_so_as_without_us(
    shop: Runner, settings: str, command: list[str]
) -> None:
    shop.write(f"{textwrap.dedent(FILES['shop/settings.py'])}\n{settings}\n", "shop/settings.py")
    assert shop.compare(command).lines == []


def test_a_settings_module_that_does_not_exist_is_said_to_as_without_us(shop: Runner) -> None:
    for name in ("nowhere.settings", ""):
        assert shop.compare(["-c", "import shop.wsgi"], env={"DJANGO_SETTINGS_MODULE": name}).lines == []


def test_settings_that_are_configured_late_are_those_that_count(shop: Runner, receiver: Receiver) -> None:
    """Whatever of Django is imported before (contrib issues 2495 and 677)."""
    shop.write(FILES["shop/urls.py"], "late.py")
    source = """
        import django.core.handlers.wsgi, django.core.handlers.base, django.http, django.db, django.test
        from django.conf import settings
        print(settings.configured)
        settings.configure(ROOT_URLCONF="late", ALLOWED_HOSTS=["*"], SECRET_KEY="x", DATABASES={}, MIDDLEWARE=())
        print(settings.MIDDLEWARE)
        import django
        django.setup()
        from django.test import Client
        print(Client().get("/items/7").status_code, [type(each) for each in settings.MIDDLEWARE] != [])
    """
    done = shop.run(source)
    assert (done.status, done.own[2]) == (0, "sold 7\n")
    assert [span.name for span in receiver.spans] == ["GET items/<int:number>"]
