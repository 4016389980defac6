"""A fake AWS with a monitoring account and linked accounts, checked against botocore's models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from monitor.aws.clients import ClientCache
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.polling.timings import PollingTimings
from monitor.polling.watcher import Watcher
from tests.fake_aws import FakeAws, FakeClient, FakeClientCache, denied
from tests.registries import REGISTRY
from tests.telemetries import Telemetries

MONITORING, FIRST, SECOND = "999999999999", "111111111111", "222222222222"
REGION = "eu-west-1"
SINK = f"arn:aws:oam:{REGION}:{MONITORING}:sink/s1"
ROLE = "arn:aws:iam::{}:role/headroom"
METRIC_TYPE = "AWS::CloudWatch::Metric"
FAST_TIMINGS = PollingTimings(
    open_retry_interval=0.02,
    confirmation_delay=0.02,
    first_polls_interval=0.02,
    link_interval=0.02,
    combine_wait=0.05,
)

ListedMetric = tuple[str, str, Mapping[str, str]]  # namespace, name, dimensions


def file_system(name: str) -> ListedMetric:
    """Return a listed metric of a file system."""
    return "AWS/EFS", "ClientConnections", {"FileSystemId": name}


@dataclass
class LinkedAws:
    """The AWS of a monitoring account.

    links: the labels of linked accounts, by id. metrics: the metrics that ListMetrics returns, by account.
    values: the value of every point, by account. shared_types: the resource types that links share. filter:
    the metric filter of every link. queries: the queries of each GetMetricData call so far. listings: the
    account and namespace of each ListMetrics call so far. links_error: the error of ListSinks, if any.
    """

    links: dict[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Sequence[ListedMetric]] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=lambda: {MONITORING: 9.0, FIRST: 1.0, SECOND: 2.0})
    shared_types: Sequence[str] = (METRIC_TYPE,)
    filter: str = ""
    queries: list[list[dict[str, Any]]] = field(default_factory=list)
    listings: list[tuple[str, str]] = field(default_factory=list)
    links_error: Exception | None = None

    def __post_init__(self) -> None:
        self.aws = FakeAws(
            get_caller_identity={"Account": MONITORING},
            assume_role=self._assume_role,
            list_sinks=lambda **_: self.links_error or {"Items": [{"Arn": SINK}]},
            list_attached_links=self._list_attached_links,
            list_links={"Items": [{"Arn": "link", "SinkArn": SINK, "ResourceTypes": [METRIC_TYPE]}]},
            get_link=lambda **_: {
                "SinkArn": SINK,
                "LinkConfiguration": {"MetricConfiguration": {"Filter": self.filter}} if self.filter else {},
            },
            list_metrics=self._list_metrics,
            get_metric_data=self._get_metric_data,
            list_aws_default_service_quotas={"Quotas": []},
            get_service_quota={"Quota": {"Value": 1000.0}},
            list_service_quotas={"Quotas": []},
            list_requested_service_quota_change_history={"RequestedQuotas": []},
            describe_file_systems={"FileSystems": []},
            describe_access_points={"AccessPoints": []},
            describe_mount_targets={"MountTargets": []},
            describe_vpcs={"Vpcs": []},
        )

    @property
    def clients(self) -> ClientCache:
        return LinkedClients(self.aws)

    def _assume_role(self, **_: Any) -> dict[str, Any]:
        expiration = datetime(2100, 1, 1, tzinfo=UTC)
        texts = dict.fromkeys(("AccessKeyId", "SecretAccessKey", "SessionToken"), "testingtestingtesting")
        return {"Credentials": {**texts, "Expiration": expiration}}

    def _list_attached_links(self, SinkIdentifier: str, **_: Any) -> dict[str, Any]:
        assert SinkIdentifier == SINK
        items = [
            {
                "LinkArn": f"arn:aws:oam:{REGION}:{account}:link/l",
                "Label": label,
                "ResourceTypes": [*self.shared_types],
            }
            for account, label in self.links.items()
        ]
        return {"Items": items}

    def _list_metrics(self, **params: Any) -> dict[str, Any]:
        """Return the metrics of the account and namespace that the request names."""
        account, namespace = params["OwningAccount"], params["Namespace"]
        assert params["IncludeLinkedAccounts"] is True
        self.listings.append((account, namespace))
        metrics = [metric for metric in self.metrics.get(account, ()) if metric[0] == namespace]
        return {
            "Metrics": [
                {
                    "Namespace": namespace,
                    "MetricName": name,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
                }
                for _, name, dimensions in metrics
            ],
            "OwningAccounts": [account] * len(metrics),
        }

    def _get_metric_data(self, **params: Any) -> Any:
        queries = params["MetricDataQueries"]
        self.queries.append(queries)
        accounts = {query.get("AccountId", MONITORING) for query in queries}
        if not accounts <= {MONITORING, *self.links}:
            return denied("GetMetricData", "AccessDenied")
        times = [datetime.fromtimestamp(params["EndTime"].timestamp() - 60 * n, UTC) for n in range(5, 8)]
        return {
            "MetricDataResults": [
                {
                    "Id": query["Id"],
                    "StatusCode": "Complete",
                    "Timestamps": times,
                    "Values": [self.values[query.get("AccountId", MONITORING)]] * len(times),
                }
                for query in queries
            ]
        }

    def watcher(self, timings: PollingTimings = FAST_TIMINGS, **config: Any) -> Watcher:
        """Return a watcher of the monitoring account, unless `config` has other accounts."""
        telemetry = Telemetries()
        settings = {
            "accounts": [{"name": "monitoring", "linked_accounts": "all"}],
            "regions": [REGION],
            "services": ["efs"],
            **config,
        }
        return Watcher(
            Config.model_validate(settings),
            REGISTRY,
            Fleet(),
            telemetry.process,
            telemetry.aws,
            clients=self.clients,
            timings=timings,
        )


class LinkedClient(FakeClient):
    """A client without the hooks of the codec, so that botocore's models check its calls."""

    meta = SimpleNamespace(service_model=SimpleNamespace(resolved_protocol="query"))


class LinkedClients(FakeClientCache):
    """The clients of a LinkedAws."""

    client_type = LinkedClient
