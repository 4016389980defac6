"""Settings without an effect are rejected, with their place in the file."""

from typing import Any

import pytest
from pydantic import ValidationError

from monitor.config.config import Config
from monitor.schema.problems import problem_lines, problems_from_pydantic
from monitor.schema.types import ConfigContext
from tests.registries import REGISTRY

CONTEXT = ConfigContext(registry=REGISTRY)
NO_ALERT_BELOW = "other limits have no alert below the band"
NO_THROTTLING_METRIC = "which CloudWatch does not count for this signal"


@pytest.mark.parametrize(
    ("entry", "key", "expected"),
    [
        ({"signal": "lambda.account_concurrency", "below": "warning"}, "below", NO_ALERT_BELOW),
        ({"service": "s3", "below": "none"}, "below", NO_ALERT_BELOW),
        ({"service": "sqs", "saturated": "warning"}, "saturated", NO_THROTTLING_METRIC),
        ({"signal": "kinesis.efo_read_bytes", "tolerance": {"rate": 1}}, "tolerance", NO_THROTTLING_METRIC),
        ({"service": "autoscaling", "tolerance": {"for": "2m"}}, "tolerance", NO_THROTTLING_METRIC),
    ],
)
def test_a_setting_without_effect_on_the_series_of_its_entry_is_rejected(
    entry: dict[str, Any], key: str, expected: str
) -> None:
    with pytest.raises(ValidationError) as error:
        Config.model_validate({"alerts": [{"resource": "x", "above": "none"}, entry]}, context=CONTEXT)
    (line,) = problem_lines("", problems_from_pydantic(error.value, Config))
    assert line.startswith(f"alerts[1].{key}: ")
    assert expected in line


@pytest.mark.parametrize(
    "entry",
    [
        {"resource": "batch-*", "below": "none", "saturated": "none"},
        {"service": "kinesis", "below": "warning", "tolerance": {"rate": 1}},
        {"service": "sqs", "for": "10m"},
        {"signal": "s3.prefix_errors", "tolerance": {"share": 0.05}},
        {"service": "lambda", "saturated": "warning"},
    ],
)
def test_a_setting_that_affects_some_series_is_accepted(entry: dict[str, Any]) -> None:
    assert Config.model_validate({"alerts": [entry]}, context=CONTEXT).alerts


@pytest.mark.parametrize("tolerance", [{"rate": -1}, {"share": 2}, {"for": "2d"}, {"rates": 1}])
def test_an_invalid_tolerance_is_rejected(tolerance: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({"alerts": [{"service": "kinesis", "tolerance": tolerance}]}, context=CONTEXT)
