"""An account in moto with resources of all services that moto can create, made through boto3."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from string import Template
from typing import Any

import boto3
import jmespath
import yaml
from botocore import xform_name

MakeClient = Callable[[str], Any]  # makes the boto3 client of a service, by the service's name

RESOURCES = yaml.safe_load(Path(__file__).with_name("moto_resources.yaml").read_text())


def with_values(value: Any, values: Mapping[str, str]) -> Any:
    """Return a parameter with its placeholders replaced. values: by the name of the placeholder."""
    if isinstance(value, str):
        return Template(value).substitute(values)
    if isinstance(value, list):
        return [with_values(inner, values) for inner in value]
    if isinstance(value, dict):
        return {name: with_values(inner, values) for name, inner in value.items()}
    return value


def create_resources(make_client: MakeClient) -> None:
    """Make the calls in RESOURCES; their parameters may contain values of earlier responses."""
    values: dict[str, str] = {}
    for step in RESOURCES["calls"]:
        ((call, params),) = ((name, value) for name, value in step.items() if name != "keep")
        client, _, operation = call.partition(".")
        response = getattr(make_client(client), xform_name(operation))(**with_values(params, values))
        values |= {name: jmespath.search(path, response) for name, path in step.get("keep", {}).items()}


def clients(environ: Mapping[str, str]) -> MakeClient:
    """Return a function that makes clients, once per service, with the environment's endpoint and keys."""
    session = boto3.Session(
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        region_name=environ["AWS_REGION"],
    )
    return cache(partial(session.client, endpoint_url=environ["AWS_ENDPOINT_URL"]))
