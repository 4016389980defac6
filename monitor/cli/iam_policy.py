"""The command `headroom iam-policy`."""

from typing import Annotated, Any

import orjson
import typer

from monitor.aws import iam
from monitor.cli.config_file import ConfigFile, load_config_or_exit, load_registry_or_exit
from monitor.schema.types import ALL_REGIONS

app = typer.Typer(add_completion=False)


Part = Annotated[
    int, typer.Option(min=0, help="Print this part alone, of those that fit into a managed policy each.")
]


@app.command("iam-policy", epilog="Example: headroom iam-policy > policy.json")
def iam_policy(config: ConfigFile = None, part: Part = 0) -> None:
    """Print the least-privilege IAM policy for the configured services."""
    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config)
    accounts = settings.monitored_accounts(registry)
    services = {service for account in accounts for service in account.services}
    all_regions = any(ALL_REGIONS in account.regions for account in accounts)
    collectors = [settings.signals.reduced(one, registry) for one in registry.collectors_of(services)]
    policy = iam.policy(collectors, all_regions, bool(settings.tags))
    typer.echo(orjson.dumps(_chosen_part(policy, part), option=orjson.OPT_INDENT_2))


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
