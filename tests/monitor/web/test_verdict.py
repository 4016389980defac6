"""The verdict on a series, and what to do first, in each state."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from markupsafe import Markup

from collectors.base import Unobservable
from collectors.quota_requests import QuotaRequest
from monitor.fleet.fan import Fan
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.outlook import TrackRecord
from monitor.fleet.reach import NO_REACH_KNOWN, Reach
from monitor.fleet.series_settings import SeriesSettings
from monitor.web.first_step import Remedies, first_step, higher_limit
from monitor.web.verdict import Situation, how_sure, track_text, what_happens
from rules.band import Zone
from rules.signals import LimitKind
from tests.monitor.fleet.fleets import SETTINGS, add, key
from tests.registries import REGISTRY

NOW = 30_000_000  # minutes since the epoch
# The probability of each horizon, the minutes at which the limit is reached, and the days of history.
SOON = Reach((0.1, 0.6, 0.8, 0.92), (NOW + 40, NOW + 80, NOW + 119), 14.0)
CLEAR = Reach((0.0, 0.0, 0.01, 0.02), (), 14.0)
SHORT_HISTORY = Reach((), (), 1.2)
LAMBDA = REGISTRY.services["lambda"].signals["account_concurrency"]


def situation(**fields: Any) -> Situation:
    """Return a series that is within its band and does not reach its limit, with these fields changed."""
    defaults: dict[str, Any] = {
        "signal": SETTINGS.signal,
        "zone": Zone.WITHIN,
        "limit": "1 MiB/s",
        "utilization": 0.55,
        "throttled": 0.0,
        "since": None,
        "sampled_at": NOW * 60,
        "unobservable": None,
        "reach": CLEAR,
        "track": None,
        "deliberate": False,
        "now": NOW,
    }
    return Situation(**defaults | fields)


def text_of(markup: Markup) -> str:
    return " ".join(Markup(markup).striptags().split())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"reach": SOON},
            "Reaches its limit of 1 MiB/s in 40 to 119 min (15 Jan 08:40 UTC to",
        ),
        ({"reach": SOON}, "60 % likely within 6 h"),
        ({"reach": CLEAR}, "Reaches its limit of 1 MiB/s within 3 d with a probability of 2 %."),
        (
            {"reach": replace(SOON, probability=(0.0, 0.1, 0.2, 0.3))},
            "Reaches its limit of 1 MiB/s within 3 d with a probability of 30 %.",
        ),
        (
            {"reach": replace(CLEAR, minutes=(NOW + 14_400, NOW + 20_000, NOW + 28_800))},
            "Reaches its limit of 1 MiB/s in 10 to 20 d",
        ),
        (
            {"reach": SHORT_HISTORY},
            "At 55 % of its limit of 1 MiB/s. No forecast yet: 1.2 of 2 days of history.",
        ),
        ({"reach": NO_REACH_KNOWN}, "No forecast yet: no history of it is kept so far."),
        ({"reach": replace(SOON, probability=(1.0,) * 4)}, "It is at its limit of 1 MiB/s."),
        (
            {"reach": replace(SOON, ceiling=2.0**19)},
            "its effective ceiling of 512 KiB/s (its limit is 1 MiB/s)",
        ),
        (
            {"zone": Zone.SATURATED, "throttled": 12.0, "since": NOW * 60},
            "12 /s are throttled now, since 15 Jan",
        ),
        ({"zone": Zone.STALE}, "the newest sample, of 15 Jan 08:00 UTC, is too old to be judged"),
        ({"zone": Zone.STALE, "sampled_at": None}, "no sample has been read yet"),
        ({"limit": None}, "no source tells its limit"),
        (
            {"unobservable": Unobservable("<b>metrics</b> are off")},
            "Not known how full it is: <b>metrics</b> are off.",
        ),
        (
            {"unobservable": Unobservable("no metric"), "zone": Zone.SATURATED, "throttled": 3.0},
            "3 /s are throttled now. Not known how full it is: no metric.",
        ),
    ],
)
def test_the_verdict_names_the_state(fields: dict[str, Any], words: str) -> None:
    assert words in text_of(what_happens(situation(**fields)))


def test_markup_in_the_reason_of_a_verdict_is_escaped() -> None:
    assert "<b>" not in what_happens(situation(unobservable=Unobservable("<b>metrics</b> are off")))


@pytest.mark.parametrize(
    ("track", "words"),
    [
        (None, "No track record yet."),
        (TrackRecord(), "No track record yet."),
        (
            TrackRecord(38, 31, 33),
            "came true 31 of 38 times in 14 d; it reached the limit 33 times, 31",
        ),
        (TrackRecord(1, 1, 1), "came true 1 of 1 time in 14 d; it reached the limit once, foreseen."),
        (TrackRecord(2, 0, 0), "came true 0 of 2 times in 14 d; it never reached the limit."),
        (
            TrackRecord(0, 0, 2),
            "no forecast said that it reaches the present limit; it reached the limit 2",
        ),
    ],
)
def test_the_track_record_is_told_in_words_even_if_there_is_none(
    track: TrackRecord | None, words: str
) -> None:
    assert words in track_text(track)


def test_the_certainty_lists_all_horizons_and_is_empty_without_a_forecast() -> None:
    assert "10 % within 1 h, 60 % within 6 h, 80 % within 24 h, 92 % within 3 d" in how_sure(
        situation(reach=SOON)
    )
    assert how_sure(situation(reach=SHORT_HISTORY)) == ""


def series_of(settings: SeriesSettings = SETTINGS, **changes: Any) -> Series:
    """Return a series with these changes of its settings; for the signal LAMBDA, a series of the account."""
    is_lambda = changes.get("signal") is LAMBDA
    series_key = key("", LAMBDA.id) if is_lambda else key("orders")
    return add(Fleet(), series_key, replace(settings, **changes))


NO_REMEDIES = Remedies(plan=None, recommendation=None, probabilities_after=())


def test_the_first_step_for_a_safe_series_is_to_leave_it() -> None:
    assert first_step(situation(), NO_REMEDIES).title == "Leave it: unlikely to reach its limit within 3 d"
    unknown = first_step(situation(reach=SHORT_HISTORY), NO_REMEDIES)
    assert unknown.title == "Leave it for now" and "no forecast yet" in unknown.effects[0]
    likely = replace(CLEAR, probability=(0.0, 0.0, 0.1, 0.3))
    assert "a probability of 30 %" in first_step(situation(reach=likely), NO_REMEDIES).effects[0]


@pytest.mark.parametrize(
    ("throttled", "effect"),
    [
        (0.0, "Nothing is throttled."),
        (0.5, "Throttled demand is within the tolerance."),
        (None, "Whether demand is throttled is not known."),
    ],
)
def test_the_step_to_leave_a_series_says_what_is_known_of_throttled_demand(
    throttled: float | None, effect: str
) -> None:
    clear, deliberate = situation(throttled=throttled), situation(throttled=throttled, deliberate=True)
    assert first_step(clear, NO_REMEDIES).effects == [
        "It reaches the limit within 3 d with a probability of 2 %.",
        effect,
    ]
    assert first_step(deliberate, NO_REMEDIES).effects == ["The limit is set on purpose.", effect]


def test_the_step_for_a_quota_has_a_request_its_effects_and_its_duration() -> None:
    series = series_of(signal=LAMBDA)
    plan = higher_limit(series, 920.0, 1000.0, None)
    assert plan and plan.limit == 1673
    near_limit = situation(signal=LAMBDA, zone=Zone.NEAR, utilization=0.92, reach=SOON)
    step = first_step(
        near_limit, Remedies(plan=plan, recommendation=None, probabilities_after=(0.0, 0.0, 0.01, 0.04))
    )
    assert step.title == "Ask AWS for 1,673 concurrent executions"
    assert "--desired-value 1673" in step.command and step.is_urgent
    assert step.effects == [
        "AWS takes about 2 d to decide.",
        "92 % of the limit becomes 55 %.",
        "The probability of reaching it within 3 d becomes 4 % instead of 92 %.",
    ]


def test_a_quota_that_is_a_setting_of_the_resource_needs_no_decision_of_aws() -> None:
    series_key = key("thumbnails", "lambda.function_reserved_concurrency")
    series = add(Fleet(), series_key)
    signal = series.settings.signal
    plan = higher_limit(series, 45.0, 50.0, None)
    near_limit = situation(signal=signal, zone=Zone.NEAR, utilization=0.9)
    step = first_step(near_limit, Remedies(plan=plan, recommendation=None, probabilities_after=()))
    assert step.effects[0] == "It is a setting of the resource, changed without a request to AWS."


def test_forecast_usage_raises_the_limit_that_is_asked_for() -> None:
    ahead = np.full((5, 96), 1800.0, np.float32)
    ahead[:, 10:20] = np.nan
    fan = Fan(NOW, np.full(96, 500.0, np.float32), ahead)
    low = higher_limit(series_of(signal=LAMBDA), 500.0, 1000.0, None)
    high = higher_limit(series_of(signal=LAMBDA), 500.0, 1000.0, fan)
    assert low and high and low.limit == 1273 and high.limit == 3273


@pytest.mark.parametrize(
    ("desired", "title"), [(5000.0, "Wait for the request that is pending"), (1100.0, "Ask AWS for")]
)
def test_the_step_is_to_wait_for_a_pending_request_that_is_enough(desired: float, title: str) -> None:
    series = series_of(signal=LAMBDA, quota_request=QuotaRequest(desired, "CASE_OPENED", 0.0))
    plan = higher_limit(series, 920.0, 1000.0, None)
    step = first_step(
        situation(signal=LAMBDA, zone=Zone.NEAR),
        Remedies(plan=plan, recommendation=None, probabilities_after=()),
    )
    assert step.title.startswith(title)
    assert ("asks for less" in " ".join(step.effects)) is (desired == 1100.0)


def test_the_step_for_a_fixed_limit_is_its_remedy_in_words() -> None:
    signal = SETTINGS.signal.model_copy(update={"kind": LimitKind.FIXED, "command": None, "quota": None})
    plan = higher_limit(series_of(signal=signal), 950.0, 1000.0, None)
    step = first_step(
        situation(signal=signal, zone=Zone.NEAR),
        Remedies(plan=plan, recommendation=None, probabilities_after=()),
    )
    assert step.title == signal.remedy[0].removesuffix(".") and step.command == ""
    assert step.effects == ["It takes about 7 d."]


def test_the_step_for_a_fixed_limit_has_the_command_that_finds_the_callers() -> None:
    series = add(Fleet(), key("", "secretsmanager.get_secret_value"))
    signal = series.settings.signal
    plan = higher_limit(series, 9500.0, 10_000.0, None)
    near_limit = situation(signal=signal, zone=Zone.NEAR, utilization=0.95)
    step = first_step(near_limit, Remedies(plan=plan, recommendation=None, probabilities_after=()))
    assert step.title == "Find out in CloudTrail who makes the calls"
    assert step.command.startswith("aws cloudtrail lookup-events ")
    assert step.effects == ["It takes about 7 d."]


def test_a_quota_of_unknown_code_has_the_command_that_finds_it_and_the_time_of_a_decision() -> None:
    series = add(Fleet(), key("", "backup.plans"))
    signal = series.settings.signal
    plan = higher_limit(series, 95.0, 100.0, None)
    near_limit = situation(signal=signal, zone=Zone.NEAR, utilization=0.95)
    step = first_step(near_limit, Remedies(plan=plan, recommendation=None, probabilities_after=()))
    assert step.title.startswith("Find the quota by its name in Service Quotas")
    assert "list-aws-default-service-quotas --service-code backup" in step.command
    assert step.effects == ["AWS takes about 2 d to decide."]


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"unobservable": Unobservable("off", "aws turn --on")}, "Make it observable"),
        ({"unobservable": Unobservable("off")}, "Nothing to do here"),
        ({"limit": None}, "Tell Headroom the limit"),
        ({"zone": Zone.STALE}, "See why no sample comes"),
        ({"deliberate": True, "zone": Zone.ABOVE}, "Leave it"),
    ],
)
def test_the_first_step_for_unjudged_series_and_deliberate_limits(fields: dict[str, Any], title: str) -> None:
    assert first_step(situation(**fields), NO_REMEDIES).title == title


def test_throttled_demand_sets_the_first_step_even_if_usage_is_unobservable() -> None:
    step = first_step(situation(zone=Zone.SATURATED, unobservable=Unobservable("off")), NO_REMEDIES)
    assert step.title == SETTINGS.signal.remedy[0].removesuffix(".")
