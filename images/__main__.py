"""The build's command line: ``python -m images build | push REFERENCE``. People call it through ``build.sh``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress

from images.console import say, step
from images.engine.docker import engine
from images.errors import UserError
from images.image import oci
from images.image.platforms import PLATFORMS
from images.image.static_cp import compile_cp
from images.paths import ROOT
from images.payload import assemble
from images.publish.push import push


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m images", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="assemble the payload and pack dist/image.oci.tar")
    pushing = commands.add_parser("push", help="push the built image and print an Instrumentation resource")
    pushing.add_argument("reference", metavar="REGISTRY/NAME:TAG")
    options = parser.parse_args(arguments)
    try:
        if options.command == "push":
            with _engine_environment() as environment:
                push(options.reference, environment)
        else:
            build()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return 130
    return 0


def build() -> oci.Packed:
    """Assemble the tree, compile what goes beside it, pack the archive and say what was made."""
    began = time.monotonic()
    tree = assemble.assemble()
    binaries = {}
    for platform in PLATFORMS:
        with step(f"compile the static cp for {platform}"):
            binaries[platform] = compile_cp(platform)
    with step("pack the image"):
        packed = oci.write_archive(tree, binaries)
    say("")
    say(f"built {packed.archive.relative_to(ROOT)} in {time.monotonic() - began:.0f} s")
    say(f"  digest     {packed.digest}")
    for each in packed.platforms:
        sizes = f"{each.compressed / 1e6:.1f} MB compressed, {each.uncompressed / 1e6:.1f} MB unpacked"
        say(f"  {each.platform!s:<12}{sizes}")
    say("next:")
    say("  ./build.sh demo                          see an injected app's traces in the terminal, no engine needed")
    say("  ./build.sh test                          run every test, containers included")
    say("  ./build.sh push REGISTRY/NAME:TAG        publish it; prints the Instrumentation resource to apply")
    return packed


@contextmanager
def _engine_environment() -> Iterator[Mapping[str, str]]:
    """Give the environment of the container tools: the person's own, or a private engine's where there are none."""
    with ExitStack() as stack:
        environment: Mapping[str, str] = os.environ
        if not (shutil.which("docker") or shutil.which("skopeo")):
            with suppress(UserError), redirect_stdout(sys.stderr):  # push says what to install
                environment = {**os.environ, **stack.enter_context(engine()).env}
        yield environment


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
