"""The rate of calls: halved when AWS throttles, and raised step by step while it does not."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.aws.call_rate import MAX_GROWTH_PAUSE, MIN_SHARE, RECOVERY_TIME, CallRate

MEASURED_SECONDS = 1200  # after the rate has settled
ROUNDING = 1.001  # a factor above all errors of floating-point numbers
highest_rates = st.floats(0.05, 1000)  # calls per second
# For each call: seconds since the previous call, seconds until its response, and whether it was throttled.
call_lists = st.lists(st.tuples(st.floats(0, 30), st.floats(0, 30), st.booleans()), max_size=200)


def record_response(rate: CallRate, sent_at: float, now: float, *, is_throttled: bool) -> None:
    """Record at a rate that a call was throttled or succeeded. sent_at, now: seconds."""
    if is_throttled:
        rate.record_throttling(sent_at, now)
    else:
        rate.record_success(sent_at, now)


@given(highest_rates, call_lists)
def test_the_rate_stays_between_its_bounds(highest: float, calls: list[tuple[float, float, bool]]) -> None:
    rate, now = CallRate(highest), 0.0
    for pause, duration, is_throttled in calls:
        now += pause
        earlier_rate = rate.present
        record_response(rate, now, now + duration, is_throttled=is_throttled)
        assert highest * MIN_SHARE <= rate.present <= highest
        assert rate.present <= earlier_rate if is_throttled else rate.present >= earlier_rate


@given(highest_rates, st.floats(0, 1e6))
def test_a_throttled_call_halves_the_rate_once_for_all_calls_under_way(highest: float, now: float) -> None:
    rate = CallRate(highest)
    for sent_at in (now, now - 1, now - 2):
        rate.record_throttling(sent_at, now + 1)
    assert rate.present == highest / 2
    rate.record_success(now, now + 2)  # ignored: it was sent before the rate was halved
    assert rate.present == highest / 2
    rate.record_throttling(now + 1, now + 3)
    assert rate.present == highest / 4


@given(highest_rates, st.floats(0.2, MAX_GROWTH_PAUSE))
def test_successful_calls_raise_the_rate_steadily_to_its_maximum(highest: float, pause: float) -> None:
    rate = CallRate(highest)
    rate.record_throttling(0, 0)
    now, growths = 0.0, []
    while rate.is_lowered:
        now, earlier_rate = now + pause, rate.present
        rate.record_success(now, now)
        growths.append(rate.present - earlier_rate)
    assert max(growths) <= highest * pause / RECOVERY_TIME * ROUNDING
    full_growths = growths[:-1]  # the last one ends at the maximum
    assert max(full_growths, default=0) <= min(full_growths, default=0) * ROUNDING
    assert RECOVERY_TIME / 2 <= now * ROUNDING <= RECOVERY_TIME / 2 + 2 * pause + 1


def test_a_long_pause_between_calls_counts_as_the_maximum_pause() -> None:
    rate = CallRate(30)
    rate.record_throttling(0, 0)
    rate.record_success(3600, 3600)
    assert rate.present == 15 + 30 * MAX_GROWTH_PAUSE / RECOVERY_TIME


@given(highest=st.floats(5, 100), allowed_share=st.floats(0.2, 0.9))
def test_the_rate_settles_near_the_rate_that_aws_allows(highest: float, allowed_share: float) -> None:
    allowed, rate = highest * allowed_share, CallRate(highest)
    now, second, calls_in_second, call_count, throttled_count = 0.0, 0, 0, 0, 0
    while now < 600 + MEASURED_SECONDS:
        if int(now) != second:
            second, calls_in_second = int(now), 0
        calls_in_second += 1
        is_throttled = calls_in_second > max(allowed, 1)
        record_response(rate, now, now, is_throttled=is_throttled)
        now += 1 / rate.present
        if now > 600:  # the rate has settled
            call_count, throttled_count = call_count + 1, throttled_count + is_throttled
    assert throttled_count <= call_count * 0.1
    assert call_count / MEASURED_SECONDS <= max(allowed, 1) * 1.1
    assert call_count / MEASURED_SECONDS >= allowed * 0.4
