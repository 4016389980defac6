"""Routes: who is told of an alert, how notices are grouped, and how long they are gathered.

A tree as Alertmanager's: an alert descends from the root into the first route that matches it, and into the
next ones as well where that says `continue`; where no branch matches, the route itself counts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, WithJsonSchema

from monitor.alerting.matchers import Matcher, MatcherError, match, parse
from monitor.alerting.notice import Severity
from monitor.alerting.windows import TimeWindow
from monitor.config_errors import Problem, Where, problem, shown, suggestion, unexpected
from monitor.config_types import Duration, Model, Text

GROUP_BY = ("account", "region", "service")
EVERY_LABEL = "..."  # in group_by: each alert is a group of its own, as in Alertmanager
WAIT, INTERVAL, REPEAT = 30.0, 300.0, 4 * 3600.0  # seconds
TIMES = ("group_wait", "group_interval", "repeat_interval")
INHERITED = ("receiver", "group_by", *TIMES)
SEVERITY = "severity"  # the label


def _matchers(value: Any) -> tuple[Matcher, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise unexpected('matchers such as severity="critical"', value)
    try:
        return tuple(matcher for text in texts for matcher in parse(text))
    except MatcherError as error:
        raise problem(str(error)) from None


def _one_or_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


def _severity(value: Any) -> Severity:
    if value not in list(Severity):
        raise unexpected(f"one of {', '.join(Severity)}", value, list(Severity))
    return Severity(value)


TEXTS = WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}})
Matchers = Annotated[tuple[Matcher, ...], BeforeValidator(_matchers), TEXTS]
Names = Annotated[tuple[Text, ...], BeforeValidator(_one_or_list), TEXTS]
Severities = Annotated[
    tuple[Annotated[Severity, BeforeValidator(_severity)], ...], BeforeValidator(_one_or_list), TEXTS
]


class RouteConfig(Model):
    """One route and its branches. What is not given is taken from the route above."""

    matchers: Matchers = Field(
        default=(),
        description='Labels it is for, as in Alertmanager: severity="critical", service=~"kinesis|sqs".',
    )
    severities: Severities = Field(
        default=(),
        description="Severities it is for; default: warning and critical. Info is told only if named.",
    )
    receiver: Names | None = Field(
        default=None,
        description="Whom to tell: a name, a list, or [] for nobody; default at the root: every receiver.",
    )
    group_by: Names | None = Field(
        default=None,
        description="Labels whose alerts are told together, ... for all; default account, region, service.",
    )
    group_wait: Duration | None = Field(
        default=None, ge=0, le=3600, description="How long a new group gathers; default 30s."
    )
    group_interval: Duration | None = Field(
        default=None,
        ge=0,
        le=86400,
        description="How long a group rests before it tells changes; default 5m.",
    )
    repeat_interval: Duration | None = Field(
        default=None, ge=60, le=31 * 86400, description="When to tell again what still fires; default 4h."
    )
    active: Names = Field(default=(), description="Time windows outside of which nobody is told.")
    muted: Names = Field(default=(), description="Time windows within which nobody is told.")
    continue_: bool = Field(
        default=False, alias="continue", strict=True, description="Whether the routes after it are tried too."
    )
    routes: tuple["RouteConfig", ...] = Field(default=(), description="Branches, tried in order.")

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert of these labels belongs here, by severities and matchers."""
        chosen = not self.severities or labels.get(SEVERITY) in self.severities
        return chosen and match(self.matchers, labels)

    @property
    def names_severity(self) -> bool:
        """Whether it says for itself which severities it is for."""
        return bool(self.severities) or any(matcher.name == SEVERITY for matcher in self.matchers)


class Routed(NamedTuple):
    """That a receiver is told of an alert, and how. Times in seconds.

    group: the labels that its group shares, by name. muted: a time window keeps it from being told now.
    """

    receiver: str
    group: tuple[tuple[str, str], ...]
    group_wait: float = WAIT
    group_interval: float = INTERVAL
    repeat_interval: float = REPEAT
    muted: bool = False


class Router:
    """The routes of a configuration. Without any, every receiver is told of every warning and critical."""

    def __init__(
        self, route: RouteConfig | None, receivers: Iterable[str], windows: Iterable[TimeWindow] = ()
    ) -> None:
        defaults = RouteConfig(
            receiver=tuple(receivers),
            group_by=GROUP_BY,
            group_wait=WAIT,
            group_interval=INTERVAL,
            repeat_interval=REPEAT,
        )
        self._root = _inherit(route or RouteConfig(), defaults)
        self._windows = {window.name: window for window in windows}

    def route(self, labels: Mapping[str, str], at: float) -> tuple[Routed, ...]:
        """Who is told of an alert of these labels at `at` (epoch seconds), each receiver once.

        Where several routes lead to one receiver, the first counts. Info pages nobody: it is told only where
        a route on its way names that severity. A window of any route on the way holds.
        """
        found: dict[str, Routed] = {}
        for path in _paths(self._root, labels) if self._root.takes(labels) else ():
            if labels.get(SEVERITY) == Severity.INFO and not any(route.names_severity for route in path):
                continue
            group = _group(path[-1], labels)
            times = {name: getattr(path[-1], name) for name in TIMES}
            routed = Routed("", group, **times, muted=any(self._muted(one, at) for one in path))
            for receiver in path[-1].receiver or ():
                found.setdefault(receiver, routed._replace(receiver=receiver))
        return tuple(found.values())

    def _muted(self, route: RouteConfig, at: float) -> bool:
        active = not route.active or any(self._windows[name].holds(at) for name in route.active)
        return not active or any(self._windows[name].holds(at) for name in route.muted)


def _inherit(route: RouteConfig, above: RouteConfig) -> RouteConfig:
    """The tree with everything filled in that comes from above."""
    missing = [name for name in INHERITED if getattr(route, name) is None]
    full = route.model_copy(update={name: getattr(above, name) for name in missing})
    return full.model_copy(update={"routes": tuple(_inherit(branch, full) for branch in full.routes)})


def _paths(route: RouteConfig, labels: Mapping[str, str]) -> Iterator[tuple[RouteConfig, ...]]:
    """The ways down to the routes that count, from one that takes the alert."""
    ended = True
    for branch in route.routes:
        if branch.takes(labels):
            ended = False
            yield from ((route, *path) for path in _paths(branch, labels))
            if not branch.continue_:
                return
    if ended:
        yield (route,)


def _group(route: RouteConfig, labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    by = route.group_by or ()
    names = labels if EVERY_LABEL in by else by
    return tuple((name, labels[name]) for name in sorted(names) if name in labels)


def wrong_routes(
    route: RouteConfig | None, receivers: Sequence[str], windows: Sequence[TimeWindow]
) -> Iterator[Problem]:
    """Names that are given twice, and those that routes use and nobody has."""
    named = [window.name for window in windows]
    yield from _repeated("receivers", receivers)
    yield from _repeated("windows", named)
    if route:
        known = {"receiver": receivers, "active": named, "muted": named}
        yield from _unknown(route, ("route",), known)


def _repeated(key: str, names: Sequence[str]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if first.setdefault(name, index) != index:
            said = f"expected another name than in {key}[{first[name]}], found the same"
            yield Problem((key, index, "name"), said)


def _unknown(route: RouteConfig, where: Where, known: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    for key, names in known.items():
        for index, name in enumerate(getattr(route, key) or ()):
            if name not in names:
                of = "receiver" if key == "receiver" else "window"
                said = f"expected the name of a {of}, found {shown(name)}{suggestion(name, names)}"
                yield Problem((*where, key, index), said)
    for index, branch in enumerate(route.routes):
        yield from _unknown(branch, (*where, "routes", index), known)
