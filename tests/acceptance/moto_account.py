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

Make = Callable[[str], Any]  # makes a client of boto3, by its name

RESOURCES = yaml.safe_load(Path(__file__).with_name("moto_resources.yaml").read_text())


def filled(value: Any, kept: Mapping[str, str]) -> Any:
    """Return a parameter with its placeholders replaced by values that were kept from earlier responses."""
    if isinstance(value, str):
        return Template(value).substitute(kept)
    if isinstance(value, list):
        return [filled(one, kept) for one in value]
    return {name: filled(one, kept) for name, one in value.items()} if isinstance(value, dict) else value


def create_resources(make: Make) -> None:
    """Make the calls of RESOURCES, each with values that were kept from the responses before it."""
    kept: dict[str, str] = {}
    for step in RESOURCES["calls"]:
        ((call, params),) = (item for item in step.items() if item[0] != "keep")
        client, _, operation = call.partition(".")
        response = getattr(make(client), xform_name(operation))(**filled(params, kept))
        kept |= {name: jmespath.search(path, response) for name, path in step.get("keep", {}).items()}


def clients(environ: Mapping[str, str]) -> Make:
    """Return what makes clients with the endpoint and credentials of the environment, each once."""
    session = boto3.Session(
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        region_name=environ["AWS_REGION"],
    )
    return cache(partial(session.client, endpoint_url=environ["AWS_ENDPOINT_URL"]))
