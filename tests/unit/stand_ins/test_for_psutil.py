"""``for_psutil`` returns the same as ``psutil`` for all that OpenTelemetry asks."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from images.paths import ROOT
from otel_injection.stand_ins import for_psutil

psutil: Any = importlib.import_module("psutil")
needs_root = pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("mount"), reason="namespaces and other users need root, and the program mount"
)


def run(script: str, path: str = "") -> str:
    """Run a script with our package in a new interpreter; it may not print to stderr."""
    return execute(sys.executable, "-W", "error", "-c", script, path=path)


def in_namespace(options: str, shell: str, script: str) -> str:
    """Run a script where a shell command has changed what ``/proc`` shows."""
    python = shlex.join([sys.executable, "-W", "error", "-c", script])
    return execute("unshare", *options.split(), "sh", "-c", f"{shell} && exec {python}")


def execute(*command: str, path: str = "") -> str:
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{ROOT / 'extensions'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def assert_near(ours: Any, theirs: Any, **tolerances: float) -> None:
    """Compare two named tuples by fields, each within an absolute tolerance (0 unless given)."""
    assert ours._fields == theirs._fields
    assert type(ours).__name__ == type(theirs).__name__
    for field in ours._fields:
        tolerance = tolerances.get(field, tolerances.get("others", 0))
        assert getattr(ours, field) == pytest.approx(getattr(theirs, field), abs=tolerance, rel=0), field


def test_cpu_times_are_psutils() -> None:
    """The sum and each CPU's, in seconds, within what passes between two calls."""
    assert_near(for_psutil.cpu_times(), psutil.cpu_times(), others=2)
    ours, theirs = for_psutil.cpu_times(percpu=True), psutil.cpu_times(percpu=True)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert_near(one, other, others=1)
    assert for_psutil.cpu_count() == psutil.cpu_count()


def test_cpu_percentages_are_psutils() -> None:
    """Between the same two moments both see the same shares, for the system and for each CPU."""
    for percpu in (False, True):
        for_psutil.cpu_times_percent(percpu=percpu)
        psutil.cpu_times_percent(percpu=percpu)
    time.sleep(1.5)
    assert_near(for_psutil.cpu_times_percent(), psutil.cpu_times_percent(), others=4)
    for ours, theirs in zip(for_psutil.cpu_times_percent(True), psutil.cpu_times_percent(percpu=True), strict=True):
        assert_near(ours, theirs, others=4)
        assert sum(ours) == pytest.approx(100, abs=1)


def test_the_first_cpu_percentages_are_zero() -> None:
    """As psutil's in a thread that never asked: there is nothing to compare with."""
    out = run(
        "from otel_injection.stand_ins import for_psutil as procfs; "
        "print(sum(map(sum, procfs.cpu_times_percent(percpu=True))))"
    )
    assert float(out) == 0


def test_memory_is_psutils() -> None:
    """Totals exactly, the rest within what other processes may take meanwhile."""
    for _ in range(5):
        ours, theirs = for_psutil.virtual_memory(), psutil.virtual_memory()
        if abs(ours.free - theirs.free) < 50e6:
            break
    assert_near(ours, theirs, total=0, percent=1, others=100e6)
    assert_near(for_psutil.swap_memory(), psutil.swap_memory(), total=0, percent=1, others=50e6)


def test_disk_counters_are_psutils() -> None:
    """By disk and partition, and all disks together."""
    ours, theirs = for_psutil.disk_io_counters(perdisk=True), psutil.disk_io_counters(perdisk=True)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert_near(ours[name], theirs[name], read_bytes=100e6, write_bytes=100e6, others=20_000)
    assert_near(
        for_psutil.disk_io_counters(), psutil.disk_io_counters(), read_bytes=100e6, write_bytes=100e6, others=20_000
    )


def test_network_counters_are_psutils() -> None:
    """By interface, and all interfaces together."""
    ours, theirs = for_psutil.net_io_counters(pernic=True), psutil.net_io_counters(pernic=True)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert_near(ours[name], theirs[name], bytes_sent=50e6, bytes_recv=50e6, others=50_000)
    assert_near(for_psutil.net_io_counters(), psutil.net_io_counters(), bytes_sent=50e6, bytes_recv=50e6, others=50_000)


@pytest.fixture
def addresses() -> Iterator[set[object]]:
    """Sockets of every kind that is counted; gives the addresses they have, and the empty one."""
    with ExitStack() as stack:

        def opened(family: int, kind: int) -> socket.socket:
            return stack.enter_context(socket.socket(family, kind))

        found = []
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            listening, client, datagram = (
                opened(family, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)
            )
            listening.bind((host, 0))
            listening.listen()
            client.connect(listening.getsockname())
            accepted = stack.enter_context(listening.accept()[0])
            datagram.bind((host, 0))
            datagram.connect(datagram.getsockname())
            found += [listening, client, datagram, accepted]
        yield {(), *(each.getsockname()[:2] for each in found)}


def test_connections_are_psutils(addresses: set[object]) -> None:
    """Families, types, addresses and states of both IP versions; the owner is left out, as for foreign processes."""

    def mine(connections: Any) -> Counter[Any]:
        return Counter(
            (each.family, each.type, each.type.value, each.laddr, each.raddr, each.status)
            for each in connections
            if each.laddr and each.laddr in addresses and each.raddr in addresses
        )

    ours = for_psutil.net_connections()
    assert mine(ours) == mine(psutil.net_connections())
    assert mine(ours).total() == 8
    assert ours[0]._fields == psutil.net_connections()[0]._fields
    assert {(each.fd, each.pid) for each in ours} == {(-1, None)}


def test_a_process_is_psutils() -> None:
    """CPU times, sizes, threads, descriptors, switches, counters and user of this process and of a child."""
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            for pid in (None, child.pid):
                ours, theirs = for_psutil.Process(pid), psutil.Process(pid)
                assert ours.pid == theirs.pid
                assert_near(ours.cpu_times(), theirs.cpu_times(), others=0.1)
                assert_near(ours.memory_info(), theirs.memory_info(), others=4e6)
                assert ours.num_threads() == theirs.num_threads()
                assert ours.num_fds() == theirs.num_fds()
                assert_near(ours.num_ctx_switches(), theirs.num_ctx_switches(), others=20)
                assert_near(ours.io_counters(), theirs.io_counters(), read_chars=1e6, others=1e5)
                assert ours.username() == theirs.username()
            assert for_psutil.Process().num_threads() > len(threads)
        finally:
            stop.set()
            child.kill()
    for thread in threads:
        thread.join()


def test_the_cpu_percentage_is_of_one_cpu_and_stays_for_a_tenth_of_a_second() -> None:
    """Two metrics that ask one after the other get the same answer."""
    process = for_psutil.Process()
    assert process.cpu_percent() == 0
    wall, used = time.monotonic(), time.process_time()
    while time.process_time() - used < 0.4:
        pass
    percent = process.cpu_percent()
    expected = 100 * (time.process_time() - used) / (time.monotonic() - wall)
    assert percent == pytest.approx(expected, abs=10)
    assert process.cpu_percent() == percent


def test_a_process_that_is_not_there_raises() -> None:
    """Making the object fails, not the observations."""
    with subprocess.Popen(["true"]) as child:
        child.wait()
    with pytest.raises(OSError, match="No such file"):
        for_psutil.Process(child.pid)


def test_importing_it_brings_in_nothing_heavy() -> None:
    """No sockets before gevent has patched them, none of the modules that cost start-up time."""
    script = (
        "import sys\nbefore = set(sys.modules)\n"
        f"sys.path.insert(0, {str(ROOT / 'extensions')!r})\nimport otel_injection.stand_ins.for_psutil\n"
        "heavy = {'typing', 're', 'socket', 'ssl', 'threading', 'logging', 'pwd'}\n"
        "print(sorted((sys.modules.keys() - before) & heavy))"
    )
    out = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True).stdout
    assert out == "[]\n"


METRICS = """
import json, os, sys, time
from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import ProcessResourceDetector
import psutil
print(psutil.__name__, file=sys.stdout)
reader = InMemoryMetricReader()
SystemMetricsInstrumentor().instrument(meter_provider=MeterProvider([reader]), skip_dep_check=True)
reader.get_metrics_data()
until = time.process_time() + 0.3
while time.process_time() < until: pass
time.sleep(0.5)
found = {}
for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics:
    points = found.setdefault(f"{metric.name} {metric.unit} {type(metric.data).__name__}", {})
    for point in metric.data.data_points:
        points[json.dumps({k: str(v) for k, v in point.attributes.items()}, sort_keys=True)] = point.value
found["owner"] = ProcessResourceDetector().detect().attributes["process.owner"]
print(json.dumps(found))
"""


def test_the_instrumentation_sees_every_metric_that_psutil_gives(tmp_path: Path) -> None:
    """The real instrumentation and the SDK's detector, run against both: same names, attributes and, nearly, values."""
    (tmp_path / "psutil.py").write_text(
        "import sys\nfrom otel_injection.stand_ins import for_psutil as procfs\nsys.modules['psutil'] = procfs\n",
        encoding="utf-8",
    )
    results = []
    for path, name in ((str(tmp_path), "otel_injection.stand_ins.for_psutil"), ("", "psutil")):
        imported, found = run(METRICS, path=path).splitlines()
        assert imported == name
        results.append(json.loads(found))
    ours, theirs = results
    assert ours.pop("owner") == theirs.pop("owner")
    assert ours.keys() == theirs.keys()
    assert len(ours) > 25
    for name in ours:
        if name.startswith("system.network.connections"):  # come and go
            assert all(json.loads(attributes).keys() >= {"protocol", "state", "family"} for attributes in ours[name])
            continue
        assert ours[name].keys() == theirs[name].keys(), name
        for attributes, value in ours[name].items():
            if name.startswith(("system.cpu.time", "system.memory", "system.swap", "process.thread")):
                assert value == pytest.approx(theirs[name][attributes], rel=0.2, abs=30), (name, attributes)


@needs_root
def test_every_field_comes_from_the_column_that_psutils_does(tmp_path: Path) -> None:
    """Files with another number in every place, so that no two fields can be mistaken."""
    numbers = " ".join(str(number * 1000) for number in range(1, 18))
    inner = " ".join(str(number) for number in range(101, 153))
    names = "MemTotal MemFree MemAvailable Buffers Cached Active Inactive SwapTotal SwapFree Shmem Slab SReclaimable"
    sizes = {name: 9_000_000 if name == "MemTotal" else 8_000 + index for index, name in enumerate(names.split())}
    files = {
        "diskstats": f"8 0 sda {numbers}\n8 1 sda1 {inner[:67]}\n",
        "meminfo": "".join(f"{name}:  {size} kB\n" for name, size in sizes.items()),
        "vmstat": "nr_free_pages 5\npswpin 6\npswpout 7\nlater 8\n",
        "stat": f"cpu  {numbers[:49]}\ncpu0 {inner[:39]}\ncpu1 {numbers[:49]}\nintr 1 2\n",
        "$$/net/dev": f"Inter-\n face\n  eth0: {inner[:63]}\n lo:{' '.join(inner.split()[16:32])}\n",
        "$$/io": "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n",
        "$$/statm": "11 12 13 14 15 16 17\n",
        "$$/stat": f"9 (a) b) S {inner}\n",
    }
    mounts = ["mount -t tmpfs none /proc/$$/net", "touch /proc/$$/net/dev"]
    for index, (name, content) in enumerate(files.items()):
        (tmp_path / str(index)).write_text(content)
        mounts.append(f"mount --bind {tmp_path / str(index)} /proc/{name}")
    script = (
        "import psutil\nfrom otel_injection.stand_ins import for_psutil as procfs\n"
        "for each in (procfs, psutil):\n"
        "    process = each.Process()\n"
        "    print(each.cpu_times(), each.cpu_times(percpu=True), each.virtual_memory(), each.swap_memory(),\n"
        "        each.disk_io_counters(perdisk=True), each.net_io_counters(), each.net_io_counters(pernic=True),\n"
        "        process.io_counters(), process.memory_info(), process.cpu_times())\n"
    )
    ours, theirs = in_namespace("-m", " && ".join(mounts), script).splitlines()
    assert ours == theirs
    assert "'eth0': snetio(bytes_sent=109, bytes_recv=101" in ours


@needs_root
def test_cpu_percentages_count_virtual_guests_once(tmp_path: Path) -> None:
    """The kernel has guests' time in the user's, too; psutil's percentages come out of the same two files."""
    fake = tmp_path / "stat"
    before, after = "cpu 1000 500 300 9000 40 50 60 70 800 400", "cpu 2000 800 350 9900 50 40 90 75 1300 600"
    fake.write_text(f"{before}\n")
    script = (
        "import psutil\nfrom otel_injection.stand_ins import for_psutil as procfs\n"
        "for each in (procfs, psutil): each.cpu_times_percent()\n"
        f"with open({str(fake)!r}, 'w') as file: file.write({after!r})\n"
        "for each in (procfs, psutil): print(each.cpu_times_percent())\n"
    )
    ours, theirs = in_namespace("-m", f"mount --bind {fake} /proc/stat", script).splitlines()
    assert ours == theirs


@needs_root
def test_where_proc_is_hidden_nothing_is_told_and_nothing_raises_but_what_must() -> None:
    """A sandbox with little of ``/proc``: no disks, interfaces and connections; no errors at each export."""
    script = (
        "from otel_injection.stand_ins import for_psutil as procfs\n"
        "process = procfs.Process()\n"
        "print(procfs.disk_io_counters(perdisk=True), procfs.disk_io_counters(), procfs.net_connections())\n"
        "print(procfs.net_io_counters(pernic=True), procfs.net_io_counters(), procfs.swap_memory().sin)\n"
        "for method in (process.io_counters, process.num_ctx_switches):\n"
        "    try: method()\n"
        "    except NotImplementedError: print('not implemented')\n"
    )
    hide = (
        "mount --bind /dev/null /proc/diskstats && mount -t tmpfs none /sys && mount --bind /dev/null /proc/vmstat"
        " && mount -t tmpfs none /proc/$$/net && mount --bind /dev/null /proc/$$/io && mount --bind /dev/null"
        " /proc/$$/status"
    )
    out = in_namespace("-m", hide, script)
    assert out.splitlines() == ["{} None []", "{} None 0", "not implemented", "not implemented"]


@needs_root
def test_without_proc_making_the_process_fails() -> None:
    """One error at the start, which the caller tells of in one line."""
    script = (
        "from otel_injection.stand_ins import for_psutil as procfs\n"
        "try: procfs.Process()\nexcept OSError: print('no proc')"
    )
    assert in_namespace("-m", "mount -t tmpfs none /proc", script) == "no proc\n"


@needs_root
def test_without_diskstats_the_counters_come_from_sys() -> None:
    """The same disks and partitions."""
    script = (
        "from otel_injection.stand_ins import for_psutil as procfs; "
        "print(sorted(procfs.disk_io_counters(perdisk=True)))"
    )
    out = in_namespace("-m", "mount --bind /dev/null /proc/diskstats", script)
    assert out == f"{sorted(psutil.disk_io_counters(perdisk=True))}\n"


@needs_root
def test_a_counter_that_starts_again_goes_on(tmp_path: Path) -> None:
    """The kernel's 32-bit milliseconds wrap; the metric's sum does not."""
    fake = tmp_path / "diskstats"
    fake.write_text("8 0 sda 1 2 3 4294967000 5 6 7 8 9 10 11\n")
    script = (
        "from otel_injection.stand_ins import for_psutil as procfs\n"
        "print(procfs.disk_io_counters(perdisk=True)['sda'].read_time)\n"
        f"with open({str(fake)!r}, 'w') as file: file.write('8 0 sda 1 2 3 200 5 6 7 8 9 10 11\\n')\n"
        "for _ in range(2): print(procfs.disk_io_counters(perdisk=True)['sda'].read_time)\n"
    )
    out = in_namespace("-m", f"mount --bind {fake} /proc/diskstats", script)
    assert out.split() == ["4294967000", "4294967200", "4294967200"]


@needs_root
def test_the_interfaces_are_the_containers() -> None:
    """Those of the process's own network namespace, as its sockets."""
    script = (
        "from otel_injection.stand_ins import for_psutil as procfs; "
        "print(*procfs.net_io_counters(pernic=True), procfs.net_connections())"
    )
    assert in_namespace("-n", "true", script) == "lo []\n"


@needs_root
def test_the_process_is_the_right_one_where_proc_shows_another_pid_namespace() -> None:
    """Process 1 of a container that mounts the host's ``/proc`` is not the host's process 1."""
    script = (
        "import os, threading\nfrom otel_injection.stand_ins import for_psutil as procfs\n"
        "stop = threading.Event()\n"
        "threads = [threading.Thread(target=stop.wait) for _ in range(6)]\n"
        "for thread in threads: thread.start()\n"
        "print(os.getpid(), procfs.Process().num_threads())\nstop.set()"
    )
    assert in_namespace("-p --fork", "true", script) == "1 7\n"


@needs_root
def test_a_user_without_a_name_is_told_by_number() -> None:
    """Arbitrary UIDs have no entry in the container's passwd; what is forbidden raises what upstream expects."""
    script = (
        "import os\nfrom otel_injection.stand_ins import for_psutil as procfs\n"
        "os.setuid(54321)\nprocess = procfs.Process()\n"
        "print(process.username())\ntry: process.io_counters()\nexcept PermissionError: print('denied')"
    )
    assert run(script) == "54321\ndenied\n"
