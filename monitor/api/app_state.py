"""The state that the routes of the HTTP application share."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from collectors.registry import Registry
from monitor.access.form_tokens import FormTokenStore, ProcessFormTokenStore
from monitor.alerting.service import Alerting
from monitor.aws.status import MonitorStatus
from monitor.cost.telemetry import CostTelemetry
from monitor.coverage.quota_coverage import Coverage
from monitor.exposition.exposition import Exposition
from monitor.fleet.fan import Fan
from monitor.fleet.fleet import Fleet
from monitor.fleet.outlook import Outlook
from monitor.fleet.search_match import SearchIndex
from monitor.lib.telemetry import ProcessTelemetry
from monitor.lookback.stored_episodes import StoredLookback
from monitor.planning.budget import Budget
from monitor.sizing.recommendations import Recommendation
from monitor.topology.path_status import PathStatuses
from monitor.what_if.what_if import WhatIf
from rules.arrays import Ints


@dataclass(frozen=True, slots=True)
class EventTiming:
    """The intervals of the stream of live updates, in seconds.

    check_interval: the time between two checks for a new judgement, the end of the client's access and the
    stop of the server.
    heartbeat_interval: the time without an event after which a comment keeps the connection open.
    send_timeout: the time within which the client must read an event.
    """

    check_interval: float = 1.0
    heartbeat_interval: float = 15.0
    send_timeout: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AppState:
    """The state and the functions that the routes of API and pages share.

    monitor_status: returns the current status. reload: reads the configuration again; raises ConfigError if
    it is invalid. coverage: returns the coverage of quotas. recommend: computes, in a thread, the right
    sizes of the purchases whose series are in the given slots. fan: takes a slot, a number of past days and a
    number of future days; returns the series' `Fan`, or None without a history. outlook: takes a slot, the
    limit that past forecasts are compared with, and another limit to forecast with, or None; returns the
    series' `Outlook`, or None without a history. look_back: takes a number of days; returns the stored usage
    and notices of these days. what_if: answers what breaks first. poll_interval: returns the shortest
    interval between two requests for a metric, in seconds. paths: returns the status of all request paths.
    budget: the budget for CloudWatch's bill; None without one. search_index: the index of the names of
    series. stopping: is set when the server must stop.
    """

    registry: Registry
    fleet: Fleet
    exposition: Exposition
    telemetry: ProcessTelemetry
    cost: CostTelemetry
    monitor_status: Callable[[], MonitorStatus]
    reload: Callable[[], Awaitable[None]]
    alerting: Alerting
    coverage: Callable[[], Coverage]
    recommend: Callable[[Ints], Awaitable[Sequence[Recommendation]]]
    fan: Callable[[int, int, int], Awaitable[Fan | None]]
    outlook: Callable[[int, float, float | None], Awaitable[Outlook | None]]
    look_back: Callable[[int], Awaitable[StoredLookback]]
    what_if: WhatIf
    poll_interval: Callable[[], float]
    paths: Callable[[], PathStatuses] = PathStatuses
    budget: Budget | None = None
    search_index: SearchIndex = field(default_factory=SearchIndex)
    form_tokens: FormTokenStore = field(default_factory=ProcessFormTokenStore)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    event_timing: EventTiming = field(default_factory=EventTiming)
