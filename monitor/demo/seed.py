"""Creates the declared resources in moto, in this process and without a socket."""

import os
from collections.abc import Iterable

import boto3
from moto import mock_aws

from monitor.demo.region import Region
from monitor.demo.services import SERVICES


def forget_the_user() -> None:
    """Drop the user's AWS configuration from the environment: nothing of it may reach the demo."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "MOTO_")):
            del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def seed(regions: Iterable[Region]) -> None:
    """Create what is declared, and remember in each region's `ids` what moto called it."""
    forget_the_user()
    mock = mock_aws()  # in which boto3 reaches moto's memory, and no network
    mock.start()
    for region in regions:
        for service in SERVICES:
            if service.seed and region.resources:
                service.seed(region, boto3.client(service.name, region_name=region.name))
    mock.stop(remove_data=False)
