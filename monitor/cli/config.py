"""The commands `headroom config`, which validate and explain the configuration file."""

import sys
from collections.abc import Iterator
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from monitor.cli.exit_codes import FAILED
from monitor.cli.options import ConfigFile
from monitor.config.config_paths import DEFAULT_FILE, PATH_VARIABLE, chosen_file

if TYPE_CHECKING:
    from collectors.registry import Registry
    from monitor.config.config import Config

MAX_PASSWORD_LENGTH = 4096  # characters

app = typer.Typer(
    help="Validate or explain the configuration file.", no_args_is_help=True, add_completion=False
)


@app.command("check", epilog="Example: headroom config check --config headroom.yaml")
def check(config: ConfigFile = None) -> None:
    """Validate the configuration.

    Prints one line per problem, and exits with 2 when it is invalid. Entries that are valid but have no
    effect are listed, too.
    """
    from monitor.alerting.routes import unused_name_sentences
    from monitor.cli.config_file import load_config_or_exit
    from monitor.cli.registry_file import load_registry_or_exit
    from monitor.config.exclude import ineffective_entries
    from monitor.config.watched import watched_sentence

    registry = load_registry_or_exit(config)
    settings = load_config_or_exit(registry, config)
    typer.echo(f"{_file_sentence(config)}\nIt {watched_sentence(settings, registry)}.")
    receivers = [receiver.name for receiver in settings.receivers]
    for sentence in (
        *ineffective_entries(settings.exclude, settings.configured_entries(registry), registry),
        *_ineffective_patterns(settings, registry),
        *unused_name_sentences(settings.route, receivers, settings.windows),
    ):
        typer.echo(sentence)


def _file_sentence(config: Path | None) -> str:
    """Return the sentence that names the configuration file, or says that there is none."""
    if file := chosen_file(config, environ):
        return f"{file} is valid."
    return (
        f"There is no configuration file: neither --config nor ${PATH_VARIABLE} names one, and "
        f"{Path.cwd()} has no {DEFAULT_FILE}. All keys have their defaults."
    )


def _ineffective_patterns(settings: "Config", registry: "Registry") -> Iterator[str]:
    """Yield a sentence for each pattern of an organization that has no effect, or cannot be checked.

    The patterns are compared with the accounts that a running Headroom listed last.
    """
    if not (organizations := settings.monitored_organizations(registry)):
        return
    from monitor.aws.known_accounts import KnownAccounts, known_accounts_path

    known_accounts = KnownAccounts.read(known_accounts_path(Path(settings.journal)))
    for organization in organizations:
        if listing := known_accounts.listing_of(organization):
            accounts = [(account.id, account.name) for account in listing.accounts]
            yield from organization.unmatched_patterns(accounts, listing.tags)
        elif organization.include or organization.exclude or organization.tags:
            keys = "`include`, `exclude` and `tags`"
            yield f"The accounts of the {organization.title} are not known yet: {keys} were not compared."


@app.command("example", epilog="Example: headroom config example > headroom.yaml")
def example(config: ConfigFile = None) -> None:
    """Print an example configuration that explains every key."""
    from monitor.cli.registry_file import load_registry_or_exit
    from monitor.config.example import example_file

    typer.echo(example_file(load_registry_or_exit(config)), nl=False)


@app.command("password-hash", epilog="Example: headroom config password-hash")
def password_hash() -> None:
    """Read a password, and print the hash for `auth.users`.

    The password is read from a prompt or a pipe.
    """
    from monitor.access.passwords import PasswordHash

    interactive = sys.stdin.isatty()
    password = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        if interactive
        else read_piped_password()
    )
    if not (password and password.isprintable()):
        typer.echo("expected one line of printable text", err=True)
        raise typer.Exit(FAILED)
    typer.echo(PasswordHash.of(password))


def read_piped_password() -> str:
    """Return the line on standard input, without its line break."""
    return sys.stdin.read(MAX_PASSWORD_LENGTH).rstrip("\r\n")


@app.command("schema", epilog="Example: headroom config schema > headroom.schema.json")
def schema(config: ConfigFile = None) -> None:
    """Print the JSON schema of the configuration file, for editors."""
    import orjson

    from monitor.cli.registry_file import load_registry_or_exit
    from monitor.config.example import json_schema

    typer.echo(orjson.dumps(json_schema(load_registry_or_exit(config)), option=orjson.OPT_INDENT_2))
