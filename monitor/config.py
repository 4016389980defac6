"""The configuration: one YAML file, every key of it optional."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from pydantic import Field, model_validator

from monitor.access.config import EXAMPLE_AUTH, EXAMPLE_TLS, AuthConfig, TlsConfig, exposed
from monitor.account import EXAMPLES, Account
from monitor.alerting.links import Links
from monitor.alerting.routes import RouteConfig, wrong_routes
from monitor.alerting.windows import TimeWindow
from monitor.config_checks import disordered_bands, repeated_accounts, repeated_labels
from monitor.config_errors import ConfigError, lines, problems_of
from monitor.config_types import (
    Duration,
    Listen,
    Model,
    Regions,
    Services,
    Tags,
    Text,
    Url,
    address,
    known_services,
)
from monitor.notifiers.receivers import BY_TYPE, Receiver
from monitor.overrides import (
    DEFAULT_BAND,
    NOBODY,
    AlertOverride,
    BandOverride,
    Bounds,
    LimitOverride,
)
from monitor.push.config import PushConfig
from monitor.push.config import repeated as repeated_pushes
from monitor.selector import Labels, Selector
from monitor.stream.config import EXAMPLE, StreamConfig
from rules.alerts import Rule, Severity
from rules.limits import Band


class Config(Model):
    """What to watch, how often, and what is acceptable.

    Of several overrides that match a series, the last one in the file counts.
    """

    accounts: tuple[Account, ...] = Field(
        default=(),
        description="Accounts to watch. Default: the account of the credentials found in the environment.",
        examples=[EXAMPLES],
    )
    regions: Regions = Field(
        default=(),
        description="Regions to watch: a list, or the word all for those enabled in the account. "
        "Default: the region of the environment.",
        examples=[["eu-west-1", "us-east-1"]],
    )
    services: Services = Field(
        default=(),
        description=f"Services to watch. Default: all of {', '.join(known_services())}.",
        examples=[["kinesis"]],
    )
    band: Bounds = Field(
        default=Bounds(),
        description="The target band: the utilization wanted, as ratios: 0.4 is 40 %. low < high < critical.",
        examples=[DEFAULT_BAND.model_dump()],
    )
    bands: tuple[BandOverride, ...] = Field(
        default=(),
        description="Other bands, for some series; of several that match, the last counts. "
        "A signal with a band of its own in the catalogue only follows entries that name the signal.",
        examples=[
            [{"signal": "kinesis.stream_*", "resource": "orders-*", "low": 0.2, "high": 0.5, "critical": 0.8}]
        ],
    )
    limits: tuple[LimitOverride, ...] = Field(
        default=(),
        description="Other limits than AWS tells, for some series; of several that match, the last counts.",
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
    exclude: tuple[Selector, ...] = Field(
        default=(),
        description="Series to leave alone.",
        examples=[[{"service": "kinesis", "resource": "test-*"}]],
    )
    alerts: tuple[AlertOverride, ...] = Field(
        default=(),
        description="Other alerts for some series; of several that match and say it, the last counts.",
        examples=[[{"signal": "sqs.fifo_message_rate_batched", "hold": "10m", "critical": "critical"}]],
    )
    receivers: tuple[Receiver, ...] = Field(
        default=(),
        description=f"Whom to tell of alerts; types: {', '.join(BY_TYPE)}. A secret may be given as "
        "<key>_env or <key>_file instead.",
        examples=[[{"name": "on-call", "type": "pagerduty", "routing_key_file": "pagerduty-key"}]],
    )
    route: RouteConfig | None = Field(
        default=None,
        description="Who is told of which alert. Default: every receiver, of each warning and critical.",
        examples=[{"receiver": "on-call", "routes": [{"matchers": 'service="s3"', "receiver": []}]}],
    )
    windows: tuple[TimeWindow, ...] = Field(
        default=(),
        description="Time windows for routes.",
        examples=[[{"name": "nights", "times": ["20:00-08:00"], "zone": "Europe/Berlin"}]],
    )
    links: Links = Field(
        default=Links(),
        description="Addresses that alerts carry.",
        examples=[{"headroom": "https://headroom.example.org"}],
    )
    stream: StreamConfig = Field(
        default=StreamConfig(),
        description="CloudWatch Metric Streams, delivered by Firehose to /firehose/v1.",
        examples=[EXAMPLE],
    )
    push: tuple[PushConfig, ...] = Field(
        default=(),
        description="Where to push every sample with its own time: Prometheus remote write, or OTLP.",
        examples=[
            [{"name": "mimir", "type": "remote_write", "url": "https://mimir.example.org/api/v1/push"}]
        ],
    )
    journal: Text = Field(
        default="data/headroom.db",
        description="File that alerts and undelivered notifications are kept in, for the next start.",
    )
    tags: Tags = Field(
        default=(),
        description="Tags of resources to export as labels: cost-center becomes the label tag_cost_center.",
        examples=[["team", "cost-center"]],
    )
    interval: Duration = Field(
        default=300,
        ge=10,
        le=3600,
        description="How often CloudWatch is read: seconds, or a text such as 5m; 10 s to 1 h.",
    )
    inventory_interval: Duration = Field(
        default=600, ge=60, le=86400, description="How often resources and limits are looked up; 1 m to 1 d."
    )
    judge_interval: Duration = Field(
        default=15, ge=1, le=300, description="How often what was read is judged and published; 1 s to 5 m."
    )
    listen: Listen = Field(
        default="127.0.0.1:4070",
        description="Address of the HTTP server: host:port or [ipv6]:port; but for loopback it needs `auth`.",
    )
    auth: AuthConfig | None = Field(
        default=None,
        description="Who may ask the server, in one of these ways or several, with the role read, or operate "
        "(acknowledge, mute, replay, reload), or metrics (/metrics alone). Default: everybody may do "
        "everything, on loopback only. Never asked: /-/healthy, /-/ready and /firehose/v1.",
        examples=[EXAMPLE_AUTH],
    )
    tls: TlsConfig | None = Field(
        default=None,
        description="The server's certificate, for https; its files are read again when they change.",
        examples=[EXAMPLE_TLS],
    )
    endpoint_url: Url | None = Field(
        default=None,
        description="Address to use instead of AWS's own, for emulators. Default: AWS_ENDPOINT_URL, if set.",
        examples=["http://127.0.0.1:4566"],
    )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return address(self.listen)

    def listening_on(self, listen: str) -> "Config":
        """The same, listening elsewhere. Raises ConfigError when that is no address, or needs `auth`."""
        try:
            address(listen)
        except ValueError:
            raise ConfigError(
                [f"listen: expected host:port such as 127.0.0.1:4070, found {listen!r}"]
            ) from None
        if problems := lines("", exposed(listen, self.auth)):
            raise ConfigError(problems)
        return self.model_copy(update={"listen": listen})

    @property
    def tag_labels(self) -> Mapping[str, str]:
        """The exported label of each tag; Prometheus allows letters, digits and `_` in a label's name."""
        return {tag: "tag_" + re.sub(r"\W", "_", tag, flags=re.ASCII) for tag in self.tags}

    def watched(self) -> tuple[Account, ...]:
        """The accounts to watch, at least one, each with its regions and services filled in.

        Empty regions mean the region of the environment, `config_types.ALL` among them every enabled one.
        """
        services = self.services or known_services()
        return tuple(
            account.model_copy(
                update={
                    "regions": account.regions or self.regions,
                    "services": account.services or services,
                }
            )
            for account in self.accounts or (Account(),)
        )

    def alert_of(self, labels: Labels, name: str) -> Any:
        """What the overrides say of a series' alerts under a key of AlertOverride; None when nothing does."""
        said = (getattr(one, name) for one in reversed(self.alerts) if one.matches(labels))
        return next((value for value in said if value is not None), None)

    def severity_of(self, labels: Labels, rule: Rule) -> Severity | None:
        """The severity of a rule on a series; None when it is to be no alert."""
        said = self.alert_of(labels, rule.word)
        return rule.severity if said is None else Severity(said) if said != NOBODY else None

    def excludes(self, labels: Labels) -> bool:
        """Whether the series is to be left alone."""
        return any(selector.matches(labels) for selector in self.exclude)

    def limit_of(self, labels: Labels) -> float | None:
        """The limit that overrides what AWS tells, in the signal's unit; None when nothing does."""
        return next((override.limit for override in reversed(self.limits) if override.matches(labels)), None)

    def band_of(self, labels: Labels, own: Band | None = None) -> Band:
        """The band of a series; `own` is that of its signal in the catalogue, if it has one.

        A signal with a band of its own means something else by it, so only an override that names the
        signal changes it.
        """
        base = own or self.band.over(DEFAULT_BAND)
        overrides = (other for other in reversed(self.bands) if other.signal or not own)
        return shared(next((other.over(base) for other in overrides if other.matches(labels)), base))

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = [
            *repeated_accounts(self.accounts),
            *repeated_labels(self.tag_labels),
            *disordered_bands(self.band, self.bands),
            *repeated_pushes(self.push),
            *exposed(self.listen, self.auth),
            *wrong_routes(self.route, [receiver.name for receiver in self.receivers], self.windows),
        ]
        if problems:
            raise problems_of("configuration", problems)
        return self


@cache
def shared(band: Band) -> Band:
    """One object for equal bands: a hundred thousand series have a few."""
    return band
