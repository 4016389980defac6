"""`make sbom`: the bill of materials names the packages of the lock files, with hashes."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def locked_versions(lock: str) -> dict[str, str]:
    """Return the versions that a lock file names, by project."""
    text = (ROOT / lock).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", re.findall(r"^\t\$\(call bill,([\w.-]+),", MAKEFILE, re.MULTILINE))
def test_the_bill_of_materials_names_all_packages_of_the_lock(lock: str, tmp_path: Path) -> None:
    (command,) = re.findall(r"^bill = \$\(BIN\)/(.*?)\n\n", MAKEFILE, re.DOTALL | re.MULTILINE)
    words = command.replace("\\\n", " ").replace("$(2)", str(tmp_path / "sbom")).replace("$(1)", lock).split()
    subprocess.run(words, cwd=ROOT, capture_output=True, check=True, timeout=120)
    bill = json.loads((tmp_path / "sbom").read_text("utf-8"))
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "aws-headroom")
    components = {component["name"].lower().replace("_", "-"): component for component in bill["components"]}
    assert {name: component["version"] for name, component in components.items()} == locked_versions(lock)
    for component in components.values():
        assert component["purl"].startswith("pkg:pypi/")
        references = component["externalReferences"]
        assert any(reference.get("hashes") for reference in references), component["name"]


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements*.lock")))
def test_a_lock_has_names_versions_and_hashes_only(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert "://" not in text and "--index" not in text
    assert text.count("--hash=sha256:") >= len(locked_versions(lock)) > 0


def test_the_image_has_the_versions_of_an_installation() -> None:
    installation, image = locked_versions("requirements.lock"), locked_versions("requirements-image.lock")
    assert installation.items() <= image.items()
    assert "opentelemetry-sdk" in image and "moto" not in image
