"""The Terraform modules: each declared variable is used, and each used variable is declared."""

import re
from pathlib import Path

import pytest

from tests.processes import ROOT

MODULES = sorted(path.parent for path in (ROOT / "deploy" / "terraform").glob("*/main.tf"))
README = (ROOT / "deploy" / "terraform" / "README.md").read_text("utf-8")

each_module = pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)


def text_of(module: Path) -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(module.glob("*.tf")))


@each_module
def test_each_variable_is_used_and_each_used_variable_or_resource_is_declared(module: Path) -> None:
    declared = {*re.findall(r'^variable "(\w+)"', text_of(module), re.MULTILINE)}
    assert declared == {*re.findall(r"\bvar\.(\w+)", text_of(module))}
    resources = {*re.findall(r'^resource "(\w+)" "(\w+)"', text_of(module), re.MULTILINE)}
    assert {*re.findall(r"\b(aws_\w+)\.(\w+)", text_of(module))} <= resources


@each_module
def test_the_example_sets_all_variables_without_a_default(module: Path) -> None:
    (example,) = re.findall(rf'source +=  *"\./deploy/terraform/{module.name}"\n(.*?)\n}}', README, re.DOTALL)
    set_variables = {*re.findall(r"^  (\w+) +=", example, re.MULTILINE)} - {"providers"}
    blocks = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text_of(module), re.DOTALL | re.MULTILINE)
    assert {name for name, block in blocks if "\n  default" not in block} <= set_variables
    assert set_variables <= {name for name, _ in blocks}


def test_the_role_of_a_spoke_is_assumed_only_with_an_external_id() -> None:
    spoke = (ROOT / "deploy" / "terraform" / "spoke" / "main.tf").read_text("utf-8")
    assert 'Condition = { StringEquals = { "sts:ExternalId" = var.external_id } }' in spoke
    assert len(re.findall(r"Effect +=", spoke)) == 1
