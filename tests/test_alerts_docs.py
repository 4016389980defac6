"""What docs/alerts.md says is what the product does."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from monitor import config_example
from monitor.alerting.delivery_telemetry import DeliveryTelemetry
from monitor.config import Config
from monitor.config_types import Sources
from monitor.notifiers.receivers import BY_TYPE
from monitor.notifiers.webhook_body import schema
from tests.test_readme import README, names

DOCS = (Path(__file__).parents[1] / "docs" / "alerts.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_a_configuration(text: str, tmp_path: Path) -> None:
    for secret in re.findall(r"_file: ([a-z-]+)", text):
        (tmp_path / secret).write_text("https://hooks.example.org/x" if "url" in secret else "x" * 32)
    Config.model_validate(yaml.safe_load(text), context=Sources({}, tmp_path))


def test_a_receiver_takes_four_lines() -> None:
    assert len(EXAMPLES[0].splitlines()) <= 4


def test_every_type_of_receiver_is_told() -> None:
    assert re.findall(r"^\| `(\w+)` \| .*\| `", DOCS, re.MULTILINE) == list(BY_TYPE)


def test_the_schema_of_the_webhook_is_told() -> None:
    """If not: put what this says between the two marks."""
    _, _, rest = DOCS.partition("<!-- schema -->\n")
    told, mark, _ = rest.partition("\n<!-- end of schema -->")
    assert mark
    assert told == f"```json\n{json.dumps(schema(), indent=1)}\n```"


def test_every_family_about_deliveries_is_named() -> None:
    registry = CollectorRegistry()
    DeliveryTelemetry(registry)
    for text in (DOCS, README):
        assert names(registry) - set(re.findall(r"headroom_[a-z_]+", text)) == set()


def test_the_example_of_the_configuration_calls_keys_as_they_are_written() -> None:
    assert "##   continue: " in config_example.example()
