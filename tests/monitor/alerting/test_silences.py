"""Silences and acknowledgements: when they apply, when they end, and which are invalid."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from monitor.alerting.matchers import MatcherError
from monitor.alerting.records import Acknowledgement, Silence
from monitor.alerting.silences import MAX_REPLACED, MAX_SILENCES, Silences
from monitor.alerting.tables import ACKNOWLEDGEMENTS, SILENCES, RowKey, StoredRow, Table
from monitor.notifiers.notice import Severity
from monitor.schema.annotations import MAX_TEXT_LENGTH, InvalidInputError

NOW = 1_000_000.0
HOUR = 3600.0
LABELS = {"service": "kinesis", "resource": "clicks"}


class YieldingStore:
    """A store in memory that lets other tasks run before each change.

    disk_is_full: true if changes raise OSError.
    """

    def __init__(self) -> None:
        self.rows: dict[str, dict[RowKey, Any]] = {SILENCES.name: {}, ACKNOWLEDGEMENTS.name: {}}
        self.disk_is_full = False

    def rows_of(self, table: Table[StoredRow]) -> Mapping[RowKey, StoredRow]:
        return self.rows[table.name]

    async def put(self, table: Table[StoredRow], row: StoredRow) -> None:
        await asyncio.sleep(0)
        if self.disk_is_full:
            raise OSError("disk full")
        self.rows[table.name][table.key_of(row)] = row

    async def remove(self, table: Table[StoredRow], key: RowKey) -> None:
        await asyncio.sleep(0)
        if self.disk_is_full:
            raise OSError("disk full")
        del self.rows[table.name][key]


@pytest.fixture
def store() -> YieldingStore:
    return YieldingStore()


@pytest.fixture
def silences(store: YieldingStore) -> Silences:
    return Silences(store)


async def add_silence(
    silences: Silences, *matchers: str, starts: float = NOW, ends: float = NOW + HOUR, **changes: str
) -> Silence:
    """Add a silence, and return the stored silence. `changes` replace the author or the comment."""
    texts = {"author": "ana", "comment": "load test", **changes}
    silence = Silence(id="", matchers=matchers or ("service=kinesis",), starts=starts, ends=ends, **texts)
    return await silences.add(silence, NOW)


def acknowledgement_of(
    alert: str, severity: Severity = Severity.WARNING, comment: str = "on it"
) -> Acknowledgement:
    return Acknowledgement(alert=alert, severity=severity, author="ana", comment=comment, at=NOW)


async def test_a_silence_is_active_from_its_start_until_its_end(silences: Silences) -> None:
    stored = await add_silence(silences, starts=NOW + 60, ends=NOW + 120)
    active_silences = {
        seconds: silences.matching_silence(LABELS, NOW + seconds) for seconds in (59, 60, 119, 120)
    }
    assert active_silences == {59: None, 60: stored, 119: stored, 120: None}


async def test_a_silence_suppresses_alerts_that_all_its_matchers_match(silences: Silences) -> None:
    await add_silence(silences, "service=kinesis", 'resource=~"c.*", account!="1"')
    assert silences.matching_silence(LABELS, NOW)
    assert not silences.matching_silence(LABELS | {"account": "1"}, NOW)
    assert not silences.matching_silence(LABELS | {"resource": "orders"}, NOW)


async def test_silences_and_acknowledgements_survive_a_restart(
    silences: Silences, store: YieldingStore
) -> None:
    stored = await add_silence(silences, '{service=kinesis, "tag team"="a b"}')
    acknowledged = await silences.acknowledge(acknowledgement_of("a"))
    restarted = Silences(store)
    assert restarted.stored == [stored]
    assert dict(restarted.acknowledgements) == {"a": acknowledged}
    assert restarted.acknowledged_severity("a", NOW) is Severity.WARNING
    assert restarted.matching_silence(LABELS | {"tag team": "a b"}, NOW) == stored


async def test_silences_and_acknowledgements_of_another_process_apply(
    silences: Silences, store: YieldingStore
) -> None:
    other_process = Silences(store)
    stored, acknowledged = (
        await add_silence(other_process),
        await other_process.acknowledge(acknowledgement_of("a")),
    )
    assert silences.matching_silence(LABELS, NOW) == stored
    assert (silences.stored, dict(silences.acknowledgements)) == ([stored], {"a": acknowledged})
    await other_process.end(stored.id)
    await other_process.expire(NOW, firing_alerts=())
    assert silences.matching_silence(LABELS, NOW) is None
    assert (silences.stored, dict(silences.acknowledgements)) == ([], {})


async def test_an_ended_silence_is_removed(silences: Silences, store: YieldingStore) -> None:
    late_silence, early_silence = (
        await add_silence(silences, ends=NOW + 2 * HOUR),
        await add_silence(silences),
    )
    assert silences.stored == [early_silence, late_silence]
    await silences.expire(NOW + HOUR, firing_alerts=())
    assert silences.stored == [late_silence] == list(store.rows_of(SILENCES).values())


async def test_a_silence_can_be_ended(silences: Silences, store: YieldingStore) -> None:
    stored = await add_silence(silences)
    assert await silences.end(stored.id) == stored
    assert (silences.matching_silence(LABELS, NOW), store.rows_of(SILENCES)) == (None, {})
    with pytest.raises(KeyError):
        await silences.end(stored.id)


async def test_an_acknowledgement_ends_with_its_alert(silences: Silences, store: YieldingStore) -> None:
    for alert in "ab":
        await silences.acknowledge(acknowledgement_of(alert, Severity.CRITICAL))
    await silences.expire(NOW, firing_alerts=["b", "c"])
    assert silences.acknowledged_severity("a", NOW) is None
    assert silences.acknowledged_severity("b", NOW) is Severity.CRITICAL
    assert list(store.rows_of(ACKNOWLEDGEMENTS)) == ["b"]


async def test_the_second_of_two_clients_that_acknowledge_an_alert_gets_the_first_acknowledgement(
    silences: Silences,
) -> None:
    by_ana, by_bob = acknowledgement_of("a"), replace(acknowledgement_of("a"), author="bob", at=NOW + 1)
    ana_result, bob_result = await asyncio.gather(
        silences.acknowledge_new([by_ana, acknowledgement_of("b")]), silences.acknowledge_new([by_bob])
    )
    assert ana_result == ([by_ana, acknowledgement_of("b")], [])
    assert bob_result == ([], [by_ana])
    assert silences.acknowledgements["a"] == by_ana


async def test_an_alert_is_acknowledged_anew_if_it_is_worse_or_its_acknowledgement_ended(
    silences: Silences,
) -> None:
    await silences.acknowledge(replace(acknowledgement_of("ended"), until=NOW + 1))
    await silences.acknowledge(acknowledgement_of("worse"))
    new = [replace(acknowledgement_of("ended"), at=NOW + 2), acknowledgement_of("worse", Severity.CRITICAL)]
    assert await silences.acknowledge_new(new) == (new, [])


async def test_an_acknowledgement_can_be_removed(silences: Silences) -> None:
    first, second = (
        await silences.acknowledge(acknowledgement_of("a")),
        await silences.acknowledge(acknowledgement_of("b")),
    )
    assert await silences.unacknowledge(lambda stored: stored.alert == "a", NOW) == [first]
    assert await silences.unacknowledge(lambda stored: stored.alert == "a", NOW) == []
    assert dict(silences.acknowledgements) == {"b": second}


async def test_removing_an_acknowledgement_restores_the_one_it_replaced(silences: Silences) -> None:
    by_author = dict[str, Acknowledgement]()
    for number, author in enumerate(("ana", "bob", "cem")):
        by_author[author] = await silences.acknowledge(
            Acknowledgement(
                alert="a",
                severity=Severity.WARNING,
                author=author,
                comment=f"by {author}",
                at=NOW + number,
                until=NOW + HOUR if author != "cem" else None,
            )
        )
    await silences.acknowledge(replace(by_author["cem"], comment="amended"))
    for removed_author, restored_author in (("cem", "bob"), ("bob", "ana")):
        (removed,) = await silences.unacknowledge(lambda stored: stored.alert == "a", NOW + 9)
        assert removed.author == removed_author
        assert silences.acknowledgements["a"] == by_author[restored_author]
    await silences.unacknowledge(lambda stored: stored.alert == "a", NOW + 9)
    assert not silences.acknowledgements


async def test_a_replaced_acknowledgement_that_has_ended_is_not_restored(silences: Silences) -> None:
    await silences.acknowledge(replace(acknowledgement_of("a"), until=NOW + HOUR))
    await silences.acknowledge(replace(acknowledgement_of("a"), at=NOW + 1))
    await silences.unacknowledge(lambda stored: stored.alert == "a", NOW + HOUR)
    assert not silences.acknowledgements


async def test_a_bounded_number_of_replaced_acknowledgements_is_stored(silences: Silences) -> None:
    for number in range(20):
        await silences.acknowledge(replace(acknowledgement_of("a"), at=NOW + number))
    count, stored = 0, silences.acknowledgements["a"].replaced
    while stored is not None:
        count, stored = count + 1, stored.replaced
    assert count == MAX_REPLACED


async def test_an_acknowledgement_ends_at_the_time_in_until(silences: Silences, store: YieldingStore) -> None:
    await silences.acknowledge(replace(acknowledgement_of("a"), until=NOW + HOUR))
    assert silences.acknowledged_severity("a", NOW + HOUR - 1) is Severity.WARNING
    assert silences.acknowledged_severity("a", NOW + HOUR) is None
    await silences.expire(NOW + HOUR - 1, firing_alerts=["a"])
    assert list(silences.acknowledgements) == list(store.rows_of(ACKNOWLEDGEMENTS)) == ["a"]
    await silences.expire(NOW + HOUR, firing_alerts=["a"])
    assert (dict(silences.acknowledgements), store.rows_of(ACKNOWLEDGEMENTS)) == ({}, {})
    with pytest.raises(InvalidInputError, match="later than the start and than now"):
        await silences.acknowledge(replace(acknowledgement_of("a"), until=NOW))


async def test_a_change_that_cannot_be_stored_does_not_apply(
    silences: Silences, store: YieldingStore
) -> None:
    stored = await add_silence(silences)
    store.disk_is_full = True
    with pytest.raises(OSError, match="disk full"):
        await add_silence(silences)
    with pytest.raises(OSError, match="disk full"):
        await silences.end(stored.id)
    with pytest.raises(OSError, match="disk full"):
        await silences.acknowledge(acknowledgement_of("a"))
    assert (silences.stored, dict(silences.acknowledgements)) == ([stored], {})


async def test_silences_beyond_the_maximum_raise_an_error(silences: Silences) -> None:
    outcomes = await asyncio.gather(
        *(add_silence(silences) for _ in range(MAX_SILENCES + 2)), return_exceptions=True
    )
    assert [str(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [
        f"there are {MAX_SILENCES} silences already; end some, or use wider matchers"
    ] * 2
    assert len(silences.stored) == MAX_SILENCES


# Matchers, other changes of a valid silence, and the begin of the error.
INVALID_SILENCES = [
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
    (["a=b"], {"ends": NOW + 400 * 86400}, "expected a silence of at most a year; "),
    (["a=b"], {"author": " "}, "expected author, as text of 1 to 1000 characters, found 0"),
    (["a=b"], {"comment": ""}, "expected comment, as text of 1 to 1000 characters, found 0"),
    (
        ["a=b"],
        {"comment": "x" * (MAX_TEXT_LENGTH + 1)},
        "expected comment, as text of 1 to 1000 characters, found 1001",
    ),
]


@pytest.mark.parametrize(("matchers", "changes", "error_begin"), INVALID_SILENCES)
async def test_an_invalid_silence_raises_an_error_that_says_why(
    silences: Silences, matchers: list[str], changes: dict[str, float | str], error_begin: str
) -> None:
    valid_fields: dict[str, Any] = {
        "id": "",
        "starts": NOW,
        "ends": NOW + HOUR,
        "author": "ana",
        "comment": "load test",
    }
    silence = Silence(**{**valid_fields, "matchers": matchers, **changes})
    with pytest.raises(InvalidInputError) as caught:
        await silences.add(silence, NOW)
    assert str(caught.value).startswith(error_begin)
    assert not silences.stored


async def test_an_invalid_matcher_is_reported_with_its_column(silences: Silences) -> None:
    with pytest.raises(MatcherError, match=r"^column 8: expected an operator"):
        await add_silence(silences, "service")


async def test_an_acknowledgement_without_a_comment_raises_an_error(silences: Silences) -> None:
    with pytest.raises(InvalidInputError, match="expected comment"):
        await silences.acknowledge(acknowledgement_of("a", comment=" "))
