"""Files of Debian's packages, brought without touching the machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from images import paths
from images.engine import debian
from images.errors import UserError

pytestmark = pytest.mark.skipif(not debian.available(), reason="apt has no Debian mirror here; nothing uses it")
_UNPACK = "from images.engine import debian; print(debian.unpack('trixie', ['busybox-static'], closure=False))"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    monkeypatch.setenv("AUTOINSTRUMENTATION_CACHE", str(tmp_path))
    return tmp_path


def test_the_named_packages_are_unpacked_alone_and_found_again() -> None:
    folder = debian.unpack("trixie", ["busybox-static"], closure=False)
    assert subprocess.run([folder / "bin/busybox", "true"], check=False).returncode == 0
    assert not list(folder.glob("usr/lib/*-linux-gnu"))
    made = (folder / "bin/busybox").stat()
    assert debian.unpack("trixie", ["busybox-static"], closure=False) == folder
    assert (folder / "bin/busybox").stat() == made


def test_a_closure_runs_on_the_c_library_that_it_brings() -> None:
    folder = debian.unpack("forky", ["sed"], closure=True)
    loader = next(folder.glob("usr/lib/*-linux-gnu/ld-linux-*.so.*"))
    command = [str(loader), "--library-path", str(loader.parent), str(folder / "bin/sed"), "s/a/b/"]
    assert subprocess.run(command, input=b"a", capture_output=True, check=True).stdout == b"b"


def test_two_processes_at_once_get_the_same_folder_and_leave_nothing_half_made() -> None:
    command = [sys.executable, "-c", _UNPACK]
    both = [subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    last = [process.communicate()[0].splitlines()[-1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    folders = [path for path in paths.cache("debian").iterdir() if path.name != ".apt"]
    assert [Path(line) for line in last] == folders * 2


def test_the_machines_own_apt_is_left_as_it_was() -> None:
    own = [Path(name) for name in ("/var/lib/apt", "/var/cache/apt", "/var/lib/dpkg", "/etc/apt")]
    before = {path: path.stat().st_mtime_ns for folder in own for path in (folder, *folder.rglob("*"))}
    debian.unpack("trixie", ["busybox-static"], closure=False)
    assert {path: path.stat().st_mtime_ns for folder in own for path in (folder, *folder.rglob("*"))} == before


def test_a_package_that_does_not_exist_is_told_in_one_line() -> None:
    with pytest.raises(UserError, match=r"^apt-get .*no-such-package.*$"):
        debian.unpack("trixie", ["no-such-package"], closure=False)
    assert [path.name for path in paths.cache("debian").iterdir()] == [".apt"]


def test_an_archive_that_is_not_signed_by_debian_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = tmp_path / "stranger.gpg"
    stranger.write_bytes(b"")
    monkeypatch.setattr(debian, "_KEYRINGS", (stranger,))
    with pytest.raises(UserError, match=r"^apt-get .*$"):
        debian.unpack("trixie", ["busybox-static"], closure=False)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("deb [trusted=no] http://mirror.invalid/debian bookworm main contrib\n", id="one-line"),
        pytest.param("URIs: http://mirror.invalid/debian\nTypes: deb\nSuites: trixie\nComponents: main\n", id="deb822"),
    ],
)
def test_the_mirror_is_the_one_that_apt_is_configured_with(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = tmp_path / "sources"
    parts.mkdir()
    (parts / ("a.sources" if source.startswith("URIs") else "a.list")).write_text(source)
    _configure(tmp_path, monkeypatch, parts)
    with pytest.raises(UserError, match=r"^apt-get .*mirror\.invalid.*check the network.*$"):
        debian.unpack("trixie", ["busybox-static"], closure=False)


def test_a_machine_without_a_debian_mirror_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = tmp_path / "sources"
    parts.mkdir()
    (parts / "a.list").write_text("deb http://mirror.invalid/ubuntu noble main\n")
    _configure(tmp_path, monkeypatch, parts)
    assert not debian.available()
    with pytest.raises(UserError, match=r"^apt has no Debian mirror .* install Docker with buildx instead$"):
        debian.unpack("trixie", ["busybox-static"], closure=False)


def _configure(folder: Path, monkeypatch: pytest.MonkeyPatch, parts: Path) -> None:
    """Let apt read these sources instead of the machine's."""
    configuration = folder / "apt.conf"
    configuration.write_text(f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{parts}";\n')
    monkeypatch.setenv("APT_CONFIG", str(configuration))
