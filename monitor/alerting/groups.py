"""Groups: notices for one receiver that are told together, and when.

A group is stepped, as an alert is: what it told before, where its alerts stand and the time give what to tell
now. It compares states and keeps no list of events, so that a restart, a mute or a receiver that was away
for a while can neither lose nor repeat anything.

- A new group gathers for `group_wait` from the moment its first alert changed. One that told something rests
  `group_interval` before it tells changes.
- What becomes critical does not wait for that: requests are being refused, so it gathers for `group_wait`.
- What still fires is told again, the whole group at once, `repeat_interval` after it was told last.
- An alert that is over before anybody was told is not told.
- A mute, an inhibition or a time window holds an alert back; when that ends and it still fires, it is told.
  The end of an alert that was told is never held back: an incident opened elsewhere would stay open.
- An acknowledgement covers an alert up to a severity: it stops repeats, and nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from monitor.alerting.notice import WORST, Kind, Notice, Notification, Severity
from monitor.alerting.routes import Routed
from rules.band import ZONES

Labels = tuple[tuple[str, str], ...]
Key = tuple[str, Labels]  # a receiver, and the labels that a group's alerts share


RANK = {severity: severity.rank for severity in Severity}


class Told(msgspec.Struct, frozen=True):
    """What a receiver was told last of an alert that fires; `at` in epoch seconds."""

    severity: Severity
    zone: str
    at: float


class Group(msgspec.Struct, frozen=True):
    """What a receiver knows of a group: the alerts it was told to be firing. at: when it was told last."""

    receiver: str
    labels: Labels
    told: Mapping[str, Told] = {}
    at: float = 0.0

    @property
    def key(self) -> Key:
        return self.receiver, self.labels


class Standing(NamedTuple):
    """Where an alert stands for one receiver: the last notice of it, told or not.

    held: it must not be told now. acked: the severity at which somebody takes care of it.
    left: the routes do not lead to the receiver any more, which was told before.
    """

    notice: Notice
    routed: Routed
    held: bool = False
    acked: Severity | None = None
    left: bool = False


class Turn(NamedTuple):
    """What one step gives: the group as it is once `tell` was told (the most urgent first).

    over: alerts that need not stand any more. due: when to step again at the latest, in epoch seconds, unless
    something changes; None when nothing waits.
    """

    group: Group
    tell: tuple[Notice, ...]
    over: tuple[str, ...]
    due: float | None


def step(group: Group, standings: Sequence[Standing], now: float) -> Turn:
    """Tell what is due. The standings are all alerts of the group that fire, or that it was told of."""
    kinds = [(one, _change(one, group.told.get(one.notice.alert))) for one in standings]
    changed = [(one, kind) for one, kind in kinds if kind]
    lasting = [(one, Kind.REPEATED) for one, kind in kinds if not kind and _repeats(one, group)]
    tell: list[Notice] = []
    if any(now >= _due(one, group) for one, _ in changed):
        tell += [msgspec.structs.replace(one.notice, kind=kind) for one, kind in changed]
    if any(now >= _again(one, group) for one, _ in lasting):
        tell += [msgspec.structs.replace(one.notice, kind=kind) for one, kind in lasting]
    after = _after(group, tell, now)
    over = (one.notice.alert for one in standings if not one.notice.firing)
    return Turn(
        after,
        tuple(sorted(tell, key=urgency)),
        tuple(alert for alert in over if alert not in after.told),
        min((due for one in standings if (due := _next(one, after)) is not None), default=None),
    )


def urgency(notice: Notice) -> tuple[bool, int, float, str]:
    """Sorts the most urgent first: what fires, by severity, by utilization."""
    return not notice.firing, -RANK[notice.severity], -(notice.utilization or 0.0), notice.alert


def grouped(standings: Iterable[Standing]) -> dict[Key, list[Standing]]:
    """The standings by group."""
    groups: dict[Key, list[Standing]] = {}
    for one in standings:
        groups.setdefault((one.routed.receiver, one.routed.group), []).append(one)
    return groups


def standings(
    notice: Notice,
    routes: Iterable[Routed],
    telling: Iterable[Group],
    held: bool = False,
    acked: Severity | None = None,
) -> list[Standing]:
    """Where an alert stands for all whom it concerns: those it is routed to, and `telling`, the groups that
    told it. It stays in a group that told it: else nobody would tell there that it is over."""
    told = {group.receiver: group for group in telling}
    found = []
    for routed in routes:
        group = told.pop(routed.receiver, None)
        stays = routed._replace(group=group.labels) if group else routed
        found.append(Standing(notice, stays, held or routed.muted, acked))
    return found + [
        Standing(notice, Routed(group.receiver, group.labels), held, acked, left=True)
        for group in told.values()
    ]


def notification(
    identity: str, group: Group, tell: Sequence[Notice], at: float, most: int | None = WORST
) -> Notification:
    """What is sent: the `most` urgent ones spelled out (None: all of them), the others counted."""
    spelled = tuple(tell[:most])
    return Notification(
        id=identity,
        receiver=group.receiver,
        group=dict(group.labels),
        notices=spelled,
        at=at,
        more=len(tell) - len(spelled),
    )


def _change(one: Standing, told: Told | None) -> Kind | None:
    """What the receiver does not know yet; None when there is nothing, or it must not be told now."""
    notice = one.notice
    if not notice.firing:
        return Kind.RESOLVED if told else None
    if told is None:
        return None if one.held else Kind.FIRING
    now, before = _badness(notice), _badness(told)
    if now == before or one.held:
        return None
    return Kind.WORSENED if now > before else Kind.EASED


def _badness(one: Notice | Told) -> tuple[int, int]:
    return RANK[one.severity], ZONES.get(one.zone, 0)


def _repeats(one: Standing, group: Group) -> bool:
    covered = one.acked is not None and RANK[one.notice.severity] <= RANK[one.acked]
    told = one.notice.alert in group.told
    return told and one.notice.firing and not (one.held or one.left or covered)


def _due(one: Standing, group: Group) -> float:
    """When a change may be told."""
    notice = one.notice
    gathered = notice.at + one.routed.group_wait
    told = group.told.get(notice.alert)
    urgent = (
        notice.firing
        and notice.severity is Severity.CRITICAL
        and (not told or _badness(notice) > _badness(told))
    )
    return gathered if urgent or not group.told else max(gathered, group.at + one.routed.group_interval)


def _again(one: Standing, group: Group) -> float:
    return group.told[one.notice.alert].at + one.routed.repeat_interval


def _next(one: Standing, group: Group) -> float | None:
    if _change(one, group.told.get(one.notice.alert)):
        return _due(one, group)
    return _again(one, group) if _repeats(one, group) else None


def _after(group: Group, tell: Iterable[Notice], now: float) -> Group:
    told = dict(group.told)
    for notice in tell:
        if notice.firing:
            told[notice.alert] = Told(notice.severity, notice.zone, now)
        else:
            del told[notice.alert]
    return Group(group.receiver, group.labels, told, now if tell else group.at)
