"""The command `headroom iam-policy`."""

from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from monitor.cli.options import ConfigFile, Patterns

if TYPE_CHECKING:
    from collectors.registry import Registry
    from monitor.config.config import Config

# The same as in `monitor.aws.access_policy`, which is imported only when the command runs.
PrincipalWord = Literal["caller", "account", "via", "management"]

app = typer.Typer(add_completion=False)


Part = Annotated[
    int, typer.Option(min=0, help="Print only this part of the policy; each part fits into a managed policy.")
]


PolicyOf = Annotated[
    PrincipalWord,
    typer.Option(
        "--of",
        help="The principal of the policy: Headroom's own credentials (caller), the role in each account "
        "(account), the roles of `via` (via), or the role that lists an organization's accounts "
        "(management).",
        metavar="PRINCIPAL",
    ),
]


class Extras(NamedTuple):
    """The choice of further permissions: to request quota increases, and to discover request paths."""

    quota_requests: bool = False
    paths: bool = False


@app.command("iam-policy", epilog="Example: headroom iam-policy --service sqs > policy.json")
def iam_policy(
    config: ConfigFile = None,
    service: Patterns = None,
    part: Part = 0,
    principal: PolicyOf = "caller",
    quota_requests: Annotated[
        bool, typer.Option("--quota-requests", help="Allow `headroom quota request --yes`, too.")
    ] = False,
    paths: Annotated[bool, typer.Option("--paths", help="Allow `headroom paths discover`, too.")] = False,
) -> None:
    """Print the least-privilege IAM policy of the services.

    If roles or an organization are configured, each principal has its own policy: see --of. With
    --service quotas, the policy also allows to count the resources that quotas limit: those of the other
    services that --service names (without others, of all configured services), and those of the service
    codes in `signals.quotas`.
    """
    import orjson

    from monitor.aws import iam
    from monitor.aws.access_policy import access_statements
    from monitor.cli.config_file import load_config_or_exit
    from monitor.cli.registry_file import load_registry_or_exit

    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config)
    statements = access_statements(settings.monitored_entries(registry), principal)
    if principal in ("caller", "account"):
        extras = Extras(quota_requests, paths)
        policy = _reading_policy(settings, registry, _service_filter(service, registry), extras)
        policy["Statement"] += statements
    elif statements:
        policy = {"Version": iam.VERSION, "Statement": statements}
    else:
        raise typer.BadParameter("the configuration has no such role", param_hint="--of")
    typer.echo(orjson.dumps(_chosen_part(policy, part), option=orjson.OPT_INDENT_2))


def _reading_policy(
    settings: "Config", registry: "Registry", is_chosen: Callable[[str], bool], extras: Extras
) -> dict[str, Any]:
    """Return the policy that allows to read the services for which `is_chosen` is true, and `extras`."""
    from monitor.aws import iam
    from monitor.schema.types import ALL_REGIONS

    services = {name for name in settings.monitored_services(registry) if is_chosen(name)}
    if not services:
        raise typer.BadParameter("expected services that are configured", param_hint="--service")
    collectors = [
        settings.signals.without_unread_signals(collector, registry)
        for collector in registry.collectors_of(services)
    ]
    options = iam.PolicyOptions(
        all_regions=any(ALL_REGIONS in entry.regions for entry in settings.monitored_entries(registry)),
        tags=bool(settings.tags),
        links=any(account.linked_accounts for account in settings.monitored_accounts(registry)),
        quota_requests=extras.quota_requests,
        path_actions=_path_actions(services) if extras.paths else frozenset(),
        counted=_counted_service_codes(settings, registry, services),
    )
    return iam.policy(collectors, options)


def _path_actions(services: Set[str]) -> Set[str]:
    """Return the permissions of these services that the discovery of request paths needs."""
    from monitor.topology.discovery import needed_actions

    return needed_actions(services)


def _counted_service_codes(settings: "Config", registry: "Registry", services: Set[str]) -> Set[str]:
    """Return the service codes whose resources are counted, to compare the counts with quotas.

    services: the chosen services. If `quotas` is one of them, it counts the resources of the other chosen
    services, or, if no other is chosen, of all configured services.
    """
    from collectors.quotas import QUOTAS_SERVICE

    if QUOTAS_SERVICE not in services:
        return frozenset()
    other_services = services - {QUOTAS_SERVICE} or settings.monitored_services(registry)
    return registry.quota_services(other_services) | settings.signals.quota_services(registry)


def _service_filter(patterns: list[str] | None, registry: "Registry") -> Callable[[str], bool]:
    """Return a function of a service's name: true if a pattern matches it, or if there are no patterns."""
    from monitor.cli.registry_file import exit_on_config_error
    from monitor.schema.selectors import parse_selectors

    with exit_on_config_error():
        selectors = parse_selectors({"service": patterns}, registry)
    return lambda name: all(
        any(selector.matches_signal(name, "") for selector in alternatives) for alternatives in selectors
    )


def _chosen_part(policy: dict[str, Any], part: int) -> dict[str, Any]:
    """Return a part of a policy; for 0 the whole policy, with a note if no managed policy can hold it."""
    from monitor.aws import iam

    parts = iam.split_policy(policy)
    if part > len(parts):
        raise typer.BadParameter(f"expected at most {len(parts)}, found {part}", param_hint="--part")
    if part:
        return parts[part - 1]
    if len(parts) > 1:
        typer.echo(
            f"The policy has {iam.policy_size(policy):,} characters, and a managed policy holds "
            f"{iam.MAX_POLICY_SIZE:,}: print its {len(parts)} parts with --part 1 to --part {len(parts)}. A "
            f"role takes {iam.MAX_POLICIES_OF_ROLE} managed policies.",
            err=True,
        )
    return policy
