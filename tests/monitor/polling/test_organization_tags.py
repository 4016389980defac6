"""Accounts of an organization that are selected by their tags."""

from collections.abc import AsyncIterator

import pytest

from monitor.aws.account_tags import TAGS_INTERVAL, AccountTags
from monitor.aws.cell import Cell
from monitor.polling.watcher import Watcher
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.fake_aws import FakeAws, denied
from tests.fake_organization import OWN_ACCOUNT, FakeOrganization, account_item
from tests.monitor.polling.test_organization import watcher_of

ONE, TWO, THREE = ("111111111111", "222222222222", "333333333333")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set test credentials, which belong to OWN_ACCOUNT."""
    set_aws_environment(monkeypatch, CREDENTIALS)


@pytest.fixture
async def aws() -> AsyncIterator[FakeOrganization]:
    accounts = [
        account_item(OWN_ACCOUNT, "home"),
        account_item(ONE, "one"),
        account_item(TWO, "two", "CLOSED"),
    ]
    async with FakeOrganization.serving(*accounts) as organization:
        organization.tags = {ONE: {"environment": "production"}, TWO: {"environment": "production"}}
        yield organization


async def watched_accounts(watcher: Watcher) -> set[str]:
    """List the accounts of the organization once; return the ids of the watched accounts."""
    try:
        await watcher.members.read()
        return {account.id for account in watcher.members.accounts}
    finally:
        await watcher.close()


async def test_only_accounts_with_matching_tags_are_watched(aws: FakeOrganization) -> None:
    assert await watched_accounts(watcher_of(aws, tags={"environment": "prod*"})) == {ONE}
    assert sorted(aws.tag_calls) == [OWN_ACCOUNT, ONE]  # none about the closed account


async def test_no_tags_are_read_without_a_selection_by_tags(aws: FakeOrganization) -> None:
    assert await watched_accounts(watcher_of(aws)) == {OWN_ACCOUNT, ONE}
    assert aws.tag_calls == []


async def test_tags_of_accounts_excluded_by_name_are_not_read(aws: FakeOrganization) -> None:
    assert await watched_accounts(watcher_of(aws, include=["one"], tags={"environment": "*"})) == {ONE}
    assert aws.tag_calls == [ONE]


async def test_if_the_tags_of_an_account_cannot_be_read_the_list_fails(aws: FakeOrganization) -> None:
    aws.tag_denied_accounts.add(ONE)
    watcher = watcher_of(aws, tags={"environment": "prod*"})
    assert await watched_accounts(watcher) == set()
    (sentence,) = watcher.members.list_failures()
    assert "ListTagsForResource" in sentence


class TaggedAccounts:
    """A fake AWS that returns the tags of accounts.

    tags: the value of the tag `team`, by account; None: the call is denied. requested_accounts: the accounts
    of the calls so far.
    """

    def __init__(self) -> None:
        self.tags: dict[str, str | None] = {ONE: "a", TWO: "b"}
        self.requested_accounts: list[str] = []
        self.aws = FakeAws(now=1_700_000_000.0, list_tags_for_resource=self._list)

    @property
    def cell(self) -> Cell:
        return self.aws.cell

    def _list(self, ResourceId: str) -> object:  # AWS's name of the parameter
        self.requested_accounts.append(ResourceId)
        value = self.tags[ResourceId]
        return denied() if value is None else {"Tags": [{"Key": "team", "Value": value}]}


async def test_tags_are_read_again_after_the_interval() -> None:
    accounts, tags = TaggedAccounts(), AccountTags()
    assert await tags.read(accounts.cell, [ONE, TWO]) == {ONE: {"team": "a"}, TWO: {"team": "b"}}
    accounts.tags[ONE] = "c"
    assert accounts.aws.now is not None
    accounts.aws.now += TAGS_INTERVAL - 1
    assert (await tags.read(accounts.cell, [ONE, TWO]))[ONE] == {"team": "a"}
    accounts.aws.now += 1
    assert (await tags.read(accounts.cell, [ONE, TWO]))[ONE] == {"team": "c"}
    assert accounts.requested_accounts == [ONE, TWO, ONE, TWO]


async def test_known_tags_stay_if_they_cannot_be_read_again_but_unknown_tags_raise_an_error() -> None:
    accounts, tags = TaggedAccounts(), AccountTags()
    await tags.read(accounts.cell, [ONE])
    accounts.tags = {ONE: None, TWO: None}
    assert accounts.aws.now is not None
    accounts.aws.now += TAGS_INTERVAL
    assert await tags.read(accounts.cell, [ONE]) == {ONE: {"team": "a"}}
    with pytest.raises(Exception, match="AccessDenied"):
        await tags.read(accounts.cell, [ONE, TWO])


async def test_tags_that_cannot_be_read_are_read_by_the_next_call(caplog: pytest.LogCaptureFixture) -> None:
    accounts, tags = TaggedAccounts(), AccountTags()
    await tags.read(accounts.cell, [ONE])
    assert accounts.aws.now is not None
    accounts.aws.now += TAGS_INTERVAL
    accounts.tags[ONE] = None
    await tags.read(accounts.cell, [ONE])
    assert f"tags of account {ONE}: " in caplog.text
    accounts.tags[ONE] = "c"
    assert await tags.read(accounts.cell, [ONE]) == {ONE: {"team": "c"}}


async def test_the_tags_of_an_account_that_is_no_longer_listed_are_forgotten() -> None:
    accounts, tags = TaggedAccounts(), AccountTags()
    await tags.read(accounts.cell, [ONE, TWO])
    assert await tags.read(accounts.cell, [TWO]) == {TWO: {"team": "b"}}
    await tags.read(accounts.cell, [ONE, TWO])
    assert accounts.requested_accounts == [ONE, TWO, ONE]
