"""The partitions of AWS, and what differs between them.

Names, prefixes and suffixes are those of botocore's `partitions.json`, which a test compares; consoles are
from https://docs.aws.amazon.com/general/latest/gr/mgmt-console.html and the guides of the partitions.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Partition:
    """One separate set of regions with its own accounts, credentials and domains.

    name: as in ARNs. region_prefix: of the names of its regions. first_region: the home region of its
    global services, also for calls whose result is the same in all regions. dns_suffix: the domain of its
    endpoints. console: the host of its console without the region prefix; None when it is not public.
    """

    name: str
    region_prefix: str
    first_region: str
    dns_suffix: str
    console: str | None = None


COMMERCIAL = Partition("aws", "", "us-east-1", "amazonaws.com", "console.aws.amazon.com")
PARTITIONS = (
    Partition("aws-cn", "cn-", "cn-north-1", "amazonaws.com.cn", "console.amazonaws.cn"),
    Partition("aws-us-gov", "us-gov-", "us-gov-west-1", "amazonaws.com", "console.amazonaws-us-gov.com"),
    Partition("aws-eusc", "eusc-", "eusc-de-east-1", "amazonaws.eu"),
    Partition("aws-iso", "us-iso-", "us-iso-east-1", "c2s.ic.gov"),
    Partition("aws-iso-b", "us-isob-", "us-isob-east-1", "sc2s.sgov.gov"),
    Partition("aws-iso-e", "eu-isoe-", "eu-isoe-west-1", "cloud.adc-e.uk"),
    Partition("aws-iso-f", "us-isof-", "us-isof-south-1", "csp.hci.ic.gov"),
    COMMERCIAL,  # the last one, as every name starts with its empty prefix
)


def partition_of(region: str) -> Partition:
    """The partition of a region, by the region's name."""
    return next(partition for partition in PARTITIONS if region.startswith(partition.region_prefix))


def partition_of_arn(arn: str) -> Partition:
    """The partition that an ARN names; the commercial one where it names no known one."""
    name = arn.split(":")[1:2]
    return next((partition for partition in PARTITIONS if [partition.name] == name), COMMERCIAL)
