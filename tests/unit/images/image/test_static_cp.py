"""The static ``cp`` does what GNU ``cp`` does with what manifests pass to it, and fails in one line."""

from __future__ import annotations

import hashlib
import os
import resource
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from images.errors import UserError
from images.image import static_cp
from images.image.platforms import PLATFORMS
from images.image.static_cp import compile_cp
from images.paths import ROOT as ROOT_FOLDER
from images.paths import cache

ROOT = os.getuid() == 0
STRANGER = 54321
USERS = [pytest.param(None, id="self")] + [pytest.param(STRANGER, id="stranger")] * ROOT
needs_root = pytest.mark.skipif(
    not ROOT or not shutil.which("mount"), reason="mounting and dropping capabilities need root, and the program mount"
)
OLD = 1_500_000_000_123_456_789

Listing = dict[str, tuple[object, ...]]


@pytest.fixture(scope="module")
def binary() -> Path:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    return compile_cp(next(platform for platform in PLATFORMS if platform.architecture == machine))


@pytest.fixture
def folder(binary: Path) -> Iterator[Path]:
    """A folder that any user may enter (pytest's own are private), with the binary as ``cp`` in it."""
    path = Path(tempfile.mkdtemp(prefix="static-cp-"))
    path.chmod(0o755)
    shutil.copy(binary, path / "cp")
    yield path
    remove(path)


def remove(path: Path) -> None:
    for directory, _, _ in os.walk(path):
        Path(directory).chmod(0o700)
    shutil.rmtree(path)


def fill(work: Path, user: int | None = None) -> Path:
    """Make the inputs of every case, owned by the user; all of them look old."""
    work.mkdir()
    src = work / "src"
    for name, mode in {
        "private": 0o700,
        "closed": 0o555,
        "closed/inner": 0o555,
        "empty": 0o755,
        "sticky": 0o1777,
    }.items():
        (src / name).mkdir(parents=True)
        (src / name).chmod(mode | 0o700)
    for name, content, mode in (
        ("plain", b"plain\n", 0o644),
        ("nothing", b"", 0o644),
        ("program", b"#!/bin/sh\n", 0o755),
        ("secret", b"x" * 5000, 0o600),
        ("read-only", b"r", 0o444),
        ("everybody", b"e", 0o666),
        ("a name with \u00e9 and spaces", b"n", 0o640),
        ("large", bytes(range(251)) * 2000, 0o644),
        ("exact", b"b" * (1 << 17), 0o644),
        ("closed/inner/deep", b"deep", 0o444),
        ("private/hidden", b"hidden", 0o600),
        ("set-id", b"s", 0o6755),
    ):
        (src / name).write_bytes(content)
        (src / name).chmod(mode)
    (src / "to-file").symlink_to("plain")
    (src / "to-directory").symlink_to("closed/inner")
    (src / "to-nowhere").symlink_to("/does/not/exist")
    (work / "file").write_bytes(b"single")
    (work / "file").chmod(0o664)
    (work / "to-src").symlink_to("src")
    (work / "to-file").symlink_to("file")
    (work / "dst").mkdir()
    (work / "dst" / "kept").write_bytes(b"kept")
    (work / "to-dst").symlink_to("dst")
    (work / "shared").mkdir()
    (src / "closed").chmod(0o555)
    (src / "closed" / "inner").chmod(0o555)
    for path in sorted([work, *work.rglob("*")], reverse=True):
        if user is not None:
            os.chown(path, user, user, follow_symlinks=False)
        if path.name in {"shared", "set-id"}:  # changing the owner takes the set-id bits off
            path.chmod(0o2775 if path.is_dir() else 0o6755)
        os.utime(path, ns=(OLD, OLD), follow_symlinks=False)
    return work


def listing(work: Path) -> Listing:
    """Tell of everything below a folder: type and mode, owner, content or target, whether it has its old time."""
    found: Listing = {}
    for path in [work, *work.rglob("*")]:
        state = path.lstat()
        content: object = None
        if stat.S_ISLNK(state.st_mode):
            content = path.readlink()
        elif stat.S_ISREG(state.st_mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        mode, owner = stat.filemode(state.st_mode), (state.st_uid, state.st_gid)
        found[str(path.relative_to(work))] = (mode, owner, content, state.st_mtime_ns == OLD)
    return found


def run(
    program: Path | str,
    arguments: str,
    work: Path,
    user: int | None = None,
    umask: int = 0o022,
    limit: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *shlex.split(arguments)],
        cwd=work,
        umask=umask,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


COPIES = [
    "-r src/. dst",
    "-r src/. dst/",
    "-r src/. new",
    "-r src/ new",
    "-r src/ dst",
    "-r src new",
    "-r src new/",
    "-r src dst",
    "-R src/. dst",
    "-rf src/. dst",
    "-rp src/. dst",
    "-rv src/. dst",
    "-a src/. dst/",
    "-a src/. dst",
    "-a src new",
    "-a src dst",
    "-a -v -f src/. new",
    "-av to-src dst",
    "--recursive src/. dst",
    "--archive src/. dst",
    "-r -- src/. dst",
    "src/. dst -r",
    "-r -t dst src file",
    "-rtdst src/.",
    "-r --target-directory=dst/ src/ to-file",
    "--target-directory dst file",
    "-r src file to-src dst",
    "-r src/. file dst/",
    "file new",
    "file dst",
    "file dst/",
    "file file-2",
    "file src/plain dst",
    "-p file new",
    "-a file dst",
    "-f to-file new",
    "-r to-file new",
    "-r to-src/. new",
    "-r to-src/ new",
    "-r to-src new",
    "-r to-src dst",
    "-r src/. shared",
    "-r src shared/new",
    "-r src/. to-dst",
    "-a src/. to-dst/",
    "-r src to-dst/.",
    "-r ../work/src/./ ./dst/.",
    "-r src/.. ../elsewhere",
]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    ("arguments", "umask"),
    [(arguments, 0o022) for arguments in COPIES]
    + [
        (arguments, umask) for arguments in [*COPIES[:3], "-a src/. dst/", "-p file new"] for umask in (0, 0o077, 0o277)
    ],
)
def test_copies_as_gnu_cp(folder: Path, arguments: str, umask: int, user: int | None) -> None:
    """The same command leaves the same files, modes, owners, contents, links and (with -a, -p) times."""
    left: list[Listing] = []
    for name, program in (("gnu", "cp"), ("ours", str(folder / "cp"))):
        outer = folder / name
        outer.mkdir()
        fill(outer / "work", user)
        os.chown(outer, -1 if user is None else user, -1)
        done = run(program, arguments, outer / "work", user, umask)
        assert (done.returncode, done.stderr) == (0, "")
        left.append(listing(outer))
    assert left[1] == left[0]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("options", ["-r", "-a"])
def test_a_second_run_replaces_what_the_first_left(folder: Path, options: str, user: int | None) -> None:
    """A restarted init container succeeds over read-only files and directories, and over changed files."""
    work = fill(folder / "work", user)
    arguments = f"{options} src/. dst"
    assert run(folder / "cp", arguments, work, user).returncode == 0
    first = listing(work)
    (work / "dst" / "plain").write_bytes(b"longer than before, and another thing")
    (work / "dst" / "to-file").unlink()
    (work / "dst" / "to-file").symlink_to("elsewhere")
    os.utime(work / "dst", ns=(OLD, OLD))
    done = run(folder / "cp", arguments, work, user)
    assert (done.returncode, done.stderr) == (0, "")
    second = listing(work)
    first["dst"] = second["dst"] = ()  # its time
    assert second == first


@pytest.mark.parametrize("user", USERS)
def test_links_in_the_way_are_replaced_not_written_through(folder: Path, user: int | None) -> None:
    """A link where a file is to be becomes the file; what it led to stays as it was."""
    work = fill(folder / "work", user)
    (work / "dst" / "plain").symlink_to("../file")
    assert run(folder / "cp", "-r src/. dst", work, user).returncode == 0
    assert (work / "file").read_bytes() == b"single"
    assert not (work / "dst" / "plain").is_symlink()


def test_verbose_names_every_file(folder: Path) -> None:
    """``-v`` prints a line for each thing that is copied."""
    work = fill(folder / "work")
    done = run(folder / "cp", "-rv src dst", work)
    assert sorted(done.stdout.splitlines()) == sorted(
        f"'{path}' -> 'dst/{path}'" for path in [Path("src"), *(p.relative_to(work) for p in (work / "src").rglob("*"))]
    )


FAILURES = [
    ("-r missing/. dst", "cannot read 'missing/.': No such file or directory: check the path"),
    ("missing dst", "cannot read 'missing': No such file or directory: check the path"),
    ("-x src dst", "unknown option '-x': this cp takes -r"),
    ("-rX src dst", "unknown option '-X'"),
    ("--no-such -r src dst", "unknown option '--no-such'"),
    ("-r src/. -t", "the option -t needs a directory after it"),
    ("", "nothing to copy"),
    ("-r", "nothing to copy"),
    ("-r src", "nothing to copy"),
    ("src dst", "'src' is a directory: add -r"),
    ("-r src src", "cannot copy the directory 'src' into itself"),
    ("-r src/. src", "cannot copy the directory 'src/.' into itself"),
    ("-r src/. src/empty/new", "cannot copy the directory 'src/.' into itself"),
    ("-r . dst", "cannot copy the directory '.' into itself"),
    ("-r / dst", "cannot copy the directory '/' into itself"),
    ("-r src to-src/empty", "cannot copy the directory 'src' into itself"),
    ("-r src file", "cannot copy the directory 'src' to 'file': there is a file or link of that name"),
    ("-r src/. to-file", "cannot copy the directory 'src/.' to 'to-file': there is a file"),
    ("-r src file new", "'new' is not a directory: make it first"),
    ("-r -t file src", "'file' is not a directory: make it first"),
    ("file new/", "'new/' is not a directory: make it"),
    ("-r src/. no/where", "No such file or directory: mount the volume, or make the directory"),
    ("-r src/. file/new", "Not a directory: a part of the path is a file"),
    ("-r file/. dst", "Not a directory: a part of the path is a file"),
    ("-r src/. blocked", "there is a file or link of that name; remove it"),
    ("-r src/. blocked-2", "cannot write 'blocked-2/plain': Is a directory: remove the directory"),
    ("-r pipes dst", "cannot copy 'pipes/pipe\n': it is no file, directory or symlink".replace("\n", "?")),
    (f"-r src/. {'n' * 300}", "Filename too long"),
    (f"-r src/. {'n/' * 3000}", "is too long"),
]


@pytest.mark.parametrize(("arguments", "message"), FAILURES, ids=[arguments[:40] for arguments, _ in FAILURES])
def test_a_failure_is_one_line_and_leaves_nothing_incomplete(folder: Path, arguments: str, message: str) -> None:
    """Status 1, one line on stderr that says what to do, nothing new under a temporary name."""
    work = fill(folder / "work")
    (work / "blocked").mkdir()
    (work / "blocked" / "closed").write_bytes(b"")
    (work / "blocked-2" / "plain" / "full").mkdir(parents=True)
    (work / "pipes").mkdir()
    os.mkfifo(work / "pipes" / "pipe\n")
    done = run(folder / "cp", arguments, work)
    assert_one_line(done, message)
    assert not temporaries(work)


def assert_one_line(done: subprocess.CompletedProcess[str], message: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("cp: ")
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


def temporaries(work: Path) -> list[Path]:
    return list(work.rglob(".cp-*"))


def test_a_limit_on_file_sizes_is_one_line_and_removes_the_incomplete_directory(folder: Path) -> None:
    """A write that fails half-way leaves no file of the directory that was being made, read-only ones neither."""
    work = fill(folder / "work", STRANGER if ROOT else None)
    os.utime(work / "src" / "large")
    before = listing(work)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = run(folder / "cp", "-r src dst", work, STRANGER if ROOT else None, limit=limit)
    assert_one_line(done, "cannot write 'dst/src/large': File too large: raise the limit on file sizes")
    after = listing(work)
    before["dst"] = after["dst"] = ()  # its time
    assert after == before


def test_killed_half_way_it_leaves_nothing_under_the_final_name(folder: Path) -> None:
    """A file appears under its name when it is complete, whatever happens to the process."""
    work = fill(folder / "work")
    with (work / "huge").open("wb") as file:
        file.truncate(1 << 36)
    with subprocess.Popen([folder / "cp", "huge", "dst"], cwd=work) as process:
        while not temporaries(work):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert not (work / "dst" / "huge").exists()
    for path in temporaries(work):
        path.unlink()


@needs_root
def test_an_unreadable_source_and_an_unwritable_destination_name_the_user(folder: Path) -> None:
    """Whoever reads the line learns which user may not do what."""
    work = fill(folder / "work")
    (work / "open").mkdir()
    os.chown(work / "open", STRANGER, STRANGER)
    done = run(folder / "cp", "-r src/secret open", work, STRANGER)
    assert_one_line(done, f"cannot read 'src/secret': Permission denied: user {STRANGER} may not read it")
    done = run(folder / "cp", "-r src/closed dst", work, STRANGER)
    assert_one_line(done, f"cannot make 'dst/closed': Permission denied: user {STRANGER} may not write there")
    assert listing(work / "open").keys() == {"."}


@needs_root
def test_an_archive_copy_into_somebody_elses_volume_succeeds(folder: Path) -> None:
    """``cp -a`` as any user: owners, and the mode and time of the volume's root, stay as they can be."""
    work = fill(folder / "work")
    for path in (work / "src").rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o444)
    (work / "src" / "private").chmod(0o755)
    (work / "dst").chmod(0o1777)
    done = run(folder / "cp", "-a src/. dst/", work, STRANGER)
    assert (done.returncode, done.stderr) == (0, "")
    assert stat.S_IMODE((work / "dst").stat().st_mode) == 0o1777
    copied = listing(work / "dst")
    assert copied["closed/inner/deep"] == ("-r--r--r--", (STRANGER, STRANGER), copied["closed/inner/deep"][2], True)
    assert copied["set-id"][0] == "-rwxr-xr-x"


@needs_root
@pytest.mark.parametrize("options", ["-r", "-a"])
def test_root_needs_no_capability(folder: Path, options: str) -> None:
    """Root with every capability dropped copies what belongs to others, twice."""
    work = fill(folder / "work", STRANGER)
    for path in (work / "src").rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    os.chown(work / "dst", 0, 0)
    for _ in range(2):
        done = run("setpriv", f"--bounding-set=-all --inh-caps=-all {folder}/cp {options} src/. dst", work)
        assert (done.returncode, done.stderr) == (0, "")
    assert listing(work / "dst")["closed/inner/deep"][1] == (0, 0)


@needs_root
@pytest.mark.parametrize("user", [0, STRANGER])
def test_a_full_volume_is_one_line_that_names_its_limit(folder: Path, user: int) -> None:
    """Nothing incomplete is left, and what had been copied before is whole."""
    work = fill(folder / "work", STRANGER)
    script = (
        "mount -t tmpfs -o size=400k,mode=777 none dst || exit 9\n"
        f"setpriv --reuid={user} --clear-groups {folder}/cp -r src file dst\n"
        "status=$?; find dst -type f; exit $status"
    )
    done = run("unshare", shlex.join(["-m", "sh", "-c", script]), work)
    message = "No space left on device: the volume is too small; raise its size limit (sizeLimit of the emptyDir"
    assert_one_line(done, message)


@needs_root
def test_a_read_only_destination_is_one_line_that_says_so(folder: Path) -> None:
    """A volume mounted read-only, or no volume on a read-only root file system."""
    work = fill(folder / "work")
    script = f"mount -t tmpfs -o ro none dst && {folder}/cp -r src/. dst"
    done = run("unshare", shlex.join(["-m", "sh", "-c", script]), work)
    assert_one_line(done, "Read-only file system: mount a volume there, without readOnly")


def test_the_binary_needs_nothing_and_tells_nothing_of_where_it_was_made(binary: Path) -> None:
    """Static, small, and without a path of the machine it was compiled on."""
    content = binary.read_bytes()
    assert b"/lib/ld-" not in content
    assert os.fsencode(static_cp.SOURCE.parent) not in content
    assert os.fsencode(Path.home()) not in content
    assert len(content) < 100_000


def test_it_is_compiled_once(binary: Path) -> None:
    """The second call finds it in the cache; nothing else is left there."""
    machine = next(platform for platform in PLATFORMS if binary.name.startswith(platform.zig))
    before = binary.stat()
    assert compile_cp(machine) == binary
    assert binary.stat() == before
    assert stat.S_IMODE(before.st_mode) == 0o755
    assert not list(binary.parent.glob(".compiling-*"))


def test_a_python_without_the_compiler_is_told_what_to_do(tmp_path: Path) -> None:
    """No traceback for a missing wheel: one line, as every user error."""
    script = (
        "import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
        "from images.image.static_cp import UserError, compile_cp; from images.image.platforms import PLATFORMS\n"
        "try: compile_cp(PLATFORMS[0])\n"
        "except UserError as error: print(error)"
    )
    environment = {**os.environ, "AUTOINSTRUMENTATION_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT_FOLDER, env=environment
    )
    assert done.stdout.startswith("the compiler of the static cp is missing from this Python: run ./build.sh")


@pytest.mark.matrix  # the compiler makes a C library first, for up to two minutes
def test_a_source_that_does_not_compile_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler's first error is in it, and nothing is left in the cache."""
    broken = tmp_path / "cp.c"
    broken.write_text("int main(void) { return oops; }\n")
    monkeypatch.setattr(static_cp, "SOURCE", broken)
    with pytest.raises(UserError, match=r"cannot compile .*cp\.c: .*oops"):
        compile_cp(PLATFORMS[0])
    assert not list(cache("cp").glob(".compiling-*"))
