"""Botocore's data, as FastLoader reads it."""

from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.regions import EndpointResolver
from botocore.utils import deep_merge

from monitor.lib.botocore_models import FastLoader


def test_the_table_of_endpoints_is_the_same_as_with_botocores_loader() -> None:
    endpoints, expected = (loader.load_data("endpoints") for loader in (FastLoader(), Loader()))
    for partition in endpoints["partitions"]:
        partition["services"] = {**partition["services"]}
    assert endpoints == expected


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


def without_documentation(model: Any) -> Any:
    """Return a part of a model without the documentation of its objects."""
    if isinstance(model, dict):
        return {
            name: without_documentation(member)
            for name, member in model.items()
            if not (name == "documentation" and isinstance(member, str))
        }
    return [without_documentation(member) for member in model] if isinstance(model, list) else model


# The largest models, and every ninth of the others.
SERVICES = sorted({"ec2", "s3", "iam", "rds", "kinesis", *Loader().list_available_services("service-2")[::9]})


@pytest.mark.parametrize("service", SERVICES)
def test_a_model_of_a_service_is_the_same_as_with_botocores_loader_but_for_documentation(
    service: str,
) -> None:
    fast_model, expected = (
        loader.load_service_model(service, "service-2") for loader in (FastLoader(), Loader())
    )
    shapes = fast_model["shapes"]
    assert shapes.keys() == expected["shapes"].keys()
    plain_model = {**fast_model, "shapes": dict(shapes.items())}
    assert without_documentation(plain_model) == without_documentation(expected)
    for name in fast_model.keys() - {"shapes", "operations"}:
        assert fast_model[name] == expected[name], name


def test_no_documentation_is_kept() -> None:
    model = FastLoader().load_service_model("kinesis", "service-2")
    plain_model = {"shapes": dict(model["shapes"].items()), "operations": model["operations"]}
    assert without_documentation(plain_model) == plain_model


def test_shapes_are_decoded_once_and_absent_ones_have_a_default() -> None:
    shapes = FastLoader().load_service_model("kinesis", "service-2")["shapes"]
    assert shapes["StreamName"] is shapes.get("StreamName") is dict(shapes.items())["StreamName"]
    assert any(shape is shapes["StreamName"] for shape in shapes.values())
    assert shapes.get("NoSuchShape") is None


def test_an_extra_model_is_merged_into_the_shapes() -> None:
    fast_model, expected = (
        loader.load_service_model("kinesis", "service-2") for loader in (FastLoader(), Loader())
    )
    for model in (fast_model, expected):
        deep_merge(model, {"shapes": {"StreamName": {"max": 7}, "Added": {"type": "string"}}})
    assert fast_model["shapes"]["StreamName"] == expected["shapes"]["StreamName"]
    assert {**fast_model["shapes"]}.keys() == expected["shapes"].keys()
    assert fast_model["shapes"]["StreamName"]["max"] == 7
