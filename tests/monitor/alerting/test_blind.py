"""When something is blind, and how few alerts that makes."""

import pytest

from monitor.alerting.blind import AFTER, LATE, Sight, blind, ended, notice, over, sights
from monitor.alerting.notice import Severity
from monitor.aws import Failure
from monitor.inventory import Outcome
from monitor.status import CellStatus, Told
from tests.monitor.alerting.notices import ACCOUNT, REGION

NOW = 1_000_000.0
DENIED, SLOW = "AccessDeniedException", "TimeoutError"
METRICS = Sight(ACCOUNT, REGION, "", "prod", NOW, 300)
KINESIS, LAMBDA = (
    METRICS._replace(service="kinesis", every=600),
    METRICS._replace(service="lambda", every=600),
)


def since(sight: Sight, seconds: float, cause: str = "") -> Sight:
    return sight._replace(seen=NOW - seconds, cause=cause, sentence=f"it says {cause}." if cause else "")


SEEN = [
    (METRICS, AFTER, DENIED, False),
    (METRICS, AFTER + 1, DENIED, True),
    (METRICS, AFTER + 1, "", True),  # it did not fail, and did not end
    (KINESIS, AFTER + 1, DENIED, False),  # with a look every ten minutes, only one failed
    (KINESIS, 1261, DENIED, True),
    (KINESIS._replace(every=60), AFTER + 1, DENIED, True),
]


@pytest.mark.parametrize(("sight", "ago", "cause", "is_blind"), SEEN)
def test_blind_is_what_two_looks_and_a_quarter_of_an_hour_did_not_show(
    sight: Sight, ago: float, cause: str, is_blind: bool
) -> None:
    assert bool(blind([since(sight, ago, cause)], NOW)) is is_blind


CELL = (ACCOUNT, REGION)
ALERTS: list[tuple[list[Sight], list[tuple[str, str, str]]]] = [
    ([since(METRICS, 5000, DENIED)], [(REGION, "", DENIED)]),
    ([since(KINESIS, 5000, DENIED)], [(REGION, "kinesis", DENIED)]),
    ([since(KINESIS, 5000, DENIED), since(LAMBDA, 5000, DENIED)], [(REGION, "", DENIED)]),
    ([since(KINESIS, 5000, DENIED), since(METRICS, 5000, DENIED)], [(REGION, "", DENIED)]),
    (
        [since(KINESIS, 5000, DENIED), since(LAMBDA, 5000, SLOW)],
        [(REGION, "kinesis", DENIED), (REGION, "lambda", SLOW)],
    ),
    (
        [since(KINESIS, 5000, DENIED), since(KINESIS._replace(region="us-east-1"), 5000, DENIED)],
        [(REGION, "kinesis", DENIED), ("us-east-1", "kinesis", DENIED)],
    ),
    ([since(METRICS, 5000)], [(REGION, "", LATE)]),
    ([since(METRICS, 5000, DENIED), since(METRICS, 5000, SLOW)], [(REGION, "", DENIED), (REGION, "", SLOW)]),
]


@pytest.mark.parametrize(("those", "told"), ALERTS)
def test_a_cell_is_blind_once_for_a_cause(those: list[Sight], told: list[tuple[str, str, str]]) -> None:
    found = blind(those, NOW)
    assert [(one.labels["region"], one.labels.get("service", ""), one.cause) for one in found] == told
    assert len({one.alert for one in found}) == len(found)


def test_an_alert_keeps_its_id_when_more_services_share_its_cause() -> None:
    one = blind([since(KINESIS, 5000, DENIED)], NOW)
    more = blind([since(LAMBDA, 6000, DENIED), since(KINESIS, 5000, DENIED)], NOW + 60)
    assert [x.alert for x in one] == [x.alert for x in more]
    assert more[0].since == NOW - 6000


def test_what_is_told_says_what_is_hidden_and_why() -> None:
    (one,) = blind([since(KINESIS, 1320, DENIED), since(METRICS, 1320, DENIED)], NOW)
    told = notice(one, 7, NOW)
    assert told.summary == (
        "prod, eu-west-1 has not been fully seen for 22 min: the metrics, Kinesis Data Streams. "
        "it says AccessDeniedException."
    )
    assert (told.severity, told.number, told.since) == (Severity.WARNING, 7, NOW - 1320)
    assert told.remedy[0].startswith("Allow what is missing: `headroom iam-policy`")
    assert told.labels == {
        "account": ACCOUNT,
        "account_name": "prod",
        "region": REGION,
        "signal": "blind",
        "severity": "warning",
    }


def test_its_end_says_how_long_it_lasted() -> None:
    (one,) = blind([since(METRICS, 3600, SLOW)], NOW)
    told = over(notice(one, 7, NOW), [METRICS], 8, NOW + 600)
    assert told.summary == "prod, eu-west-1 is seen again, after 1 h 10 min."
    assert not told.firing
    elsewhere = over(notice(one, 7, NOW), [METRICS._replace(region="us-east-1")], 8, NOW + 600)
    assert elsewhere.summary == "prod, eu-west-1 is not watched any more, after 1 h 10 min."


NEVER = METRICS._replace(never=True)
ENDED = [
    ([METRICS], True),
    ([], True),  # it is not watched any more
    ([NEVER._replace(cause=DENIED)], False),
    ([NEVER], False),  # the first look is still under way
    ([NEVER._replace(cause=SLOW)], True),  # for this cause
    ([NEVER._replace(cause=DENIED, region="us-east-1"), METRICS], True),
    ([METRICS, NEVER._replace(service="kinesis", cause=DENIED)], False),
]


@pytest.mark.parametrize(("seen", "over_"), ENDED)
def test_it_is_over_once_it_is_known_to_be_seen(seen: list[Sight], over_: bool) -> None:
    (one,) = blind([since(METRICS, 3600, DENIED)], NOW)
    told = notice(one, 7, NOW)
    assert ended([told], seen, {}) == ([told] if over_ else [])
    assert ended([told], seen, {told.alert}) == []


def test_a_watch_is_seen_as_its_cells_their_services_and_the_accounts_that_are_shut() -> None:
    denied, again, slow = (
        Failure("ListStreams", "", DENIED, "no"),
        Failure("ListShards", "clicks", DENIED, "no, too"),
        Failure("", "", SLOW, "no answer"),
    )
    cell = CellStatus(
        account=ACCOUNT,
        region=REGION,
        name="prod",
        collectors={"kinesis": Outcome(20.0, 10.0, (denied, again, slow)), "sqs": Outcome()},
        poll=Outcome(30.0, 30.0),
    )
    told = Told(cells=[cell], shut={"staging": Failure("AssumeRole", "", DENIED, "not you")})
    assert list(sights(told, since=5.0, inventory=600, poll=300)) == [
        Sight("staging", "", "", "staging", 5.0, 60.0, DENIED, f"AssumeRole: not you ({DENIED})", True),
        Sight(ACCOUNT, REGION, "", "prod", 30.0, 300),
        Sight(ACCOUNT, REGION, "kinesis", "prod", 10.0, 600, DENIED, f"ListStreams: no ({DENIED})"),
        Sight(ACCOUNT, REGION, "kinesis", "prod", 10.0, 600, SLOW, f"no answer ({SLOW})"),
        Sight(ACCOUNT, REGION, "sqs", "prod", 5.0, 600, never=True),
    ]


def test_an_account_that_is_shut_is_blind_as_a_whole() -> None:
    told = Told(shut={"staging": Failure("AssumeRole", "", DENIED, "not you")})
    (one,) = blind(sights(told, since=NOW - 960, inventory=600, poll=300), NOW)
    assert notice(one, 1, NOW).summary == (
        "staging has not been fully seen for 16 min: the whole account. "
        "AssumeRole: not you (AccessDeniedException)."
    )
    assert "region" not in one.labels
