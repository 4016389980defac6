"""The accounts of an organization that are watched because of their tags."""

from collections.abc import AsyncIterator

import pytest

from monitor.aws.account_tags import TAGS_INTERVAL, AccountTags
from monitor.aws.cell import Cell
from monitor.polling.watcher import Watcher
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.fake_aws import FakeAws, denied
from tests.fake_organization import OWN, FakeOrganization, account_item
from tests.monitor.polling.test_organization import watcher_of

ONE, TWO, THREE = ("111111111111", "222222222222", "333333333333")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own credentials, of the account OWN."""
    set_aws_environment(monkeypatch, CREDENTIALS)


@pytest.fixture
async def aws() -> AsyncIterator[FakeOrganization]:
    accounts = [account_item(OWN, "home"), account_item(ONE, "one"), account_item(TWO, "two", "CLOSED")]
    async with FakeOrganization.serving(*accounts) as served:
        served.tags = {ONE: {"environment": "production"}, TWO: {"environment": "production"}}
        yield served


async def watched(watch: Watcher) -> set[str]:
    """Return the ids of the accounts of an organization that are watched."""
    try:
        await watch.members.read()
        return {one.id for one in watch.members.accounts}
    finally:
        await watch.close()


async def test_the_accounts_with_the_tags_are_watched(aws: FakeOrganization) -> None:
    assert await watched(watcher_of(aws, tags={"environment": "prod*"})) == {ONE}
    assert sorted(aws.tag_calls) == [OWN, ONE]  # of those alone that can be watched


async def test_no_tags_are_read_without_a_selection_by_tags(aws: FakeOrganization) -> None:
    assert await watched(watcher_of(aws)) == {OWN, ONE}
    assert aws.tag_calls == []


async def test_tags_of_accounts_excluded_by_name_are_not_read(aws: FakeOrganization) -> None:
    assert await watched(watcher_of(aws, include=["one"], tags={"environment": "*"})) == {ONE}
    assert aws.tag_calls == [ONE]


async def test_tags_that_cannot_be_read_fail_the_list(aws: FakeOrganization) -> None:
    aws.hidden.add(ONE)
    watch = watcher_of(aws, tags={"environment": "prod*"})
    assert await watched(watch) == set()
    (sentence,) = watch.members.unlisted()
    assert "ListTagsForResource" in sentence


class Organization:
    """A fake AWS that returns the tags of accounts; None: it denies to. asked: the accounts, in order."""

    def __init__(self) -> None:
        self.tags: dict[str, str | None] = {ONE: "a", TWO: "b"}
        self.requested: list[str] = []
        self.aws = FakeAws(now=1_700_000_000.0, list_tags_for_resource=self._list)

    @property
    def cell(self) -> Cell:
        return self.aws.cell

    def _list(self, ResourceId: str) -> object:  # as AWS names it
        self.requested.append(ResourceId)
        value = self.tags[ResourceId]
        return denied() if value is None else {"Tags": [{"Key": "team", "Value": value}]}


async def test_tags_are_read_again_after_hours() -> None:
    organization, tags = Organization(), AccountTags()
    assert await tags.read(organization.cell, [ONE, TWO]) == {ONE: {"team": "a"}, TWO: {"team": "b"}}
    organization.tags[ONE] = "c"
    assert organization.aws.now is not None
    organization.aws.now += TAGS_INTERVAL - 1
    assert (await tags.read(organization.cell, [ONE, TWO]))[ONE] == {"team": "a"}
    organization.aws.now += 1
    assert (await tags.read(organization.cell, [ONE, TWO]))[ONE] == {"team": "c"}
    assert organization.requested == [ONE, TWO, ONE, TWO]


async def test_tags_that_cannot_be_read_again_are_as_before_and_unknown_ones_an_error() -> None:
    organization, tags = Organization(), AccountTags()
    await tags.read(organization.cell, [ONE])
    organization.tags = {ONE: None, TWO: None}
    assert organization.aws.now is not None
    organization.aws.now += TAGS_INTERVAL
    assert await tags.read(organization.cell, [ONE]) == {ONE: {"team": "a"}}
    with pytest.raises(Exception, match="AccessDenied"):
        await tags.read(organization.cell, [ONE, TWO])


async def test_an_account_that_left_is_forgotten() -> None:
    organization, tags = Organization(), AccountTags()
    await tags.read(organization.cell, [ONE, TWO])
    assert await tags.read(organization.cell, [TWO]) == {TWO: {"team": "b"}}
    await tags.read(organization.cell, [ONE, TWO])
    assert organization.requested == [ONE, TWO, ONE]
