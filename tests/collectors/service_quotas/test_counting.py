"""Counts of resources over pages, over parents, and in lists within items."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from collectors.expression import ExpressionError
from collectors.service_quotas.call_budget import BudgetedCalls, CallBudget
from collectors.service_quotas.count_file import CountDeclaration
from collectors.service_quotas.counting import (
    MAX_OWNERS,
    MAX_PARENTS,
    Count,
    CountGroup,
    TooManyParentsError,
    count,
    group_counts,
)
from rules.signals import Quota
from tests.fake_aws import FakeAws, denied

QUOTA = Quota(service="any", code="L-00000001")  # the declarations below call several services
RULES_PER_BUCKET = {
    "call": "s3.GetBucketLifecycleConfiguration",
    "items": "Rules",
    "params": {"Bucket": "{parent}"},
    "parent": {"call": "s3.ListBuckets", "items": "Buckets", "id": "Name"},
    "count": "per_parent",
    "empty_error_code": "NoSuchLifecycleConfiguration",
}
SUBNETS_PER_LINK = {
    "call": "apigatewayv2.GetVpcLinks",
    "items": "Items",
    "list_in_item": "SubnetIds",
    "id": "VpcLinkId",
    "count": "per_item",
}


def group(**declared: Any) -> CountGroup:
    """Return a group of one count."""
    declaration = CountDeclaration.model_validate({"code": QUOTA.code, "name": "Things", **declared})
    return CountGroup(QUOTA.service, {QUOTA: declaration})


async def count_quota(aws: FakeAws, **declared: Any) -> Count:
    """Return the count of QUOTA by a declaration. Raises ExpressionError if the count is one."""
    counts = await count(BudgetedCalls(aws.scan, CallBudget()), group(**declared))
    if isinstance(result := counts[QUOTA], ExpressionError):
        raise result
    return result


async def count_number(aws: FakeAws, **declared: Any) -> float:
    """Return the number that a declaration counts."""
    return (await count_quota(aws, **declared)).number


def buckets(*names: str) -> dict[str, Any]:
    return {"Buckets": [{"Name": name} for name in names]}


def rules_of(**numbers: int) -> Any:
    """Return a method that answers with the lifecycle rules of a bucket. numbers: rules by bucket."""

    def rules(Bucket: str, **_: Any) -> Any:  # AWS's name of the parameter
        if Bucket not in numbers:
            return denied("GetBucketLifecycleConfiguration", "NoSuchLifecycleConfiguration")
        return {"Rules": [{"Status": "Enabled"}] * numbers[Bucket]}

    return rules


async def test_the_items_of_all_pages_are_counted() -> None:
    pages = [{"WebACLs": [{"Name": "a"}, {"Name": "b"}]}, {"WebACLs": []}, {"WebACLs": [{"Name": "c"}]}]
    declaration = {"call": "wafv2.ListWebACLs", "items": "WebACLs", "params": {"Scope": "REGIONAL"}}
    assert await count_number(FakeAws(list_web_acls=pages), **declaration) == 3


async def test_a_path_may_select_items_and_a_response_may_lack_the_list() -> None:
    acls = {"WebACLs": [{"Name": "a"}, {"Name": "b"}]}
    declaration = {
        "call": "wafv2.ListWebACLs",
        "items": "WebACLs[?Name=='a']",
        "params": {"Scope": "REGIONAL"},
    }
    assert await count_number(FakeAws(list_web_acls=acls), **declaration) == 1
    assert await count_number(FakeAws(list_web_acls={}), **declaration) == 0


@pytest.mark.parametrize(("count_of", "expected"), [("all", 5), ("per_parent", 3)])
async def test_the_number_is_the_sum_over_all_parents_or_the_number_of_the_largest_parent(
    count_of: str, expected: int
) -> None:
    aws = FakeAws(
        list_buckets=buckets("logs", "web", "no-rules"),
        get_bucket_lifecycle_configuration=rules_of(logs=2, web=3),
    )
    assert await count_number(aws, **{**RULES_PER_BUCKET, "count": count_of}) == expected


def vpc_link(subnets: int) -> dict[str, Any]:
    """Return a VPC link whose id is the number of its subnets."""
    return {"VpcLinkId": str(subnets), "Name": "x", "SecurityGroupIds": [], "SubnetIds": ["s"] * subnets}


async def test_a_count_per_item_is_the_length_of_the_longest_list() -> None:
    links = [vpc_link(2), vpc_link(7), vpc_link(1)]
    aws = FakeAws(get_vpc_links=[{"Items": links[:1]}, {"Items": links[1:]}])
    assert await count_quota(aws, **SUBNETS_PER_LINK) == Count(7, {("2",): 2, ("7",): 7, ("1",): 1})


async def test_only_the_numbers_of_the_largest_items_are_returned() -> None:
    links = [vpc_link(subnets) for subnets in range(MAX_OWNERS + 20)]
    largest = await count_quota(
        FakeAws(get_vpc_links=[{"Items": links[:60]}, {"Items": links[60:]}]), **SUBNETS_PER_LINK
    )
    assert (largest.number, len(largest.owners)) == (MAX_OWNERS + 19, MAX_OWNERS)
    assert min(largest.owners.values()) == 20


async def test_the_numbers_of_parents_are_returned_if_a_quota_holds_for_each_parent() -> None:
    aws = FakeAws(
        list_buckets=buckets("logs", "web"), get_bucket_lifecycle_configuration=rules_of(logs=2, web=3)
    )
    assert (await count_quota(aws, **RULES_PER_BUCKET)).owners == {("logs",): 2, ("web",): 3}
    assert (await count_quota(aws, **{**RULES_PER_BUCKET, "count": "all"})).owners == {}


async def test_the_count_is_0_without_parents() -> None:
    assert await count_number(FakeAws(list_buckets=buckets()), **RULES_PER_BUCKET) == 0


async def test_a_parent_deleted_after_it_was_listed_is_not_counted() -> None:
    def rules(Bucket: str, **_: Any) -> Any:
        return denied("x", "NoSuchBucket") if Bucket == "gone" else {"Rules": [{"Status": "Enabled"}]}

    aws = FakeAws(list_buckets=buckets("gone", "there"), get_bucket_lifecycle_configuration=rules)
    assert await count_number(aws, **RULES_PER_BUCKET) == 1


async def test_a_parent_that_cannot_be_read_makes_the_count_unknown() -> None:
    def rules(Bucket: str, **_: Any) -> Any:
        return denied() if Bucket == "secret" else {"Rules": [{"Status": "Enabled"}]}

    aws = FakeAws(list_buckets=buckets("there", "secret"), get_bucket_lifecycle_configuration=rules)
    with pytest.raises(ClientError, match="AccessDenied"):
        await count_number(aws, **RULES_PER_BUCKET)


async def test_no_items_are_requested_of_too_many_parents() -> None:
    names = [f"b{n}" for n in range(MAX_PARENTS + 1)]
    aws = FakeAws(list_buckets=buckets(*names), get_bucket_lifecycle_configuration={})
    with pytest.raises(TooManyParentsError, match="at most 1,000 items of ListBuckets"):
        await count_number(aws, **RULES_PER_BUCKET)
    assert aws.calls == ["s3:ListBuckets"]


async def test_an_item_without_an_id_makes_the_count_unknown() -> None:
    aws = FakeAws(list_buckets={"Buckets": [{}]}, get_bucket_lifecycle_configuration={})
    with pytest.raises(ExpressionError, match="expected an id in ListBuckets, found None"):
        await count_number(aws, **RULES_PER_BUCKET)


async def test_an_error_of_one_count_affects_no_other_count_of_its_group() -> None:
    other = Quota(service="any", code="L-00000002")
    declaration = {"name": "Things", "call": "wafv2.ListWebACLs", "params": {"Scope": "REGIONAL"}}
    declarations = {
        quota: CountDeclaration.model_validate({**declaration, "code": quota.code, "items": items})
        for quota, items in ((other, "NextMarker"), (QUOTA, "WebACLs"))
    }
    aws = FakeAws(malformed=True, list_web_acls={"WebACLs": [{"Name": "a"}], "NextMarker": ""})
    (only_group,) = group_counts(declarations)
    counts = await count(BudgetedCalls(aws.scan, CallBudget()), only_group)
    assert counts[QUOTA] == Count(1)
    assert isinstance(counts[other], ExpressionError)


async def test_a_path_to_a_value_that_is_no_list_is_an_error() -> None:
    acls = {"WebACLs": [{"Name": "a"}]}
    declaration = {"call": "wafv2.ListWebACLs", "items": "WebACLs[0].Name", "params": {"Scope": "REGIONAL"}}
    with pytest.raises(ExpressionError, match="expected a list in ListWebACLs, found str"):
        await count_number(FakeAws(list_web_acls=acls), **declaration)


def test_counts_by_the_same_calls_are_one_group() -> None:
    declaration = {"call": "wafv2.ListWebACLs", "items": "WebACLs", "params": {"Scope": "REGIONAL"}}
    keys_by_code = {
        "L-00000001": declaration,
        "L-00000002": {**declaration, "items": "WebACLs[?Name=='a']"},
        "L-00000003": {**declaration, "params": {"Scope": "CLOUDFRONT"}},
        "L-00000004": RULES_PER_BUCKET,
        "L-00000005": {**RULES_PER_BUCKET, "count": "all"},
        "L-00000006": {**RULES_PER_BUCKET, "empty_error_code": "NoSuchTagSet"},
    }
    counts = {
        Quota(service="wafv2", code=code): CountDeclaration.model_validate(
            {"code": code, "name": "x", **keys}
        )
        for code, keys in keys_by_code.items()
    }
    groups = [[quota.code[-1] for quota in count_group.counts] for count_group in group_counts(counts)]
    assert groups == [["1", "2"], ["3"], ["4", "5"], ["6"]]


async def test_counts_with_the_same_parent_list_the_parent_once() -> None:
    aws = FakeAws(list_buckets=buckets("a", "b"), get_bucket_lifecycle_configuration=rules_of(a=1, b=2))
    calls = BudgetedCalls(aws.scan, CallBudget())
    for count_of, expected in (("all", 3), ("per_parent", 2)):
        counts = await count(calls, group(**{**RULES_PER_BUCKET, "count": count_of}))
        assert [isinstance(result, Count) and result.number for result in counts.values()] == [expected]
    assert aws.calls.count("s3:ListBuckets") == 1
