"""The command `headroom iam-policy`."""

import orjson
import typer

from monitor.aws import iam
from monitor.cli.config_file import ConfigFile, load_config_or_exit, load_registry_or_exit
from monitor.schema.types import ALL_REGIONS

app = typer.Typer(add_completion=False)


@app.command("iam-policy", epilog="Example: headroom iam-policy > policy.json")
def iam_policy(config: ConfigFile = None) -> None:
    """Print the least-privilege IAM policy for the configured services."""
    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config)
    accounts = settings.monitored_accounts(registry)
    services = {service for account in accounts for service in account.services}
    all_regions = any(ALL_REGIONS in account.regions for account in accounts)
    policy = iam.policy(registry.collectors_of(services), all_regions, bool(settings.tags))
    typer.echo(orjson.dumps(policy, option=orjson.OPT_INDENT_2))
