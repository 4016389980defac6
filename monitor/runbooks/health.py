"""The alerts on Headroom itself: blind spots, and failures of its process."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.alert_rules import Severity

MAX_POLL_AGE = 15  # minutes since the last complete poll of a cell, or since the newest sample of a signal
MAX_INVENTORY_AGE = 35  # minutes since the last complete inventory of a service; one is due every ten minutes
JOB_MATCHER = 'job=~".*headroom.*"'
DENIED_CODES = (
    "Access.*|Unauthorized.*|.*NotAuthorized.*|InvalidClientTokenId|UnrecognizedClient.*|ExpiredToken.*"
)

_CELL = "max by (aws_account, aws_region)"
_POLLED_AT = f"{_CELL} (headroom_poll_timestamp_seconds)"
_INVENTORIED_AT = "max by (aws_account, aws_region, aws_service) (headroom_inventory_timestamp_seconds)"
_SAMPLES_WITH_LABELS = (
    'headroom_sample_timestamp_seconds{aws_account!="",aws_region!="",aws_service!="",signal!=""}'
)
_SAMPLED_AT = "max by (aws_account, aws_region, aws_service, signal) (headroom_sample_timestamp_seconds)"
_CELL_BLIND = (
    f"time() - {_POLLED_AT} > {MAX_POLL_AGE * 60}\nor\n{_CELL} (headroom_series) unless {_POLLED_AT}"
)
_SERVICE_BLIND = (
    f"time() - {_INVENTORIED_AT} > {MAX_INVENTORY_AGE * 60}\n"
    f"or\nmax by (aws_account, aws_region, aws_service) (headroom_series) unless {_INVENTORIED_AT}"
)
_BLIND_SPOTS = "headroom_blind_places > 0"  # exported by Headroom, one series per cause


def _unless_blind_spot(expression: str) -> str:
    """Return the expression without accounts that have blind spots: HeadroomBlind alerts on these."""
    return f"(\n{expression}\n)\nunless on (aws_account) ({_BLIND_SPOTS})"


def _outside_cells(cells: str, expression: str) -> str:
    """Return the expression without these cells: HeadroomCellBlind alerts on them."""
    return f"(\n{expression}\n)\nunless on (aws_account, aws_region)\n(\n{cells}\n)"


@dataclass(frozen=True, slots=True)
class HealthAlert:
    """An alert on Headroom itself. expr: in PromQL. pending_for: minutes. summary: a Prometheus template."""

    name: str
    expr: str
    pending_for: int
    severity: Severity
    summary: str
    description: str
    remedies: tuple[str, ...]


PROCESS_ALERTS = (
    HealthAlert(
        name="HeadroomDown",
        expr=f"up{{{JOB_MATCHER}}} == 0 or absent(up{{{JOB_MATCHER}}})",
        pending_for=5,
        severity=Severity.CRITICAL,
        summary="Headroom {{ with $labels.instance }}at {{ . }} {{ end }}cannot be scraped: "
        "limits are not monitored.",
        description="No other alert of Headroom can fire while it is down.",
        remedies=(
            "Check that the process runs and responds (`headroom healthcheck`), and read its log.",
            "The alert selects scrape jobs whose name contains `headroom`; name yours accordingly.",
        ),
    ),
    HealthAlert(
        name="HeadroomNotJudging",
        expr='increase(headroom_ticks_total{loop="judge"}[10m]) == 0',
        pending_for=5,
        severity=Severity.CRITICAL,
        summary="Headroom at {{ $labels.instance }} has not evaluated any series for ten minutes: "
        "its metrics are outdated.",
        description="The exported zones are those of the last evaluation.",
        remedies=(
            "Look for the error of the judge loop in the log.",
            "Restart Headroom, and report the error.",
        ),
    ),
    HealthAlert(
        name="HeadroomLoopFailing",
        expr="sum by (instance, loop) (increase(headroom_tick_failures_total[15m])) > 0",
        pending_for=0,
        severity=Severity.WARNING,
        summary="{{ $value | humanize }} iterations of the {{ $labels.loop }} loop of Headroom at "
        "{{ $labels.instance }} failed in 15 minutes.",
        description="These are unexpected errors; errors of AWS are counted separately.",
        remedies=("Read the log: it has the traceback of each failure.",),
    ),
    HealthAlert(
        name="HeadroomBehind",
        expr="sum by (instance, loop) (increase(headroom_missed_ticks_total[30m]))\n"
        "> sum by (instance, loop) (increase(headroom_ticks_total[30m]))",
        pending_for=15,
        severity=Severity.WARNING,
        summary="The {{ $labels.loop }} loop of Headroom at {{ $labels.instance }} skips more iterations "
        "than it runs: {{ $value | humanize }} skipped in 30 minutes.",
        description="Its results are older than the configured interval.",
        remedies=(
            "Give the process more CPU, or distribute the accounts over several processes.",
            "Increase the interval of that loop.",
        ),
    ),
    HealthAlert(
        name="HeadroomConfigRefused",
        expr='headroom_config_reloads_total{outcome="refused"}\n'
        '- (headroom_config_reloads_total{outcome="refused"} offset 1h\n'
        '   or headroom_config_reloads_total{outcome="refused"} * 0)\n> 0',
        pending_for=0,
        severity=Severity.WARNING,
        summary="Headroom at {{ $labels.instance }} rejected a new configuration in the last hour: "
        "the previous one is still in force.",
        description="The changes to accounts, bands and limits have not taken effect.",
        remedies=(
            "Run `headroom config check`: it prints one line per problem.",
            "Correct the file and reload.",
        ),
    ),
    HealthAlert(
        name="HeadroomJournalFailing",
        expr="min by (instance) (headroom_journal_healthy) == 0",
        pending_for=5,
        severity=Severity.WARNING,
        summary="Headroom at {{ $labels.instance }} cannot write its journal: the state of alerts would not "
        "survive a restart.",
        description="After a restart, notifications would be sent twice, and silences and acknowledgements "
        "would be lost.",
        remedies=(
            "See the reason in /-/ready and in the log: usually a full disk or missing write permission.",
        ),
    ),
    HealthAlert(
        name="HeadroomJournalSetAside",
        expr="sum by (instance, what) (headroom_journal_set_aside) > 0",
        pending_for=0,
        severity=Severity.INFO,
        summary="Headroom at {{ $labels.instance }} could not read a part of its journal when it started, "
        "and set it aside ({{ $labels.what }}: {{ $value }}).",
        description="An alert, a silence or an acknowledgement may be missing.",
        remedies=(
            "The log names each part; rows are kept in the table `unusable_rows`, files are renamed in the "
            "same directory.",
            "The alert resolves after the next restart of Headroom.",
        ),
    ),
    HealthAlert(
        name="HeadroomConnectionsRefused",
        expr="sum by (instance, reason) "
        '(increase(headroom_http_connections_refused_total{reason=~"full|files|heads"}[15m])) > 0',
        pending_for=0,
        severity=Severity.WARNING,
        summary="Headroom at {{ $labels.instance }} refused {{ $value | humanize }} connections in "
        "15 minutes ({{ $labels.reason }}).",
        description="Pages, /metrics and the stream may be unreachable; notifications are still sent.",
        remedies=(
            "Find out which clients hold the connections (`ss -tn`), and restrict access to the port.",
            "Raise the limit of open files (`ulimit -Hn`): half as many connections are accepted, but at "
            "most 4,096.",
        ),
    ),
)

VISIBILITY_ALERTS = (
    HealthAlert(
        name="HeadroomNothingWatched",
        expr=f"absent(headroom_account_up == 1) unless on () absent(up{{{JOB_MATCHER}}} == 1)",
        pending_for=5,
        severity=Severity.CRITICAL,
        summary="Headroom is running, but cannot read any account.",
        description="There are no series, so no alert on a limit can fire.",
        remedies=(
            "See the reason in /-/ready and on the overview page; `headroom check` prints the error of AWS.",
            "Provide credentials and a region; `aws sts get-caller-identity` tests those of a shell.",
        ),
    ),
    HealthAlert(
        name="HeadroomSeriesMissing",
        expr=f"absent({_SAMPLES_WITH_LABELS})\n"
        f"and on () (count(headroom_build_info) or count(up{{{JOB_MATCHER}}} == 1))\n"
        "unless on () absent(headroom_account_up == 1)",
        pending_for=15,
        severity=Severity.WARNING,
        summary="Headroom reads AWS and is scraped, but Prometheus has no series with the labels that the "
        "rules of Headroom select.",
        description="The alerts on limits cannot fire.",
        remedies=(
            "Compare /metrics with the series in Prometheus: relabeling may drop or rename labels or "
            "metrics.",
            "Ignore the alert if the accounts have no resources yet that have a limit.",
        ),
    ),
    HealthAlert(
        name="HeadroomAccountDown",
        expr="min by (aws_account) (headroom_account_up) == 0",
        pending_for=5,
        severity=Severity.WARNING,
        summary="Headroom cannot read account {{ $labels.aws_account }}: access is denied, or no region "
        "responds.",
        description="Limits in this account are not monitored.",
        remedies=(
            "See /blind or /api/v1/status for the errors of AWS.",
            "Renew expired credentials, or grant the permissions that `headroom iam-policy` prints.",
        ),
    ),
    HealthAlert(
        name="HeadroomBlind",
        expr=f"max by (aws_account, cause) ({_BLIND_SPOTS})\nunless on (aws_account) (headroom_account_up "
        f"== 0)",
        pending_for=0,
        severity=Severity.WARNING,
        summary="Headroom cannot read {{ $value }} regions or services of account "
        "{{ $labels.aws_account }}: {{ $labels.cause }}.",
        description="Limits there are not monitored. At least two reads in a row failed.",
        remedies=(
            "See /blind for the regions and services, the error of AWS, and what to do.",
            "Use `exclude` for regions and services that need no monitoring: they are not read.",
        ),
    ),
    HealthAlert(
        name="HeadroomCellBlind",
        expr=_unless_blind_spot(_CELL_BLIND),
        pending_for=5,
        severity=Severity.WARNING,
        summary="Headroom has not completely read the metrics of account {{ $labels.aws_account }} in "
        f"{{{{ $labels.aws_region }}}} for {MAX_POLL_AGE} minutes or more.",
        description="The series of this account and region become stale; their limits are not monitored.",
        remedies=(
            "See the error of AWS in /api/v1/status, or run `headroom check`.",
            "Grant the permissions that `headroom iam-policy` prints.",
            "If the polling interval is longer than five minutes, increase the 15 minutes of this rule.",
        ),
    ),
    HealthAlert(
        name="HeadroomServiceBlind",
        expr=_unless_blind_spot(_outside_cells(_CELL_BLIND, _SERVICE_BLIND)),
        pending_for=5,
        severity=Severity.WARNING,
        summary="Headroom has not completely listed the resources of {{ $labels.aws_service }} in account "
        f"{{{{ $labels.aws_account }}}}, {{{{ $labels.aws_region }}}}, for {MAX_INVENTORY_AGE} minutes or "
        f"more.",
        description="New resources and changed limits are missing; a utilization may refer to an outdated "
        "limit.",
        remedies=(
            "See /api/v1/status for the call that failed and its error.",
            "Grant the permissions that `headroom iam-policy` prints, or remove the service from the "
            "configuration.",
            "If inventory_interval is longer than 10 minutes, increase the 35 minutes of this rule.",
        ),
    ),
    HealthAlert(
        name="HeadroomSignalBlind",
        expr=_outside_cells(_CELL_BLIND, f"time() - {_SAMPLED_AT} > {MAX_POLL_AGE * 60}"),
        pending_for=5,
        severity=Severity.INFO,
        summary="The newest sample of {{ $labels.aws_service }}.{{ $labels.signal }} in account "
        "{{ $labels.aws_account }}, {{ $labels.aws_region }}, is "
        "{{ $value | humanizeDuration }} old.",
        description="The metrics of the region are read, but CloudWatch returns no samples for the signal.",
        remedies=(
            "Ignore the alert if the resources are idle: some services (SQS, Lambda) then publish no "
            "samples.",
            "Check whether the metrics are still enabled; /api/v1/status has the command that enables them.",
        ),
    ),
    HealthAlert(
        name="HeadroomCallsRefused",
        expr="sum by (aws_service, operation, code) "
        f'(increase(headroom_aws_calls_total{{code=~"{DENIED_CODES}"}}[1h])) > 0',
        pending_for=0,
        severity=Severity.INFO,
        summary="AWS denied Headroom {{ $labels.aws_service }}:{{ $labels.operation }} "
        "{{ $value | humanize }} times in an hour ({{ $labels.code }}).",
        description="Resources, limits or usage that the call returns are missing.",
        remedies=(
            "Grant the permissions that `headroom iam-policy` prints; /api/v1/status has the account and "
            "region.",
        ),
    ),
)


def health_alerts() -> Iterator[HealthAlert]:
    """Yield all alerts on Headroom itself: first on its process, then on what it can read."""
    yield from PROCESS_ALERTS
    yield from VISIBILITY_ALERTS
