"""Durations are stored in 16 bits: each accepted duration fits, and longer durations are refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from collectors.declaration import Declaration
from collectors.usage import PERIODS
from monitor.alerting.settings import AlertOverride, ToleranceOverride
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.fleet.ring_columns import WINDOW, RingColumns
from monitor.fleet.series_settings import stale_after
from monitor.planning.intervals import MAX_INTERVAL
from rules.forecast import BINS
from rules.signals import MAX_PENDING_FOR, Signal, Tolerance
from tests.monitor.fleet.fleets import SETTINGS, add, key
from tests.registries import STREAM_WRITE_BYTES

DAY, MAX_DELAY = 24 * 60, 60  # minutes
MAX_CONFIGURED_INTERVAL = 3600.0  # seconds
MAX_INT16 = np.iinfo(np.int16).max
# Models, their required fields, the name of a duration, and the longest duration that the model accepts.
DURATIONS: tuple[tuple[type[BaseModel], dict[str, Any], str, float], ...] = (
    (Tolerance, {}, "for", MAX_PENDING_FOR),
    (
        Signal,
        STREAM_WRITE_BYTES.model_dump(by_alias=True, exclude={"name", "service"}),
        "for",
        MAX_PENDING_FOR,
    ),
    (AlertOverride, {"signal": "kinesis.*"}, "for", DAY * 60),
    (AlertOverride, {"signal": "kinesis.*"}, "keep_firing_for", DAY * 60),
    (ToleranceOverride, {}, "for", DAY * 60),
    (Config, {}, "interval", MAX_CONFIGURED_INTERVAL),
    (Config, {}, "max_interval", MAX_CONFIGURED_INTERVAL),
    (Config, {}, "throttled_interval", MAX_CONFIGURED_INTERVAL),
)


def too_large_keys(model: type[BaseModel], valid_fields: dict[str, Any]) -> set[str]:
    """Return the keys whose values the model rejects as too large."""
    try:
        model.model_validate(valid_fields)
    except ValidationError as error:
        return {str(entry["loc"][0]) for entry in error.errors() if entry["type"] == "less_than_equal"}
    return set()


@pytest.mark.parametrize(("model", "valid_fields", "name", "max_duration"), DURATIONS)
def test_a_duration_that_is_too_long_to_be_stored_is_refused(
    model: type[BaseModel], valid_fields: dict[str, Any], name: str, max_duration: float
) -> None:
    assert too_large_keys(model, {**valid_fields, name: max_duration}) == set()
    assert too_large_keys(model, {**valid_fields, name: max_duration + 60}) == {name}


def test_the_delay_of_a_declared_service_is_bounded() -> None:
    assert too_large_keys(Declaration, {"delay": MAX_DELAY}) == set()
    assert too_large_keys(Declaration, {"delay": MAX_DELAY + 1}) == {"delay"}


def test_the_longest_durations_are_stored_unchanged() -> None:
    stale_minutes = stale_after(max(MAX_CONFIGURED_INTERVAL, *PERIODS), MAX_DELAY)
    settings = replace(
        SETTINGS,
        pending_for=DAY,
        keep_firing_for=DAY,
        delay=MAX_DELAY,
        stale_after=stale_minutes,
        tolerance=Tolerance(**{"for": DAY}),
    )
    fleet = Fleet()
    slot = add(fleet, key("orders"), settings).slot
    assert fleet.pending_for[slot] == fleet.keep_firing_for[slot] == fleet.throttled_pending_for[slot] == DAY
    assert fleet.stale_after[slot] == stale_minutes
    assert fleet.rings.delay[0] == MAX_DELAY
    assert max(DAY, stale_minutes, WINDOW, MAX_INTERVAL, BINS, *PERIODS) < MAX_INT16


def test_every_16_bit_column_is_tested() -> None:
    fleet_columns, ring_columns = (
        {name for name, (dtype, *_) in columns.declared.items() if dtype is np.int16}
        for columns in (Fleet, RingColumns)
    )
    assert fleet_columns == {
        "stale_after",
        "extra_stale_minutes",
        "period",
        "pending_for",
        "throttled_pending_for",
        "keep_firing_for",
        "cadence",
        "history_bins",
    }
    assert ring_columns == {"period", "divisor", "delay", "recent_minutes"}
