"""The name under which an image is pushed: ``REGISTRY/NAME:TAG``."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from images.errors import UserError

# The grammar of github.com/distribution/reference, which registries and engines go by.
_REGISTRY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LONGEST_NAME = 255


@dataclass(frozen=True)
class Reference:
    """A reference in its parts; ``registry`` has the port, if one was given."""

    registry: str
    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"

    @property
    def name(self) -> str:
        """Registry and repository, what a tag or a digest is appended to."""
        return f"{self.registry}/{self.repository}"

    @property
    def loopback(self) -> bool:
        """Whether the registry is on this machine, where plain HTTP is customary."""
        host = re.sub(r":[0-9]+$", "", self.registry).strip("[]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def parse(text: str) -> Reference:
    """Take a reference apart. Raises ``UserError`` that says what is wrong with it.

    The registry must be named: engines take ``team/name`` to be on Docker Hub, which is rarely meant inside a company.
    """
    registry, _, rest = text.partition("/")
    repository, _, tag = rest.partition(":")
    wrong = None
    if "://" in text:
        wrong = f"leave out {text.partition('://')[0]}://"
    elif "@" in text:
        wrong = "it has an @; give a tag, the digest is what the registry answers"
    elif not rest or not (set(".:") & set(registry) or registry == "localhost"):
        wrong = "it names no registry (for Docker Hub write docker.io/...)"
    elif not _REGISTRY.fullmatch(registry):
        wrong = f"{registry!r} is not a host name with or without a port"
    elif not tag:
        wrong = "it has no tag"
    elif not _TAG.fullmatch(tag):
        wrong = f"the tag {tag!r} is not 1-128 letters, digits, '_', '.', '-' that begin with none of the last two"
    elif repository != repository.lower():
        wrong = f"the name {repository!r} must be lower case"
    elif not _REPOSITORY.fullmatch(repository) or len(f"{registry}/{repository}") > _LONGEST_NAME:
        wrong = f"{repository!r} is not a repository's name"
    if wrong:
        raise UserError(f"cannot push to {text!r}: {wrong}; it is REGISTRY/NAME:TAG")
    return Reference(registry, repository, tag)
