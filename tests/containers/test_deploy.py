"""What deploy/ makes of a cluster is what the tests run: the same command, the same environment."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from images.engine.debian_tools import tool
from images.paths import IMAGE_TREE, ROOT
from tests.injection.harness import NAMESPACE, NODE, operator_env

DEPLOY = ROOT / "deploy"
MOUNT = "/otel-auto-instrumentation-python"
POD = "shop-7c9d5b9f4-x2x7q"
OPERATOR_COMMAND = ["cp", "-r", f"{IMAGE_TREE}/.", MOUNT]

APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: first}
spec:
  template:
    spec:
      initContainers: [{name: migrate, image: app}]
      containers:
        - name: web
          image: app
          env: [{name: OTEL_TRACES_SAMPLER_ARG, value: "0.1"}]
          envFrom: [{secretRef: {name: passwords}}]
          volumeMounts: [{name: data, mountPath: /data}]
        - {name: proxy, image: proxy}
      volumes: [{name: data, emptyDir: {}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: second}
spec:
  template:
    spec:
      containers: [{name: other, image: app, env: [{name: PYTHONPATH, value: /srv}]}]
"""

Objects = dict[tuple[str, str], dict[str, Any]]
"""Rendered objects by kind and name; the suffix of generated names is cut off."""


@pytest.fixture(scope="module")
def kubectl() -> Path:
    return tool("kubectl")


def render(kubectl: Path, folder: Path) -> Objects:
    command = [str(kubectl), "kustomize", str(folder)]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    objects = list(yaml.safe_load_all(text))
    return {(item["kind"], re.sub("-[a-z0-9]{10}$", "", item["metadata"]["name"])): item for item in objects}


@pytest.fixture
def example(kubectl: Path) -> Objects:
    return render(kubectl, DEPLOY / "example")


def pod_of(objects: Objects, name: str) -> dict[str, Any]:
    pod: dict[str, Any] = objects["Deployment", name]["spec"]["template"]["spec"]
    return pod


def environment(objects: Objects, container: dict[str, Any], labels: dict[str, str]) -> dict[str, str]:
    """Return what the kubelet makes of a container's variables: sources first, then ``env`` in order, expanded."""
    fields = {"metadata.namespace": NAMESPACE, "metadata.name": POD, "spec.nodeName": NODE}
    fields |= {f"metadata.labels['{key}']": value for key, value in labels.items()}
    result: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            name = source["configMapRef"]["name"]
            (settings,) = [
                item for (kind, _), item in objects.items() if kind == "ConfigMap" and item["metadata"]["name"] == name
            ]
            result |= settings["data"]
    for variable in container.get("env", ()):
        if "valueFrom" in variable:
            value = fields[variable["valueFrom"]["fieldRef"]["fieldPath"]]
        else:
            value = re.sub(r"\$\((\w+)\)", lambda match: result.get(match[1], match[0]), variable["value"])
        result[variable["name"]] = value
    return result


def attributes(env: dict[str, str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in env["OTEL_RESOURCE_ATTRIBUTES"].split(","))


def assert_restricted(pod: dict[str, Any]) -> None:
    """The controls of the restricted Pod Security Standard that concern these pods."""
    assert set(pod) <= {"initContainers", "containers", "volumes", "securityContext"}, "no host namespaces and the like"
    assert all(set(volume) & {"emptyDir", "configMap"} for volume in pod["volumes"])
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        context = {**pod.get("securityContext", {}), **container["securityContext"]}
        assert context["runAsNonRoot"] is True
        assert context.get("runAsUser") != 0
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not context.get("privileged")


def test_the_instrumentation_resource_gives_the_environment_that_tests_run_with() -> None:
    """Endpoint, propagators, sampler, attributes and variables of the resource are those of operator_env."""
    resource = yaml.safe_load((DEPLOY / "instrumentation.yaml").read_text())
    assert (resource["apiVersion"], resource["kind"]) == ("opentelemetry.io/v1alpha1", "Instrumentation")
    spec = resource["spec"]
    env = operator_env(MOUNT, service="shop", endpoint=spec["exporter"]["endpoint"], pod=POD)
    assert env["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert spec["exporter"]["endpoint"].endswith(":4318")
    assert ",".join(spec["propagators"]) == env["OTEL_PROPAGATORS"]
    assert spec["sampler"] == {"type": env["OTEL_TRACES_SAMPLER"], "argument": env["OTEL_TRACES_SAMPLER_ARG"]}
    assert spec["resource"]["resourceAttributes"].items() <= attributes(env).items()
    assert {item["name"]: item["value"] for item in spec["python"]["env"]}.items() <= env.items()


def test_the_component_runs_the_operators_command_within_limits(example: Objects) -> None:
    """The init container copies the tree with the operator's command and volume, limited in memory and size."""
    pod = pod_of(example, "shop")
    (init,) = pod["initContainers"]
    assert init["command"] == OPERATOR_COMMAND
    assert init["image"].startswith("registry.example/autoinstrumentation-python:"), "named under images:"
    instrumentation = yaml.safe_load((DEPLOY / "instrumentation.yaml").read_text())["spec"]["python"]
    assert init["resources"] == instrumentation["resourceRequirements"]
    (volume,) = pod["volumes"]
    assert volume == {"name": init["name"], "emptyDir": {"sizeLimit": instrumentation["volumeLimitSize"]}}
    mount = {"name": volume["name"], "mountPath": MOUNT}
    assert init["volumeMounts"] == [mount]
    assert pod["containers"][0]["volumeMounts"] == [mount]


def test_the_component_gives_the_operators_environment(example: Objects) -> None:
    """What a container gets is what the operator gives it, but for what only the operator knows of a pod."""
    (container,) = pod_of(example, "shop")["containers"]
    env = environment(example, container, {"app.kubernetes.io/name": "shop"})
    endpoint = "http://otel-collector.observability.svc:4318"
    expected = operator_env(MOUNT, service="shop", endpoint=endpoint, pod=POD)
    known = {name for name in expected if not name.endswith(("_IP", "_POD_NAME", "_NODE_NAME"))}
    known -= {"OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME"}
    assert {name: env.get(name) for name in known} == {name: expected[name] for name in known}

    by_operator = attributes(expected)
    assert attributes(env) == {
        **{key: by_operator[key] for key in by_operator if key.startswith(("k8s.n", "k8s.pod", "deployment."))},
        "service.name": expected["OTEL_SERVICE_NAME"],
        "service.namespace": by_operator["service.namespace"],
        "service.instance.id": f"{NAMESPACE}.{POD}",
    }
    assert env["BIND"] == "0.0.0.0:8000"


def test_the_component_changes_nothing_else_of_any_deployment(kubectl: Path, tmp_path: Path) -> None:
    """First containers are instrumented whatever their names; what they set wins; all else stays as it was."""
    shutil.copytree(DEPLOY / "manual", tmp_path / "manual")
    target = tmp_path / "target"
    target.mkdir()
    (target / "apps.yaml").write_text(APP)
    (target / "kustomization.yaml").write_text("resources: [apps.yaml]\ncomponents: [../manual]\n")
    objects = render(kubectl, target)

    assert sorted(objects) == [("ConfigMap", "otel-python"), ("Deployment", "first"), ("Deployment", "second")]
    first, second = pod_of(objects, "first"), pod_of(objects, "second")
    web, proxy = first["containers"]
    assert proxy == {"name": "proxy", "image": "proxy"}
    env = environment(objects, web, {"app.kubernetes.io/name": "first"})
    assert env["OTEL_TRACES_SAMPLER_ARG"] == "0.1"
    assert env["PYTHONPATH"].endswith(MOUNT)
    assert web["envFrom"][0] == {"secretRef": {"name": "passwords"}}
    assert web["volumeMounts"][0] == {"name": "data", "mountPath": "/data"}
    assert {"name": "data", "emptyDir": {}} in first["volumes"]
    assert sorted(container["name"] for container in first["initContainers"]) == [
        "migrate",
        "opentelemetry-auto-instrumentation-python",
    ]
    (other,) = second["containers"]
    assert environment(objects, other, {"app.kubernetes.io/name": "second"})["PYTHONPATH"] == "/srv"
    assert [mount["mountPath"] for mount in other["volumeMounts"]] == [MOUNT]


def test_the_pods_pass_the_restricted_standard(kubectl: Path, example: Objects) -> None:
    """The injected example and the collector may run in namespaces that enforce it, as theirs do."""
    collector = render(kubectl, DEPLOY / "collector")
    for objects, name in ((example, "shop"), (collector, "otel-collector")):
        (namespace,) = [item for (kind, _), item in objects.items() if kind == "Namespace"]
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        assert_restricted(pod_of(objects, name))


def test_the_collector_listens_where_the_others_send(kubectl: Path) -> None:
    """Service, namespace and port of the endpoint are the collector's, which takes all three signals there."""
    endpoint = yaml.safe_load((DEPLOY / "instrumentation.yaml").read_text())["spec"]["exporter"]["endpoint"]
    objects = render(kubectl, DEPLOY / "collector")
    service = objects["Service", "otel-collector"]
    ports = [port["port"] for port in service["spec"]["ports"]]
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    assert endpoint in {f"http://{host}:{port}" for port in ports}
    config = yaml.safe_load(objects["ConfigMap", "otel-collector"]["data"]["config.yaml"])
    assert (
        config["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2] == endpoint.rpartition(":")[2]
    )
    for signal in ("traces", "metrics", "logs"):
        assert config["service"]["pipelines"][signal]["receivers"] == ["otlp"]
    (volume,) = pod_of(objects, "otel-collector")["volumes"]
    assert volume["configMap"]["name"] == objects["ConfigMap", "otel-collector"]["metadata"]["name"]
