"""Scrapes of parts of the fleet, and the maximum number of series in a scrape."""

import asyncio
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from collectors.base import per_second
from monitor.exposition.body import ExpositionBody
from monitor.exposition.exposition import CHUNK_SIZE, Exposition
from monitor.exposition.scraped_parts import ScrapedParts, TooManySeriesError
from monitor.exposition.selection import Selection
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.snapshot import ActiveAlert
from rules.band import Zone
from tests.monitor.fleet.fleets import add, set_causes, set_judgement, throttled_metric
from tests.resources import resource

ACCOUNTS, REGIONS, SERVICES = ("111111111111", "222222222222"), ("eu-west-1", "us-east-1"), ("kinesis", "sqs")
SIGNALS = {"kinesis": "stream_write_bytes", "sqs": "standard_in_flight"}
COMBINATIONS = [*product(ACCOUNTS, REGIONS, SERVICES)]  # account, region, service
CAUSES = ("reads", "writes")
OWN_FAMILIES = ("headroom_account_info",)


def key(account: str, region: str, service: str, name: str = "orders") -> Key:
    return Key(account, region, service, SIGNALS[service], resource(name))


class ScrapedFleet:
    """A fleet with a series in each account, region and service."""

    def __init__(self, max_series: int = 1000) -> None:
        self.fleet, self.alerts = Fleet(), list[ActiveAlert]()
        for number, combination in enumerate(COMBINATIONS):
            causes = {
                cause: per_second(throttled_metric.of(StreamName=f"{number}-{cause}")) for cause in CAUSES
            }
            series = add(self.fleet, key(*combination), throttled=None, throttled_by_cause=causes)
            set_judgement(self.fleet, series, Zone.ABOVE, usage=100.0 + number)
            self.alerts.append(ActiveAlert(series.slot, "warning", 2, 1000 + number))
            set_causes(self.fleet, series, reads=1.0 + number, writes=2.0)
        self.exposition = Exposition(self.fleet, max_series)
        self.parts = ScrapedParts(self.exposition)
        self.publish()

    def publish(self) -> None:
        asyncio.run(self.exposition.publish(dict.fromkeys(ACCOUNTS, "prod"), self.alerts))

    def body(self, **parameters: Sequence[str]) -> ExpositionBody:
        return asyncio.run(self.parts.body(Selection(**parameters)))  # type: ignore[arg-type]

    def samples(self, **parameters: Sequence[str]) -> list[str]:
        """Return the samples of a scrape, sorted."""
        text = b"".join(self.body(**parameters).plain(b"")[1]).decode()
        return sorted(line for line in text.splitlines() if not line.startswith("#"))


def has_labels(sample: str, parameters: dict[str, Sequence[str]]) -> bool:
    """Return whether a sample has, for each parameter, a label with one of its values."""
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
    parameters_of_scrapes: list[dict[str, Sequence[str]]],
) -> None:
    scraped = ScrapedFleet()
    for number, parameters in enumerate(parameters_of_scrapes):
        scraped.fleet.usage[number] = 999.0 - number
        scraped.publish()
        samples_of_series = [sample for sample in scraped.samples() if not sample.startswith(OWN_FAMILIES)]
        expected_samples = [sample for sample in samples_of_series if has_labels(sample, parameters)]
        assert scraped.samples(**parameters) == expected_samples


def test_the_parts_of_all_services_and_of_headroom_have_each_sample_once() -> None:
    scraped = ScrapedFleet()
    parts = [scraped.samples(service=[service]) for service in (*SERVICES, "headroom")]
    assert sorted(sample for part in parts for sample in part) == scraped.samples()
    assert parts[-1] and all(sample.startswith(OWN_FAMILIES) for sample in parts[-1])


def test_a_part_has_the_alerts_and_causes_of_its_series_only() -> None:
    scraped = ScrapedFleet()
    part = scraped.samples(account=ACCOUNTS[:1], service=["sqs"])
    reads = [sample for sample in part if 'cause="reads"' in sample]
    assert [sample.rpartition(" ")[2] for sample in reads] == ["2.0", "4.0"]
    account_samples = set(scraped.samples(account=ACCOUNTS[:1]))
    service_samples = set(scraped.samples(region=REGIONS[:1], service=["kinesis"]))
    common_samples = account_samples & service_samples
    (alert_since,) = [sample for sample in common_samples if "headroom_alert_since" in sample]
    assert alert_since.endswith(" 1000")


def usages(samples: list[str]) -> list[str]:
    return [sample for sample in samples if sample.startswith("headroom_usage{")]


def piece_ids(body: ExpositionBody) -> set[int]:
    return {id(piece) for piece in body.pieces}


def test_only_changed_pieces_are_rendered_again() -> None:
    scraped = ScrapedFleet()
    first_body = scraped.body(account=ACCOUNTS[:1])
    assert scraped.body(account=ACCOUNTS[:1]) is first_body
    scraped.publish()
    assert scraped.body(account=ACCOUNTS[:1]) is first_body
    slot_of_other_account = len(COMBINATIONS) - 1
    scraped.fleet.usage[slot_of_other_account] = 5.0
    scraped.publish()
    assert scraped.body(account=ACCOUNTS[:1]) is first_body
    scraped.fleet.usage[0] = 7.0
    scraped.publish()
    changed_body = scraped.body(account=ACCOUNTS[:1])
    new_pieces = [piece for piece in changed_body.pieces if id(piece) not in piece_ids(first_body)]
    assert any(b"headroom_usage{" in piece.text for piece in new_pieces)
    assert not any(b"headroom_limit{" in piece.text for piece in new_pieces)


def test_new_series_are_in_the_next_scrape() -> None:
    scraped = ScrapedFleet()
    scraped.samples(service=["sqs"])
    new_series = add(scraped.fleet, key(*COMBINATIONS[1], name="another"))
    set_judgement(scraped.fleet, new_series, Zone.ABOVE, usage=3.0)
    scraped.publish()
    assert any('resource="another"' in sample for sample in scraped.samples(service=["sqs"]))
    assert not any('resource="another"' in sample for sample in scraped.samples(service=["kinesis"]))


def test_a_part_may_lose_most_of_its_series() -> None:
    scraped = ScrapedFleet(max_series=2 * CHUNK_SIZE)
    names = [f"orders-{n}" for n in range(CHUNK_SIZE + 1)]
    for name in names:
        add(scraped.fleet, key(*COMBINATIONS[0], name=name), throttled=None)
    scraped.publish()
    sample_count_before = len(scraped.samples(service=["kinesis"]))
    for name in names:
        scraped.fleet.drop(key(*COMBINATIONS[0], name=name))
    scraped.fleet.reclaim()
    scraped.publish()
    samples = scraped.samples(service=["kinesis"])
    assert 0 < len(samples) < sample_count_before
    assert samples == [sample for sample in scraped.samples() if 'aws_service="kinesis"' in sample]


def test_a_scrape_of_too_many_series_is_refused_with_a_remedy() -> None:
    scraped = ScrapedFleet(max_series=4)
    with pytest.raises(TooManySeriesError, match=r"at most 4 series in one scrape, found 8: split it by"):
        scraped.body()
    with pytest.raises(TooManySeriesError, match="found 8"):
        scraped.body(service=SERVICES)
    assert scraped.exposition.body.pieces == ()  # a fleet that cannot be scraped as a whole is not rendered
    assert len(usages(scraped.samples(service=["sqs"]))) == 4
    for series_key in [*scraped.fleet.series][:4]:
        scraped.fleet.drop(series_key)
    scraped.publish()
    assert len(usages(scraped.samples())) == 4


def test_parts_that_were_scraped_long_ago_are_forgotten_and_rendered_anew() -> None:
    scraped = ScrapedFleet()
    first_body = scraped.body(account=ACCOUNTS[:1])
    for service, region in product(SERVICES, REGIONS):
        for account in ACCOUNTS:
            scraped.body(service=[service], region=[region, "x"], account=[account, "y"])
        scraped.body(service=[service], region=["x", region])
    second_body = scraped.body(account=ACCOUNTS[:1])
    assert second_body is not first_body
    assert second_body.pieces == first_body.pieces


@pytest.mark.parametrize("parameters", [{"accounts": ["1"]}, {"account": [""]}, {"region": ["x" * 300]}])
def test_an_unknown_parameter_or_an_invalid_value_is_an_error(parameters: dict[str, list[str]]) -> None:
    with pytest.raises(ValidationError):
        Selection.model_validate(parameters)


def test_the_order_of_the_values_of_a_selection_does_not_matter() -> None:
    scraped = ScrapedFleet()
    assert scraped.body(account=ACCOUNTS) is scraped.body(account=[*ACCOUNTS[::-1], ACCOUNTS[0]])


def test_a_scrape_of_an_account_without_series_has_no_samples() -> None:
    assert ScrapedFleet().samples(account=["333333333333"]) == []
