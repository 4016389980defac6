"""The firing alerts that silences match, and the sentence for a silence that matches nothing."""

import pytest

from monitor.alerting.records import Silence
from monitor.alerting.silence_matches import find_matches
from monitor.fleet.fleet import Fleet
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import ACCOUNT, add, key

ACCOUNT_NAMES = {ACCOUNT: "production"}
FAR_FUTURE = 4e9  # epoch seconds


@pytest.fixture
def fleet() -> Fleet:
    fleet = Fleet()
    for name in ("orders", "clicks"):
        add(fleet, key(name))
    return fleet


def silence_of(*matchers: str) -> Silence:
    return Silence(id="s", matchers=matchers, starts=0.0, ends=FAR_FUTURE, author="ana", comment="test")


# The matchers of a silence, and why it matches no series; empty if it matches one.
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
def test_a_silence_that_matches_no_series_has_a_sentence_that_says_why(
    fleet: Fleet, matchers: tuple[str, ...], sentence: str
) -> None:
    (matches,) = find_matches([silence_of(*matchers)], [], fleet.series.values(), ACCOUNT_NAMES)
    assert (matches.alert_count, matches.unmatched_reason) == (0, sentence)


def test_firing_alerts_whose_series_left_the_fleet_are_counted(fleet: Fleet) -> None:
    firing = [
        notice("a", resource="deleted"),
        notice("b", resource="deleted"),
        notice("c", resource="orders"),
    ]
    (matches,) = find_matches(
        [silence_of('resource="deleted"')], firing, fleet.series.values(), ACCOUNT_NAMES
    )
    assert (matches.alert_count, matches.unmatched_reason) == (2, "")


def test_without_series_in_the_fleet_the_sentence_of_a_silence_says_so() -> None:
    (matches,) = find_matches([silence_of('resource="orders"')], [], [], {})
    assert matches.unmatched_reason == "No series is watched yet, so it matches nothing."


def test_of_several_silences_only_the_unmatched_one_has_a_sentence(fleet: Fleet) -> None:
    silences = [
        silence_of('resource="orders"'),
        silence_of('resource="orers"'),
        silence_of('resource="clicks"'),
    ]
    matches_by_silence = find_matches(silences, [], fleet.series.values(), ACCOUNT_NAMES)
    assert [bool(matches.unmatched_reason) for matches in matches_by_silence] == [False, True, False]
