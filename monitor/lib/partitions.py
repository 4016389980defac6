"""The partitions of AWS, and what differs between them: the one table that all else asks.

Names, regions, home regions and domains are those of botocore's `partitions.json`, so that a partition that
botocore learns of is known here. The hosts of consoles are from
https://docs.aws.amazon.com/general/latest/gr/mgmt-console.html and the user guides of the partitions; the
addresses of documentation are those at which AWS publishes these guides.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from monitor.lib.botocore_files import partition_data

COMMERCIAL = "aws"  # the partition that is assumed where nothing names one
DOCUMENTATION = "https://docs.aws.amazon.com/"  # of the commercial partition; the others have no public one

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

    name: as in ARNs. regions: those that botocore knows. region_pattern: what the names of all its regions
    match. home_region: where its global services are, also for calls whose result is the same in all regions,
    and for those of STS where no region is named. dns_suffix: the domain of its endpoints. console: the host
    of its console without the region in front; None when it is not public. documentation: the URL below which
    its documentation has the paths of the commercial one.
    """

    name: str
    regions: tuple[str, ...]
    region_pattern: re.Pattern[str]
    home_region: str
    dns_suffix: str
    console: str | None
    documentation: str

    def localized(self, url: str) -> str:
        """The URL of a page of AWS's documentation in this partition; other URLs as they are."""
        path = url.removeprefix(DOCUMENTATION)
        return url if path == url else f"{self.documentation}{path}"


@cache
def partitions() -> Mapping[str, Partition]:
    """Return the partitions by their names."""
    listed = partition_data()["partitions"]
    return {
        one["id"]: Partition(
            name=one["id"],
            regions=tuple(name for name in one["regions"] if not name.endswith("-global")),
            region_pattern=re.compile(one["regionRegex"]),
            home_region=one["outputs"]["implicitGlobalRegion"],
            dns_suffix=one["outputs"]["dnsSuffix"],
            console=CONSOLES.get(one["id"]),
            documentation=DOCUMENTATIONS.get(one["id"], DOCUMENTATION),
        )
        for one in listed
    }


@lru_cache(1024)
def partition_of(region: str) -> Partition:
    """The partition of a region, by its name; the commercial one where no partition has such names."""
    known = partitions()
    matching = (one for one in known.values() if region in one.regions or one.region_pattern.match(region))
    return next(matching, known[COMMERCIAL])


def partition_of_arn(arn: str) -> Partition:
    """The partition that an ARN names; the commercial one where it names no known one."""
    known = partitions()
    return known.get(arn.split(":")[1] if ":" in arn else "", known[COMMERCIAL])


@cache
def arn_pattern(rest: str) -> re.Pattern[str]:
    """Return the pattern of the ARNs of known partitions. rest: a pattern of what follows the partition."""
    return re.compile(rf"arn:({'|'.join(map(re.escape, partitions()))}):{rest}", re.A)
