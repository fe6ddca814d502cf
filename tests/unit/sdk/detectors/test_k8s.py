"""The pod, as its own files and the operator's variables show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_injection.sdk.detectors import k8s

UID = "0a1b2c3d-1111-2222-3333-0123456789ab"


def test_what_is_certain_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("shop\n")
    (tmp_path / "mounts").write_text(f"1 2 8:1 /var/lib/kubelet/pods/{UID}/etc-hosts /etc/hosts rw - ext4 x rw\n")
    monkeypatch.setattr(k8s, "_NAMESPACE", str(tmp_path / "namespace"))
    monkeypatch.setattr(k8s, "_MOUNTS", str(tmp_path / "mounts"))
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES_POD_NAME", "web-1")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES_POD_UID", "other")
    assert dict(k8s.K8sDetector().detect().attributes) == {
        "k8s.namespace.name": "shop",
        "k8s.pod.name": "web-1",
        "k8s.pod.uid": UID,
    }


def test_a_mount_of_another_volume_names_no_pod() -> None:
    assert not k8s._UID.search(f"1 2 8:1 /var/lib/kubelet/pods/{UID}/volumes/x /data rw - ext4 x rw\n")


def test_outside_of_a_cluster_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k8s, "_NAMESPACE", "/missing")
    assert dict(k8s.K8sDetector().detect().attributes) == {}
