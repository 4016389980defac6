"""Accounts and regions as text."""

from monitor.lib.locations import format_location


def test_a_location_is_the_name_of_the_account_and_the_region() -> None:
    assert (
        format_location({"account": "1", "account_name": "prod", "region": "eu-west-1"}) == "prod, eu-west-1"
    )
    assert format_location({"account": "1", "region": "eu-west-1"}) == "1, eu-west-1"
    assert format_location({"account": "1"}) == "1"
