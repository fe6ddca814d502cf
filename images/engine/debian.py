"""Files of Debian packages in a private folder: tools and root file systems, with nothing installed on the machine.

apt resolves, verifies and downloads, with state, cache and configuration of its own; ``dpkg-deb`` and ``tar`` unpack.
No maintainer script runs: what those would make (``/etc/passwd``, the CA bundle, byte code) is up to the caller.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from images import console, paths
from images.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STABLE = {"bullseye", "bookworm", "trixie", "forky", "duke", "oldoldstable", "oldstable", "stable"}
_RELEASES = _STABLE | {"testing", "unstable", "sid"}
"""Names under which a machine's apt configuration can ask for Debian itself, as against a vendor's repository."""
_KEYRINGS = tuple(Path("/usr/share/keyrings", f"debian-archive-keyring.{suffix}") for suffix in ("gpg", "pgp"))
_MERGED = ("bin", "sbin", "lib", "lib64")
"""Links into ``/usr`` that the installer makes and up to bookworm no package contains."""


def unpack(suite: str, packages: Sequence[str], *, closure: bool, architecture: str = "") -> Path:
    """Return a folder of the cache with the files of these packages of a Debian suite; nobody may write into it.

    With ``closure`` everything that they depend on is there too, down to the C library: a root file system, if the
    packages say so. Without it only the named ones are. A folder once made is used for as long as the cache lasts.
    The architecture is the machine's, unless it is named (in Debian's words).

    Raises ``UserError`` where apt, its Debian mirror or the keyring is missing, or the download fails.
    """
    architecture = architecture or _run(["dpkg", "--print-architecture"]).strip()
    content = "\n".join((*sorted(packages), str(closure)))
    name = f"{suite}-{architecture}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    folder = paths.cache("debian") / name
    if folder.is_dir():
        return folder
    with _apt(suite, architecture) as apt:
        if folder.is_dir():  # made by somebody else while this waited for the lock
            return folder
        with console.step(f"unpacking {packages[0]} from Debian {suite}"):
            archives = _download(apt, packages, closure=closure)
            temporary = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
            try:
                _extract(archives, temporary)
                temporary.chmod(0o755)
                temporary.rename(folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return folder


def available() -> bool:
    """Say whether this machine can download packages of Debian."""
    try:
        _mirror(), _keyring()
    except UserError:
        return False
    return True


@contextmanager
def _apt(suite: str, architecture: str) -> Iterator[Path]:
    """Give the folder of an apt that knows this suite only, to one process at a time."""
    mirror, keyring = _mirror(), _keyring()
    folder = paths.cache("debian", ".apt", f"{suite}-{architecture}")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for part in ("lists/partial", "archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(f"deb [arch={architecture} signed-by={keyring}] {mirror} {suite} main\n")
        configuration = folder / "apt.conf"
        configuration.touch(mode=0o600)  # a proxy's password can be in it
        configuration.write_text(f"""{_transport()}
            Acquire::Languages "none";
            Acquire::Check-Valid-Until "false";
            APT::Architecture "{architecture}";
            APT::Architectures {{ "{architecture}"; }};
            APT::Install-Recommends "false";
            APT::Sandbox::User "root";
            APT::Update::Error-Mode "any";
            Dir::State "{folder}";
            Dir::State::status "{folder}/status";
            Dir::Cache "{folder}";
            Dir::Etc::main "/dev/null";
            Dir::Etc::parts "/dev/null";
            Dir::Etc::preferences "/dev/null";
            Dir::Etc::preferencesparts "/dev/null";
            Dir::Etc::sourcelist "{folder}/sources.list";
            Dir::Etc::sourceparts "/dev/null";
        """)
        try:
            yield folder
        finally:
            shutil.rmtree(folder / "archives")


def _transport() -> str:
    """Return how this machine's apt reaches its mirror: proxies, certificates; but not its hooks."""
    lines = _run(["apt-config", "dump", "Acquire"]).splitlines()
    return "\n".join(line for line in lines if "::IndexTargets" not in line and "::Languages" not in line)


def _download(apt: Path, packages: Sequence[str], *, closure: bool) -> list[Path]:
    archives = apt / "archives"
    environment = {**os.environ, "APT_CONFIG": str(apt / "apt.conf")}
    _run(["apt-get", "--quiet", "update"], env=environment)
    if closure:
        _run(["apt-get", "--quiet", "--yes", "--download-only", "install", *packages], env=environment)
    else:
        _run(["apt-get", "--quiet", "download", *packages], env=environment, cwd=archives)
    return sorted(archives.glob("*.deb"))


def _extract(archives: Sequence[Path], folder: Path) -> None:
    for name in _MERGED:
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    for archive in archives:
        # not dpkg-deb --extract: that replaces the links by folders
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as reader:
            _run(["tar", "--extract", "--keep-directory-symlink", "--directory", str(folder)], stdin=reader.stdout)


def _mirror() -> str:
    """Return the address under which this machine's apt finds Debian, in whichever format it is configured."""
    columns = ["$(REPO_URI)", "$(RELEASE)", "$(COMPONENT)"]
    rows = _run(
        ["apt-get", "indextargets", "--no-release-info", "--format", " ".join(columns), "Created-By: Packages"]
    ).splitlines()
    for address, release, component in (row.split() for row in rows if len(row.split()) == len(columns)):
        if release in _RELEASES and component == "main":
            return address
    raise UserError("apt has no Debian mirror in /etc/apt/sources.list*: install Docker with buildx instead")


def _keyring() -> Path:
    for keyring in _KEYRINGS:
        if keyring.exists():
            return keyring
    raise UserError(f"{_KEYRINGS[0]} is missing: install debian-archive-keyring, or Docker with buildx instead")


def _run(
    command: Sequence[str],
    *,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    stdin: IO[bytes] | None = None,
) -> str:
    try:
        done = subprocess.run(command, env=env, cwd=cwd, stdin=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(
            f"{command[0]} is missing: this works on Debian only; install Docker with buildx instead"
        ) from None
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        told = next((line for line in lines if line.startswith("E: ")), lines[-1]).removeprefix("E: ")
        raise UserError(f"{' '.join(command[:2])} failed: {told} (check the network and /etc/apt, then try again)")
    return done.stdout
