"""The services that come with Headroom. A new one is added here, and to `rules/catalogue/`."""

from functools import cache

from collectors import apigateway, autoscaling, kinesis, lambda_, s3, sqs
from collectors.registry import Registry, build_registry
from rules.limits import read_services

IN_PYTHON = (  # the collectors that are code
    apigateway.COLLECTOR,
    lambda_.COLLECTOR,
    sqs.COLLECTOR,
    s3.COLLECTOR,
    kinesis.COLLECTOR,
    autoscaling.COLLECTOR,
)


@cache
def builtin_registry() -> Registry:
    """Read the catalogue and return the registry of the built-in services; the same one each time.

    For composition roots, which pass it on. Raises ValueError when a file of the catalogue is invalid.
    """
    # Services that are declared in files are added here: their collectors, and their entries.
    return build_registry(IN_PYTHON, read_services())
