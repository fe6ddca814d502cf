"""Processors of one's own, from a clean clone to the span: what docs/processors.md says, done."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from images.paths import ROOT
from tests.injection import pythons
from tests.injection.running import Runner
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

Build = Callable[[], Path]

_BUILD = """
import sys
from pathlib import Path
from images import assemble
from images.errors import UserError
tree = Path("dist-own")
try:
    assemble._fill(tree, assemble._install_payload())
except UserError as error:
    sys.exit(f"error: {error}")
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    shutil.copytree(folder / "extensions" / "template", folder / "extensions" / "own")
    return folder


def _build(clone: Path) -> subprocess.CompletedProcess[str]:
    """Assemble the tree of the clone, without byte code."""
    return subprocess.run([sys.executable, "-c", _BUILD], cwd=clone, capture_output=True, text=True, check=False)


def test_the_template_works_from_a_clean_clone_to_the_span(clone: Path, tmp_path: Path) -> None:
    own = clone / "extensions" / "own"
    lock = (ROOT / "requirements" / "apps.txt").read_text()
    (own / "requirements.txt").write_text(re.findall(r"(?m)^idna==.*\n(?:    --hash.*\n)+", lock)[0])
    source = (own / "shop_processors.py").read_text().replace("import os\n", "import idna\nimport os\n")
    source = source.replace('"shop.tenant": tenant', '"shop.tenant": tenant, "library": idna.encode.__module__')
    (own / "shop_processors.py").write_text(source)
    done = _build(clone)
    assert done.returncode == 0, done.stderr
    with Receiver() as receiver:
        python = pythons.apps_environment(Path(sys.executable)) / "bin" / "python"
        runner = Runner(python, clone / "dist-own", receiver.endpoint, tmp_path / "app")
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
        assert span.attributes["shop.tenant"] == "acme"
        assert span.attributes["library"] == "otel_injection._vendor.idna.core"
        assert [each.body for each in receiver.logs] == ["but this"]
        points = receiver.latest_points("http.server.duration")
        assert points
        assert not [each for each in points if "net.host.port" in each.attributes]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("flask.py", "", "error: extensions/own holds 'flask', a name that is taken"),
        ("shop_processors.py", "import numpy", "error: the payload imports 'numpy', which no table names"),
    ],
)
def test_what_does_not_fit_fails_the_build_in_one_line(clone: Path, name: str, text: str, message: str) -> None:
    (clone / "extensions" / "own" / name).write_text(text)
    done = _build(clone)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
