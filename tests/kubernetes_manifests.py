"""Renders deploy/kubernetes/ from the chart, with Helm: `python -m tests.kubernetes_manifests`."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.processes import ROOT

CHARTS = ROOT / "deploy" / "helm"
MANIFESTS = ROOT / "deploy" / "kubernetes"
NAMESPACE, OLDEST_KUBERNETES = "headroom", "1.25.0"
HEAD = "# Made from deploy/helm/headroom by `make manifests`; do not edit.\n"
HELM_LABELS = re.compile(r"^ *(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n", re.MULTILINE)

# The options of `helm template` of each file.
FILES: Mapping[str, tuple[str, ...]] = {
    "headroom.yaml": (),
    "servicemonitor.yaml": (
        "--set=serviceMonitor.enabled=true",
        "--show-only=templates/servicemonitor.yaml",
    ),
}


def template(chart: str, *options: str) -> str:
    """Return what `helm template` prints for a chart. Raises CalledProcessError when Helm refuses."""
    command = ("helm", "template", "headroom", str(CHARTS / chart), f"--kube-version={OLDEST_KUBERNETES}")
    done = subprocess.run(
        [*command, f"--namespace={NAMESPACE}", *options],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def render_files() -> Mapping[str, str]:
    """Return the text of each file, without labels about Helm."""
    texts = {name: template("headroom", *options) for name, options in FILES.items()}
    return {name: HEAD + HELM_LABELS.sub("", text) for name, text in texts.items()}


def write(folder: Path) -> None:
    """Write the files into a folder."""
    for name, text in render_files().items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write(MANIFESTS)
