"""Routes: select the receivers of an alert, and how notifications are grouped and delayed.

The tree of routes works like Alertmanager's: an alert descends from a route into its first branch that
matches the alert, and if that branch has `continue`, also into the next branch that matches. If no branch
matches, the route itself applies.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, WithJsonSchema

from monitor.alerting.matchers import Matcher, MatcherError, all_match, parse_matchers
from monitor.alerting.windows import TimeWindow
from monitor.fleet.key import LABELS
from monitor.notifiers.notice import Severity
from monitor.schema.problems import (
    Problem,
    duplicate_values,
    problem,
    shown_value,
    unexpected,
)
from monitor.schema.types import ConfigModel, Duration, Text
from rules.problem_text import suggestion
from rules.strict_yaml import DocumentPath

DEFAULT_GROUP_BY = ("account", "region", "service")
GROUP_BY_ALL = "..."  # as a value of `group_by`: group by all labels, as in Alertmanager
DEFAULT_GROUP_WAIT, DEFAULT_GROUP_INTERVAL, DEFAULT_REPEAT_INTERVAL = 30.0, 300.0, 4 * 3600.0  # seconds
INTERVAL_FIELDS = ("group_wait", "group_interval", "repeat_interval")
INHERITED_FIELDS = ("receiver", "group_by", *INTERVAL_FIELDS)
SEVERITY_LABEL = "severity"
ALERT_LABELS = (
    *LABELS,
    "resource_id",
    "account_name",
    "cause",
    SEVERITY_LABEL,
)  # exported tags add further labels


def _parse_matchers(value: Any) -> tuple[Matcher, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise unexpected('matchers such as severity="critical"', value)
    try:
        return tuple(matcher for text in texts for matcher in parse_matchers(text))
    except MatcherError as error:
        raise problem(str(error)) from None


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


def _parse_severity(value: Any) -> Severity:
    if value not in list(Severity):
        raise unexpected(f"one of {', '.join(Severity)}", value, list(Severity))
    return Severity(value)


TEXT_OR_TEXTS = WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}})
Matchers = Annotated[tuple[Matcher, ...], BeforeValidator(_parse_matchers), TEXT_OR_TEXTS]
Names = Annotated[tuple[Text, ...], BeforeValidator(_as_list), TEXT_OR_TEXTS]
Severities = Annotated[
    tuple[Annotated[Severity, BeforeValidator(_parse_severity)], ...],
    BeforeValidator(_as_list),
    TEXT_OR_TEXTS,
]


class RouteConfig(ConfigModel):
    """A route and its branches. Settings that are not given are inherited from the parent route."""

    matchers: Matchers = Field(
        default=(),
        description='Matchers as in Alertmanager: severity="critical", service=~"kinesis|sqs".',
    )
    severities: Severities = Field(
        default=(),
        description="Severities that the route matches; default: warning and critical. Alerts of severity "
        "info match only if it is named.",
    )
    receiver: Names | None = Field(
        default=None,
        description="Name of a receiver, a list of names, or [] for no receiver; default at the root: every "
        "receiver.",
    )
    group_by: Names | None = Field(
        default=None,
        description="Labels to group alerts by, or ... for all labels; default: account, region, service.",
    )
    group_wait: Duration | None = Field(
        default=None, ge=0, le=3600, description="How long a new group waits for more alerts; default 30s."
    )
    group_interval: Duration | None = Field(
        default=None,
        ge=0,
        le=86400,
        description="How long a group waits before it sends changes; default 5m.",
    )
    repeat_interval: Duration | None = Field(
        default=None,
        ge=60,
        le=31 * 86400,
        description="How often alerts that still fire are repeated; default 4h.",
    )
    active: Names = Field(
        default=(), description="Names of time windows; outside of these windows nothing is sent."
    )
    silenced: Names = Field(
        default=(), description="Names of time windows; within these windows nothing is sent."
    )
    continue_: bool = Field(
        default=False,
        alias="continue",
        strict=True,
        description="true: also try the next branches after this route matched.",
    )
    routes: tuple["RouteConfig", ...] = Field(default=(), description="Branches, tried in order.")

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return true if the severities and matchers match an alert's labels."""
        has_severity = not self.severities or labels.get(SEVERITY_LABEL) in self.severities
        return has_severity and all_match(self.matchers, labels)

    @property
    def names_severity(self) -> bool:
        """True if the route names severities, in `severities` or in a matcher."""
        return bool(self.severities) or any(matcher.name == SEVERITY_LABEL for matcher in self.matchers)


class RoutedReceiver(NamedTuple):
    """A receiver that an alert is routed to, with the settings of the route. Intervals are in seconds.

    group: the labels by which the alert is grouped, sorted by name. suppressed: true if a time window of the
    route suppresses notifications now.
    """

    receiver: str
    group: tuple[tuple[str, str], ...]
    group_wait: float = DEFAULT_GROUP_WAIT
    group_interval: float = DEFAULT_GROUP_INTERVAL
    repeat_interval: float = DEFAULT_REPEAT_INTERVAL
    suppressed: bool = False


class Router:
    """Routes alerts to receivers. Without routes, every receiver gets warnings and critical alerts."""

    def __init__(
        self, route: RouteConfig | None, receivers: Iterable[str], windows: Iterable[TimeWindow] = ()
    ) -> None:
        defaults = RouteConfig(
            receiver=tuple(receivers),
            group_by=DEFAULT_GROUP_BY,
            group_wait=DEFAULT_GROUP_WAIT,
            group_interval=DEFAULT_GROUP_INTERVAL,
            repeat_interval=DEFAULT_REPEAT_INTERVAL,
        )
        self._root = _inherit(route or RouteConfig(), defaults)
        self._windows = {window.name: window for window in windows}

    def route(self, labels: Mapping[str, str], at: float) -> tuple[RoutedReceiver, ...]:
        """Return the receivers of an alert with these labels at `at`, in epoch seconds.

        If several routes lead to the same receiver, the first applies. An alert of severity info is sent only
        if a route on its path names severities. The windows of all routes on the path apply.
        """
        if not self._root.matches(labels):
            return ()
        is_info = labels.get(SEVERITY_LABEL) == Severity.INFO
        routed_receivers: dict[str, RoutedReceiver] = {}
        for path in _matching_paths(self._root, labels):
            if is_info and not any(route.names_severity for route in path):
                continue
            group = _group_labels(path[-1], labels)
            intervals = {name: getattr(path[-1], name) for name in INTERVAL_FIELDS}
            routed = RoutedReceiver(
                "", group, **intervals, suppressed=any(self._is_suppressed(route, at) for route in path)
            )
            for receiver in path[-1].receiver or ():
                routed_receivers.setdefault(receiver, routed._replace(receiver=receiver))
        return tuple(routed_receivers.values())

    def _is_suppressed(self, route: RouteConfig, at: float) -> bool:
        is_active = not route.active or any(self._windows[name].contains(at) for name in route.active)
        return not is_active or any(self._windows[name].contains(at) for name in route.silenced)


def _inherit(route: RouteConfig, parent: RouteConfig) -> RouteConfig:
    """Return the route and its branches, with all inherited settings filled in."""
    missing = [name for name in INHERITED_FIELDS if getattr(route, name) is None]
    complete_route = route.model_copy(update={name: getattr(parent, name) for name in missing})
    return complete_route.model_copy(
        update={"routes": tuple(_inherit(branch, complete_route) for branch in complete_route.routes)}
    )


def _matching_paths(route: RouteConfig, labels: Mapping[str, str]) -> Iterator[tuple[RouteConfig, ...]]:
    """Yield a path for each route that applies: the routes from `route`, which matches, to that route."""
    is_leaf = True
    for branch in route.routes:
        if branch.matches(labels):
            is_leaf = False
            yield from ((route, *path) for path in _matching_paths(branch, labels))
            if not branch.continue_:
                return
    if is_leaf:
        yield (route,)


def _group_labels(route: RouteConfig, labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    group_by = route.group_by or ()
    names = labels if GROUP_BY_ALL in group_by else group_by
    return tuple((name, labels[name]) for name in sorted(names) if name in labels)


def route_problems(
    route: RouteConfig | None,
    receivers: Sequence[str],
    windows: Sequence[TimeWindow],
    tag_labels: Iterable[str] = (),
) -> Iterator[Problem]:
    """Yield the problems: duplicate names of receivers and windows, and unknown names and labels in routes.

    tag_labels: the labels of exported tags. A matcher on an unknown label would match no alert, or
    all alerts.
    """
    window_names = [window.name for window in windows]
    yield from duplicate_values(("receivers",), "name", receivers)
    yield from duplicate_values(("windows",), "name", window_names)
    if route:
        names_by_key = {"receiver": receivers, "active": window_names, "silenced": window_names}
        labels = (*ALERT_LABELS, *tag_labels)
        for where, nested_route in _nested_routes(route, ("route",)):
            yield from _unknown_name_problems(nested_route, where, names_by_key)
            yield from _unknown_label_problems(nested_route, where, labels)


def unused_name_sentences(
    route: RouteConfig | None, receivers: Sequence[str], windows: Sequence[TimeWindow]
) -> Iterator[str]:
    """Yield a sentence for each receiver that is never notified, and for each window that no route names."""
    root = route or RouteConfig()
    routes = [nested_route for _, nested_route in _nested_routes(root, ())]
    notified_receivers = {name for nested_route in routes for name in nested_route.receiver or ()}
    for index, name in enumerate(receivers if root.receiver is not None else ()):
        if name not in notified_receivers:
            yield f"receivers[{index}] is never notified: no route names {shown_value(name)}."
    named_windows = {
        name for nested_route in routes for name in (*nested_route.active, *nested_route.silenced)
    }
    for index, window in enumerate(windows):
        if window.name not in named_windows:
            yield f"windows[{index}] has no effect: no route names {shown_value(window.name)}."


def _nested_routes(route: RouteConfig, where: DocumentPath) -> Iterator[tuple[DocumentPath, RouteConfig]]:
    yield where, route
    for index, branch in enumerate(route.routes):
        yield from _nested_routes(branch, (*where, "routes", index))


def _unknown_name_problems(
    route: RouteConfig, where: DocumentPath, names_by_key: Mapping[str, Sequence[str]]
) -> Iterator[Problem]:
    for key, names in names_by_key.items():
        for index, name in enumerate(getattr(route, key) or ()):
            if name not in names:
                kind = "receiver" if key == "receiver" else "window"
                sentence = (
                    f"expected the name of a {kind}, found {shown_value(name)}{suggestion(name, names)}"
                )
                yield Problem((*where, key, index), sentence)


def _unknown_label_problems(
    route: RouteConfig, where: DocumentPath, labels: Sequence[str]
) -> Iterator[Problem]:
    keys_and_labels = [("matchers", matcher.name) for matcher in route.matchers]
    keys_and_labels += [("group_by", name) for name in route.group_by or () if name != GROUP_BY_ALL]
    for key, name in keys_and_labels:
        if name not in labels:
            sentence = f"expected a label of alerts ({', '.join(labels)}), found {shown_value(name)}"
            hint = "; name the tag in `tags`" if name.startswith("tag_") else suggestion(name, labels)
            yield Problem((*where, key), sentence + hint)
