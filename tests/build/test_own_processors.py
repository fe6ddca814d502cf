"""Processors of one's own, from a clean clone to the span: what docs/processors.md says, done."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from images.paths import ROOT
from tests.injection import pythons
from tests.injection.running import Runner
from tests.layout import Layout
from tests.receiver import Receiver

APP = """
import logging, sys
assert "shop_processors" not in sys.modules
from http.server import BaseHTTPRequestHandler
from flask import Flask
app = Flask("shop")
app.add_url_rule("/<tenant>/x", view_func=lambda tenant: tenant)
client = app.test_client()
for tenant in ("acme", "none"):
    client.get(f"/{tenant}/x")
logging.getLogger().setLevel(logging.DEBUG)
logging.getLogger("shop").debug("not this")
logging.getLogger("shop").warning("but this")
try:
    import shop_processors
except ImportError:
    print("the app sees nothing of it")
"""

_BUILD = """
import sys
from pathlib import Path
from images.payload import assemble
from images.errors import UserError
tree = Path("dist-own")
try:
    assemble._fill(tree, assemble._install_payload())
except UserError as error:
    sys.exit(f"error: {error}")
"""


PACKAGE = """
try:
    import numpy.linalg
except ImportError:
    numpy = None
"""

NAMES = '''
"""Texts of a data file, and what else own code may use that the payload's must not."""

import os
import random
import warnings
from os import getenv
from pathlib import Path

import cachetools

import shop_tenants

assert __doc__
assert dict(os.environ)["PATH"] == getenv("PATH")
assert random.choice([7]) == random.Random(1).choice([7])
warnings.formatwarning
_known = dict(line.split("=") for line in Path(__file__).with_name("names.txt").read_text().splitlines())
_cache = cachetools.LRUCache(2)


def full(tenant):
    """Return the name of a tenant."""
    _cache[tenant] = _known[tenant]
    numpy = "numpy" if shop_tenants.numpy else "no numpy"
    return f"{_cache[tenant]} ({cachetools.LRUCache.__module__}, {numpy}, {len(_cache)})"
'''


def _locked(name: str) -> str:
    """Return a requirement as another lock has it."""
    lock = (ROOT / "requirements" / "apps.txt").read_text()
    return str(re.findall(rf"(?m)^{name}==.*\n(?:    --hash.*\n)+", lock)[0])


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    shutil.copytree(folder / "extensions" / "template", folder / "extensions" / "own")
    return folder


def _build(clone: Path) -> subprocess.CompletedProcess[str]:
    """Assemble the tree of the clone, without byte code."""
    return subprocess.run([sys.executable, "-c", _BUILD], cwd=clone, capture_output=True, text=True, check=False)


def _build_sh(clone: Path, *arguments: str) -> None:
    done = subprocess.run([clone / "build.sh", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _unpack(clone: Path, folder: Path) -> Path:
    """Return what the init container would copy from the image that was built."""
    image = Layout(clone / "dist" / "image.oci.tar").images()["linux/amd64"]
    for name, entry in image.files.items():
        if name.startswith("autoinstrumentation/") and entry.kind == tarfile.REGTYPE:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(entry.content)
    return folder / "autoinstrumentation"


def test_the_worked_example_goes_from_a_clean_clone_to_the_span(clone: Path, tmp_path: Path) -> None:
    """By the commands of docs/processors.md: with a requirement, a package with data, and an optional import."""
    own = clone / "extensions" / "own"
    (own / "requirements.in").write_text("cachetools<8\n")
    (own / "shop_tenants").mkdir()
    (own / "shop_tenants" / "names.txt").write_text("acme=ACME Ltd\n")
    (own / "shop_tenants" / "__init__.py").write_text(PACKAGE)
    source = (own / "shop_processors.py").read_text().replace("import os\n", "import os\nimport shop_tenants.names\n")
    source = source.replace('"shop.tenant": tenant', '"shop.tenant": shop_tenants.names.full(tenant)')
    (own / "shop_processors.py").write_text(source)
    (own / "shop_tenants" / "names.py").write_text(NAMES)
    _build_sh(clone, "lock", "own")
    _build_sh(clone)
    mount = _unpack(clone, tmp_path)
    for path in ("shop_processors.py", "shop_tenants/names.py", "cachetools/__init__.py"):
        (mount / "otel_injection/_vendor" / path).unlink()  # so that their byte code counts
    with Receiver() as receiver:
        python = pythons.apps_environment(pythons.find()[-1]) / "bin" / "python"
        runner = Runner(python, mount, receiver.endpoint, tmp_path / "app")
        ended = runner.run(
            APP,
            env={
                "OTEL_INJECTION_SPAN_PROCESSORS": "name_tenants",
                "OTEL_INJECTION_LOG_PROCESSORS": "no_debug",
                "OTEL_INJECTION_METRIC_PROCESSORS": "no_ports",
                "SHOP_IGNORED_TENANT": "none",
            },
        )
        assert (ended.status, ended.stdout, ended.lines) == (0, "the app sees nothing of it\n", [])
        (span,) = receiver.spans
        assert span.attributes["shop.tenant"] == "ACME Ltd (otel_injection._vendor.cachetools, no numpy, 1)"
        assert [each.body for each in receiver.logs] == ["but this"]
        points = receiver.latest_points("http.server.duration")
        assert points
        assert not [each for each in points if "net.host.port" in each.attributes]
        assert receiver.sum_count("otel_injection.processor.span.dropped") == 1
        assert receiver.sum_count("otel_injection.processor.log.dropped") == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("flask.py", "", "error: extensions/own holds 'flask', a name that is taken"),
        (
            "shop_processors.py",
            "import numpy.linalg",
            "error: extensions/own/shop_processors.py imports 'numpy.linalg', which is neither in the payload nor in ",
        ),
        (
            "requirements.in",
            "cachetools",
            "error: extensions/own/requirements.in has no lock beside it: run ./build.sh lock own",
        ),
        (
            "requirements.txt",
            _locked("markupsafe"),
            "error: extensions/own requires MarkupSafe, which is compiled code",
        ),
        (
            "requirements.txt",
            "packaging==24.0 --hash=sha256:2ddfb553fdf02fb784c234c7ba6ccc288296ceabec964ad2eae3777778130bc5",
            "error: extensions/own/requirements.txt wants packaging 24.0, the payload has ",
        ),
    ],
)
def test_what_does_not_fit_fails_the_build_in_one_line(clone: Path, name: str, text: str, message: str) -> None:
    (clone / "extensions" / "own" / name).write_text(text)
    done = _build(clone)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
