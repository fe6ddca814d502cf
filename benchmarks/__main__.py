"""The benchmarks' command line: ``python -m benchmarks [quick]``; people call it as ``./build.sh bench [quick]``."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import encoder, leaving, report, serving, startup, throttle, trees
from benchmarks.figures import Figure
from benchmarks.serving import Load
from images.console import say, step
from images.errors import UserError
from images.paths import ROOT
from tests.injection import pythons

_NOBODY_LISTENS = "http://127.0.0.1:9"
_CAP_DAC_OVERRIDE, _PR_CAPBSET_DROP = 1, 24


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    starts: int
    pythons: Sequence[str]
    load: Load
    every_setting: bool
    copies: int
    throttled: int
    """Rounds of a start with a tenth of a processor, which takes upstream's ten seconds."""
    ends: int
    """Rounds of a process that ends, which takes upstream's half a minute."""


FULL = Extent(
    9, ("3.11", "3.13", "3.14"), Load(6, 500, idle_seconds=20.0), every_setting=True, copies=5, throttled=1, ends=3
)
QUICK = Extent(7, ("3.13",), Load(5, 400), every_setting=False, copies=3, throttled=1, ends=1)


def main(arguments: Sequence[str]) -> int:
    """Measure, write the results and return the exit status: 1 where a goal is missed."""
    if list(arguments) not in ([], ["quick"]):
        print("error: the call is: ./build.sh bench [quick]", file=sys.stderr)
        return 1
    quick, load = bool(arguments), os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            Path(name).chmod(0o755)
            built = _rebuild()
            both = trees.prepare(Path(name))
            _obey_modes()
            try:
                figures = [built, *_measure(QUICK if quick else FULL, both, Path(name))]
            finally:
                for tree in both:
                    trees.discard(tree)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    about = {"machine": report.machine(), "date": time.strftime("%Y-%m-%d", time.gmtime()), "commit": _commit()}
    about["load when it began"] = f"{load:.1f} processes on {os.cpu_count()} processors"
    if quick:
        say(report.table(figures, about))
    else:
        say(f"written to {report.write(figures, about).relative_to(ROOT)}")
    missed = [each for each in figures if each.missed]
    for each in missed:
        low, high = each.quartiles("ours")
        print(
            f"error: {each.name}: {each.median('ours'):.3g} {each.unit} [{low:.3g}, {high:.3g}], the goal is "
            f"{each.goal:g}"
            + (f" (upstream's image: {each.median('upstream'):.3g})" if each.samples["upstream"] else ""),
            file=sys.stderr,
        )
    return 1 if missed else 0


def _measure(extent: Extent, both: tuple[trees.Tree, trees.Tree], folder: Path) -> Iterator[Figure]:
    variants: Mapping[str, trees.Tree | None] = {"none": None, "upstream": both[0], "ours": both[1]}
    with step("image: size and init copy"):
        yield from _image(both, folder, extent.copies)
    with step("encoder"):
        yield from encoder.measure()
    found = {pythons.version(each): each for each in pythons.find()}
    chosen = [each for each in extent.pythons if each in found] or [max(found, key=lambda each: int(each[2:]))]
    with serving.collector() as endpoint:
        for version in chosen:
            with step(f"start-up and memory, Python {version}"):
                yield from startup.measure(found[version], version, variants, endpoint, extent.starts, folder)
        with throttle.tenth_of_a_processor() as limit:
            if limit is None:
                say("start-up with 0.1 CPU is not measured: this host has no control groups that may be made")
            else:
                with step(f"start-up with 0.1 CPU, Python {version}"):
                    yield from startup.measure(
                        found[version], version, variants, endpoint, extent.throttled, folder, limit
                    )
        with step("end of a process without a collector"):
            yield from leaving.measure(found[version], version, variants, folder, extent.ends)
        python = pythons.apps_environment(found[version], "frameworks") / "bin" / "python"
        yield from _requests(extent, python, version, variants, endpoint)


def _requests(
    extent: Extent, python: Path, version: str, variants: Mapping[str, trees.Tree | None], endpoint: str
) -> Iterator[Figure]:
    sampled = "parentbased_traceidratio"
    settings: list[tuple[str, str, str, float | None]] = [("all sampled", endpoint, "1", 50.0)]
    if extent.every_setting:
        settings += [
            ("10 % sampled", endpoint, "0.1", None),
            ("none sampled", endpoint, "0", None),
            ("no collector", _NOBODY_LISTENS, "1", None),
        ]
    for framework in serving.COMMANDS:
        for name, where, ratio, goal in settings:
            about = f"{framework}, {name}, {version}"
            more = {"OTEL_TRACES_SAMPLER": sampled, "OTEL_TRACES_SAMPLER_ARG": ratio}
            limit = goal if framework == "Flask" else None
            with step(f"requests: {about}"):
                yield from serving.measure(framework, about, python, variants, where, extent.load, more, limit)


def _image(both: tuple[trees.Tree, trees.Tree], folder: Path, copies: int) -> Iterator[Figure]:
    figures = (
        Figure("files", "", added=False),
        Figure("size, unpacked", "MB", 20.0, added=False),
        Figure("size, compressed", "MB", 8.0, added=False),
        Figure("init copy", "ms", 60.0, added=False),
    )
    for tree in both:
        files, unpacked, compressed = trees.size(tree)
        for figure, value in zip(figures, (files, unpacked / 1e6, compressed / 1e6), strict=False):
            figure.samples[tree.name].append(value)
    for number in range(-1, copies):
        for tree in both:
            taken = trees.copy_seconds(tree, folder) * 1000
            if number >= 0:
                figures[-1].samples[tree.name].append(taken)
    yield from figures


def _rebuild() -> Figure:
    """Build the image once more, for every platform; nothing has changed since the last time."""
    figure = Figure("build of all platforms, from a warm cache", "s", 10.0, added=False)
    with step("build once more"):
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "images", "build"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(f"the build failed: {' '.join(done.stderr.split())[-300:]}")
        figure.samples["ours"].append(time.monotonic() - began)
    return figure


def _obey_modes() -> None:
    """Give up, for what is started from here on, root's right to write where the modes do not allow it."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0)


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
