"""The accounts of an organization, from fake responses that are checked against botocore's model."""

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError, PaginationError

from monitor.aws.organization_listing import (
    MAX_UNITS,
    EmptyOrganizationError,
    ListedAccount,
    TooManyAccountsError,
    accounts_of_organization,
    accounts_of_units,
)
from tests.fake_aws import FakeAws, denied
from tests.fake_organization import account_item

ONE, TWO, THREE = ("111111111111", "222222222222", "333333333333")
ROOT, TEAM, SUBTEAM = "r-ab12", "ou-ab12-11111111", "ou-ab12-22222222"  # organizational units


async def accounts_in(*pages: Any, **options: Any) -> dict[str, ListedAccount]:
    """Return the accounts that are listed in these pages, by id.

    pages: lists of items, or the error of a call. options: arguments of FakeAws.
    """
    answers = [page if isinstance(page, Exception) else {"Accounts": page} for page in pages]
    return await accounts_of_organization(FakeAws(list_accounts=answers, **options).cell)


async def test_the_accounts_of_all_pages_are_listed() -> None:
    """A page without accounts need not be the last one."""
    accounts = await accounts_in([account_item(ONE, "one")], [], [account_item(TWO, "two", "SUSPENDED")])
    assert accounts == {ONE: ListedAccount(ONE, "one", "ACTIVE"), TWO: ListedAccount(TWO, "two", "SUSPENDED")}


async def test_five_hundred_accounts_are_listed() -> None:
    ids = [f"{number:012}" for number in range(1, 501)]
    pages = [
        [account_item(account_id, f"a-{account_id}") for account_id in ids[start : start + 20]]
        for start in range(0, 500, 20)
    ]
    assert [*await accounts_in(*pages)] == ids


@pytest.mark.parametrize(
    ("state_members", "reason"),
    [
        ({"State": "ACTIVE"}, ""),
        ({"Status": "ACTIVE"}, ""),
        ({"State": "PENDING_ACTIVATION"}, "is not activated yet"),
        ({"State": "SUSPENDED"}, "was suspended or closed"),
        ({"Status": "SUSPENDED"}, "was suspended or closed"),
        ({"State": "PENDING_CLOSURE"}, "is being closed"),
        ({"Status": "PENDING_CLOSURE"}, "is being closed"),
        ({"State": "CLOSED", "Status": "SUSPENDED"}, "was closed"),
        ({"State": "ACTIVE", "Status": "SUSPENDED"}, ""),
        ({}, ""),
        ({"State": "SOMETHING_NEW"}, ""),
    ],
)
async def test_the_reason_why_an_account_is_inactive_follows_from_its_state(
    state_members: dict[str, str], reason: str
) -> None:
    accounts = await accounts_in([{"Id": ONE, "Name": "one", **state_members}])
    assert accounts[ONE].inactive_reason == reason


async def test_the_last_item_of_an_account_that_is_listed_twice_is_used() -> None:
    accounts = await accounts_in([account_item(ONE, "old")], [account_item(ONE, "new", "CLOSED")])
    assert accounts == {ONE: ListedAccount(ONE, "new", "CLOSED")}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("payments & co <b>", "payments & co <b>"),
        ("two\nlines\tand\x1b[31m", "two lines and [31m"),
        ("  spaces  ", "spaces"),
        ("\u202erev", "rev"),
        ("n" * 500, "n" * 127 + "…"),
        ("", ""),
        ("\ud800", ""),
    ],
)
async def test_a_name_is_one_line_without_control_characters(name: str, expected: str) -> None:
    accounts = await accounts_in([{"Id": ONE, "Name": name}], malformed=True)
    assert accounts[ONE].name == expected


@pytest.mark.parametrize(
    "item",
    [
        None,
        1,
        "x",
        [],
        {},
        {"Name": "x"},
        {"Id": None},
        {"Id": 123456789012},
        {"Id": "1"},
        {"Id": f"{TWO}\n"},
    ],
)
async def test_items_that_are_no_accounts_are_skipped(item: Any) -> None:
    assert [*await accounts_in([item, account_item(ONE, "one")], malformed=True)] == [ONE]


async def test_an_account_whose_name_or_state_has_the_wrong_type_is_listed() -> None:
    accounts = await accounts_in([{"Id": ONE, "Name": 3, "State": ["x"], "Status": None}], malformed=True)
    assert accounts[ONE].name == "3"
    assert accounts[ONE].inactive_reason == ""


async def test_a_repeated_page_token_is_an_error() -> None:
    aws = FakeAws(list_accounts=lambda **_: {"Accounts": [], "NextToken": "again"})
    with pytest.raises(PaginationError):
        await accounts_of_organization(aws.cell)


async def test_pages_without_an_end_are_an_error() -> None:
    tokens = itertools.count()
    aws = FakeAws(list_accounts=lambda **_: {"Accounts": [], "NextToken": str(next(tokens))})
    with pytest.raises(PaginationError):
        await accounts_of_organization(aws.cell)


async def test_more_accounts_than_the_bound_are_an_error() -> None:
    items = [account_item(f"{number:012}", "x") for number in range(40)]
    aws = FakeAws(list_accounts=[{"Accounts": items[:20]}, {"Accounts": items[20:]}])
    with pytest.raises(TooManyAccountsError, match="expected at most 39 accounts"):
        await accounts_of_organization(aws.cell, max_accounts=39)


async def test_a_list_without_any_account_is_an_error() -> None:
    with pytest.raises(EmptyOrganizationError):
        await accounts_in([], [])


async def test_a_denied_list_raises_the_client_error_of_aws() -> None:
    with pytest.raises(ClientError):
        await accounts_in(denied("ListAccounts"))


# Organizational units


def organization_of(children: dict[str, list[str]], accounts: dict[str, list[str]]) -> FakeAws:
    """Return the AWS of an organization.

    children: the ids of units, by their parent. accounts: the ids of accounts, by their unit.
    """

    def list_accounts(**params: Any) -> dict[str, Any]:
        return {
            "Accounts": [
                account_item(account_id, account_id) for account_id in accounts.get(params["ParentId"], [])
            ]
        }

    def list_units(**params: Any) -> dict[str, Any]:
        return {"OrganizationalUnits": [{"Id": unit} for unit in children.get(params["ParentId"], [])]}

    return FakeAws(list_accounts_for_parent=list_accounts, list_organizational_units_for_parent=list_units)


async def test_the_accounts_of_a_unit_include_the_accounts_of_units_below_it() -> None:
    aws = organization_of({ROOT: [TEAM], TEAM: [SUBTEAM]}, {ROOT: [ONE], TEAM: [TWO], SUBTEAM: [THREE]})
    assert [*await accounts_of_units(aws.cell, (TEAM,))] == [TWO, THREE]
    assert {*await accounts_of_units(aws.cell, (ROOT, SUBTEAM))} == {ONE, TWO, THREE}


async def test_a_unit_that_is_listed_several_times_is_read_once() -> None:
    aws = organization_of({TEAM: [SUBTEAM, SUBTEAM], SUBTEAM: [TEAM]}, {TEAM: [ONE], SUBTEAM: [ONE]})
    assert [*await accounts_of_units(aws.cell, (TEAM, SUBTEAM))] == [ONE]
    assert aws.calls.count("organizations:ListAccountsForParent") == 2


async def test_more_units_than_the_bound_are_an_error() -> None:
    aws = organization_of({TEAM: [f"ou-ab12-{number:08}" for number in range(MAX_UNITS)]}, {})
    with pytest.raises(TooManyAccountsError, match="organizational units"):
        await accounts_of_units(aws.cell, (TEAM,), max_units=3)
