"""EC2: only the list of regions is simulated."""

from collections.abc import Mapping
from typing import Any

from monitor.demo.region import DemoRegion, DemoService, RequestParams


def describe_regions(region: DemoRegion, params: RequestParams, _: float) -> Mapping[str, Any]:
    """Return the response of DescribeRegions: the enabled regions, filtered by the requested names."""
    return {
        "Regions": [
            {
                "RegionName": name,
                "Endpoint": f"ec2.{name}.amazonaws.com",
                "OptInStatus": "opt-in-not-required",
            }
            for name in region.enabled_regions
            if name in params.get("RegionNames", region.enabled_regions)
        ]
    }


SERVICE = DemoService(name="ec2", operations={"DescribeRegions": describe_regions})
