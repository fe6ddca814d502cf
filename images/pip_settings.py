"""Hands the user's pip settings on to uv, which does not read them: which index, which certificates."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def for_uv(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to add to the environment so that uv asks the same indexes as pip would.

    pip itself says what stands in its variables and files. What the user has set for uv is left alone, an index in
    either of its variables' names included.
    """
    configured = _configured()
    urls = {"index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"), "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL")}
    added = {}
    for option, names in urls.items():
        if option in configured and not any(environ.get(name) for name in names):
            added[names[0]] = " ".join(configured[option].split())
    if "UV_INDEX" in added:
        added["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip, which prefers no index
    # uv ends where one of these folders is missing, pip goes on
    links = [each for each in configured.get("find-links", "").split() if "://" in each or Path(each).is_dir()]
    if links:
        added["UV_FIND_LINKS"] = ",".join(links)
    if configured.get("no-index", "").lower() in {"1", "y", "yes", "true", "on", "t"}:
        added["UV_NO_INDEX"] = "1"
    if "trusted-host" in configured:
        added["UV_INSECURE_HOST"] = " ".join(configured["trusted-host"].split())
    if "cert" in configured:
        added["SSL_CERT_FILE"] = configured["cert"]
    return {name: value for name, value in added.items() if not environ.get(name)}


def _configured() -> dict[str, str]:
    """Return pip's options for installing: variables before the section ``install`` before ``global``."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line.partition("=") for line in done.stdout.splitlines() if "=" in line]
    found = {}
    for section in ("global.", "install.", ":env:."):
        for key, _, value in lines:
            if key.startswith(section) and ast.literal_eval(value):
                found[key.removeprefix(section)] = str(ast.literal_eval(value))
    return found
