"""CloudWatch's cross-account observability: the accounts whose metrics a monitoring account may read.

A source account links itself to the sink of a monitoring account, in one region, and chooses what it shares:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Unified-Cross-Account.html
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from monitor.lib.account_ids import ID_LENGTH
from monitor.lib.text import replace_surrogates

if TYPE_CHECKING:
    from monitor.aws.cell import Cell

# Actions of the monitoring account.
ACTIONS = ("cloudwatch:ListMetrics", "oam:ListAttachedLinks", "oam:ListSinks")
# Actions of a source account with a role: they tell whether it shares all of its metrics.
SOURCE_ACTIONS = ("oam:GetLink", "oam:ListLinks")
METRICS = "AWS::CloudWatch::Metric"  # the type of the resources that a link shares
PAGE_SIZE = 1000  # attached links in one response
NO_FILTER = ("", "*")  # the filters of a link that shares all metrics
ACCOUNT_FIELD = 4  # the index of the account in an ARN

LinkLabels = Mapping[str, str]  # the label of a link by the id of its source account


async def read_links(cell: "Cell") -> LinkLabels:
    """Return the accounts that share metrics with a monitoring account in a region, sorted by id.

    cell: the monitoring account's cell in the region. Raises one of AWS_ERRORS.
    """
    links: dict[str, str] = {}
    async for sink in cell.list_items("oam", "ListSinks", "Items"):
        attached = cell.list_items(
            "oam", "ListAttachedLinks", "Items", SinkIdentifier=sink["Arn"], MaxResults=PAGE_SIZE
        )
        async for link in attached:
            account = account_of(link.get("LinkArn", ""))
            if account and METRICS in (link.get("ResourceTypes") or ()):
                links[account] = replace_surrogates(link.get("Label") or "")
    return dict(sorted(links.items()))


async def shares_all_metrics(cell: "Cell", monitoring_account: str) -> bool:
    """Return whether a source account shares the metrics of all namespaces with a monitoring account.

    cell: a cell of the source account, in the region of the link. Raises one of AWS_ERRORS.
    """
    async for link in cell.list_items("oam", "ListLinks", "Items"):
        is_to_monitoring_account = account_of(link.get("SinkArn", "")) == monitoring_account
        if is_to_monitoring_account and METRICS in (link.get("ResourceTypes") or ()):
            details = await cell.call("oam", "GetLink", Identifier=link["Arn"])
            metrics = (details.get("LinkConfiguration") or {}).get("MetricConfiguration") or {}
            return (metrics.get("Filter") or "") in NO_FILTER
    return False


def account_of(arn: str) -> str:
    """Return the id of the account in an ARN; empty if the text has none."""
    parts = arn.split(":")
    account = parts[ACCOUNT_FIELD] if len(parts) > ACCOUNT_FIELD else ""
    return account if len(account) == ID_LENGTH and account.isascii() and account.isdigit() else ""
