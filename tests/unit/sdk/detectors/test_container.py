"""The container's id, as kernels and container runtimes show it."""

from __future__ import annotations

import pytest

from otel_injection.sdk.detectors.container import _SOURCES, ContainerDetector, identity

ID = "0123456789abcdef" * 4
POD = "f" * 64
CGROUP, MOUNTS = (pattern for _, pattern in _SOURCES)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"12:cpu:/docker/{ID}\n0::/x\n", ID),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope\n", ID),
        (f"1:cpu:/kubepods/besteffort/pod1-2/{ID}\n", ID),
        (f"0::/system.slice/x.service:cri-containerd:{ID}\n", ID),
        ("0::/\n", ""),
        (f"0::/{ID}/below\n", ""),
        ("0::/user.slice/user-0.slice/session-1.scope\n", ""),
    ],
)
def test_a_control_group_names_the_container(text: str, found: str) -> None:
    assert identity(text, CGROUP) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"1 2 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 x rw\n", ID),
        (f"1 2 8:1 /containers/storage/overlay-containers/{ID}/userdata/hosts /etc/hosts rw - ext4 x rw\n", ID),
        (
            f"1 2 8:1 /lib/containerd/cri/sandboxes/{POD}/hostname /etc/hostname rw - ext4 x rw\n",
            "",
        ),
        (f"1 2 8:1 /var/lib/docker/containers/{POD}/data /data rw - ext4 x\n", ""),
    ],
)
def test_a_mount_names_the_container_but_never_the_pod(text: str, found: str) -> None:
    assert identity(text, MOUNTS) == found


def test_it_says_nothing_wrong_here() -> None:
    assert set(ContainerDetector().detect().attributes) <= {"container.id"}
