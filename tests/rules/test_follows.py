"""Which signals may explain which."""

from typing import Any

import pytest
from pydantic import ValidationError

from rules.limits import Service

SIGNAL: dict[str, Any] = {
    "title": "Bytes written",
    "unit": "bytes/s",
    "kind": "provisioned",
    "why": "Producers are refused.",
    "saturation": "It is counted.",
    "remedy": ["Add shards."],
    "docs": ["https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html"],
}


def service(follows: list[str]) -> Service:
    signals = {"records": SIGNAL, "bytes": SIGNAL | {"follows": follows}}
    return Service.model_validate({"service": "kinesis", "title": "Kinesis", "signals": signals})


def test_a_signal_follows_others_of_its_service() -> None:
    assert service(["records"]).signals["bytes"].follows == ("records",)


@pytest.mark.parametrize("other", ["recrods", "kinesis.records", "bytes"])
def test_what_is_not_another_signal_is_not_followed(other: str) -> None:
    with pytest.raises(
        ValidationError, match=f"kinesis.bytes: expected other signals to follow, found {other}"
    ):
        service([other])
