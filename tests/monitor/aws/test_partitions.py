"""The table of partitions, compared with botocore's."""

from typing import Any

import pytest
from botocore.loaders import Loader

from monitor.aws.partitions import COMMERCIAL, PARTITIONS, partition_of, partition_of_arn

KNOWN: list[dict[str, Any]] = Loader().load_data("partitions")["partitions"]


def test_every_partition_of_botocore_is_in_the_table() -> None:
    assert {one.name for one in PARTITIONS} == {one["id"] for one in KNOWN}


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["id"])
def test_its_regions_and_domain_are_those_of_botocore(known: dict[str, Any]) -> None:
    regions = [name for name in known["regions"] if not name.endswith("-global")]
    assert {partition_of(region).name for region in regions} == {known["id"]}
    assert {partition_of(region).dns_suffix for region in regions} == {known["outputs"]["dnsSuffix"]}
    assert partition_of(regions[0]).first_region in regions


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws-cn:iam::123456789012:role/headroom", "aws-cn"),
        ("arn:aws-us-gov:iam::123456789012:role/headroom", "aws-us-gov"),
        ("arn:aws-iso-b:iam::123456789012:role/headroom", "aws-iso-b"),
        ("arn:aws:iam::123456789012:role/headroom", "aws"),
        ("arn:aws-new:iam::123456789012:role/headroom", "aws"),
        ("", "aws"),
    ],
)
def test_an_arn_names_its_partition(arn: str, name: str) -> None:
    assert partition_of_arn(arn).name == name


def test_a_region_that_is_not_known_is_of_the_commercial_partition() -> None:
    assert partition_of("eu-west-9") is COMMERCIAL
