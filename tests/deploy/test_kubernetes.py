"""The manifests of `deploy/kubernetes` and `deploy/ray` fit Kubernetes' own schemas, and do what compose.yaml does."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import BaseModel, Field

from tests.deploy.composed import DEPLOY, read_compose
from tests.deploy.test_image import lint, pins

Manifest = dict[str, object]
LABEL = "app.kubernetes.io/name"


class Variable(BaseModel):
    name: str
    value: str = ""


class Container(BaseModel):
    """A container as Kubernetes describes it."""

    name: str
    image: str
    args: Sequence[str] = ()
    env: Sequence[Variable] = ()
    resources: Mapping[str, Mapping[str, object]] = {}
    security: Mapping[str, object] = Field(alias="securityContext")


class PodSpec(BaseModel):
    """What runs in a pod."""

    containers: Sequence[Container]
    security: Mapping[str, object] = Field(alias="securityContext")
    has_token: bool = Field(alias="automountServiceAccountToken", default=True)
    has_links: bool = Field(alias="enableServiceLinks", default=True)
    volumes: Sequence[Mapping[str, object]] = ()


class Pod(BaseModel):
    """The template of a workload's pods."""

    metadata: Mapping[str, Mapping[str, str]]
    spec: PodSpec


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    """What `kubectl apply -k deploy/kubernetes` applies."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl, which renders deploy/kubernetes, is not installed")
    done = subprocess.run([kubectl, "kustomize", DEPLOY / "kubernetes"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture
def pods(manifests: list[Manifest]) -> dict[str, Pod]:
    """The pods of each workload, by its name."""
    return {name_of(each): Pod.model_validate(template) for each in manifests for template in templates(each)}


def name_of(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    assert isinstance(metadata, dict)
    return str(metadata["name"])


def templates(node: object) -> Iterator[Manifest]:
    """Every template of pods below a node."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("template", "submitterPodTemplate"):
                yield value
            else:
                yield from templates(value)
    elif isinstance(node, list):
        for each in node:
            yield from templates(each)


def complaints(manifests: Sequence[object], folder: Path) -> str:
    """What Kubernetes' schemas have against manifests, unknown keys included."""
    (folder / "all.yaml").write_text("---\n".join(json.dumps(each) + "\n" for each in manifests))
    return lint("kubernetes-validate", "--strict", str(folder / "all.yaml"))


def test_the_manifests_fit_their_schemas(manifests: list[Manifest], tmp_path: Path) -> None:
    kinds = {str(each["kind"]) for each in manifests}

    assert kinds >= {"Deployment", "StatefulSet", "Job", "PodDisruptionBudget", "NetworkPolicy", "ConfigMap", "Service"}
    assert complaints(manifests, tmp_path) == ""
    assert "replicsa" in complaints([{**manifests[0], "replicsa": 1}], tmp_path)


def test_services_run_the_commands_of_the_compose_file_with_the_same_settings(pods: dict[str, Pod]) -> None:
    services = read_compose().services

    for name in ("postgres", "migrate", "mlflow", "dashboard", "worker"):
        [container] = pods[name].spec.containers
        service = services[name]
        assert list(container.args) == list(service.command)
        assert {each.name: each.value for each in container.env} == service.environment
        assert container.image == re.sub(r"\$\{\w+:-(.*)\}", r"\1", service.image)


def test_pods_run_without_rights_they_do_not_need(pods: dict[str, Pod]) -> None:
    for each in pods.values():
        assert (each.spec.has_token, each.spec.has_links) == (False, False)  # links would set MLFLOW_PORT, an option
        assert each.spec.security["runAsNonRoot"] is True
        for container in each.spec.containers:
            assert container.security == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_a_pod_is_given_its_own_password_alone(pods: dict[str, Pod]) -> None:
    for name in ("migrate", "mlflow", "dashboard", "worker"):
        [container] = pods[name].spec.containers
        [file] = [each.value for each in container.env if each.name == "PGPASSWORD_FILE"]
        key = file.removeprefix("/run/secrets/")
        [volume] = [each["secret"] for each in pods[name].spec.volumes if "secret" in each]
        assert volume == {"secretName": "passwords", "defaultMode": 0o440, "items": [{"key": key, "path": key}]}


def test_workers_ask_for_a_gpu_and_are_sent_away_one_at_a_time(manifests: list[Manifest], pods: dict[str, Pod]) -> None:
    [container] = pods["worker"].spec.containers
    [budget] = [each for each in manifests if each["kind"] == "PodDisruptionBudget"]

    assert container.resources["limits"]["nvidia.com/gpu"] == 1
    assert budget["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": {LABEL: "worker"}}}
    assert pods["worker"].metadata["labels"][LABEL] == "worker"


def test_everything_reaches_the_hosts_it_names_and_no_others(manifests: list[Manifest], pods: dict[str, Pod]) -> None:
    services = {name_of(each) for each in manifests if each["kind"] == "Service"}
    policies = {name_of(each) for each in manifests if each["kind"] == "NetworkPolicy"}

    for pod in pods.values():
        [container] = pod.spec.containers
        hosts = {urlsplit(each.value).hostname for each in container.env if "://" in each.value} - {"localhost"}
        labels = pod.metadata["labels"]
        assert hosts <= services
        assert {f"to-{each}" for each in hosts} == {key for key in labels if key.startswith("to-")}
        assert {f"to-{each}" for each in hosts} <= policies
    assert "nothing" in policies


@pytest.fixture
def ray() -> tuple[Manifest, Manifest]:
    """The job on Ray, and its network policy."""
    job, policy = yaml.safe_load_all((DEPLOY / "ray" / "rayjob.yaml").read_text())
    return job, policy


def test_the_pods_on_ray_fit_the_schema_of_pods(ray: tuple[Manifest, Manifest], tmp_path: Path) -> None:
    job, policy = ray
    bare = [
        {"apiVersion": "v1", "kind": "Pod", "spec": each["spec"], "metadata": {"name": "ray"}}
        for each in templates(job)
    ]

    assert len(bare) == 3
    assert complaints([*bare, policy], tmp_path) == ""


def test_ray_is_the_one_that_is_pinned_and_its_workers_do_what_others_do(
    ray: tuple[Manifest, Manifest], pods: dict[str, Pod]
) -> None:
    text = json.dumps(ray[0])
    [container] = pods["worker"].spec.containers
    same = {each.name: each.value for each in container.env if each.name != "PGPASSWORD_FILE"}

    assert f'"rayVersion": "{pins()["ray"]}"' in text
    for template in templates(ray[0]):
        labels, env = template["metadata"], Pod.model_validate(template).spec.containers[0].env
        assert not env or same.items() <= {each.name: each.value for each in env}.items()
        assert "tuner-ray" in json.dumps(labels)
