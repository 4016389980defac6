"""The model of the catalogue: signals, their limits, prices and bands."""

from typing import Any

import pytest
from pydantic import ValidationError

from rules.signals import Band, Service, Signal

SIGNAL: dict[str, Any] = {
    "title": "Bytes written",
    "unit": "bytes/s",
    "kind": "provisioned",
    "why": "Producers are refused.",
    "saturation": "WriteProvisionedThroughputExceeded.",
    "remedy": ["Add shards."],
    "docs": ["https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"],
}


def service_document(**changes: Any) -> dict[str, Any]:
    """Return a file of the catalogue whose signal has changes."""
    return {"service": "kinesis", "title": "Kinesis", "signals": {"stream_write_bytes": SIGNAL | changes}}


def signal(**changes: Any) -> Signal:
    """Return the signal of a file of the catalogue, with changes."""
    return Service.model_validate(service_document(**changes)).signals["stream_write_bytes"]


PRICE: dict[str, Any] = {
    "hourly": {"us-east-1": 0.015},
    "source": "https://aws.amazon.com/kinesis/data-streams/pricing/",
    "read_on": "2026-09-25",
}


def signal_with_price(**changes: Any) -> Signal:
    """Return a signal whose limit is bought in shards; the changes are changes of the price."""
    return signal(sizes={"shard": {"item": "shard", "price": PRICE | changes}})


def test_a_price_is_known_only_for_the_regions_that_are_named() -> None:
    size = signal_with_price().size()
    assert size and (price := size.price_in("us-east-1"))
    assert price.monthly_dollars(2, "us-east-1") == pytest.approx(21.915)
    assert price.monthly_dollars(2, "eu-west-1") is None
    assert size.price_in("eu-west-1") is None
    assert signal().size() is None


# A price of a later day and another source than PRICE.
TOKYO_PRICE: dict[str, Any] = {
    "hourly": {"ap-northeast-1": 0.0195},
    "source": f"https://github.com/awslabs/shard-tools/blob/{'0a' * 20}/prices.py",
    "read_on": "2026-10-01",
}


def test_each_region_has_the_price_of_its_own_source_and_day() -> None:
    size = signal(sizes={"shard": {"item": "shard", "price": [PRICE, TOKYO_PRICE]}}).size()
    assert size
    found = {region: size.price_in(region) for region in ("us-east-1", "ap-northeast-1")}
    assert {region: str(price.read_on) for region, price in found.items() if price} == {
        "us-east-1": "2026-09-25",
        "ap-northeast-1": "2026-10-01",
    }


def test_two_prices_of_one_region_are_rejected() -> None:
    with pytest.raises(ValidationError, match="found more in us-east-1"):
        signal(sizes={"shard": {"item": "shard", "price": [PRICE, PRICE | {"read_on": "2026-10-01"}]}})


def test_a_size_may_have_a_price_of_the_service_by_its_name() -> None:
    document = service_document(sizes={"shard": {"item": "shard", "price": "hour"}}) | {
        "prices": {"hour": PRICE}
    }
    size = Service.model_validate(document).signals["stream_write_bytes"].size()
    assert size and size.price_in("us-east-1")


def test_the_name_of_an_unknown_price_is_rejected() -> None:
    document = service_document(sizes={"shard": {"item": "shard", "price": "hours"}}) | {
        "prices": {"hour": PRICE}
    }
    with pytest.raises(ValidationError, match="one of the service's prices, found hours"):
        Service.model_validate(document)
    with pytest.raises(ValidationError, match="one of the service's prices, found hours"):
        signal(sizes={"shard": {"item": "shard", "price": "hours"}})


def test_a_signal_with_several_sizes_returns_the_size_of_the_name() -> None:
    several = signal(sizes={name: {"item": name} for name in ("gp3", "io1")})
    assert several.size() is None and several.size("gp2") is None
    assert (found := several.size("io1")) and found.item == "io1"


def test_without_the_name_of_the_size_its_price_is_not_known() -> None:
    higher_price = PRICE | {"hourly": {"us-east-1": 0.02}}
    several = signal(
        sizes={name: {"item": "shard", "price": price} for name, price in (("a", PRICE), ("b", higher_price))}
    )
    assert (found := several.size()) and found.item == "shard" and found.price_in("us-east-1") is None
    assert (found := several.size("b")) and found.price_in("us-east-1")


def test_only_provisioned_limits_have_sizes() -> None:
    with pytest.raises(ValidationError, match="not bought"):
        signal(kind="quota", sizes={"shard": {"item": "shard"}})


@pytest.mark.parametrize(
    "changes",
    [
        {"hourly": {"us-east-1": 0}},
        {"hourly": 0.015},
        {"hourly": {}},
        {"read_on": None},
        {"read_on": "yesterday"},
        {"source": "https://example.com/pricing/"},
        {"source": f"https://github.com/someone/tools/blob/{'0a' * 20}/prices.py"},
        {"source": "https://github.com/awslabs/tools/blob/main/prices.py"},
        {"source": None},
        {"monthly": {"us-east-1": 11}},
    ],
)
def test_an_invalid_price_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        signal_with_price(**changes)


@pytest.mark.parametrize(
    ("region", "limit"), [("eu-west-1", 10_000.0), ("eu-south-1", 2500.0), ("xx-new-1", 10_000.0)]
)
def test_a_documented_default_may_differ_by_region(region: str, limit: float) -> None:
    assert signal(default={"value": 10_000, "by_region": {"eu-south-1": 2500}}).default_limit(region) == limit


def test_a_limit_that_only_the_customer_sets_has_no_default() -> None:
    assert signal().default_limit("eu-west-1") is None


def test_a_signal_is_named_by_its_service_and_its_key() -> None:
    assert signal().id == "kinesis.stream_write_bytes"


@pytest.mark.parametrize(
    ("low", "high", "near"), [(0.7, 0.4, 0.9), (0.4, 0.95, 0.9), (0.4, 0.4, 0.9), (0.4, 0.9, 0.9)]
)
def test_a_band_must_be_in_order(low: float, high: float, near: float) -> None:
    with pytest.raises(ValidationError, match="low < high < near"):
        Band(low=low, high=high, near=near)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"title": ""}, "title"),
        ({"unit": None}, "unit"),
        ({"kind": "soft"}, "kind"),
        ({"remedy": []}, "remedy"),
        ({"docs": []}, "docs.0"),
        ({"docs": ["javascript:alert()"]}, "docs.0"),
        ({"docs": ["https://example.org/<b>"]}, "docs.0"),
        ({"quota": {"service": "kinesis", "code": "Shards per Region"}}, "quota.code"),
        ({"default": {"value": 0}}, "default.value"),
        ({"default": {"value": 1, "by_region": {"eu-west-1": -1}}}, "default.by_region.eu-west-1"),
        ({"for": -1}, "for"),
        ({"limit": 5}, "limit"),
    ],
)
def test_an_invalid_signal_is_rejected_with_its_key(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Service.model_validate(service_document(**changes))
    where = ".".join(map(str, caught.value.errors()[0]["loc"]))
    assert where.startswith(f"signals.stream_write_bytes.{path.removesuffix('.0')}")
