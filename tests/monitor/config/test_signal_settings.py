"""The signals that the configuration enables, and entries of `enabled` that enable no signal."""

import pytest
from pydantic import ValidationError

from collectors.registry import Registry, build_registry
from monitor.config.config import Config
from monitor.schema.types import ConfigContext
from rules.signals import Service, Tier
from tests.own_services import own_collector, own_service


def registry() -> Registry:
    """Return a registry of two services, each with a core signal `size` and a detail signal `rate`."""
    return build_registry(map(own_collector, ("ours", "theirs")), map(with_detail, ("ours", "theirs")))


def with_detail(name: str) -> Service:
    """Return a service whose signal `rate` is off by default."""
    service = own_service(name)
    rate = service.signals["rate"].model_copy(update={"tier": Tier.DETAIL})
    return service.model_copy(update={"signals": {**service.signals, "rate": rate}})


@pytest.mark.parametrize(
    ("signals", "off_ids"),
    [
        ({}, ["ours.rate", "theirs.rate"]),
        ({"detail": True}, []),
        ({"enabled": ["rate"]}, []),
        ({"enabled": ["ours.rate"]}, ["theirs.rate"]),
        ({"enabled": ["ours.*"]}, ["theirs.rate"]),
    ],
)
def test_a_detail_signal_is_off_unless_it_is_enabled(signals: object, off_ids: list[str]) -> None:
    two_services = registry()
    config = Config.model_validate({"signals": signals}, context=ConfigContext(registry=two_services))
    assert [signal.id for signal in config.signals_off(two_services)] == off_ids


def test_signals_of_unmonitored_services_are_not_listed_as_off() -> None:
    two_services = registry()
    config = Config.model_validate({"services": ["ours"]}, context=ConfigContext(registry=two_services))
    assert [signal.id for signal in config.signals_off(two_services)] == ["ours.rate"]


def test_an_entry_of_enabled_that_enables_no_signal_is_a_problem() -> None:
    with pytest.raises(ValidationError, match=r"expected a signal of the tier detail, found ours\.size"):
        Config.model_validate(
            {"signals": {"enabled": ["ours.rate", "ours.size"]}}, context=ConfigContext(registry=registry())
        )
