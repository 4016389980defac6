"""Mutes that expire by themselves, and acknowledgements that end with their alert."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from monitor.alerting.matchers import MatcherError
from monitor.alerting.notice import Severity
from monitor.alerting.records import Ack, Silence
from monitor.alerting.silences import LONGEST, MOST, Refused, Silences
from monitor.alerting.tables import ACKS, SILENCES, Key, Row, Table

NOW = 1_000_000.0
HOUR = 3600.0
LABELS = {"service": "kinesis", "resource": "clicks"}


class Shelf:
    """A store that lets others run before it answers, and fails when told to."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[Key, Any]] = {SILENCES.name: {}, ACKS.name: {}}
        self.full = False

    def all(self, table: Table[Row]) -> Mapping[Key, Row]:
        return self.rows[table.name]

    async def put(self, table: Table[Row], row: Row) -> None:
        await asyncio.sleep(0)
        if self.full:
            raise OSError("disk full")
        self.rows[table.name][table.key_of(row)] = row

    async def remove(self, table: Table[Row], key: Key) -> None:
        await asyncio.sleep(0)
        if self.full:
            raise OSError("disk full")
        del self.rows[table.name][key]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def silences(shelf: Shelf) -> Silences:
    return Silences(shelf)


async def mute(
    silences: Silences, *matchers: str, starts: float = NOW, ends: float = NOW + HOUR, **said: str
) -> Silence:
    told = {"who": "ana", "why": "load test", **said}
    asked = Silence(id="", matchers=matchers or ("service=kinesis",), starts=starts, ends=ends, **told)
    return await silences.mute(asked, NOW)


def ack(alert: str, severity: Severity = Severity.WARNING, why: str = "on it") -> Ack:
    return Ack(alert=alert, severity=severity, who="ana", why=why, at=NOW)


async def test_a_mute_holds_from_its_start_until_its_end(silences: Silences) -> None:
    one = await mute(silences, starts=NOW + 60, ends=NOW + 120)
    held = {at: silences.muting(LABELS, NOW + at) for at in (59, 60, 119, 120)}
    assert held == {59: None, 60: one, 119: one, 120: None}


async def test_a_mute_holds_what_all_its_matchers_match(silences: Silences) -> None:
    await mute(silences, "service=kinesis", 'resource=~"c.*", account!="1"')
    assert silences.muting(LABELS, NOW)
    assert not silences.muting(LABELS | {"account": "1"}, NOW)
    assert not silences.muting(LABELS | {"resource": "orders"}, NOW)


async def test_what_was_said_survives_a_restart(silences: Silences, shelf: Shelf) -> None:
    one = await mute(silences, '{service=kinesis, "tag team"="a b"}')
    seen = await silences.acknowledge(ack("a"))
    again = Silences(shelf)
    assert (again.mutes, dict(again.acks), again.acked("a", NOW)) == ([one], {"a": seen}, Severity.WARNING)
    assert again.muting(LABELS | {"tag team": "a b"}, NOW) == one


async def test_a_mute_that_is_over_is_forgotten(silences: Silences, shelf: Shelf) -> None:
    long, short = await mute(silences, ends=NOW + 2 * HOUR), await mute(silences)
    assert silences.mutes == [short, long]
    await silences.expire(NOW + HOUR, firing=())
    assert silences.mutes == [long] == list(shelf.all(SILENCES).values())


async def test_a_mute_can_be_ended(silences: Silences, shelf: Shelf) -> None:
    one = await mute(silences)
    assert await silences.unmute(one.id) == one
    assert (silences.muting(LABELS, NOW), shelf.all(SILENCES)) == (None, {})
    with pytest.raises(KeyError):
        await silences.unmute(one.id)


async def test_an_acknowledgement_ends_with_its_alert(silences: Silences, shelf: Shelf) -> None:
    for alert in "ab":
        await silences.acknowledge(ack(alert, Severity.CRITICAL))
    await silences.expire(NOW, firing=["b", "c"])
    assert (silences.acked("a", NOW), silences.acked("b", NOW), list(shelf.all(ACKS))) == (
        None,
        Severity.CRITICAL,
        ["b"],
    )


async def test_an_acknowledgement_ends_when_it_was_said_to(silences: Silences, shelf: Shelf) -> None:
    await silences.acknowledge(replace(ack("a"), until=NOW + HOUR))
    assert silences.acked("a", NOW + HOUR - 1) is Severity.WARNING
    assert silences.acked("a", NOW + HOUR) is None
    await silences.expire(NOW + HOUR - 1, firing=["a"])
    assert list(silences.acks) == list(shelf.all(ACKS)) == ["a"]
    await silences.expire(NOW + HOUR, firing=["a"])
    assert (dict(silences.acks), shelf.all(ACKS)) == ({}, {})
    with pytest.raises(Refused, match="later than now"):
        await silences.acknowledge(replace(ack("a"), until=NOW))


async def test_what_could_not_be_stored_does_not_count(silences: Silences, shelf: Shelf) -> None:
    one = await mute(silences)
    shelf.full = True
    with pytest.raises(OSError, match="disk full"):
        await mute(silences)
    with pytest.raises(OSError, match="disk full"):
        await silences.unmute(one.id)
    with pytest.raises(OSError, match="disk full"):
        await silences.acknowledge(ack("a"))
    assert (silences.mutes, dict(silences.acks)) == ([one], {})


async def test_there_are_never_too_many(silences: Silences) -> None:
    said = await asyncio.gather(*(mute(silences) for _ in range(MOST + 2)), return_exceptions=True)
    assert [str(one) for one in said if isinstance(one, Exception)] == [
        f"there are {MOST} mutes already; remove some, or use wider matchers"
    ] * 2
    assert len(silences.mutes) == MOST


REFUSED = [
    ([], {}, "expected a matcher that does not match everything, found none"),
    (["{}"], {}, "expected a matcher that does not match everything, found none"),
    (["service=~.*"], {}, "expected a matcher that does not match everything, found none"),
    (["service!=sqs"], {}, "expected a matcher that does not match everything, found none"),
    (["a=b"], {"ends": NOW}, "expected an end that is later than the start and than now"),
    (
        ["a=b"],
        {"starts": NOW - 2, "ends": NOW - 1},
        "expected an end that is later than the start and than now",
    ),
    (
        ["a=b"],
        {"starts": NOW + 2, "ends": NOW + 1},
        "expected an end that is later than the start and than now",
    ),
    (["a=b"], {"ends": float("nan")}, "expected an end that is later than the start and than now"),
    (["a=b"], {"ends": NOW + 400 * 86400}, "expected a mute of at most a year; "),
    (["a=b"], {"who": " "}, "expected who, as text of 1 to 1000 characters, found 0"),
    (["a=b"], {"why": ""}, "expected why, as text of 1 to 1000 characters, found 0"),
    (["a=b"], {"why": "x" * (LONGEST + 1)}, "expected why, as text of 1 to 1000 characters, found 1001"),
]


@pytest.mark.parametrize(("matchers", "given", "told"), REFUSED)
async def test_a_wrong_mute_is_refused(
    silences: Silences, matchers: list[str], given: dict[str, float | str], told: str
) -> None:
    plain = {"id": "", "starts": NOW, "ends": NOW + HOUR, "who": "ana", "why": "load test"}
    asked = msgspec.convert({**plain, "matchers": matchers, **given}, Silence)
    with pytest.raises(Refused) as caught:
        await silences.mute(asked, NOW)
    assert str(caught.value).startswith(told)
    assert not silences.mutes


async def test_a_wrong_matcher_is_told_where(silences: Silences) -> None:
    with pytest.raises(MatcherError, match=r"^column 8: expected an operator"):
        await mute(silences, "service")


async def test_an_acknowledgement_needs_a_name_and_a_reason(silences: Silences) -> None:
    with pytest.raises(Refused, match="expected why"):
        await silences.acknowledge(ack("a", why=" "))
