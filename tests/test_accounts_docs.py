"""The page on several accounts: its configurations are valid, and its commands run."""

import re
from pathlib import Path

import pytest

from monitor.config.config import Config
from monitor.config.file import parse_config
from monitor.schema.types import ConfigContext
from tests.monitor.cli.invocation import headroom
from tests.processes import ROOT
from tests.registries import REGISTRY

PAGE = (ROOT / "docs" / "accounts.md").read_text("utf-8")
CONFIGURATIONS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^headroom (iam-policy.*?)\s+#", PAGE, re.MULTILINE)


def config_of(text: str, folder: Path) -> Config:
    """Return the configuration in a YAML block of the page."""
    (folder / "external-id").write_text("of-the-page\n")
    context = ConfigContext({"SPOKE_EXTERNAL_ID": "of-the-page"}, folder, REGISTRY)
    return parse_config(text.encode(), "accounts.md", context)


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_every_configuration_is_valid(text: str, tmp_path: Path) -> None:
    assert config_of(text, tmp_path).monitored_entries(REGISTRY)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_prints_a_policy(command: str, tmp_path: Path) -> None:
    file = tmp_path / "headroom.yaml"
    organization = CONFIGURATIONS[-1]  # which has a `management_role`
    file.write_text(f"{organization}  via: arn:aws:iam::999999999999:role/hub\n")
    assert headroom(*command.split(), "--config", str(file)).exit_code == 0


def test_the_page_has_configurations_and_commands_to_test() -> None:
    assert (len(CONFIGURATIONS), len(COMMANDS)) == (3, 4)
