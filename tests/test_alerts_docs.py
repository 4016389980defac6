"""docs/alerts.md agrees with the code."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from monitor.alerting.telemetry import DeliveryTelemetry
from monitor.config.config import Config
from monitor.config.example import example_file, summary
from monitor.notifiers.receiver import BaseReceiver
from monitor.notifiers.receivers import RECEIVER_BY_TYPE
from monitor.notifiers.webhook_body import webhook_schema
from monitor.schema.types import ConfigContext
from tests.registries import REGISTRY
from tests.test_readme import METRICS, family_names

DOCS = (Path(__file__).parents[1] / "docs" / "alerts.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_a_configuration(text: str, tmp_path: Path) -> None:
    for secret in re.findall(r"_file: ([a-z-]+)", text):
        (tmp_path / secret).write_text("https://hooks.example.org/x" if "url" in secret else "x" * 32)
    Config.model_validate(yaml.safe_load(text), context=ConfigContext({}, tmp_path))


def test_the_first_example_has_at_most_four_lines() -> None:
    assert len(EXAMPLES[0].splitlines()) <= 4


def text_between_marks(name: str) -> str:
    """Return the text between the marks `name` and `end of name`.

    The text is not generated: if a test finds it outdated, copy the expected text into docs/alerts.md.
    """
    _, _, rest = DOCS.partition(f"<!-- {name} -->\n")
    text, mark, _ = rest.partition(f"\n<!-- end of {name} -->")
    assert mark
    return text


def row(type_name: str, receiver: type[BaseReceiver]) -> str:
    """The row of a type of receiver: the start of its docstring, and its required keys."""
    fields = receiver.model_fields.items()
    keys = [f"`{field.alias or name}`" for name, field in fields if field.is_required() and name != "name"]
    return f"| `{type_name}` | {summary(receiver).removesuffix('.')} | {', '.join(keys)} |"


def test_every_type_of_receiver_is_documented() -> None:
    rows = [row(type_name, receiver) for type_name, receiver in RECEIVER_BY_TYPE.items()]
    missing = [line for line in rows if line not in DOCS]
    assert not missing, "docs/alerts.md lacks these rows:\n" + "\n".join(missing)
    head, _, *documented = text_between_marks("receivers").splitlines()
    assert head == "| type | receiver | requires |"
    assert sorted(documented) == sorted(rows)


def test_the_schema_of_the_webhook_is_documented() -> None:
    assert text_between_marks("schema") == f"```json\n{json.dumps(webhook_schema(), indent=1)}\n```"


def test_every_family_about_deliveries_is_documented() -> None:
    registry = CollectorRegistry()
    DeliveryTelemetry(registry)
    for text in (DOCS, METRICS):
        assert family_names(registry) - set(re.findall(r"headroom_[a-z_]+", text)) == set()


def test_the_example_configuration_names_keys_as_yaml_does_and_not_as_the_code() -> None:
    example = example_file(REGISTRY)
    assert "##   continue: " in example
    assert "continue_" not in example
