"""The platforms that the image is built for. One more is one more line here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Platform:
    """One platform of the multi-platform image.

    ``os``, ``architecture`` and ``variant`` are the OCI image specification's (Go's names); ``zig`` is the target that
    the static ``cp`` is compiled for.
    """

    os: str
    architecture: str
    zig: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


PLATFORMS = (
    Platform("linux", "amd64", "x86_64-linux-musl"),
    Platform("linux", "arm64", "aarch64-linux-musl"),
)
