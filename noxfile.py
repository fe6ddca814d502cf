"""The sessions of `./build.sh SESSION [ARGUMENTS]`. The work is done in images/, tests/ and benchmarks/."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from pathlib import Path

import nox
from uv import find_uv_bin

ROOT = Path(__file__).resolve().parent
ACTIONLINT = "v1.7.7"
sys.path.insert(0, str(ROOT))

from images.pip_settings import for_uv  # noqa: E402

nox.options.sessions = ["build"]
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.envdir = str(ROOT / ".venv" / "nox")  # made anew together with .venv

os.environ.update(for_uv(os.environ))
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
os.environ["PATH"] = os.pathsep.join([str(Path(find_uv_bin()).parent), os.environ.get("PATH", os.defpath)])


def _in_one_line(record: logging.LogRecord) -> bool:
    """Print errors as one line after ``error: ``; drop nox's own line about a command that has printed its reason."""
    text = record.getMessage()
    if record.levelno < logging.ERROR or text.startswith("* "):  # a line of the summary at the end
        return not re.match(r"\* test: |Session test ", text)  # test only starts the other sessions
    if not re.search(r"failed with exit code -?\d+:?$|^Session .* (failed|interrupted)|^Interrupted", text):
        reason = re.split(r"(?m)^error: ", text)[-1]
        sys.stderr.write(f"error: {' '.join(reason.split())}\n")
    return False


logging.getLogger("nox").addFilter(_in_one_line)


@nox.session
def build(session: nox.Session) -> None:
    """Build dist/image.oci.tar for every platform."""
    _expect(session, "")
    _install(session, "build")
    session.run("python", "-m", "images", "build")


@nox.session
def push(session: nox.Session) -> None:
    """Push the image to REGISTRY/NAME:TAG and print the Instrumentation resource that pins it."""
    _expect(session, "REGISTRY/NAME:TAG")
    _install(session, "build")
    # What is printed goes to kubectl: what is said on the way must not be mixed with it.
    session.run("python", "-m", "images", "push", *session.posargs, stderr=None)


@nox.session
def demo(session: nox.Session) -> None:
    """Show what an injected Flask app under gunicorn exports."""
    _expect(session, "")
    _install(session, "tests")
    session.run("python", "-m", "tests.demo", interrupt_timeout=10)


@nox.session(venv_backend="none")
def test(session: nox.Session) -> None:
    """Run lint, build and the tests of every promise; --no-containers leaves those out, all else is for pytest."""
    arguments = [each for each in session.posargs if each != "--no-containers"]
    session.notify("lint", [])
    session.notify("unit", arguments)
    session.notify("build", [])
    session.notify("build_tests", arguments)
    session.notify("injection", arguments)
    if arguments == session.posargs:
        session.notify("containers", arguments)


@nox.session(venv_backend="none")
def matrix(session: nox.Session) -> None:
    """Run what ``test`` runs, with every test on every Python that this machine has; takes what ``test`` takes."""
    session.notify("test", ["--matrix", *session.posargs])


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, the direction of imports, shell scripts and workflows."""
    _expect(session, "")
    _install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports", "--no-logo", "--no-cache", env={"PYTHONPATH": "extensions"})
    session.run("shellcheck", "build.sh", ".ci/run", *map(str, sorted(ROOT.glob("tests/**/*.sh"))))
    session.run("zizmor", "--offline", "--quiet", "--persona", "pedantic", ".github/workflows")
    if shutil.which("go"):
        session.run(
            "go", "run", f"github.com/rhysd/actionlint/cmd/actionlint@{ACTIONLINT}", "-shellcheck=", external=True
        )
    else:
        session.warn("actionlint has not checked the workflows: it needs Go")


@nox.session
def unit(session: nox.Session) -> None:
    """Test what needs neither network nor container engine; fail if that reaches less of the code than it did."""
    _install(session, "tests")
    coverage = ["--cov", "--cov-report=term:skip-covered"]
    if set(session.posargs) - {"--matrix"}:
        coverage.append("--cov-fail-under=0")  # the floor is for all unit tests, not for chosen ones
    _pytest(session, "tests/unit", *coverage, side_by_side=True)


@nox.session
def build_tests(session: nox.Session) -> None:
    """Test build.sh and the built archive."""
    _install(session, "tests")
    _pytest(session, "tests/build")


@nox.session
def injection(session: nox.Session) -> None:
    """Test real apps with the built tree injected, on the oldest and the newest Python that this machine has."""
    _install(session, "tests")
    _pytest(session, "tests/injection", side_by_side=True)


@nox.session
def containers(session: nox.Session) -> None:
    """Test the image in containers, injected as the operator does."""
    _install(session, "tests")
    _pytest(session, "tests/containers")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what injection costs beside the operator's own image; ``quick`` measures less and writes nothing."""
    if session.posargs not in ([], ["quick"]):
        sys.exit("error: too many or too few arguments; the call is: ./build.sh bench [quick]")
    _install(session, "tests")
    session.run("python", "-m", "images", "build")
    session.run(
        "python", "-m", "benchmarks", *session.posargs, env={"PYTHONPATH": os.pathsep.join((".", "extensions"))}
    )


@nox.session
def soak(session: nox.Session) -> None:
    """Replace gunicorn's workers for MINUTES (10): nothing may be lost and nothing may grow."""
    if session.posargs:
        _expect(session, "MINUTES")
    _install(session, "tests")
    session.run("python", "-m", "tests.soak", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Write docs/settings.md anew from the table of variables, and docs/libraries.md from the payload."""
    _expect(session, "")
    _install(session, "build")
    for page in ("settings_page", "libraries_page"):
        session.run("python", "-m", f"images.{page}", env={"PYTHONPATH": "extensions"})


@nox.session(venv_backend="none")
def lock(session: nox.Session) -> None:
    """Write requirements/*.txt anew with the newest releases and print what changed; own: that of extensions/own."""
    if session.posargs not in ([], ["own"]):
        sys.exit("error: too many or too few arguments; the call is: ./build.sh lock [own]")
    session.run(sys.executable, "-m", "images.lock", *session.posargs, external=True)


def _install(session: nox.Session, name: str) -> None:
    """Make the session's environment hold exactly what the lock says."""
    command = ["uv", "pip", "sync", "--require-hashes", "--only-binary", ":all:", f"requirements/{name}.txt"]
    session.run_install(*command, external=True, silent=True)


def _pytest(session: nox.Session, folder: str, *options: str, side_by_side: bool = False) -> None:
    """Run the tests of a folder, or of those of its files that the arguments name.

    A whole folder is run ``side_by_side``: by a process for each processor. Where the arguments choose tests, a folder
    may have none of them (pytest's status 5). ``options`` are those of a whole folder.
    """
    named = [each for each in session.posargs if (ROOT / each.partition("::")[0]).exists()]
    given = [each for each in session.posargs if each not in named]
    tests = [each for each in named if each.startswith(folder)] if named else [folder]
    if not tests:
        session.skip("none of its tests is asked for")
    whole = set(session.posargs) <= {"--matrix"}
    if whole:
        given += options
    if whole and side_by_side:
        given += ["--numprocesses", str(min(os.cpu_count() or 1, 8)), "--dist", "loadgroup"]
    session.run("pytest", "--timeout=600", "--durations=10", *given, *tests, success_codes=[0] if whole else [0, 5])


def _expect(session: nox.Session, argument: str) -> None:
    """End with one line if there are more or fewer arguments than the session takes."""
    if len(session.posargs) != (1 if argument else 0):
        sys.exit(f"error: too many or too few arguments; the call is: ./build.sh {session.name} {argument}".rstrip())
