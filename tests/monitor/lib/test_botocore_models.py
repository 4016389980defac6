"""Botocore's data, as our loader reads it."""

from botocore.loaders import Loader
from botocore.regions import EndpointResolver

from monitor.lib.botocore_models import FastLoader


def test_the_table_of_endpoints_is_the_one_that_botocore_reads() -> None:
    read, expected = (loader.load_data("endpoints") for loader in (FastLoader(), Loader()))
    for partition in read["partitions"]:
        partition["services"] = {**partition["services"]}
    assert read == expected


def test_the_services_of_a_partition_are_a_mapping_that_decodes_what_is_read() -> None:
    services = FastLoader().load_data("endpoints")["partitions"][0]["services"]
    assert services["kinesis"] is services["kinesis"]  # botocore writes to it
    assert services.get("no such service") is None
    assert len(services) == len([*services])


def test_regions_and_endpoints_are_those_that_botocore_finds() -> None:
    ours, theirs = (EndpointResolver(one.load_data("endpoints")) for one in (FastLoader(), Loader()))
    for partition in theirs.get_available_partitions():
        regions = theirs.get_available_endpoints("kinesis", partition)
        assert ours.get_available_endpoints("kinesis", partition) == regions
    assert ours.construct_endpoint("kinesis", "eu-west-1") == theirs.construct_endpoint(
        "kinesis", "eu-west-1"
    )
