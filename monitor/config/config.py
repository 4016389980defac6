"""The model of the configuration file, in which every key is optional."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from collectors.registry import Registry
from monitor.access.settings import (
    EXAMPLE_AUTH,
    EXAMPLE_TLS,
    AccessSettings,
    AuthConfig,
    TlsConfig,
    exposure_problems,
)
from monitor.alerting.links import Links
from monitor.alerting.routes import RouteConfig, route_problems
from monitor.alerting.settings import AlertingSettings, AlertOverride, override_of, tolerance_of
from monitor.alerting.windows import TimeWindow
from monitor.aws.account import EXAMPLES, Account
from monitor.aws.organization import EXAMPLE_ORGANIZATION, AnyEntry, Organization
from monitor.config.checks import (
    duplicate_accounts,
    duplicate_labels,
    foreign_regions,
    ineffective_alerts,
    unordered_bands,
)
from monitor.config.entries import Entries
from monitor.config.exclude import SomeEntry, remove_excluded
from monitor.config.override_settings import BandOverride, LimitOverride, PartialBand
from monitor.config.path_files import read_path_files
from monitor.config.signal_settings import SignalSettings, ineffective_patterns
from monitor.cost.prices import PriceTable
from monitor.cost.settings import ConfiguredPrices, price_table
from monitor.notifiers.receivers import RECEIVER_BY_TYPE, Receiver
from monitor.planning.intervals import MAX_INTERVAL, Intervals
from monitor.planning.settings import BudgetConfig, BudgetTerms, intervals_of
from monitor.push.settings import PushConfig
from monitor.push.settings import duplicate_names as duplicate_push_names
from monitor.schema.problems import ConfigError, problem_lines, to_validation_error
from monitor.schema.selector import Selector, SelectorLabels
from monitor.schema.types import (
    ConfigModel,
    Duration,
    FileName,
    Listen,
    Regions,
    Services,
    TagKeys,
    Url,
    folder_of,
    parse_address,
    registry_of,
)
from monitor.stream.settings import EXAMPLE, StreamConfig
from monitor.tracing.settings import TracingConfig
from rules.path_file import RequestPath
from rules.signals import DEFAULT_BAND, Band, Signal, Tolerance

SERVICES_PLACEHOLDER = "{services}"  # in descriptions; replaced by the names of all services of a registry


class Config(ConfigModel):
    """The configuration. If several overrides match a series, the last one in the file applies."""

    accounts: Entries = Field(
        default=(),
        description="Accounts to monitor, one by one or all of an organization; an entry, or a list of "
        "entries. Default: the account of the credentials in the environment.",
        examples=[[*EXAMPLES, EXAMPLE_ORGANIZATION]],
    )
    regions: Regions = Field(
        default=(),
        description="Regions to monitor: a list, or the word all for all enabled regions of each account. "
        "Default: the region of the environment.",
        examples=[["eu-west-1", "us-east-1"]],
    )
    services: Services = Field(
        default=(),
        description=f"Services to monitor. Default: all of {SERVICES_PLACEHOLDER}.",
        examples=[["kinesis"]],
    )
    band: PartialBand = Field(
        default=PartialBand(),
        description="The target band of utilization, as ratios: 0.4 is 40 %. low < high < near.",
        examples=[DEFAULT_BAND.model_dump()],
    )
    bands: tuple[BandOverride, ...] = Field(
        default=(),
        description="Bands of selected series; if several match, the last applies. A signal with its own "
        "band in the catalogue needs an entry with its exact name.",
        examples=[
            [{"signal": "kinesis.stream_*", "resource": "orders-*", "low": 0.2, "high": 0.5, "near": 0.8}]
        ],
    )
    limits: tuple[LimitOverride, ...] = Field(
        default=(),
        description="Limits of selected series that replace the limits read from AWS; if several match, the "
        "last applies.",
        examples=[
            [
                {
                    "signal": "kinesis.shards_per_region",
                    "account": "production",
                    "region": "eu-west-1",
                    "limit": 500,
                }
            ]
        ],
    )
    signals: SignalSettings = Field(
        default=SignalSettings(),
        description="Signals of the tier detail to read. They cover each instance, node or zone, so that "
        "their metrics multiply the bill. `headroom catalogue` names them.",
        examples=[{"enabled": ["ec2.*"]}],
    )
    exclude: tuple[Selector, ...] = Field(
        default=(),
        description="Series not to monitor. AWS is not called for a region, service or account that is "
        "wholly excluded; the metrics of other excluded series are not read.",
        examples=[[{"region": "ap-*"}, {"service": "kinesis", "resource": "test-*"}]],
    )
    alerts: tuple[AlertOverride, ...] = Field(
        default=(),
        description="Alert settings of selected series; if several match and set a key, the last applies.",
        examples=[
            [
                {"signal": "sqs.fifo_message_rate_batched", "for": "10m", "near": "critical"},
                {
                    "signal": "kinesis.stream_write_*",
                    "tolerance": {"rate": 1, "share": 0.01, "for": "2m"},
                },
            ]
        ],
    )
    receivers: tuple[Receiver, ...] = Field(
        default=(),
        description=f"Receivers of notifications; types: {', '.join(RECEIVER_BY_TYPE)}. A secret may be "
        "given as <key>_env or <key>_file instead.",
        examples=[[{"name": "on-call", "type": "pagerduty", "routing_key_file": "pagerduty-key"}]],
    )
    route: RouteConfig | None = Field(
        default=None,
        description="Routes from alerts to receivers. Default: all receivers are notified of the severities "
        "warning and critical.",
        examples=[{"receiver": "on-call", "routes": [{"matchers": 'service="s3"', "receiver": []}]}],
    )
    windows: tuple[TimeWindow, ...] = Field(
        default=(),
        description="Time windows for routes.",
        examples=[[{"name": "nights", "times": ["20:00-08:00"], "zone": "Europe/Berlin"}]],
    )
    links: Links = Field(
        default=Links(),
        description="URLs in notifications.",
        examples=[{"headroom": "https://headroom.example.org"}],
    )
    stream: StreamConfig = Field(
        default=StreamConfig(),
        description="CloudWatch Metric Streams, delivered by Firehose to /firehose/v1.",
        examples=[EXAMPLE],
    )
    push: tuple[PushConfig, ...] = Field(
        default=(),
        description="Receivers of all samples with their own timestamps, by Prometheus remote write or OTLP.",
        examples=[
            [{"name": "mimir", "type": "remote_write", "url": "https://mimir.example.org/api/v1/push"}]
        ],
    )
    journal: FileName = Field(
        default="data/headroom.db",
        description="File that stores alerts and undelivered notifications across restarts.",
    )
    path_files: tuple[FileName, ...] = Field(
        default=(),
        description="Files with request paths: chains of resources that requests go through, whose weakest "
        "limit is reported. Names, or patterns such as paths.d/*.yaml; relative to this file.",
        examples=[["paths.yaml"]],
    )
    tags: TagKeys = Field(
        default=(),
        description="Tags of resources to export as labels and to route alerts by: cost-center becomes the "
        "label tag_cost_center. Reading them needs the permission tag:GetResources.",
        examples=[["team", "cost-center"]],
    )
    interval: Duration = Field(
        default=60,
        ge=10,
        le=3600,
        description="Shortest interval between two requests for a metric: seconds, or text such as 5m; 10 s "
        "to 1 h. Metrics of series above their target band are read at this interval.",
    )
    max_interval: Duration = Field(
        default=900,
        ge=10,
        le=3600,
        description="Longest interval between two requests for a metric, used for series that, by their "
        "history, cannot have left the target band. Set it to `interval` to read all metrics equally often.",
    )
    throttled_interval: Duration = Field(
        default=300,
        ge=10,
        le=3600,
        description="Longest interval between two requests for throttled demand of a resource in use.",
    )
    budget: BudgetConfig | None = Field(
        default=None,
        description="Highest cost of CloudWatch a month. To stay within the budget, metrics in the least "
        "danger are read less often. Default: no limit.",
        examples=[{"dollars_per_month": 200}],
    )
    prices: ConfiguredPrices = Field(
        default={},
        description="Prices of CloudWatch and Firehose by partition, such as aws-us-gov. Default: list "
        "prices, which are known for aws (prices of us-east-1) and aws-cn.",
        examples=[{"aws": {"per_1000_metrics": 0.008}}],
    )
    inventory_interval: Duration = Field(
        default=600,
        ge=60,
        le=86400,
        description="Interval between two inventories of resources and limits; 1 m to 1 d.",
    )
    judge_interval: Duration = Field(
        default=15,
        ge=1,
        le=300,
        description="Interval at which series are judged again if an inventory or a failure may have changed "
        "something; samples are judged as they arrive. 1 s to 5 m.",
    )
    listen: Listen = Field(
        default="127.0.0.1:4070",
        description="Address of the HTTP server: host:port or [ipv6]:port; addresses other than loopback "
        "need `auth`.",
    )
    auth: AuthConfig | None = Field(
        default=None,
        description="Authentication, by one or several of these methods. Roles: metrics (only /metrics), "
        "read, and operate (acknowledge, silence, replay, reload). Default: everybody may do everything, "
        "on loopback only. Exempt from authentication: /-/healthy, /-/ready and /firehose/v1.",
        examples=[EXAMPLE_AUTH],
    )
    tls: TlsConfig | None = Field(
        default=None,
        description="Certificate of the HTTP server, for https; it is reloaded when its files change.",
        examples=[EXAMPLE_TLS],
    )
    tracing: TracingConfig | None = Field(
        default=None,
        description="Traces of Headroom itself by OpenTelemetry: a span of each run of a loop (polls, "
        "inventories, judgements), delivery and request. Needs the extra `tracing`. Default: none.",
        examples=[{"endpoint": "http://127.0.0.1:4318/v1/traces"}],
    )
    endpoint_url: Url | None = Field(
        default=None,
        description="URL to call instead of AWS, for emulators. Default: AWS_ENDPOINT_URL, if set.",
        examples=["http://127.0.0.1:4566"],
    )

    _request_paths: tuple[RequestPath, ...] = PrivateAttr(default=())

    @property
    def request_paths(self) -> tuple[RequestPath, ...]:
        """The request paths in the files of `path_files`, as they were when the configuration was read."""
        return self._request_paths

    @property
    def intervals(self) -> Intervals:
        """The intervals between two requests for a metric, in minutes."""
        return intervals_of(self.interval, self.max_interval, self.throttled_interval)

    @property
    def price_table(self) -> PriceTable:
        """The prices of CloudWatch and Firehose by partition."""
        return price_table(self.prices)

    @property
    def budget_terms(self) -> BudgetTerms | None:
        """The budget, with the prices by which spending is computed; None without a budget."""
        if (budget := self.budget) is None:
            return None
        return BudgetTerms(budget.dollars_per_month, budget.each_account, self.price_table)

    @property
    def longest_interval(self) -> float:
        """The seconds that may pass between two requests for a metric that has points."""
        return MAX_INTERVAL * 60.0 if self.budget else max(self.interval, self.max_interval)

    @property
    def longest_throttled_interval(self) -> float:
        """The seconds that may pass between two requests for throttled demand."""
        return self.longest_interval if self.budget else max(self.intervals.throttled * 60.0, self.interval)

    @property
    def listen_address(self) -> tuple[str, int]:
        """Host and port of `listen`."""
        return parse_address(self.listen)

    def with_listen(self, listen: str) -> "Config":
        """Return a copy with another `listen`. Raises ConfigError when it is no address or needs `auth`."""
        try:
            parse_address(listen)
        except ValueError:
            raise ConfigError(
                [f"listen: expected host:port such as 127.0.0.1:4070, found {listen!r}"]
            ) from None
        if problems := problem_lines("", exposure_problems(listen, self.auth)):
            raise ConfigError(problems)
        return self.model_copy(update={"listen": listen})

    @property
    def tag_labels(self) -> Mapping[str, str]:
        """The exported label of each tag; label names in Prometheus contain letters, digits and `_` only."""
        return {tag: "tag_" + re.sub(r"\W", "_", tag, flags=re.ASCII) for tag in self.tags}

    def monitored_accounts(self, registry: Registry) -> tuple[Account, ...]:
        """Return the single accounts with their regions and services, without excluded places.

        Empty regions mean the region of the environment. ALL_REGIONS means all enabled regions; as these
        are known only once AWS has listed them, `exclude` is applied to them later.
        """
        return self._monitored(registry, Account)

    def monitored_organizations(self, registry: Registry) -> tuple[Organization, ...]:
        """Return the organizations with their regions and services, without wholly excluded organizations."""
        return self._monitored(registry, Organization)

    def monitored_entries(self, registry: Registry) -> tuple[AnyEntry, ...]:
        """Return the single accounts and the organizations, without excluded places."""
        return (*self.monitored_accounts(registry), *self.monitored_organizations(registry))

    def monitored_services(self, registry: Registry) -> frozenset[str]:
        """Return the services that are monitored in any account."""
        return frozenset(service for entry in self.monitored_entries(registry) for service in entry.services)

    def _monitored(self, registry: Registry, kind: type[SomeEntry]) -> tuple[SomeEntry, ...]:
        entries = (entry for entry in self.configured_entries(registry) if isinstance(entry, kind))
        remaining = (remove_excluded(self.exclude, entry, registry) for entry in entries)
        return tuple(entry for entry in remaining if entry)

    def configured_entries(self, registry: Registry) -> tuple[AnyEntry, ...]:
        """Return the entries of `accounts`, at least one, with their regions and services."""
        services = self.services or registry.service_names
        return tuple(
            entry.model_copy(
                update={
                    "regions": entry.regions or self.regions,
                    "services": entry.services or services,
                }
            )
            for entry in self.accounts or (Account(),)
        )

    def access_settings(self) -> AccessSettings:
        """Return the settings of access control."""
        return AccessSettings(self.listen, self.auth, self.tls)

    def alerting_settings(self, registry: Registry) -> AlertingSettings:
        """Return the settings of alerting."""
        return AlertingSettings(
            registry=registry,
            journal=self.journal,
            endpoint_url=self.endpoint_url,
            receivers=self.receivers,
            route=self.route,
            windows=self.windows,
            links=self.links,
            overrides=self.alerts,
            services=self.monitored_services(registry),
            poll_interval=self.longest_throttled_interval,
            inventory_interval=self.inventory_interval,
        )

    def alert_override(self, labels: SelectorLabels, key: str) -> Any:
        """Return the value of a key in the last entry of `alerts` that matches a series and sets the key."""
        return override_of(self.alerts, labels, key)

    def tolerance_for(self, labels: SelectorLabels, default: Tolerance) -> Tolerance:
        """Return the tolerated throttling of a series. default: the tolerance in its catalogue entry."""
        return tolerance_of(self.alerts, labels, default)

    def signals_off(self, registry: Registry) -> tuple[Signal, ...]:
        """Return the signals of the monitored services that are not read: signals of the tier detail."""
        services = self.monitored_services(registry)
        return tuple(
            signal
            for signal in registry.signals
            if signal.service in services and not self.signals.includes(signal)
        )

    def is_excluded(self, labels: SelectorLabels) -> bool:
        """Return whether a series is excluded."""
        return any(selector.matches(labels) for selector in self.exclude)

    def limit_override(self, labels: SelectorLabels) -> float | None:
        """Return the configured limit of a series in the signal's unit, or None."""
        return next((override.limit for override in reversed(self.limits) if override.matches(labels)), None)

    def band_for(self, labels: SelectorLabels, catalogue_band: Band | None = None) -> Band:
        """Return the band of a series.

        catalogue_band: the band of the series' signal in the catalogue, if any. Only entries of `bands` with
        the exact name of the signal change that band: see `may_change`.
        """
        base = catalogue_band or self.band.apply_to(DEFAULT_BAND)
        overrides = (override for override in reversed(self.bands) if override.may_change(catalogue_band))
        return interned(
            next((override.apply_to(base) for override in overrides if override.matches(labels)), base)
        )

    @model_validator(mode="after")
    def _check_consistency(self, info: ValidationInfo) -> Self:
        registry = registry_of(info)
        signals = registry.signals if registry else ()
        # Without a registry, no signals are known, so that no entry can be compared with them.
        bands, alerts = (self.bands, self.alerts) if registry else ((), ())
        path_files = read_path_files(self.path_files, folder_of(info))
        self._request_paths = tuple(path_files.paths)
        problems = [
            *path_files.problems,
            *duplicate_accounts(self.accounts),
            *foreign_regions(self.accounts, self.regions),
            *duplicate_labels(self.tag_labels),
            *unordered_bands(self.band, bands, signals),
            *ineffective_alerts(alerts, signals),
            *(ineffective_patterns(self.signals, signals) if registry else ()),
            *duplicate_push_names(self.push),
            *exposure_problems(self.listen, self.auth),
            *route_problems(
                self.route,
                [receiver.name for receiver in self.receivers],
                self.windows,
                self.tag_labels.values(),
            ),
        ]
        if problems:
            raise to_validation_error("configuration", problems)
        return self


@cache
def interned(band: Band) -> Band:
    """Return the same object for equal bands, as 100,000 series share a few bands."""
    return band
