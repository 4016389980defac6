"""Silences and what they match; one that matches nothing says why, with the nearest label."""

import pytest

from monitor.alerting.records import Silence
from monitor.alerting.silence_matches import find_matches
from monitor.fleet.fleet import Fleet
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import ACCOUNT, add, key

NAMES = {ACCOUNT: "production"}
FAR = 4e9  # an end that is never reached


@pytest.fixture
def fleet() -> Fleet:
    fleet = Fleet()
    for name in ("orders", "clicks"):
        add(fleet, key(name))
    return fleet


def silence(*matchers: str) -> Silence:
    return Silence(id="s", matchers=matchers, starts=0.0, ends=FAR, author="ana", comment="test")


SENTENCES = [
    (('resource="orders"',), ""),
    (('service="kinesis"', 'severity="critical"'), ""),
    (('account_name="production"',), ""),
    (('resource!="orders"',), ""),
    (('resource=~"cl.*"',), ""),
    (('resource="order"',), 'No series has resource="order"; did you mean orders?'),
    (('region="eu-west1"',), 'No series has region="eu-west1"; did you mean eu-west-1?'),
    (('account_name="prodction"',), 'No series has account_name="prodction"; did you mean production?'),
    (('resource="zzzzz"',), 'No series has resource="zzzzz".'),
    (('resorce="orders"',), "No series has a label resorce; did you mean resource?"),
    (('team="ops"',), "No series has a label team."),
    (('severity="critcal"',), 'No alert has severity="critcal"; did you mean critical?'),
    (
        ('resource="orders"', 'signal="stream_read_bytes"'),
        'No series has signal="stream_read_bytes"; did you mean stream_write_bytes?',
    ),
    (('resource="orders"', 'resource=~"cl.*"'), "No series meets all of its conditions together."),
]


@pytest.mark.parametrize(("matchers", "sentence"), SENTENCES)
def test_a_silence_that_matches_nothing_says_so_with_the_nearest_label(
    fleet: Fleet, matchers: tuple[str, ...], sentence: str
) -> None:
    (found,) = find_matches([silence(*matchers)], [], fleet.series.values(), NAMES)
    assert (found.alerts, found.unmatched) == (0, sentence)


def test_an_alert_whose_series_is_gone_is_matched(fleet: Fleet) -> None:
    firing = [notice("a", resource="gone"), notice("b", resource="gone"), notice("c", resource="orders")]
    found = find_matches([silence('resource="gone"')], firing, fleet.series.values(), NAMES)
    assert [(one.alerts, one.unmatched) for one in found] == [(2, "")]


def test_where_nothing_is_watched_it_says_so() -> None:
    (found,) = find_matches([silence('resource="orders"')], [], [], {})
    assert found.unmatched == "No series is watched yet, so it matches nothing."


def test_of_several_silences_each_is_told(fleet: Fleet) -> None:
    silences = [silence('resource="orders"'), silence('resource="orers"'), silence('resource="clicks"')]
    found = find_matches(silences, [], fleet.series.values(), NAMES)
    assert [bool(one.unmatched) for one in found] == [False, True, False]
