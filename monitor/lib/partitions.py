"""The partitions of AWS and their differences, in one table for all modules.

Names, regions, home regions and domains are from botocore's `partitions.json`, so that a new botocore brings
new partitions. The hosts of consoles are from
https://docs.aws.amazon.com/general/latest/gr/mgmt-console.html and the user guides of the partitions; AWS
publishes these guides at the addresses in DOCUMENTATIONS.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from monitor.lib.botocore_files import partition_data

COMMERCIAL = "aws"  # the partition that is assumed if none is named
COMMERCIAL_DOCUMENTATION = (
    "https://docs.aws.amazon.com/"  # of the commercial partition, and of partitions not in DOCUMENTATIONS
)

CONSOLES: Mapping[str, str] = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}
DOCUMENTATIONS: Mapping[str, str] = {
    "aws-cn": "https://docs.amazonaws.cn/en_us/",
    "aws-eusc": "https://docs.aws.eu/",
}


@dataclass(frozen=True, slots=True)
class Partition:
    """One separate set of regions with its own accounts, credentials and domains.

    name: the name in ARNs. regions: the regions that botocore knows. region_pattern: matches the names of all
    its regions. home_region: the region of its global services, of calls with the same result in all regions,
    and of calls to STS without a region. dns_suffix: the domain of its endpoints. console: the host of its
    console without the region in front; None if it is not public. documentation: the base URL of its
    documentation, which has the same paths as that of the commercial partition.
    """

    name: str
    regions: tuple[str, ...]
    region_pattern: re.Pattern[str]
    home_region: str
    dns_suffix: str
    console: str | None
    documentation: str

    def localized_url(self, url: str) -> str:
        """Return the URL that a page of AWS's documentation has in this partition; other URLs unchanged."""
        path = url.removeprefix(COMMERCIAL_DOCUMENTATION)
        return url if path == url else f"{self.documentation}{path}"


@cache
def partitions() -> Mapping[str, Partition]:
    """Return the partitions by their names."""
    entries = partition_data()["partitions"]
    return {
        entry["id"]: Partition(
            name=entry["id"],
            regions=tuple(name for name in entry["regions"] if not name.endswith("-global")),
            region_pattern=re.compile(entry["regionRegex"]),
            home_region=entry["outputs"]["implicitGlobalRegion"],
            dns_suffix=entry["outputs"]["dnsSuffix"],
            console=CONSOLES.get(entry["id"]),
            documentation=DOCUMENTATIONS.get(entry["id"], COMMERCIAL_DOCUMENTATION),
        )
        for entry in entries
    }


@lru_cache(1024)
def partition_of(region: str) -> Partition:
    """Return the partition of a region by its name; the commercial partition if no pattern matches."""
    by_name = partitions()
    matching = (
        partition
        for partition in by_name.values()
        if region in partition.regions or partition.region_pattern.match(region)
    )
    return next(matching, by_name[COMMERCIAL])


def partition_of_arn(arn: str) -> Partition:
    """Return the partition that an ARN names; the commercial partition if the name is unknown."""
    by_name = partitions()
    return by_name.get(arn.split(":")[1] if ":" in arn else "", by_name[COMMERCIAL])


@cache
def arn_pattern(rest: str) -> re.Pattern[str]:
    """Return the pattern of the ARNs of known partitions. rest: a pattern of the part after the partition."""
    return re.compile(rf"arn:({'|'.join(map(re.escape, partitions()))}):{rest}", re.A)
