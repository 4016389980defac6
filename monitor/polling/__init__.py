"""Polls AWS: inventories of resources, and GetMetricData, both into the fleet."""
