"""Routes: the receivers of an alert, and the problems of a tree of routes."""

from typing import Any

import pytest
from pydantic import ValidationError

from monitor.alerting.routes import (
    DEFAULT_GROUP_BY,
    RouteConfig,
    RoutedReceiver,
    Router,
    route_problems,
    unused_name_sentences,
)
from monitor.alerting.windows import TimeWindow
from monitor.schema.problems import problem_lines, problems_from_pydantic

LABELS = {
    "account": "123456789012",
    "region": "eu-west-1",
    "service": "kinesis",
    "signal": "stream_write_bytes",
    "resource": "clicks",
    "severity": "critical",
}
WARNING, INFO, SQS = {"severity": "warning"}, {"severity": "info"}, {"service": "sqs"}
# The labels that an error about an unknown label lists.
LABEL_LIST = "account, region, service, signal, resource, resource_id, account_name, cause, severity"
RECEIVERS = ("ops", "pager", "web")
NIGHT = TimeWindow.model_validate({"name": "night", "times": ["22:00-06:00"]})
NOON, MIDNIGHT = 12 * 3600.0, 0.0  # epoch seconds


def router(route: dict[str, Any] | None) -> Router:
    return Router(RouteConfig.model_validate(route) if route is not None else None, RECEIVERS, [NIGHT])


def receivers_of(route: dict[str, Any] | None, labels: dict[str, str], at: float = NOON) -> list[str]:
    """Return the receivers to which a route leads alerts with these labels."""
    return [routed.receiver for routed in router(route).route(LABELS | labels, at)]


TREE = {
    "receiver": "ops",
    "routes": [
        {"matchers": "severity=critical", "receiver": "pager", "continue": True},
        {"matchers": ['service=~"kinesis|lambda"', "region!=us-east-1"], "receiver": ["web", "ops"]},
        {"matchers": ["service=kinesis"], "receiver": "pager"},
        {"severities": ["info"], "routes": [{"matchers": "service=sqs", "receiver": "web"}]},
        {"matchers": "signal=noise", "receiver": []},
    ],
}

# A tree of routes, the labels that differ from LABELS, and the receivers.
ROUTES: list[tuple[dict[str, Any] | None, dict[str, str], list[str]]] = [
    (None, {}, ["ops", "pager", "web"]),
    (None, WARNING, ["ops", "pager", "web"]),
    (None, INFO, []),
    ({}, {}, ["ops", "pager", "web"]),
    ({"severities": "critical"}, {}, ["ops", "pager", "web"]),
    ({"severities": "critical"}, WARNING, []),
    ({"severities": ["info", "warning"]}, INFO, ["ops", "pager", "web"]),
    ({"receiver": "ops"}, {}, ["ops"]),
    ({"receiver": ["ops", "ops"]}, {}, ["ops"]),
    ({"receiver": []}, {}, []),
    (TREE, {}, ["pager", "web", "ops"]),  # the first branch continues, the second does not
    (TREE, WARNING, ["web", "ops"]),
    (TREE, {"region": "us-east-1"}, ["pager"]),
    (TREE, SQS | WARNING, ["ops"]),  # no branch matches
    (TREE, SQS, ["pager"]),  # only the branch with `continue` matches
    (TREE, SQS | INFO, ["web"]),  # the parent of the branch names the severity
    (TREE, {"service": "s3"} | INFO, ["ops"]),  # the receiver is inherited
    (TREE, INFO, []),  # the branch that matches does not name info
    (TREE, SQS | WARNING | {"signal": "noise"}, []),
    ({"routes": [{"matchers": "severity=info", "receiver": "web"}]}, INFO, ["web"]),
    ({"routes": [{"matchers": "severity!=critical", "receiver": "web"}]}, INFO, ["web"]),
    ({"matchers": "service=sqs", "routes": [{"matchers": "service=kinesis"}]}, {}, []),
]


@pytest.mark.parametrize(("route", "labels", "receivers"), ROUTES)
def test_an_alert_is_routed_to_its_receivers(
    route: dict[str, Any] | None, labels: dict[str, str], receivers: list[str]
) -> None:
    assert receivers_of(route, labels) == receivers


def test_settings_come_from_the_route_or_its_parents() -> None:
    route = {
        "receiver": "ops",
        "group_by": "service",
        "group_wait": "10s",
        "repeat_interval": "1h",
        "routes": [{"matchers": "region=eu-west-1", "group_interval": "1m", "repeat_interval": "2h"}],
    }
    routed = router(route).route(LABELS, NOON)
    assert routed == (RoutedReceiver("ops", (("service", "kinesis"),), 10, 60, 7200),)


def test_the_default_intervals_are_alertmanagers_and_the_default_group_is_a_service_of_a_cell() -> None:
    routed = router({"receiver": "ops"}).route(LABELS, NOON)
    assert routed == (
        RoutedReceiver("ops", tuple((name, LABELS[name]) for name in DEFAULT_GROUP_BY), 30, 300, 14400),
    )


@pytest.mark.parametrize(
    ("group_by", "group"),
    [
        ([], ()),
        (["service", "team"], (("service", "kinesis"),)),  # the alert has no label `team`
        (["..."], tuple(sorted(LABELS.items()))),
    ],
)
def test_alerts_are_grouped_by_the_labels_that_they_have(
    group_by: list[str], group: tuple[tuple[str, str], ...]
) -> None:
    (routed,) = router({"receiver": "ops", "group_by": group_by}).route(LABELS, NOON)
    assert routed.group == group


def test_of_two_routes_to_a_receiver_the_first_applies() -> None:
    route = {
        "receiver": "ops",
        "routes": [{"group_wait": 1, "continue": True}, {"group_wait": 2}],
    }
    assert [routed.group_wait for routed in router(route).route(LABELS, NOON)] == [1]


@pytest.mark.parametrize(
    ("route", "at", "suppressed"),
    [
        ({}, MIDNIGHT, False),
        ({"silenced": ["night"]}, MIDNIGHT, True),
        ({"silenced": "night"}, NOON, False),
        ({"active": ["night"]}, MIDNIGHT, False),
        ({"active": ["night"]}, NOON, True),
        ({"silenced": ["night"], "routes": [{}]}, MIDNIGHT, True),  # the window of the parent route applies
        ({"routes": [{"silenced": ["night"]}]}, MIDNIGHT, True),
        ({"routes": [{"silenced": ["night"], "matchers": "service=sqs"}]}, MIDNIGHT, False),
    ],
)
def test_a_window_suppresses_notifications_and_does_not_change_the_receiver(
    route: dict[str, Any], at: float, suppressed: bool
) -> None:
    routed_receivers = router(route | {"receiver": "ops"}).route(LABELS, at)
    assert [(routed.receiver, routed.suppressed) for routed in routed_receivers] == [("ops", suppressed)]


# A route, and the begin of its first problem.
INVALID_ROUTES = [
    ({"matchers": "severity"}, "matchers: column 9: expected an operator (=, !=, =~ or !~), found the end"),
    ({"matchers": ["a=b", "c=~("]}, "matchers: column 4: expected a regex that RE2 accepts: missing ): ("),
    (
        {"matchers": {"severity": "x"}},
        'matchers: expected matchers such as severity="critical", found a mapping',
    ),
    (
        {"severities": ["critcal"]},
        "severities[0]: expected one of info, warning, critical, found 'critcal'; did",
    ),
    ({"receiver": ["a", ["b"]]}, "receiver[1]: expected text, found a list"),
    ({"group_wait": "soon"}, "group_wait: expected a duration such as 300, 15s, 5m or 1h, found 'soon'"),
    ({"group_wait": -1}, "group_wait: expected at least 0, found -1"),
    ({"repeat_interval": 1}, "repeat_interval: expected at least 60, found 1"),
    (
        {"routes": [{"routes": [{"matchers": "="}]}]},
        "routes[0].routes[0].matchers: column 1: expected a label's",
    ),
    ({"routes": [{"matcher": "="}]}, "routes[0].matcher: unknown key; did you mean matchers?"),
    ({"continue": "maybe"}, "continue: expected true or false, found 'maybe'"),
]


@pytest.mark.parametrize(("route", "problem_begin"), INVALID_ROUTES)
def test_an_invalid_route_is_reported_with_its_path(route: dict[str, Any], problem_begin: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RouteConfig.model_validate(route)
    assert problem_lines("", problems_from_pydantic(caught.value, RouteConfig))[0].startswith(problem_begin)


def test_unknown_and_duplicate_names_are_problems() -> None:
    route = {
        "receiver": ["opps", "web"],
        "routes": [{"silenced": "night"}, {"active": ["nigth"], "routes": [{"receiver": "x"}]}],
    }
    problems = route_problems(RouteConfig.model_validate(route), ["ops", "web", "ops"], [NIGHT, NIGHT])
    assert problem_lines("", problems) == [
        "receivers[2].name: expected a name that differs from that of receivers[0], found the same",
        "windows[1].name: expected a name that differs from that of windows[0], found the same",
        "route.receiver[0]: expected the name of a receiver, found 'opps'; did you mean ops?",
        "route.routes[1].active[0]: expected the name of a window, found 'nigth'; did you mean night?",
        "route.routes[1].routes[0].receiver[0]: expected the name of a receiver, found 'x'",
    ]


def test_valid_names_are_no_problems() -> None:
    assert not list(route_problems(RouteConfig.model_validate(TREE), RECEIVERS, [NIGHT]))
    assert not list(route_problems(None, RECEIVERS, []))


def test_labels_that_no_alert_has_are_problems() -> None:
    route = {
        "matchers": ["aws_service=kinesis", "severity=critical", "tag_team=data"],
        "group_by": ["sevrity", "resource_id"],
        "routes": [{"group_by": "..."}, {"matchers": "tag_a=b"}, {"matchers": "cause=denied"}],
    }
    problems = route_problems(RouteConfig.model_validate(route), RECEIVERS, [NIGHT])
    lines = [line.replace(LABEL_LIST, "...") for line in problem_lines("", problems)]
    assert lines == [
        "route.matchers: expected a label of alerts (...), found 'aws_service'; did you mean service?",
        "route.matchers: expected a label of alerts (...), found 'tag_team'; name the tag in `tags`",
        "route.group_by: expected a label of alerts (...), found 'sevrity'; did you mean severity?",
        "route.routes[1].matchers: expected a label of alerts (...), found 'tag_a'; name the tag in `tags`",
    ]
    route_with_tag = RouteConfig.model_validate({"matchers": "tag_team=data"})
    assert not list(route_problems(route_with_tag, RECEIVERS, [NIGHT], ["tag_team"]))


# A tree of routes, and the sentences about receivers and windows that it does not use.
UNUSED_NAMES: list[tuple[dict[str, Any] | None, list[str]]] = [
    (None, ["windows[0] has no effect: no route names 'night'."]),
    ({"active": "night"}, []),
    ({"routes": [{"silenced": "night", "receiver": []}]}, []),
    ({"receiver": "ops", "routes": [{"active": "night", "receiver": ["web", "pager"]}]}, []),
    (
        {"receiver": "ops", "silenced": "night", "routes": [{"receiver": "pager"}]},
        ["receivers[2] is never notified: no route names 'web'."],
    ),
]


@pytest.mark.parametrize(("route", "sentences"), UNUSED_NAMES)
def test_receivers_and_windows_without_effect_are_reported(
    route: dict[str, Any] | None, sentences: list[str]
) -> None:
    model = RouteConfig.model_validate(route) if route is not None else None
    assert list(unused_name_sentences(model, RECEIVERS, [NIGHT])) == sentences
