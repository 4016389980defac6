"""The command `headroom iam-policy`."""

from collections.abc import Callable
from typing import Annotated, Any

import orjson
import typer

from collectors.registry import Registry
from monitor.aws import iam
from monitor.cli.config_file import (
    ConfigFile,
    exit_on_config_error,
    load_config_or_exit,
    load_registry_or_exit,
)
from monitor.cli.options import Patterns
from monitor.report.scan import parse_selectors
from monitor.schema.types import ALL_REGIONS

app = typer.Typer(add_completion=False)


Part = Annotated[
    int, typer.Option(min=0, help="Print this part alone, of those that fit into a managed policy each.")
]


@app.command("iam-policy", epilog="Example: headroom iam-policy --service sqs > policy.json")
def iam_policy(
    config: ConfigFile = None,
    service: Patterns = None,
    part: Part = 0,
    quota_requests: Annotated[
        bool, typer.Option("--quota-requests", help="Allow `headroom quota request --yes`, too.")
    ] = False,
) -> None:
    """Print the least-privilege IAM policy for the configured services."""
    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config)
    chosen = _filter(service, registry)
    accounts = settings.monitored_accounts(registry)
    services = {name for account in accounts for name in account.services if chosen(name)}
    if not services:
        raise typer.BadParameter("expected services that are configured", param_hint="--service")
    all_regions = any(ALL_REGIONS in account.regions for account in accounts)
    collectors = [settings.signals.reduced(one, registry) for one in registry.collectors_of(services)]
    with_links = any(account.linked_accounts for account in accounts)
    policy = iam.policy(collectors, all_regions, bool(settings.tags), with_links, quota_requests)
    typer.echo(orjson.dumps(_chosen_part(policy, part), option=orjson.OPT_INDENT_2))


def _filter(patterns: list[str] | None, registry: Registry) -> Callable[[str], bool]:
    """Return whether one of the patterns fits the name of a service; every name does without patterns."""
    with exit_on_config_error():
        selectors = parse_selectors({"service": patterns}, registry)
    return lambda name: all(any(one.matches_signal(name, "") for one in some) for some in selectors)


def _chosen_part(policy: dict[str, Any], part: int) -> dict[str, Any]:
    """Return a part of a policy; for 0 all of it, with a note where no managed policy can hold it."""
    parts = iam.split_policy(policy)
    if part > len(parts):
        raise typer.BadParameter(f"expected at most {len(parts)}, found {part}", param_hint="--part")
    if part:
        return parts[part - 1]
    if len(parts) > 1:
        typer.echo(
            f"The policy has {iam.policy_size(policy):,} characters, and a managed policy holds "
            f"{iam.MAX_POLICY_SIZE:,}: make {len(parts)} of it, with --part 1 to --part {len(parts)}.",
            err=True,
        )
    return policy
