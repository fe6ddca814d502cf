"""The door: which processes are injected, and that all others run as without us."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from images.paths import ROOT
from tests.injection.running import PREFIX, Runner
from tests.receiver import Receiver

DOOR = ROOT / "sitecustomize" / "sitecustomize.py"
TOO_OLD = ("2.7", "3.6", "3.7", "3.8", "3.9")

USES_LOGGING = """
    import logging, sys
    print([entry for entry in sys.path if "otel" in entry], [f for f in sys.meta_path if "otel" in repr(type(f))])
    logging.getLogger("shop").warning("sold")
"""

LOGS_FIRST = "import logging\nlogging.getLogger('shop').warning('early')\n" + textwrap.dedent(USES_LOGGING)
USES_DATABASE = USES_LOGGING.replace("import logging, sys", "import logging, sqlite3, sys")

RESTART = "os.execv(sys.executable, [sys.executable, '{}/main.py'])"

SHOW_PATH = "import sys; print(*sys.path, sep='\\n')"


def old_pythons() -> list[Path]:
    """Return the interpreters on this host that are too old to be instrumented."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [next(iter(sorted(pyenv.glob(f"{version}.*/bin/python{version}"))), None) for version in TOO_OLD]
    return [each for each in found if each]


@pytest.mark.parametrize("minor", range(7, 15))
def test_the_door_is_valid_for_every_python_3(minor: int) -> None:
    ast.parse(DOOR.read_text(), feature_version=(3, minor))


def test_an_app_of_a_python_that_is_too_old_starts_untouched_and_is_told_in_one_line(
    mount: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Runs every such interpreter of this host; the property ``ran`` in the report names them."""
    ran = []
    for python in old_pythons():
        runner = Runner(python, mount, "http://127.0.0.1:1", tmp_path / "app")
        source = "import sys, json\nprint('\\n'.join(sys.path), sorted(m for m in sys.modules if 'otel' in m))\n"
        version = runner.run(["-c", "import sys; print(sys.version.split()[0])"], injected=False).stdout.strip()
        said = [f"not instrumented: CPython 3.10 or newer is needed, this is {version}"]
        runner.write(source, "module.py")
        for pythonpath in (None, "", "own", str(tmp_path)):
            assert runner.compare(source, app_pythonpath=pythonpath).lines == said
        assert runner.compare(["module.py", "-c", "gunicorn.conf.py"]).lines == said
        for helper in (
            ["-c", source],
            ["-m", "module"],
            ["-W", "ignore", "-c", source],
            ["-Bc", source],
            ["-um", "module"],
        ):
            assert runner.compare(helper, env={"PYTHONSAFEPATH": ""}).lines == []
        ran.append(version)
    record_property("ran", ran)


@pytest.mark.parametrize(
    ("damage", "source"),
    [
        ("otel_injection", ""),
        ("otel_injection/start.py", ""),
        ("otel_injection/guard.py", ""),
        ("otel_injection/_names.py", ""),
        ("otel_injection/imports/hooks.py", USES_LOGGING),
        ("otel_injection/logs/capture.py", USES_LOGGING),
        ("otel_injection/sdk/pipeline.py", LOGS_FIRST),
        ("otel_injection/lifecycle/ending.py", LOGS_FIRST),
        ("otel_injection/instrumentations/activation.py", USES_DATABASE),
        ("otel_injection/_index.py", USES_DATABASE),
    ],
)
@pytest.mark.parametrize("how", ["missing", "cut", "unreadable"])
def test_an_incomplete_payload_leaves_the_app_alone_and_says_so(
    runner: Runner, copy_tree: Callable[[str], Path], damage: str, source: str, how: str
) -> None:
    """Noticed by the first process that needs the file."""
    runner.mount = copy_tree("damaged")
    runner.operator["PYTHONPATH"] = runner.operator["PYTHONPATH"].replace("otel-auto-instrumentation-python", "damaged")
    runner.operator["PYTHONPATH"] = f"{runner.mount}/opentelemetry/instrumentation/auto_instrumentation:{runner.mount}"
    shutil.rmtree(runner.mount / "byte-code", ignore_errors=True)  # so that the sources count
    target = runner.mount / damage
    if how == "missing" or target.is_dir():
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        for cached in target.parent.glob(f"__pycache__/{target.stem}.*"):
            cached.unlink()
    else:
        for file in (target, *target.parent.glob(f"__pycache__/{target.stem}.*")):
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2] + b"\n(\n" if how == "cut" else b"\0\xff")
    (line,) = runner.compare(source).lines
    assert line.startswith(f"not instrumented: its files in {runner.mount} are incomplete or damaged")


@pytest.mark.parametrize("how", ["empty", "cut", "zeros"])
def test_damaged_byte_code_leaves_the_app_alone_and_says_so(
    runner: Runner, copy_tree: Callable[[str], Path], how: str
) -> None:
    mount = copy_tree("damaged")
    runner.operator["PYTHONPATH"] = f"{mount}/opentelemetry/instrumentation/auto_instrumentation:{mount}"
    bundles = list(mount.glob("byte-code/*"))
    assert bundles, "run ./build.sh first"
    for file in bundles:
        content = file.read_bytes()
        half = len(content) // 2 if how == "cut" else 0
        file.write_bytes(content[:half] if how != "zeros" else content[:200_000] + bytes(len(content) - 200_000))
    (line,) = runner.compare(USES_LOGGING).lines
    assert line.startswith(f"not instrumented: its files in {mount} are incomplete or damaged")


def test_a_payload_without_its_private_copies_costs_lines_but_not_the_app(
    runner: Runner, copy_tree: Callable[[str], Path]
) -> None:
    mount = copy_tree("damaged")
    shutil.rmtree(mount / "otel_injection" / "_vendor")
    shutil.rmtree(mount / "byte-code", ignore_errors=True)
    runner.operator["PYTHONPATH"] = f"{mount}/opentelemetry/instrumentation/auto_instrumentation:{mount}"
    lines = runner.compare("""
        import logging, sqlite3, urllib.request
        logging.warning("sold")
        print(sqlite3.connect(":memory:").execute("select 1").fetchall())
    """).lines
    assert lines
    assert all("_vendor" in line for line in lines)


@pytest.mark.parametrize(
    "switch",
    [
        {"OTEL_INJECTION_ENABLED": "false"},
        {"OTEL_INJECTION_ENABLED": "0"},
        {"OTEL_SDK_DISABLED": "True"},
    ],
)
def test_the_kill_switches_leave_nothing_behind_but_a_folder_on_the_path(
    runner: Runner, receiver: Receiver, switch: dict[str, str]
) -> None:
    source = "import logging, sys; logging.warning('sold'); print(len(sys.meta_path), 'threading' in sys.modules)"
    assert runner.compare(source, env=switch).lines == []
    assert receiver.requests == []


PATHS = [None, "", "own", "/nowhere", "own:/nowhere", ":", "own:", ":own", ".", "own/../own"]
WAYS = ["script", "-c", "-m", "stdin", "zip", "folder", "safe", "isolated", "no environment"]


@pytest.mark.parametrize(
    ("pythonpath", "way"),
    [(path, "script") for path in PATHS] + [(path, way) for path in ("", "own") for way in WAYS[1:]],
)
def test_the_path_is_the_apps_own_with_the_payload_behind_it(runner: Runner, pythonpath: str | None, way: str) -> None:
    runner.write(SHOW_PATH, "show.py")
    runner.write(SHOW_PATH, "package/__main__.py")
    runner.write("", "own/__init__.py")
    with zipfile.ZipFile(runner.folder / "show.pyz", "w") as archive:
        archive.writestr("__main__.py", SHOW_PATH)
    arguments = {
        "script": ["show.py"],
        "-c": ["-c", SHOW_PATH],
        "-m": ["-m", "package"],
        "stdin": ["-"],
        "zip": ["show.pyz"],
        "folder": ["package"],
        "safe": ["show.py"],
        "isolated": ["-I", "show.py"],
        "no environment": ["-E", "show.py"],
    }[way]
    env = {"PYTHONSAFEPATH": "1"} if way == "safe" else {}
    plain = runner.run(arguments, injected=False, app_pythonpath=pythonpath, env=env, given=SHOW_PATH)
    injected = runner.run(arguments, app_pythonpath=pythonpath, env=env, given=SHOW_PATH)
    payload = [] if way in ("isolated", "no environment") else [str(runner.mount)]
    assert injected.stdout.splitlines() == plain.stdout.splitlines() + payload
    assert (injected.status, injected.stderr) == (0, "")


@pytest.mark.parametrize(
    "option", ["-S", "-I", "-E", "-s", "-B", "-O", "-OO", "-u", "-X dev", "-W error", "-b", "-bb", "-q", "-v"]
)
def test_the_interpreters_options_do_what_they_do(runner: Runner, option: str) -> None:
    source = "import logging, sys, threading; logging.warning('sold'); print(sys.flags)"
    runner.write(source)
    plain, injected = (runner.run(["main.py"], *option.split(), injected=each) for each in (False, True))
    assert (injected.status, injected.stdout) == (plain.status, plain.stdout)
    if option != "-v":
        assert injected.own == plain.own


@pytest.mark.parametrize(
    "body",
    [
        "print('customized', __name__, __file__)",
        "raise RuntimeError('broken')",
        "raise ImportError('broken')",
        "raise ImportError('broken', name='other')",
        "import nowhere",
        "import sitecustomize; print(sitecustomize.__file__ == __file__)",
        "import sys; sys.exit(3)",
        "raise KeyboardInterrupt",
        "def broken(",
        "import sys; sys.path.insert(0, '/added')",
        "import logging; logging.warning('early')",
    ],
)
@pytest.mark.parametrize("name", ["sitecustomize", "usercustomize"])
def test_the_apps_own_customization_runs_once_and_fails_as_usual(runner: Runner, name: str, body: str) -> None:
    runner.write(f"print('begin')\n{body}\n", f"own/{name}.py")
    runner.write(f"""
        import sys
        module = sys.modules.get({name!r})
        print([entry for entry in sys.path if "otel-" not in entry], getattr(module, "__file__", module))
    """)
    runner.compare(["main.py"], app_pythonpath="own", env={"PYTHONDONTWRITEBYTECODE": "1"})


BY_HAND = {
    "as newrelic-admin does": """
        spec = PathFinder.find_spec("sitecustomize", [each for each in sys.path if each != here])
        if spec is not None:
            module = importlib.util.module_from_spec(spec)
            sys.modules["sitecustomize"] = module
            spec.loader.exec_module(module)
    """,
    "beside its own": """
        spec = PathFinder.find_spec("sitecustomize", [each for each in sys.path if each != here])
        if spec is not None:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
    """,
    "under another name": """
        spec = PathFinder.find_spec("sitecustomize", [each for each in sys.path if each != here])
        if spec is not None:
            spec = importlib.util.spec_from_file_location("next_one", spec.origin)
            sys.modules["next_one"] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules["next_one"])
    """,
    "by importing it anew": """
        del sys.modules["sitecustomize"]
        sys.path.remove(here)
        try:
            import sitecustomize
        except ImportError as error:
            print(error)
    """,
    "as a file": """
        spec = PathFinder.find_spec("sitecustomize", [each for each in sys.path if each != here])
        if spec is not None:
            with open(spec.origin) as file:
                exec(compile(file.read(), spec.origin, "exec"), {"__name__": "anything"})
    """,
    "twice": """
        for _ in range(2):
            spec = PathFinder.find_spec("sitecustomize", [each for each in sys.path if each != here])
            if spec is not None:
                runpy.run_path(spec.origin)
    """,
}
"""How the ``sitecustomize`` of another agent, which is found before ours, hands on to the next one."""


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("way", BY_HAND)
def test_another_agents_customization_may_stand_in_front(
    runner: Runner, receiver: Receiver, way: str, own: bool
) -> None:
    start = "import importlib.util, os, runpy, sys\nfrom importlib.machinery import PathFinder\nprint('agent')\n"
    code = f"{start}here = os.path.dirname(os.path.abspath(__file__))\n{textwrap.dedent(BY_HAND[way])}"
    runner.write(code, "agent/sitecustomize.py")
    (runner.folder / "own").mkdir()
    if own:
        runner.write("print('own')", "own/sitecustomize.py")
    runner.write("import logging\nlogging.getLogger('shop').error('sold')")
    paths = [f"{runner.folder}/agent", f"{runner.folder}/own"]
    plain = runner.run(["main.py"], injected=False, env={"PYTHONPATH": ":".join(paths)})
    entries = ":".join([paths[0], runner.operator["PYTHONPATH"], paths[1]])
    injected = runner.run(["main.py"], env={"PYTHONPATH": entries})
    assert (injected.own, injected.lines) == (plain.own, [])
    assert plain.stdout.split().count("own") == (2 if way == "twice" else 1) * own
    assert [log.body for log in receiver.logs] == ["sold"]


def test_a_deleted_working_directory_is_no_obstacle(runner: Runner) -> None:
    runner.write("import logging; logging.getLogger('shop').warning('sold')")
    gone = runner.folder / "gone"
    code = f"import os, sys; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); " + RESTART.format(runner.folder)
    for injected in (False, True):
        gone.mkdir()
        assert runner.run(["-c", code], injected=injected).stderr == "sold\n"


@pytest.mark.parametrize(
    ("arguments", "tool"),
    [
        (["-m", "pip", "--version"], "pip"),
        (["-m", "venv", "--help"], "venv"),
        (["-m", "compileall", "--help"], "compileall"),
        (["pip3.13", "--version"], "pip3.13"),
        (["worker_tool.py"], "worker_tool.py"),
        (["-c", "from multiprocessing.resource_tracker import ensure_running as main; main()"], ""),
    ],
)
def test_tools_are_left_alone(runner: Runner, receiver: Receiver, arguments: list[str], tool: str) -> None:
    runner.write("import logging; logging.warning('installed')", "pip3.13")
    runner.write("import logging; logging.warning('installed')", "worker_tool.py")
    injected = runner.compare(arguments, env={"OTEL_INJECTION_DEBUG": "1", "OTEL_INJECTION_SKIP": "worker_tool"})
    reason = f"'{tool}' is a tool, not an app" if tool else "a helper of multiprocessing"
    assert {line.partition("] ")[2] for line in injected.lines} == {f"not instrumented: {reason}"}
    assert receiver.requests == []


def test_the_payload_works_wherever_it_is_mounted(
    runner: Runner, receiver: Receiver, copy_tree: Callable[[str], Path]
) -> None:
    mount = copy_tree("some where else")
    link = mount.parent / "link"
    link.symlink_to(mount)
    for place in (mount, link, f"{mount}/", f"{link}//"):
        env = {"PYTHONPATH": f"{place}/opentelemetry/instrumentation/auto_instrumentation:{place}"}
        assert runner.run("import logging; logging.getLogger('shop').warning('sold')", env=env).stderr == "sold\n"
        receiver.wait_for(lambda got: [log.body for log in got.logs] == ["sold"])
        receiver.clear()


def test_a_payload_that_cannot_be_read_at_all_is_as_good_as_none(runner: Runner) -> None:
    nowhere = runner.folder / "nowhere"
    env = {"PYTHONPATH": f"{nowhere}/opentelemetry/instrumentation/auto_instrumentation:{nowhere}"}
    done = runner.run("import logging; logging.getLogger('shop').warning('sold')", env=env)
    assert (done.status, done.stderr) == (0, "sold\n")


@pytest.mark.parametrize("closed", ["0", "1", "2", "1, 2"])
def test_closed_standard_streams_are_no_obstacle(runner: Runner, receiver: Receiver, closed: str) -> None:
    runner.write("import logging; logging.getLogger('shop').warning('sold')")
    code = f"import os, sys; [os.close(each) for each in ({closed},)]; " + RESTART.format(runner.folder)
    for endpoint in (runner.endpoint, "absurd"):
        assert runner.run(["-c", code], env={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}).status == 0
    receiver.wait_for(lambda got: [log.body for log in got.logs] == ["sold"])


def test_the_line_of_an_unsupported_python_has_the_prefix_and_nothing_else(mount: Path, tmp_path: Path) -> None:
    """Even where the host has no such Python: the door, run by a version that pretends to be one."""
    door = mount / "opentelemetry" / "instrumentation" / "auto_instrumentation" / "sitecustomize.py"
    script = tmp_path / "main.py"
    script.write_text(f"""import sys
sys.version_info = (3, 9, 1)
sys.modules["sitecustomize"] = None
try:
    exec(compile(open({str(door)!r}).read(), "", "exec"), {{"__file__": {str(door)!r}}})
except ImportError:
    pass
""")
    done = subprocess.run([sys.executable, "-S", str(script)], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{PREFIX}not instrumented: CPython 3.10 or newer is needed, this is ")
    assert done.stdout == ""
