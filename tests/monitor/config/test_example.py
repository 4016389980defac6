"""The example configuration has every key, and is valid as it stands and with every key in use."""

import ast
import json
import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import BaseModel

from monitor.aws.account import Account
from monitor.aws.organization import Organization
from monitor.config.config import SERVICES_PLACEHOLDER, Config
from monitor.config.example import example_file, json_schema
from monitor.config.file import parse_config
from monitor.config.override_settings import PartialBand
from monitor.notifiers.receiver import BaseReceiver
from monitor.schema.problems import nested_models
from monitor.schema.types import ConfigContext
from rules.strict_yaml import parse
from tests.architecture import sources
from tests.registries import REGISTRY

# The example with every key in use: lines with one # are no comments any more.
ALL_IN_USE = re.sub(r"^#(?!#)", "", example_file(REGISTRY), flags=re.MULTILINE)


def missing_keys(model: type[BaseModel], data: Any, path: str = "") -> list[str]:
    """Return the keys of `model` that no entry of `data` has. path: the path of `data` in the file."""
    entries = data if isinstance(data, list) else [data]
    keys = []
    for name, field in model.model_fields.items():
        values = [entry[name] for entry in entries if name in entry]
        if not values:
            keys.append(path + name)
            continue
        for inner in nested_models(field.annotation):
            if inner in (Account, Organization, PartialBand):
                keys += missing_keys(inner, values[0], f"{path}{name}.")
    return keys


def test_the_example_as_it_stands_is_the_default() -> None:
    assert (
        parse_config(example_file(REGISTRY).encode(), "headroom.yaml", ConfigContext(registry=REGISTRY))
        == Config()
    )


def test_the_example_with_every_key_in_use_is_valid(tmp_path: Path) -> None:
    for name in re.findall(r"_file: (\S+)", ALL_IN_USE):
        (tmp_path / name).write_text(f"from-the-file-{name}\n")
    certificate = trustme.CA().issue_cert("headroom.example.org")
    certificate.private_key_pem.write_to_path(tmp_path / "tls.key")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
    (tmp_path / "paths.yaml").write_text("paths: []")
    environ = {name: f"from-the-variable-{name}" for name in re.findall(r"_env: (\S+)", ALL_IN_USE)}
    context = ConfigContext(environ, tmp_path, REGISTRY)
    config = parse_config(ALL_IN_USE.encode(), "headroom.yaml", context)
    secrets = [
        account.external_id_secret.get_secret_value()
        for account in config.accounts
        if account.external_id_secret
    ]
    assert secrets == [
        "from-the-file-external-id",
        "from-the-variable-STAGING_EXTERNAL_ID",
        "headroom-sandbox",
        "from-the-file-external-id",
    ]


def test_no_key_of_an_account_or_the_top_level_is_left_out() -> None:
    assert missing_keys(Config, parse(ALL_IN_USE.encode())[0]) == []


def models_in(model: type[BaseModel]) -> set[type[BaseModel]]:
    """Return a model and all models in its fields."""
    models, unvisited = set[type[BaseModel]](), {model}
    while unvisited:
        models |= unvisited
        inner = (
            nested_models(field.annotation) for outer in unvisited for field in outer.model_fields.values()
        )
        unvisited = set(chain.from_iterable(inner)) - models
    return models


@pytest.mark.parametrize("model", sorted(models_in(Config), key=str))
def test_every_key_is_explained_in_the_example(model: type[BaseModel]) -> None:
    example_text = " ".join(example_file(REGISTRY).replace("\n##", " ").split())
    for name, field in model.model_fields.items():
        if not (name == "type" and issubclass(model, BaseReceiver)):  # a type is a heading of the example
            assert field.description, f"{model.__name__}.{name}: expected Field(..., description=...)"
            description = field.description.replace(SERVICES_PLACEHOLDER, ", ".join(REGISTRY.service_names))
            key = "" if model is Config else f"{field.alias or name}: "
            assert " ".join(f"{key}{description}".split()) in example_text


@pytest.fixture(scope="module")
def names_in_code() -> set[str]:
    """The names of attributes that the code may read: in `x.name`, and in texts for `getattr`."""
    return {
        name
        for source in sources(Path(__file__).parents[3], ("monitor",))
        for node in ast.walk(source.tree)
        for name in (getattr(node, "attr", None), getattr(node, "value", None))
        if isinstance(name, str)
    }


@pytest.mark.parametrize("model", sorted(models_in(Config), key=str))
def test_every_key_is_read_by_the_code(model: type[BaseModel], names_in_code: set[str]) -> None:
    for name in model.model_fields:
        name_without_source = re.sub("_(env|file)$", "", name)
        assert {name, name_without_source} & names_in_code, f"no code reads {model.__name__}.{name}"


def test_the_schema_is_json_and_allows_no_unknown_key() -> None:
    document = json.loads(json.dumps(json_schema(REGISTRY)))
    assert document["$schema"].startswith("https://json-schema.org/")
    assert document["properties"].keys() == Config.model_fields.keys()
    assert document["additionalProperties"] is False
    assert document["properties"]["services"]["items"]["enum"] == list(REGISTRY.service_names)
