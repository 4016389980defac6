"""EC2, only to tell which regions the account has enabled: those of the world."""

from collections.abc import Mapping
from typing import Any

from monitor.demo.region import Params, Region, Service


def describe_regions(region: Region, params: Params, _: float) -> Mapping[str, Any]:
    return {
        "Regions": [
            {
                "RegionName": name,
                "Endpoint": f"ec2.{name}.amazonaws.com",
                "OptInStatus": "opt-in-not-required",
            }
            for name in region.enabled
            if name in params.get("RegionNames", region.enabled)
        ]
    }


SERVICE = Service(name="ec2", answers={"DescribeRegions": describe_regions})
