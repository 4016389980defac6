"""Looks back at past days of the configured accounts, and judges them as `headroom serve` would."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from collectors.registry import Registry
from monitor.alerting.lifecycle import Lifecycle, batch_minutes
from monitor.alerting.notice_builder import NoticeBuilder
from monitor.alerting.settings import AlertOverride
from monitor.config.checks import unordered_bands
from monitor.config.config import Config
from monitor.config.override_settings import PartialBand
from monitor.fleet.fleet import Fleet
from monitor.lookback.lookback import Lookback
from monitor.lookback.replay import Judging, look_back
from monitor.lookback.sample_file import SampleFile
from monitor.lookback.ways import Way
from monitor.report.failed_reads import FailedReads
from monitor.report.past_scan import PastPlan, PastScan
from monitor.schema.problems import ConfigError, problem_lines
from monitor.schema.selector import SelectorLabels
from rules.signals import DELIBERATE_CAP_BAND

CONFIGURED_WAY = "as configured"
ALL_SERIES = AlertOverride(region="*")  # selects all series


@dataclass(frozen=True, slots=True, kw_only=True)
class LookbackReport:
    """The result of a look-back.

    cost_dollars: the list price of the requested metrics.
    failures: the failed reads.
    requested_failures: a sentence for each failed read that concerns the selected series.
    account_names: by 12-digit id.
    """

    lookback: Lookback
    registry: Registry
    plan: PastPlan
    cost_dollars: float
    failures: FailedReads
    requested_failures: Sequence[str]
    account_names: dict[str, str]


@dataclass(frozen=True, slots=True)
class OtherWay:
    """Another way of judging, with another band or duration. pending_for: seconds."""

    band: PartialBand | None = None
    pending_for: int | None = None

    def name(self) -> str:
        """Return the name of this way in tables, such as `band 50-80 %, for 10 min`."""
        parts = []
        if self.band:
            bounds = (self.band.low, self.band.high, self.band.near)
            text = "-".join(f"{bound * 100:g}" for bound in bounds if bound is not None)
            parts.append(f"band {text} %")
        if self.pending_for is not None:
            parts.append(f"for {self.pending_for / 60:g} min")
        return ", ".join(parts)

    def apply_to(self, config: Config, registry: Registry) -> Config:
        """Return a configuration with this band and duration. Raises ConfigError for an unordered band."""
        changes: dict[str, object] = {}
        if self.band:
            problems = [*unordered_bands(self.band, config.bands, registry.signals)]
            if problems:
                raise ConfigError(problem_lines("--band", problems))
            changes["band"] = self.band
        if self.pending_for is not None:
            changes["alerts"] = (
                *config.alerts,
                ALL_SERIES.model_copy(update={"pending_for": self.pending_for}),
            )
        return config.model_copy(update=changes)


def ways_of(
    fleet: Fleet, config: Config, registry: Registry, other_ways: Iterable[OtherWay], names: dict[str, str]
) -> list[Way]:
    """Return the configured way of judging, then `other_ways`. Raises ConfigError.

    names: the names of accounts, by id.
    """
    return [
        Way.in_force(fleet, CONFIGURED_WAY),
        *(_way(fleet, other.apply_to(config, registry), other.name(), names) for other in other_ways),
    ]


def _way(fleet: Fleet, config: Config, name: str, names: dict[str, str]) -> Way:
    way = Way.in_force(fleet, name)
    for series in fleet.series.values():
        settings, slot = series.settings, series.slot
        labels = SelectorLabels(**series.key.labels, account_name=names.get(series.key.account, ""))
        default_band = DELIBERATE_CAP_BAND if settings.deliberate else settings.signal.band
        band = config.band_for(labels, default_band)
        pending_for = config.alert_override(labels, "pending_for")  # seconds
        tolerance = config.tolerance_for(labels, settings.signal.tolerance)
        values = {
            "low": band.low,
            "high": band.high,
            "near": band.near,
            "pending_for": settings.signal.pending_for if pending_for is None else pending_for // 60,
            "throttled_pending_for": tolerance.pending_for,
        }
        for column, value in values.items():
            way.columns[column][slot] = value
    return way


def judge_past(
    scan: PastScan,
    plan: PastPlan,
    file: SampleFile,
    judged_by: tuple[Config, Registry, Sequence[OtherWay]],
    report_progress: Callable[[int, int], None],
) -> LookbackReport:
    """Judge the samples of a scan.

    judged_by: the configuration, the registry, and other ways of judging. report_progress: called with the
    number of finished steps and the number of all steps. Raises ConfigError if a way has an unordered band.
    """
    config, registry, other_ways = judged_by
    fleet, names, settings = scan.fleet, {**scan.account_names}, config.alerting_settings(registry)
    builder = NoticeBuilder(fleet, Lifecycle(fleet, plan.minutes.start), settings, 0, names)
    judging = Judging(
        ways_of(fleet, config, registry, other_ways, names),
        builder.severity_of,
        batch_minutes(settings.poll_interval),
        has_ceilings=plan.step == 1,
    )
    return LookbackReport(
        lookback=look_back(fleet, file, plan.slots, judging, report_progress),
        registry=registry,
        plan=plan,
        cost_dollars=scan.spent.dollars,
        failures=scan.failures,
        requested_failures=scan.requested_failures,
        account_names=names,
    )
