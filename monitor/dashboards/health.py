"""The alerts on Headroom itself: what it does not see, and what it does not do."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.alerts import Severity

BLIND = 15  # minutes that a cell or signal may go unseen
LOOKED = 35  # minutes that a service may go without a complete inventory, of which there is one in ten
JOB = 'job=~".*headroom.*"'
REFUSED = "Access.*|Unauthorized.*|.*NotAuthorized.*|InvalidClientTokenId|UnrecognizedClient.*|ExpiredToken.*"

_POLLED = "max by (account, region) (headroom_poll_timestamp_seconds)"
_LOOKED = "max by (account, region, service) (headroom_inventory_timestamp_seconds)"
_SAMPLED = "max by (account, region, service, signal) (headroom_sample_timestamp_seconds)"
_CELL_BLIND = (
    f"time() - {_POLLED} > {BLIND * 60}\nor\nmax by (account, region) (headroom_series) unless {_POLLED}"
)
_SERVICE_BLIND = (
    f"time() - {_LOOKED} > {LOOKED * 60}\n"
    f"or\nmax by (account, region, service) (headroom_series) unless {_LOOKED}"
)


def _not_in(cells: str, expression: str) -> str:
    """What is blind of its own: not in a cell that is blind as a whole."""
    return f"(\n{expression}\n)\nunless on (account, region)\n(\n{cells}\n)"


@dataclass(frozen=True, slots=True)
class Check:
    """One alert on Headroom itself. hold: minutes. summary: a template of Prometheus."""

    name: str
    expr: str
    hold: int
    severity: Severity
    summary: str
    why: str
    remedy: tuple[str, ...]


PROCESS = (
    Check(
        name="HeadroomDown",
        expr=f"up{{{JOB}}} == 0 or absent(up{{{JOB}}})",
        hold=5,
        severity=Severity.CRITICAL,
        summary="Headroom {{ with $labels.instance }}at {{ . }} {{ end }}cannot be scraped: "
        "nobody watches the limits.",
        why="Without it every other alert of Headroom is silent, which looks like all is well.",
        remedy=(
            "See whether the process runs and answers (`headroom healthcheck`), and read its log.",
            "The alert looks for a scrape job with headroom in its name; call yours so.",
        ),
    ),
    Check(
        name="HeadroomNotJudging",
        expr='increase(headroom_ticks_total{loop="judge"}[10m]) == 0',
        hold=5,
        severity=Severity.CRITICAL,
        summary="Headroom at {{ $labels.instance }} has judged nothing for ten minutes: "
        "what it exports is frozen.",
        why="The zones are those of the last judgement, however old it is.",
        remedy=("Read the log for the failure of the judge loop.", "Restart it, and report the failure."),
    ),
    Check(
        name="HeadroomLoopFailing",
        expr="sum by (instance, loop) (increase(headroom_tick_failures_total[15m])) > 0",
        hold=0,
        severity=Severity.WARNING,
        summary="{{ $value | humanize }} turns of the {{ $labels.loop }} loop of Headroom at "
        "{{ $labels.instance }} failed in 15 minutes.",
        why="An error that nobody expected: what AWS refuses is counted elsewhere.",
        remedy=("Read the log: each failure is there with its traceback.",),
    ),
    Check(
        name="HeadroomBehind",
        expr="sum by (instance, loop) (increase(headroom_missed_ticks_total[30m]))\n"
        "> sum by (instance, loop) (increase(headroom_ticks_total[30m]))",
        hold=15,
        severity=Severity.WARNING,
        summary="The {{ $labels.loop }} loop of Headroom at {{ $labels.instance }} misses more turns "
        "than it takes: {{ $value | humanize }} in 30 minutes.",
        why="What it tells is older than its configured interval says.",
        remedy=(
            "Give the process more CPU, or spread the accounts over several.",
            "Lengthen the interval of that loop.",
        ),
    ),
    Check(
        name="HeadroomConfigRefused",
        expr='headroom_config_reloads_total{outcome="refused"}\n'
        '- (headroom_config_reloads_total{outcome="refused"} offset 1h\n'
        '   or headroom_config_reloads_total{outcome="refused"} * 0)\n> 0',
        hold=0,
        severity=Severity.WARNING,
        summary="Headroom at {{ $labels.instance }} refused a new configuration in the last hour: "
        "the old one is in force.",
        why="Accounts, bands and limits are still those from before the change.",
        remedy=("Run `headroom config check`: it has a line for each problem.", "Correct the file, reload."),
    ),
)

SIGHT = (
    Check(
        name="HeadroomCellBlind",
        expr=_CELL_BLIND,
        hold=5,
        severity=Severity.WARNING,
        summary="Headroom has read no complete metrics of account {{ $labels.account }} in "
        f"{{{{ $labels.region }}}} for {BLIND} minutes or more.",
        why="Its series go stale one by one; nobody will hear of a limit that is reached there.",
        remedy=(
            "/api/v1/status says what AWS answered; `headroom check` tries it once.",
            "Allow what `headroom iam-policy` prints.",
            "Where metrics are read less often than every five minutes, raise the 15 minutes of this rule.",
        ),
    ),
    Check(
        name="HeadroomServiceBlind",
        expr=_not_in(_CELL_BLIND, _SERVICE_BLIND),
        hold=5,
        severity=Severity.WARNING,
        summary="Headroom has no complete inventory of {{ $labels.service }} in account "
        f"{{{{ $labels.account }}}}, {{{{ $labels.region }}}}, for {LOOKED} minutes or more.",
        why="New resources and changed limits are not seen, so a utilization may be that of an old limit.",
        remedy=(
            "/api/v1/status says which call AWS refused and why.",
            "Allow what `headroom iam-policy` prints, or take the service out of the configuration.",
            "Where inventory_interval is over 10 minutes, raise the 35 minutes of this rule.",
        ),
    ),
    Check(
        name="HeadroomSignalBlind",
        expr=_not_in(_CELL_BLIND, f"time() - {_SAMPLED} > {BLIND * 60}"),
        hold=5,
        severity=Severity.INFO,
        summary="No series of {{ $labels.service }}.{{ $labels.signal }} in account {{ $labels.account }}, "
        "{{ $labels.region }}, has a sample that is less than {{ $value | humanizeDuration }} old.",
        why="The cell is read, and yet CloudWatch tells nothing of the signal.",
        remedy=(
            "Idle resources have no samples in some services (SQS, Lambda): then nothing is wrong.",
            "See whether the metrics are still enabled; /api/v1/status has the command that enables them.",
        ),
    ),
    Check(
        name="HeadroomCallsRefused",
        expr="sum by (service, operation, code) "
        f'(increase(headroom_aws_calls_total{{code=~"{REFUSED}"}}[1h])) > 0',
        hold=0,
        severity=Severity.INFO,
        summary="AWS refused {{ $labels.service }}:{{ $labels.operation }} to Headroom "
        "{{ $value | humanize }} times in an hour ({{ $labels.code }}).",
        why="What the call would have told is missing: resources, limits or usage.",
        remedy=("Allow what `headroom iam-policy` prints; /api/v1/status says in which account and region.",),
    ),
)


def checks() -> Iterator[Check]:
    """All of them, the worst first."""
    yield from PROCESS
    yield from SIGHT
