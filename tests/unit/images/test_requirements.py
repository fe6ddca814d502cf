"""The locks in requirements/, and how images.lock makes them: without a network, from wheels in a folder."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from images import lock
from images.errors import UserError
from images.pip_settings import for_uv

TEXTS = {name: (lock.FOLDER / f"{name}.txt").read_text() for name in lock.LOCKS}
PINS = {name: lock.pins(text) for name, text in TEXTS.items()}

MakeWheel = Callable[..., None]


@pytest.mark.parametrize("release", lock.SDK_RELEASES)
def test_each_release_of_the_sdk_has_a_lock_of_its_own(release: str) -> None:
    text = (lock.FOLDER / "sdk-releases" / f"{release}.txt").read_text()
    pins = lock.pins(text)
    assert all(pins[f"opentelemetry-{each}"].startswith(f"{release}.") for each in ("api", "sdk"))
    assert text.count("==") <= text.count("--hash=sha256:")
    assert "http" not in text


@pytest.mark.parametrize("name", lock.LOCKS)
def test_every_locked_package_has_a_hash(name: str) -> None:
    packages = re.split(r"\n(?=\S)", TEXTS[name].partition("nox -s lock\n")[2])
    assert packages
    assert [each.split()[0] for each in packages if "--hash=sha256:" not in each] == []


@pytest.mark.parametrize("name", lock.LOCKS)
def test_everything_asked_for_is_locked(name: str) -> None:
    def asked(source: str) -> set[str]:
        found = set()
        for line in (lock.FOLDER / f"{source}.in").read_text().splitlines():
            included = re.match(r"-r (\w+)\.in", line)
            package = re.match(r"[\w-]+", line)
            found |= asked(included[1]) if included else {package[0]} if package else set()
        return found

    assert asked(name) <= PINS[name].keys()


@pytest.mark.parametrize("name", lock.LOCKS)
def test_a_lock_names_its_session_but_no_host_and_no_folder(name: str) -> None:
    assert TEXTS[name].splitlines()[1] == "#    nox -s lock"
    assert re.findall(r"\S*://\S*|--(?:index|extra|find)\S*|\s/\S*", TEXTS[name]) == []


def test_a_package_has_the_same_version_in_every_lock() -> None:
    versions: dict[str, set[str]] = {}
    for pins in (pins for name, pins in PINS.items() if name not in lock.APART):
        for package, version in pins.items():
            versions.setdefault(package, set()).add(version)
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}


def test_the_payload_is_the_same_for_every_python() -> None:
    assert [line for line in TEXTS["payload"].splitlines() if ";" in line and not line.lstrip().startswith("#")] == []


def test_the_payload_has_neither_protobuf_nor_another_exporter_for_otlp() -> None:
    assert [
        each for each in PINS["payload"] if re.match("opentelemetry-exporter-otlp|protobuf|grpcio|requests", each)
    ] == []


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("payload", "opentelemetry-distro"),
        ("payload", "opentelemetry-instrumentation-flask"),
        ("tests", "opentelemetry-exporter-otlp"),
        ("tests", "docker"),
        ("tests", "pytest"),
        ("tests", "testcontainers"),
        ("tools", "nox"),
    ],
)
def test_what_the_project_is_made_of_is_locked(name: str, package: str) -> None:
    assert package in PINS[name]


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeWheel:
    """Puts packages into the only place that uv may take them from."""
    place = tmp_path / "wheels"
    place.mkdir()
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(place))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))

    def make(name: str, version: str, python: str = ">=3.10", tag: str = "py3-none-any") -> None:
        info = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(place / f"{name}-{version}-{tag}.whl", "w") as archive:
            archive.writestr(
                f"{info}/METADATA",
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {python}\n",
            )
            archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
            archive.writestr(f"{info}/RECORD", "")

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A requirements/ in which every lock is asked for the package alpha, and tests for beta."""
    folder = tmp_path / "requirements"
    folder.mkdir()
    for name in lock.LOCKS:
        (folder / f"{name}.in").write_text("alpha\nbeta\n" if name == "tests" else "alpha\n")
    return folder


def test_locking_says_what_changed(folder: Path, wheel: MakeWheel, capsys: pytest.CaptureFixture[str]) -> None:
    wheel("alpha", "1.0")
    wheel("beta", "1.0")
    lock.lock(folder)
    wheel("beta", "1.1")
    capsys.readouterr()
    lock.lock(folder)
    assert capsys.readouterr().out.splitlines()[-1] == "beta 1.0 -> 1.1 (tests)"
    assert lock.pins((folder / "tests.txt").read_text()) == {"alpha": "1.0", "beta": "1.1"}
    assert sorted(each.name for each in folder.parent.iterdir()) == ["cache", "requirements", "wheels"]


def test_a_release_for_newer_pythons_only_is_not_taken(folder: Path, wheel: MakeWheel) -> None:
    wheel("alpha", "1.0")
    wheel("alpha", "2.0", python=">=3.11")
    wheel("beta", "1.0")
    lock.lock(folder)
    assert lock.pins((folder / "payload.txt").read_text()) == {"alpha": "1.0"}


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("", "tests.in does not resolve"),
        ("cp310-cp310-manylinux_2_28_x86_64", "tests.txt cannot be installed on Python 3.14"),
    ],
)
def test_a_failing_resolution_leaves_the_old_locks(folder: Path, wheel: MakeWheel, tag: str, message: str) -> None:
    wheel("alpha", "1.0")
    if tag:
        wheel("beta", "1.0", tag=tag)
    (folder / "payload.txt").write_text("old")
    with pytest.raises(UserError, match=message) as failure:
        lock.lock(folder)
    assert "\n" not in str(failure.value)
    assert [each.read_text() for each in folder.glob("*.txt")] == ["old"]


@pytest.fixture
def pip_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one file that pip reads its settings from."""
    for name in (
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS",
        "PIP_NO_INDEX",
        "PIP_CERT",
        "PIP_TRUSTED_HOST",
    ):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "pip.conf"
    path.write_text("")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
    return path


def test_uv_asks_the_index_of_pips_file(pip_conf: Path) -> None:
    pip_conf.write_text("[global]\nindex-url = http://a\nextra-index-url =\n  http://b\n  http://c\n")
    asked = for_uv({})
    assert (asked["UV_DEFAULT_INDEX"], asked["UV_INDEX"]) == ("http://a", "http://b http://c")


def test_pips_variables_come_before_its_files(pip_conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_conf.write_text("[global]\nindex-url = http://a\n[install]\nindex-url = http://b\n")
    assert for_uv({})["UV_DEFAULT_INDEX"] == "http://b"
    monkeypatch.setenv("PIP_INDEX_URL", "http://c")
    assert for_uv({})["UV_DEFAULT_INDEX"] == "http://c"


@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_an_index_set_for_uv_stays(pip_conf: Path, variable: str) -> None:
    pip_conf.write_text("[global]\nindex-url = http://a\n")
    assert "UV_DEFAULT_INDEX" not in for_uv({variable: "http://b"})


def test_uv_trusts_what_pip_trusts(pip_conf: Path) -> None:
    pip_conf.write_text("[global]\ncert = /ca.pem\ntrusted-host = a b\n")
    asked = for_uv({})
    assert (asked["SSL_CERT_FILE"], asked["UV_INSECURE_HOST"]) == ("/ca.pem", "a b")
    assert "SSL_CERT_FILE" not in for_uv({"SSL_CERT_FILE": "/other.pem"})


def test_uv_looks_into_pips_folders_that_are_there(pip_conf: Path, tmp_path: Path) -> None:
    pip_conf.write_text(f"[global]\nno-index = yes\nfind-links =\n  {tmp_path}\n  {tmp_path}/missing\n")
    asked = for_uv({})
    assert (asked["UV_FIND_LINKS"], asked["UV_NO_INDEX"]) == (str(tmp_path), "1")
