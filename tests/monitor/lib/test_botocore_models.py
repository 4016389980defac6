"""Botocore's data, as FastLoader reads it."""

from botocore.loaders import Loader
from botocore.regions import EndpointResolver

from monitor.lib.botocore_models import FastLoader


def test_the_table_of_endpoints_is_the_same_as_with_botocores_loader() -> None:
    read, expected = (loader.load_data("endpoints") for loader in (FastLoader(), Loader()))
    for partition in read["partitions"]:
        partition["services"] = {**partition["services"]}
    assert read == expected


def test_the_services_of_a_partition_are_a_mapping_that_is_decoded_on_demand() -> None:
    services = FastLoader().load_data("endpoints")["partitions"][0]["services"]
    assert services["kinesis"] is services["kinesis"]  # decoded once, as botocore changes the object
    assert services.get("no such service") is None
    assert len(services) == len([*services])


def test_regions_and_endpoints_are_the_same_as_with_botocores_loader() -> None:
    ours, theirs = (EndpointResolver(loader.load_data("endpoints")) for loader in (FastLoader(), Loader()))
    for partition in theirs.get_available_partitions():
        regions = theirs.get_available_endpoints("kinesis", partition)
        assert ours.get_available_endpoints("kinesis", partition) == regions
    assert ours.construct_endpoint("kinesis", "eu-west-1") == theirs.construct_endpoint(
        "kinesis", "eu-west-1"
    )
