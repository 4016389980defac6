"""The real Helm lints and renders the charts. Kubernetes accepts the result, and the manifests equal it."""

import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.kubernetes_manifests import CHARTS, MANIFESTS, OLDEST_KUBERNETES, render_files, template
from tests.processes import ROOT

# Values that use every option of the chart.
ALL_OPTIONS = """
image: {digest: "sha256:%s"}
imagePullSecrets: [{name: registry}]
config:
  listen: "[::]:4443"
  auth: {tokens: [{name: prometheus, role: metrics, token_file: /etc/headroom/secrets/tokens/prometheus}]}
  tls: {certificate_file: /etc/headroom/secrets/tls/tls.crt, key_file: /etc/headroom/secrets/tls/tls.key}
secrets: [tokens, tls]
env: [{name: AWS_REGION, value: eu-west-1}]
envFrom: [{secretRef: {name: other}}]
serviceAccount:
  name: watcher
  annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::123456789012:role/headroom"}
persistence: {storageClass: gp3}
ingress: {enabled: true, className: nginx, host: headroom.example.org, tlsSecret: headroom-tls}
serviceMonitor:
  enabled: true
  labels: {release: prometheus}
  bearerTokenSecret: {name: tokens, key: prometheus}
  tlsConfig: {insecureSkipVerify: true}
dashboards: {enabled: true, annotations: {grafana_folder: Headroom}}
networkPolicy: {from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]}
nodeSelector: {kubernetes.io/arch: arm64}
tolerations: [{key: spot, operator: Exists}]
priorityClassName: high
podAnnotations: {team: platform}
podLabels: {team: platform}
extraVolumes: [{name: ca, configMap: {name: ca}}]
extraVolumeMounts: [{name: ca, mountPath: /ca}]
""" % ("0" * 64)

Manifest = dict[str, Any]


def objects(text: str) -> list[Manifest]:
    """Return the Kubernetes objects of a YAML text."""
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


@pytest.fixture(scope="module")
def all_objects(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """The objects that the chart renders with ALL_OPTIONS."""
    values = tmp_path_factory.mktemp("values") / "values.yaml"
    values.write_text(ALL_OPTIONS)
    return objects(template("headroom", f"--values={values}"))


def test_the_manifests_are_what_the_chart_renders() -> None:
    rendered = render_files()
    assert {name: (MANIFESTS / name).read_text("utf-8") for name in rendered} == rendered


@pytest.mark.parametrize("chart", ["headroom", "headroom-rules"])
def test_helm_lint_finds_nothing(chart: str) -> None:
    command = (
        "helm",
        "lint",
        "--strict",
        "--quiet",
        str(CHARTS / chart),
        f"--kube-version={OLDEST_KUBERNETES}",
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubernetes_accepts_the_manifests_of_all_options(all_objects: list[Manifest]) -> None:
    for manifest in all_objects:
        if not manifest["apiVersion"].startswith("monitoring.coreos.com/"):
            kubernetes_validate.validate(manifest, "1.33", strict=True)
    assert {manifest["kind"] for manifest in all_objects} == {
        "ConfigMap",
        "Ingress",
        "NetworkPolicy",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
        "StatefulSet",
    }


def test_the_chart_has_the_generated_dashboards(all_objects: list[Manifest]) -> None:
    dashboards = {
        name.removeprefix("headroom-"): text
        for manifest in all_objects
        if manifest["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
        for name, text in manifest["data"].items()
    }
    assert dashboards == {
        path.name: path.read_text("utf-8") for path in (ROOT / "dashboards" / "grafana").iterdir()
    }


def test_with_a_certificate_probes_and_scrapes_use_https(all_objects: list[Manifest]) -> None:
    by_kind = {manifest["kind"]: manifest for manifest in all_objects}
    (container,) = by_kind["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"]["scheme"] == "HTTPS"
    assert container["ports"][0]["containerPort"] == 4443
    (endpoint,) = by_kind["ServiceMonitor"]["spec"]["endpoints"]
    assert (endpoint["scheme"], endpoint["honorLabels"]) == ("https", True)
    assert endpoint["authorization"] == {"credentials": {"name": "tokens", "key": "prometheus"}}


def test_the_chart_has_the_generated_rules() -> None:
    rendered = {
        manifest["metadata"]["name"]: manifest["spec"] for manifest in objects(template("headroom-rules"))
    }
    generated = {
        f"headroom-{path.stem.replace('_', '-')}": yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
        for path in (ROOT / "dashboards" / "prometheus").iterdir()
    }
    assert rendered == generated


def test_the_rules_of_chosen_services_are_rendered_and_unknown_services_refused() -> None:
    chosen = objects(template("headroom-rules", "--set=services={headroom,lambda_edge}"))
    assert [manifest["metadata"]["name"] for manifest in chosen] == [
        "headroom-headroom",
        "headroom-lambda-edge",
    ]
    with pytest.raises(subprocess.CalledProcessError) as refused:
        template("headroom-rules", "--set=services={lamda}")
    assert "services: lamda has no rules" in refused.value.stderr


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("persistance.enabled=false", "persistance"),
        ("image.digest=latest", "/image/digest"),
        ("config.auth=null", "auth"),
        ("service.port=70000", "/service/port"),
    ],
)
def test_invalid_values_are_refused(setting: str, problem: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        template("headroom", f"--set={setting}")
    assert problem in refused.value.stderr
