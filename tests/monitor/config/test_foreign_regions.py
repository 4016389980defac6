"""The regions of an account must belong to the partition of its role."""

from typing import Any

import pytest
from pydantic import ValidationError

from monitor.config.config import Config


def role(partition: str) -> str:
    """Return the ARN of a role in a partition."""
    return f"arn:{partition}:iam::123456789012:role/headroom"


@pytest.mark.parametrize(
    ("account", "regions", "expected"),
    [
        ({"role_arn": role("aws-cn")}, ["eu-west-1"], "regions of aws-cn, the partition of role_arn"),
        ({"role_arn": role("aws-cn"), "regions": ["cn-north-1", "us-gov-west-1"]}, [], "found us-gov-west-1"),
        ({"role_arn": role("aws"), "regions": ["eusc-de-east-1"]}, [], "expected regions of aws,"),
    ],
)
def test_a_region_outside_the_partition_of_the_role_is_rejected(
    account: dict[str, Any], regions: list[str], expected: str
) -> None:
    with pytest.raises(ValidationError) as error:
        Config.model_validate({"accounts": [account], "regions": regions})
    assert expected in str(error.value)


def test_accounts_of_three_partitions_have_regions_of_their_own_partition() -> None:
    regions_by_partition = {
        "aws": ["eu-west-1"],
        "aws-cn": ["cn-north-1", "cn-northwest-1"],
        "aws-us-gov": ["all"],
    }
    accounts = [
        {"role_arn": role(partition).replace("123456789012", f"{number:012d}"), "regions": regions}
        for number, (partition, regions) in enumerate(regions_by_partition.items())
    ]
    config = Config.model_validate({"accounts": accounts})
    assert [[*account.regions] for account in config.accounts] == [*regions_by_partition.values()]


@pytest.mark.parametrize(
    "arn", ["arn:aws-new:iam::123456789012:role/headroom", "arn:amazon:iam::123456789012:role/headroom"]
)
def test_a_role_of_an_unknown_partition_is_rejected(arn: str) -> None:
    with pytest.raises(ValidationError, match="expected a role such as"):
        Config.model_validate({"accounts": [{"role_arn": arn}]})
