"""Creates the demo's resources in moto, in this process and without a socket."""

import os
from collections.abc import Iterable

import boto3
from moto import mock_aws

from monitor.demo.region import DemoRegion
from monitor.demo.services import SERVICES


def clear_aws_environment() -> None:
    """Remove the user's AWS settings from the environment: the demo must not use them."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "MOTO_")):
            del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def seed_regions(regions: Iterable[DemoRegion]) -> None:
    """Create the resources that the regions declare; store the ids in the `ids` of each region."""
    clear_aws_environment()
    mock = mock_aws()  # boto3 then uses the state of moto in memory, and no network
    mock.start()
    for region in regions:
        os.environ["MOTO_ACCOUNT_ID"] = region.account
        for service in SERVICES:
            if service.seed and region.resources:
                service.seed(region, boto3.client(service.name, region_name=region.name))
    mock.stop(remove_data=False)
    os.environ.pop("MOTO_ACCOUNT_ID", None)
