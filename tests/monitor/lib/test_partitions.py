"""The table of partitions, and the values derived from it."""

from typing import Any

import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import Loader

from monitor.lib.partitions import CONSOLES, DOCUMENTATIONS, partition_of, partition_of_arn, partitions

BOTOCORE_PARTITIONS: list[dict[str, Any]] = Loader().load_data("partitions")["partitions"]

GUIDES = "https://docs.aws.amazon.com/"
# By partition: a region, the home region, the domain, the console (None: unknown), the documentation.
FACTS_BY_PARTITION = {
    "aws": ("eu-west-1", "us-east-1", "amazonaws.com", "console.aws.amazon.com", GUIDES),
    "aws-cn": (
        "cn-north-1",
        "cn-northwest-1",
        "amazonaws.com.cn",
        "console.amazonaws.cn",
        "https://docs.amazonaws.cn/en_us/",
    ),
    "aws-us-gov": (
        "us-gov-east-1",
        "us-gov-west-1",
        "amazonaws.com",
        "console.amazonaws-us-gov.com",
        GUIDES,
    ),
    "aws-eusc": (
        "eusc-de-east-1",
        "eusc-de-east-1",
        "amazonaws.eu",
        "console.amazonaws-eusc.eu",
        "https://docs.aws.eu/",
    ),
    "aws-iso": ("us-iso-west-1", "us-iso-east-1", "c2s.ic.gov", None, GUIDES),
    "aws-iso-b": ("us-isob-east-1", "us-isob-east-1", "sc2s.sgov.gov", None, GUIDES),
    "aws-iso-e": ("eu-isoe-west-1", "eu-isoe-west-1", "cloud.adc-e.uk", None, GUIDES),
    "aws-iso-f": ("us-isof-east-1", "us-isof-south-1", "csp.hci.ic.gov", None, GUIDES),
}


@pytest.mark.parametrize("name", FACTS_BY_PARTITION)
def test_a_region_and_an_arn_belong_to_the_same_partition_with_its_facts(name: str) -> None:
    region, *expected = FACTS_BY_PARTITION[name]
    partition = partition_of(region)
    assert [
        partition.home_region,
        partition.dns_suffix,
        partition.console,
        partition.documentation,
    ] == expected
    assert partition.name == name
    assert partition_of_arn(f"arn:{name}:iam::123456789012:role/headroom") is partition


def test_every_partition_of_botocore_is_known_with_all_its_regions() -> None:
    assert (
        partitions().keys()
        == {partition["id"] for partition in BOTOCORE_PARTITIONS}
        == FACTS_BY_PARTITION.keys()
    )
    for entry in BOTOCORE_PARTITIONS:
        # `aws-global` and its like are botocore's pseudo-regions of global services.
        regions = [name for name in entry["regions"] if not name.endswith("-global")]
        assert {partition_of(region).name for region in regions} == {entry["id"]}
        assert partition_of(regions[0]).home_region in regions


def test_the_tables_of_consoles_and_documentations_have_only_known_partitions() -> None:
    assert CONSOLES.keys() | DOCUMENTATIONS.keys() <= partitions().keys()


@pytest.mark.parametrize("name", CONSOLES)
def test_the_domain_of_a_console_is_that_of_botocores_sign_in_endpoint(name: str) -> None:
    region = partitions()[name].home_region
    rules = Loader().load_service_model("signin", "endpoint-rule-set-1")
    provider = EndpointProvider(rules, Loader().load_data("partitions"))
    endpoint = provider.resolve_endpoint(Region=region, UseDualStack=False, UseFIPS=False)
    assert endpoint.url == f"https://{region}.signin.{CONSOLES[name].removeprefix('console.')}"


@pytest.mark.parametrize(
    ("region", "name"),
    [("eu-west-9", "aws"), ("cn-south-1", "aws-cn"), ("us-gov-north-1", "aws-us-gov"), ("", "aws")],
)
def test_an_unknown_region_belongs_to_the_partition_whose_pattern_matches(region: str, name: str) -> None:
    assert partition_of(region).name == name


@pytest.mark.parametrize("arn", ["arn:aws-new:iam::123456789012:role/headroom", "headroom", ""])
def test_an_arn_without_a_known_partition_is_treated_as_commercial(arn: str) -> None:
    assert partition_of_arn(arn).name == "aws"


@pytest.mark.parametrize(
    ("region", "localized_url"),
    [
        ("eu-west-1", "https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"),
        ("us-gov-west-1", "https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"),
        ("cn-north-1", "https://docs.amazonaws.cn/en_us/streams/latest/dev/service-sizes-and-limits.html"),
        ("eusc-de-east-1", "https://docs.aws.eu/streams/latest/dev/service-sizes-and-limits.html"),
    ],
)
def test_a_url_of_documentation_is_localized_to_the_partition(region: str, localized_url: str) -> None:
    page = "https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"
    assert partition_of(region).localized_url(page) == localized_url
    foreign = "https://wiki.example.org/limits"
    assert partition_of(region).localized_url(foreign) == foreign
