"""The members of requests and responses that hold page tokens, as found in botocore's files."""

import pytest

from monitor.aws.pagination import Pagination, pagination_from_model
from monitor.lib.botocore_models import model_loader

PAGINATIONS: dict[tuple[str, str], Pagination | None] = {
    # Operations with a paginator of botocore.
    ("kinesis", "ListShards"): Pagination("NextToken", "NextToken"),
    ("iam", "ListUsers"): Pagination("Marker", "Marker", "IsTruncated"),
    # Operations without a paginator of botocore.
    ("wafv2", "ListWebACLs"): Pagination("NextMarker", "NextMarker"),
    ("apprunner", "ListServices"): Pagination("NextToken", "NextToken"),
    ("opensearchserverless", "ListAccessPolicies"): Pagination("nextToken", "nextToken"),
    ("dms", "DescribeDataProviders"): Pagination("Marker", "Marker"),
    ("cognito-idp", "ListUserImportJobs"): Pagination("PaginationToken", "PaginationToken"),
    ("servicecatalog", "ListPortfolioAccess"): Pagination("PageToken", "NextPageToken"),
    ("apigateway", "GetDomainNameAccessAssociations"): Pagination("position", "position"),
    ("macie2", "DescribeClassificationJob"): None,  # `clientToken` is no page token
    ("ec2", "DescribeVpnConnections"): None,
    ("sts", "GetCallerIdentity"): None,
}


@pytest.mark.parametrize(
    ("operation", "expected"), PAGINATIONS.items(), ids=[".".join(names) for names in PAGINATIONS]
)
def test_the_members_that_hold_page_tokens_are_found_in_botocores_files(
    operation: tuple[str, str], expected: Pagination | None
) -> None:
    assert pagination_from_model(model_loader(), *operation) == expected
