"""The quota to increase: its name and the amount on the command line."""

import pytest

from monitor.quotas.wanted import RequestRefusedError, UnknownQuotaError, WantedQuota, find_quota
from rules.signals import Quota
from tests.registries import REGISTRY

SHARDS = Quota(service="kinesis", code="L-0918CF54")
SIGNALS = {signal.id: signal for signal in REGISTRY.signals}
STORAGE = next(  # a signal in bytes whose quota is in TiB
    signal for signal in REGISTRY.signals if signal.quota_unit == 2**40 and signal.unit.name == "bytes"
)


def test_a_quota_is_found_by_its_signal_or_its_codes() -> None:
    assert find_quota("kinesis.shards_per_region", REGISTRY) == WantedQuota(
        SHARDS, SIGNALS["kinesis.shards_per_region"]
    )
    assert find_quota("kinesis/L-0918CF54", REGISTRY) == WantedQuota(SHARDS)


UNKNOWN_NAMES = {
    "kinesis.shard_per_region": "did you mean kinesis.shards_per_region",
    "shards": "expected a signal or a quota such as",
    "kinesis/shards": "expected a service code and a quota code",
    "/L-0918CF54": "expected a service code and a quota code",
    "kinesis/L-0918cf54": "expected a service code and a quota code",
    "": "expected a signal or a quota such as",
}


@pytest.mark.parametrize(("name", "expected"), UNKNOWN_NAMES.items())
def test_an_unknown_name_is_an_error(name: str, expected: str) -> None:
    with pytest.raises(UnknownQuotaError, match=expected):
        find_quota(name, REGISTRY)


SIGNALS_WITHOUT_QUOTA = {
    "kinesis.stream_write_bytes": "was bought or set on the resource, and not a quota; remedy: Raise",
    "backup.plans": "one that Service Quotas does not increase; remedy: ",
    "alb.target_groups": "a part of the service's design, and not a quota; remedy: ",
    "quotas.calls": "a signal of many quotas: name one by its codes",
}


@pytest.mark.parametrize(("name", "expected"), SIGNALS_WITHOUT_QUOTA.items())
def test_a_signal_whose_limit_is_no_quota_is_refused(name: str, expected: str) -> None:
    with pytest.raises(RequestRefusedError, match=expected):
        find_quota(name, REGISTRY)


def test_every_signal_has_a_quota_or_a_reason() -> None:
    for name, signal in SIGNALS.items():
        try:
            assert find_quota(name, REGISTRY).quota == signal.quota
        except RequestRefusedError as error:
            assert signal.quota is None and str(error)


AMOUNTS = {
    "2000": 2000,
    "2,000": 2000,
    "2_000": 2000,
    "2k": 2000,
    "1.5M": 1.5e6,
    " 7 ": 7,
    "0": 0,
    "2.5": 2.5,
}


@pytest.mark.parametrize(("text", "expected"), AMOUNTS.items())
def test_an_amount_of_a_quota_named_by_its_codes_is_a_number(text: str, expected: float) -> None:
    assert WantedQuota(SHARDS).amount(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), {"40TiB": 40, "40 TiB": 40, "40.2TiB": 41, str(2**40): 1}.items()
)
def test_an_amount_of_bytes_is_converted_to_the_unit_of_the_quota(text: str, expected: float) -> None:
    assert STORAGE.quota
    assert WantedQuota(STORAGE.quota, STORAGE).amount(text) == expected


@pytest.mark.parametrize("text", ["", "-1", "x", "nan", "inf", "1e400", "2Ki", "2 shards", "9" * 30, "²"])
def test_a_text_that_is_no_amount_is_rejected(text: str) -> None:
    with pytest.raises(UnknownQuotaError, match="expected an amount"):
        WantedQuota(SHARDS).amount(text)


def test_a_value_is_shown_exactly_and_in_the_unit_of_the_signal() -> None:
    assert WantedQuota(SHARDS).text(12_345.0) == "12,345"
    assert WantedQuota(SHARDS).text(0.5) == "0.5"
    assert STORAGE.quota
    assert WantedQuota(STORAGE.quota, STORAGE).text(20.0) == "20 (20 TiB)"
