"""The manifests and the charts: valid for Kubernetes, hardened, and small enough for Helm.

`make acceptance`, which has Helm, tests that the manifests are what the chart renders.
"""

import json
import re
from base64 import b64encode
from gzip import compress
from typing import Any

import kubernetes_validate
import pytest
import yaml

from monitor.config.file import parse_config
from monitor.lib.version import VERSION
from monitor.schema.types import ConfigContext
from tests.json_schema import problems_by_schema
from tests.kubernetes_manifests import CHARTS, FILES, MANIFESTS
from tests.processes import ROOT

MAX_SECRET_BYTES = 2**20  # of a Secret, in which Helm stores a release
OPERATOR_API = "monitoring.coreos.com/v1"
KUBERNETES_VERSIONS = ("1.25", "1.33")

Manifest = dict[str, Any]


def manifests(name: str = "headroom.yaml") -> list[Manifest]:
    """Return the objects in a file of deploy/kubernetes/."""
    return [*yaml.safe_load_all((MANIFESTS / name).read_text("utf-8"))]


def only_of_kind(kind: str) -> Manifest:
    """Return the only object of a kind in headroom.yaml."""
    (manifest_of_kind,) = (manifest for manifest in manifests() if manifest["kind"] == kind)
    return manifest_of_kind


def pod() -> Manifest:
    spec: Manifest = only_of_kind("StatefulSet")["spec"]["template"]["spec"]
    return spec


def container() -> Manifest:
    (only,) = pod()["containers"]
    assert isinstance(only, dict)
    return only


def test_each_manifest_in_the_folder_is_tested() -> None:
    assert {path.name for path in MANIFESTS.iterdir()} == {*FILES}


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_kubernetes_accepts_the_manifests(version: str) -> None:
    checked = [manifest for manifest in manifests() if manifest["apiVersion"] != OPERATOR_API]
    for manifest in checked:
        kubernetes_validate.validate(manifest, version, strict=True)
    assert {manifest["kind"] for manifest in checked} >= {
        "StatefulSet",
        "Service",
        "NetworkPolicy",
        "ServiceAccount",
    }


def test_the_container_may_write_only_its_data_and_has_no_privilege() -> None:
    security = container()["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["automountServiceAccountToken"] is False
    writable = {mount["name"] for mount in container()["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"data", "tmp"}
    (claim,) = only_of_kind("StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "data"


def test_references_between_the_manifests_match() -> None:
    labels = only_of_kind("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    service, policy = only_of_kind("Service"), only_of_kind("NetworkPolicy")
    (monitor,) = manifests("servicemonitor.yaml")
    assert service["spec"]["selector"].items() <= labels.items()
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    assert service["spec"]["ports"][0]["targetPort"] in ports
    probes = [container()[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    assert [probe["path"] for probe in probes] == ["/-/healthy", "/-/healthy", "/-/ready"]
    assert pod()["serviceAccountName"] == only_of_kind("ServiceAccount")["metadata"]["name"]


def test_labels_of_headroom_win_over_labels_of_the_target() -> None:
    (monitor,) = manifests("servicemonitor.yaml")
    assert monitor["apiVersion"] == OPERATOR_API
    assert [endpoint["honorLabels"] for endpoint in monitor["spec"]["endpoints"]] == [True]


def test_headroom_accepts_its_configuration() -> None:
    text = only_of_kind("ConfigMap")["data"]["headroom.yaml"]
    config = parse_config(text.encode(), "headroom.yaml", ConfigContext())
    assert config.listen_address == ("0.0.0.0", container()["ports"][0]["containerPort"])


@pytest.mark.parametrize("chart", ["headroom", "headroom-rules"])
def test_a_chart_has_the_version_of_headroom_and_values_that_its_schema_allows(chart: str) -> None:
    chart_file = yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text("utf-8"))
    assert (chart_file["name"], chart_file["version"], chart_file["appVersion"]) == (chart, VERSION, VERSION)
    values = yaml.safe_load((CHARTS / chart / "values.yaml").read_text("utf-8"))
    schema = json.loads((CHARTS / chart / "values.schema.json").read_text("utf-8"))
    assert problems_by_schema(schema, values) == []
    assert {*schema["properties"]} - {"global"} == {*values}


@pytest.mark.parametrize("chart", ["headroom", "headroom-rules"])
def test_the_templates_of_a_chart_use_each_value_and_no_other(chart: str) -> None:
    values = yaml.safe_load((CHARTS / chart / "values.yaml").read_text("utf-8"))
    text = "".join(path.read_text("utf-8") for path in (CHARTS / chart / "templates").iterdir())
    assert {*re.findall(r"\.Values\.(\w+)", text)} == {*values}


@pytest.mark.parametrize(
    ("chart", "folder", "generated"),
    [("headroom", "dashboards", "grafana"), ("headroom-rules", "rules", "prometheus")],
)
def test_a_chart_holds_the_generated_files(chart: str, folder: str, generated: str) -> None:
    """The folder of a chart is a link, which Helm follows when it packages or installs the chart."""
    link, source = CHARTS / chart / "files" / folder, ROOT / "dashboards" / generated
    linked_files, files = (
        {path.name: path.read_bytes() for path in place.iterdir()} for place in (link, source)
    )
    assert linked_files == files != {}


@pytest.mark.parametrize("chart", ["headroom", "headroom-rules"])
def test_a_release_with_all_files_fits_into_the_secret_of_helm(chart: str) -> None:
    """Helm stores compressed JSON in base64. The JSON has the files, in base64, and the rendered texts."""
    paths = [*(CHARTS / chart).glob("files/*/*")]
    files = [{"name": str(path), "data": b64encode(path.read_bytes()).decode()} for path in paths]
    manifest = "\n".join(path.read_text("utf-8") for path in paths)
    release = json.dumps({"manifest": manifest, "chart": {"files": files}}).encode()
    room_for_other_parts = 2**16
    assert len(b64encode(compress(release, 9))) < MAX_SECRET_BYTES - room_for_other_parts
