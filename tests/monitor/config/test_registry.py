"""The configuration may name only services and signals of its registry."""

import re
from typing import Any

import pytest
import yaml

from monitor.config.config import Config
from monitor.config.example import example_file, json_schema
from monitor.config.file import parse_config
from monitor.schema.problems import ConfigError
from monitor.schema.types import ConfigContext
from tests.own_services import own_registry

WITHOUT_OTHER, WITH_OTHER = own_registry("one"), own_registry("one", "other")

# Settings that name a service or signal that only WITH_OTHER has, and the problem that WITHOUT_OTHER reports.
SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"services": ["other"]}, "services[0]: expected one of one, found 'other'"),
    (
        {"accounts": [{"services": ["one", "other"]}]},
        "accounts[0].services[1]: expected one of one, found 'other'",
    ),
    ({"exclude": [{"service": "oth*"}]}, "exclude[0].service: expected one of one, found 'oth*'"),
    (
        {"limits": [{"signal": "other.size", "limit": 7}]},
        "limits[0].signal: expected a signal of the catalogue, found 'other.size'; did you mean one.size?",
    ),
    (
        {"bands": [{"signal": "other.*", "near": 0.95}]},
        "bands[0].signal: expected a signal of the catalogue, found 'other.*'",
    ),
    (
        {"alerts": [{"signal": "other.rate", "for": "10m"}]},
        "alerts[0].signal: expected a signal of the catalogue, found 'other.rate'; did you mean one.rate?",
    ),
]


def read(data: dict[str, Any], context: ConfigContext) -> Config:
    """Return the configuration in a file with these keys and values."""
    return parse_config(yaml.safe_dump(data).encode(), "headroom.yaml", context)


@pytest.mark.parametrize(("data", "problem"), SETTINGS)
def test_a_setting_is_accepted_only_if_the_registry_has_its_service(
    data: dict[str, Any], problem: str
) -> None:
    assert read(data, ConfigContext(registry=WITH_OTHER)) == Config.model_validate(data)
    with pytest.raises(ConfigError) as error:
        read(data, ConfigContext(registry=WITHOUT_OTHER))
    assert error.value.problems == [f"headroom.yaml: {problem}"]


def test_without_services_all_services_of_the_registry_are_monitored() -> None:
    for registry in (WITHOUT_OTHER, WITH_OTHER):
        (account,) = read({}, ConfigContext(registry=registry)).monitored_accounts(registry)
        assert account.services == registry.service_names


def test_the_example_and_the_schema_name_the_services_of_the_registry() -> None:
    assert "Default: all of one, other." in example_file(WITH_OTHER)
    assert "Default: all of one." in re.sub(r"\n## ", " ", example_file(WITHOUT_OTHER))
    schema = json_schema(WITH_OTHER)["properties"]["services"]
    assert schema["items"]["enum"] == ["one", "other"]
    assert "one, other" in schema["description"]
