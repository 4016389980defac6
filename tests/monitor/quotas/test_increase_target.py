"""The choice of the account, the region and the resource whose quota is to be increased."""

from typing import Any

import pytest

from collectors.builtin import builtin_registry
from monitor.aws.account import Account
from monitor.aws.organization import Organization
from monitor.quotas.increase_target import choose_account, in_one_region, resource_arn
from monitor.quotas.wanted import UnknownQuotaError, WantedQuota, find_quota
from rules.signals import Quota
from tests.fake_aws import FakeAws
from tests.registries import REGISTRY

ROLE = "arn:aws{}:iam::{}:role/headroom"
PRODUCTION = Account(name="production", role_arn=ROLE.format("", "111111111111"))
STAGING = Account(role_arn=ROLE.format("-cn", "222222222222"))
OWN = Account(name="own")
SHARDS = find_quota("kinesis.shards_per_region", REGISTRY)
ZONES = find_quota("route53.hosted_zones", REGISTRY)


def test_the_only_account_needs_no_name() -> None:
    assert choose_account([STAGING], "") is STAGING


@pytest.mark.parametrize(
    ("name", "expected"),
    [("production", PRODUCTION), ("111111111111", PRODUCTION), ("222222222222", STAGING), ("own", OWN)],
)
def test_an_account_is_chosen_by_name_or_id(name: str, expected: Account) -> None:
    assert choose_account([PRODUCTION, STAGING, OWN], name) is expected


def test_an_unknown_id_chooses_the_configured_account_without_a_role() -> None:
    assert choose_account([PRODUCTION, OWN], "333333333333") is OWN


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "one of production, 222222222222; found none$"),
        ("prodution", "found prodution; did you mean production"),
        ("333333333333", "found 333333333333"),
    ],
)
def test_a_name_or_id_of_no_configured_account_is_rejected(name: str, expected: str) -> None:
    with pytest.raises(UnknownQuotaError, match=expected):
        choose_account([PRODUCTION, STAGING], name)


def test_an_account_of_an_organization_is_chosen_by_its_id() -> None:
    organization = Organization.model_validate({"organization": True, "exclude": ["444444444444"]})
    chosen = choose_account([PRODUCTION], "555555555555", [organization])
    assert chosen.role_arn == "arn:aws:iam::555555555555:role/headroom"
    assert choose_account([PRODUCTION], "111111111111", [organization]) is PRODUCTION
    for name in ("", "444444444444", "sandbox"):
        with pytest.raises(UnknownQuotaError, match="one of production, the id of an account of the organ"):
            choose_account([PRODUCTION], name, [organization])


# The account, its regions, the region on the command line, the quota, and the region that is chosen.
REGIONS: list[tuple[Account, tuple[str, ...], str, WantedQuota, tuple[str, ...]]] = [
    (OWN, ("eu-west-1",), "", SHARDS, ("eu-west-1",)),
    (OWN, (), "", SHARDS, ()),
    (OWN, ("eu-west-1", "us-east-1"), "us-east-1", SHARDS, ("us-east-1",)),
    (OWN, ("all",), "ap-south-1", SHARDS, ("ap-south-1",)),
    (OWN, ("eu-west-1", "eu-west-2"), "", ZONES, ("us-east-1",)),
    (OWN, ("all", "us-gov-east-1"), "", ZONES, ("us-gov-west-1",)),
    (STAGING, ("all",), "", ZONES, ("cn-northwest-1",)),
]


@pytest.mark.parametrize(("account", "regions", "region", "wanted", "expected"), REGIONS)
def test_the_region_is_the_given_region_or_the_only_region_or_the_home_region(
    account: Account, regions: Any, region: str, wanted: WantedQuota, expected: tuple[str, ...]
) -> None:
    account = account.model_copy(update={"regions": regions})
    assert in_one_region(account, region, wanted, REGISTRY).regions == expected


@pytest.mark.parametrize("regions", [("eu-west-1", "us-east-1"), ("all",)], ids=str)
def test_a_quota_in_several_regions_needs_a_region(regions: tuple[str, ...]) -> None:
    with pytest.raises(UnknownQuotaError, match="expected --region"):
        in_one_region(OWN.model_copy(update={"regions": regions}), "", SHARDS, REGISTRY)


def test_the_arn_of_a_resource_is_found_by_its_id_or_arn() -> None:
    cell, registry = FakeAws().cell, builtin_registry()
    kms_signal = next(signal for signal in registry.signals if signal.service == "kms" and signal.quota)
    assert kms_signal.quota
    wanted = WantedQuota(kms_signal.quota, kms_signal)
    arn = "arn:aws:kms:eu-west-1:123456789012:key/abc"
    assert resource_arn(cell, "", wanted, registry) == ""
    assert resource_arn(cell, arn, wanted, registry) == arn
    assert resource_arn(cell, "abc", wanted, registry) == arn


@pytest.mark.parametrize(
    "wanted", [WantedQuota(Quota(service="es", code="L-00000001")), find_quota("ec2.elastic_ips", REGISTRY)]
)
def test_an_id_that_does_not_determine_the_arn_is_rejected(wanted: WantedQuota) -> None:
    with pytest.raises(UnknownQuotaError, match="expected the ARN of the resource"):
        resource_arn(FakeAws().cell, "abc", wanted, REGISTRY)
