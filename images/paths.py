"""Where things lie: in the repository, in the cache, in the image."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
TREE = DIST / "tree"
"""The assembled payload, the same for every platform."""
ARCHIVE = DIST / "image.oci.tar"

IMAGE_TREE = "/autoinstrumentation"
"""Where the operator's init container finds the payload."""
IMAGE_TREE_MUSL = "/autoinstrumentation-musl"
"""Where it looks in pods annotated ``otel-python-platform: musl``: a symlink to the same tree."""


def cache(*parts: str) -> Path:
    """Return (and make) a folder of the cache that all clones share.

    ``AUTOINSTRUMENTATION_CACHE`` names it; by default it is in ``XDG_CACHE_HOME``. Everything in it can be deleted at
    any time. Whoever writes there writes under a temporary name and renames, since two builds may run at once.
    """
    base = os.environ.get("AUTOINSTRUMENTATION_CACHE")
    root = (
        Path(base)
        if base
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autoinstrumentation-python"
    )
    folder = root.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
