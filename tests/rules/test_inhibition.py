"""Signals that explain the saturation of others: throttle groups, `inhibited_by` and `covered_by`."""

from typing import Any

import pytest
from pydantic import ValidationError

from rules.signals import Service

SIGNAL: dict[str, Any] = {
    "title": "Bytes written",
    "unit": "bytes/s",
    "kind": "provisioned",
    "why": "Producers are refused.",
    "saturation": "It is counted.",
    "remedy": ["Add shards."],
    "docs": ["https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"],
}
WRITES = {"throttle_group": "writes"}


def service(**signals: dict[str, Any]) -> Service:
    """Return a service with these signals."""
    signals_by_name = {name: SIGNAL | changes for name, changes in signals.items()}
    return Service.model_validate({"service": "kinesis", "title": "Kinesis", "signals": signals_by_name})


def test_signals_of_one_throttle_group_explain_each_other_and_no_others() -> None:
    kinesis_service = service(records=WRITES, bytes=WRITES, streams=WRITES, reads={})
    assert kinesis_service.inhibitors("bytes") == {"records", "streams"}
    assert kinesis_service.inhibitors("records") == {"bytes", "streams"}
    assert kinesis_service.inhibitors("reads") == kinesis_service.inhibitors("unknown") == frozenset()


@pytest.mark.parametrize("other", ["records", "bytes"])
def test_a_signal_may_be_inhibited_by_another_signal_of_its_service_or_by_itself(other: str) -> None:
    assert service(records={}, bytes={"inhibited_by": [other]}).inhibitors("bytes") == {other}


def test_a_signal_may_be_inhibited_by_a_throttle_group_that_it_does_not_belong_to() -> None:
    kinesis_service = service(records=WRITES, bytes=WRITES, growth={"inhibited_by": ["writes"]})
    assert kinesis_service.inhibitors("growth") == {"records", "bytes"}
    assert kinesis_service.inhibitors("bytes") == {"records"}


def test_a_member_of_a_throttle_group_may_name_itself_and_further_signals() -> None:
    kinesis_service = service(records=WRITES, bytes=WRITES | {"inhibited_by": ["bytes", "reads"]}, reads={})
    assert kinesis_service.inhibitors("bytes") == {"records", "bytes", "reads"}


@pytest.mark.parametrize("key", ["inhibited_by", "covered_by"])
@pytest.mark.parametrize("other", ["recrods", "kinesis.records"])
def test_an_unknown_signal_is_refused(key: str, other: str) -> None:
    changes = {key: other if key == "covered_by" else [other]}
    with pytest.raises(
        ValidationError, match=f"kinesis.bytes: expected signals of the service, found {other}"
    ):
        service(records={}, bytes=changes)


def test_a_signal_cannot_be_covered_by_a_throttle_group() -> None:
    with pytest.raises(ValidationError, match="expected signals of the service, found writes"):
        service(records=WRITES, bytes=WRITES, growth={"covered_by": "writes"})


def test_a_throttle_group_of_one_signal_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected several signals in the throttle group writes"):
        service(records=WRITES, bytes={"throttle_group": "wirtes"})


def test_a_throttle_group_cannot_have_the_name_of_a_signal() -> None:
    with pytest.raises(ValidationError, match="expected another name for the throttle group records"):
        service(records={"throttle_group": "records"}, bytes={"throttle_group": "records"})


@pytest.mark.parametrize(
    ("signals", "cycle"),  # a regular expression, as a cycle may begin with any of its signals
    [
        ({"a": {"covered_by": "a"}}, "a -> a"),
        ({"a": {"covered_by": "b"}, "b": {"covered_by": "a"}}, "a -> b -> a|b -> a -> b"),
        ({"a": {"covered_by": "b"}, "b": {"inhibited_by": ["a"]}}, "a -> b -> a|b -> a -> b"),
        (
            {"a": {"inhibited_by": ["b"]}, "b": {"inhibited_by": ["c"]}, "c": {"inhibited_by": ["a"]}},
            "a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c",
        ),
        ({"a": WRITES, "b": WRITES | {"covered_by": "a"}}, "a -> a"),
        (
            {"a": WRITES, "b": WRITES | {"inhibited_by": ["c"]}, "c": {"covered_by": "a"}},
            "a -> c -> a|c -> a -> c",
        ),
    ],
)
def test_a_cycle_of_inhibition_after_which_no_alert_would_be_sent_is_refused(
    signals: dict[str, dict[str, Any]], cycle: str
) -> None:
    with pytest.raises(ValidationError, match=f"expected no cycle of signals .*, found ({cycle})\\b"):
        service(**signals)


def test_two_signals_may_inhibit_each_other_directly() -> None:
    """The worse of their two alerts is sent. Only longer cycles, or cycles with `covered_by`, send none."""
    kinesis_service = service(
        a={"inhibited_by": ["b"]},
        b={"inhibited_by": ["a", "b"]},
        c={"inhibited_by": ["a", "d"]},
        d={"covered_by": "b"},
    )
    assert kinesis_service.inhibitors("c") == {"a", "d"}
