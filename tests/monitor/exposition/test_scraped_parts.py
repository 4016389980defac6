"""Scrapes of parts of the fleet, and how many series one may have."""

import asyncio
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from collectors.base import per_second
from monitor.exposition.body import ExpositionBody
from monitor.exposition.exposition import CHUNK, Exposition
from monitor.exposition.scraped_parts import ScrapedParts, TooManySeriesError
from monitor.exposition.selection import Selection
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.snapshot import ActiveAlert
from rules.band import Zone
from tests.monitor.fleet.fleets import add, judge_causes, judged, refused
from tests.resources import resource

ACCOUNTS, REGIONS, SERVICES = ("111111111111", "222222222222"), ("eu-west-1", "us-east-1"), ("kinesis", "sqs")
SIGNALS = {"kinesis": "stream_write_bytes", "sqs": "standard_in_flight"}
CELLS = [*product(ACCOUNTS, REGIONS, SERVICES)]
CAUSES = ("reads", "writes")
OWN = ("headroom_account_info",)


def key(account: str, region: str, service: str, name: str = "orders") -> Key:
    return Key(account, region, service, SIGNALS[service], resource(name))


class ScrapedFleet:
    """A fleet with a series in each account, region and service."""

    def __init__(self, max_series: int = 1000) -> None:
        self.fleet, self.alerts = Fleet(), list[ActiveAlert]()
        for number, cell in enumerate(CELLS):
            causes = {cause: per_second(refused.of(StreamName=f"{number}-{cause}")) for cause in CAUSES}
            series = add(self.fleet, key(*cell), throttled=None, throttled_by_cause=causes)
            judged(self.fleet, series, Zone.ABOVE, usage=100.0 + number)
            self.alerts.append(ActiveAlert(series.slot, "warning", 2, 1000 + number))
            judge_causes(self.fleet, series, reads=1.0 + number, writes=2.0)
        self.exposition = Exposition(self.fleet, max_series)
        self.parts = ScrapedParts(self.exposition)
        self.publish()

    def publish(self) -> None:
        asyncio.run(self.exposition.publish(dict.fromkeys(ACCOUNTS, "prod"), self.alerts))

    def body(self, **parameters: Sequence[str]) -> ExpositionBody:
        return asyncio.run(self.parts.body(Selection(**parameters)))  # type: ignore[arg-type]

    def samples(self, **parameters: Sequence[str]) -> list[str]:
        """The samples of a scrape, sorted."""
        text = b"".join(self.body(**parameters).plain(b"")[1]).decode()
        return sorted(line for line in text.splitlines() if not line.startswith("#"))


def has(sample: str, parameters: dict[str, Sequence[str]]) -> bool:
    """Return whether a sample has a label of each parameter."""
    return all(
        any(f'aws_{name}="{value}"' in sample for value in values) for name, values in parameters.items()
    )


PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "account": st.lists(st.sampled_from([*ACCOUNTS, "333333333333"]), min_size=1, max_size=3),
        "region": st.lists(st.sampled_from(REGIONS), min_size=1, max_size=3),
        "service": st.lists(st.sampled_from(SERVICES), min_size=1, max_size=3),
    },
).filter(bool)


@given(st.lists(PARAMETERS, min_size=1, max_size=4))
def test_a_part_has_the_samples_of_the_whole_that_its_parameters_select(
    requested: list[dict[str, Sequence[str]]],
) -> None:
    scraped = ScrapedFleet()
    for number, parameters in enumerate(requested):
        scraped.fleet.usage[number] = 999.0 - number
        scraped.publish()
        whole = [one for one in scraped.samples() if not one.startswith(OWN)]
        assert scraped.samples(**parameters) == [one for one in whole if has(one, parameters)]


def test_parts_by_service_and_headroom_itself_are_the_whole_once() -> None:
    scraped = ScrapedFleet()
    parts = [scraped.samples(service=[one]) for one in (*SERVICES, "headroom")]
    assert sorted(sample for part in parts for sample in part) == scraped.samples()
    assert parts[-1] and all(sample.startswith(OWN) for sample in parts[-1])


def test_alerts_and_causes_are_those_of_the_selected_series() -> None:
    scraped = ScrapedFleet()
    of_cause = [
        one for one in scraped.samples(account=ACCOUNTS[:1], service=["sqs"]) if 'cause="reads"' in one
    ]
    assert [one.rpartition(" ")[2] for one in of_cause] == ["2.0", "4.0"]
    (alert,) = {one for one in scraped.samples(account=ACCOUNTS[:1]) if "headroom_alert_since" in one} & {
        one
        for one in scraped.samples(region=REGIONS[:1], service=["kinesis"])
        if "headroom_alert_since" in one
    }
    assert alert.endswith(" 1000")


def pieces_of(body: ExpositionBody) -> set[int]:
    return {id(piece) for piece in body.pieces}


def test_only_changed_pieces_are_rendered_again() -> None:
    scraped = ScrapedFleet()
    before = scraped.body(account=ACCOUNTS[:1])
    assert scraped.body(account=ACCOUNTS[:1]) is before
    scraped.publish()
    assert scraped.body(account=ACCOUNTS[:1]) is before
    last = len(CELLS) - 1  # of the other account
    scraped.fleet.usage[last] = 5.0
    scraped.publish()
    assert scraped.body(account=ACCOUNTS[:1]) is before
    scraped.fleet.usage[0] = 7.0
    scraped.publish()
    after = scraped.body(account=ACCOUNTS[:1])
    changed = [piece for piece in after.pieces if id(piece) not in pieces_of(before)]
    assert any(b"headroom_usage{" in piece.text for piece in changed)
    assert not any(b"headroom_limit{" in piece.text for piece in changed)


def test_series_that_come_are_in_the_next_scrape() -> None:
    scraped = ScrapedFleet()
    before = scraped.samples(service=["sqs"])
    judged(scraped.fleet, add(scraped.fleet, key(*CELLS[1], name="another")), Zone.ABOVE, usage=3.0)
    scraped.publish()
    new = [one for one in scraped.samples(service=["sqs"]) if one not in before]
    assert any('resource="another"' in one for one in new)
    assert not any('resource="another"' in one for one in scraped.samples(service=["kinesis"]))


def test_a_part_may_lose_most_of_its_series() -> None:
    scraped = ScrapedFleet(max_series=2 * CHUNK)
    names = [f"orders-{n}" for n in range(CHUNK + 1)]
    for name in names:
        add(scraped.fleet, key(*CELLS[0], name=name), throttled=None)
    scraped.publish()
    most = scraped.samples(service=["kinesis"])
    for name in names:
        scraped.fleet.drop(key(*CELLS[0], name=name))
    scraped.fleet.reclaim()
    scraped.publish()
    left = scraped.samples(service=["kinesis"])
    assert 0 < len(left) < len(most)
    assert left == [one for one in scraped.samples() if 'aws_service="kinesis"' in one]


def test_more_series_than_one_scrape_may_have_are_refused_with_what_to_do() -> None:
    scraped = ScrapedFleet(max_series=4)
    with pytest.raises(TooManySeriesError, match=r"at most 4 series in one scrape, found 8: split it by"):
        scraped.body()
    with pytest.raises(TooManySeriesError, match="found 8"):
        scraped.body(service=SERVICES)
    assert scraped.exposition.body.pieces == ()  # what cannot be scraped is not rendered
    assert len([one for one in scraped.samples(service=["sqs"]) if one.startswith("headroom_usage{")]) == 4
    for one in [*scraped.fleet.series][:4]:
        scraped.fleet.drop(one)
    scraped.publish()
    assert len([one for one in scraped.samples() if one.startswith("headroom_usage{")]) == 4


def test_parts_that_were_scraped_long_ago_are_forgotten_and_rendered_anew() -> None:
    scraped = ScrapedFleet()
    first = scraped.body(account=ACCOUNTS[:1])
    for service, region in product(SERVICES, REGIONS):
        for account in ACCOUNTS:
            scraped.body(service=[service], region=[region, "x"], account=[account, "y"])
        scraped.body(service=[service], region=["x", region])
    again = scraped.body(account=ACCOUNTS[:1])
    assert again is not first
    assert again.pieces == first.pieces


@pytest.mark.parametrize("wrong", [{"accounts": ["1"]}, {"account": [""]}, {"region": ["x" * 300]}])
def test_an_unknown_parameter_or_an_impossible_value_is_an_error(wrong: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError):
        Selection.model_validate(wrong)


def test_a_selection_is_the_same_in_any_order() -> None:
    scraped = ScrapedFleet()
    assert scraped.body(account=ACCOUNTS) is scraped.body(account=[*ACCOUNTS[::-1], ACCOUNTS[0]])


def test_an_account_without_series_has_no_samples() -> None:
    assert ScrapedFleet().samples(account=["333333333333"]) == []
