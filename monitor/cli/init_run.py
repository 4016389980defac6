"""Does the work of `headroom init`: checks answers, writes the files, and reports what may be read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from os import environ
from pathlib import Path

import typer
from pydantic import ValidationError

from collectors.registry import Registry
from monitor.cli.exit_codes import FAILED, INCOMPLETE
from monitor.cli.interruptible import run_interruptible
from monitor.cli.registry_file import exit_on_config_error, load_registry_or_exit
from monitor.cli.scan import progress_bar
from monitor.config.config import Config
from monitor.config.config_paths import DEFAULT_FILE
from monitor.config.proposal import Proposal
from monitor.config.watched import watched_sentence
from monitor.lib.atomic_file import replace_atomically
from monitor.lib.text import escape_unprintable
from monitor.render.text import dollars
from monitor.report.first_contact import Caller, FirstContact, FirstContactError, contact, find_caller
from monitor.schema.problems import ConfigError, problem_lines, problems_from_pydantic
from monitor.schema.types import ConfigContext
from rules.plurals import count_of

# Returns the proposal with an answer. Arguments: the proposal, the answer, and its parts between commas.
TakeAnswer = Callable[[Proposal, str, Sequence[str]], Proposal]
_TAKE_ANSWER: Mapping[str, TakeAnswer] = {
    "--accounts": lambda proposal, _, parts: replace(proposal, accounts=parts),
    "--regions": lambda proposal, _, parts: replace(proposal, regions=parts),
    "--notify": lambda proposal, answer, _: replace(proposal, receiver_url=answer),
}
SECRET_MODE = 0o600
NOTHING_READ = "Nothing could be read: no call to AWS about resources or metrics succeeded."


def find_caller_or_exit(profile: str) -> Caller:
    """Return and print the owner of the credentials; print the error and exit if AWS does not tell it."""
    try:
        caller = run_interruptible(find_caller(profile))
    except FirstContactError as error:
        typer.echo(escape_unprintable(str(error)), err=True)
        raise typer.Exit(FAILED) from None
    region = f"region {caller.region}" if caller.region else "no region is set"
    typer.echo(f"The credentials are of the account {caller.account}; {region}.", err=True)
    return caller


def with_answer(proposal: Proposal, name: str, answer: str) -> Proposal:
    """Return the proposal with the answer to a question. Raises ConfigError for an invalid answer."""
    parts = tuple(part for part in map(str.strip, answer.split(",")) if part)
    if name == "--regions" and not parts:
        raise ConfigError(["expected at least one region, or all; found none"])
    updated = _TAKE_ANSWER[name](proposal, answer.strip(), parts)
    _validated(updated, Path(), load_registry_or_exit(None), "")
    return updated


def checked_config(proposal: Proposal, out: Path) -> tuple[Config, Registry]:
    """Return the proposed configuration and the services; print the problems and exit if there are any."""
    with exit_on_config_error():
        registry = load_registry_or_exit(out)
        return _validated(proposal, out.parent, registry, str(out)), registry


def _validated(proposal: Proposal, folder: Path, registry: Registry, file: str) -> Config:
    """Return the proposed configuration. file: its name in messages. Raises ConfigError."""
    try:
        return Config.model_validate(
            proposal.data_with_secrets, context=ConfigContext(environ, folder, registry)
        )
    except ValidationError as error:
        raise ConfigError(problem_lines(file, problems_from_pydantic(error, Config))) from None


def write_files(proposal: Proposal, out: Path) -> None:
    """Print and write the configuration file, and write the files of secrets, which nobody else may read.

    Prints the error and exits if a file cannot be written.
    """
    typer.echo(f"{out}:\n\n{proposal.text}")
    try:
        for name, secret in proposal.secrets.items():
            path = out.parent / name
            path.touch(SECRET_MODE)
            path.write_text(f"{secret}\n", "utf-8")
        with replace_atomically(out) as file:
            file.write(proposal.text.encode())
    except OSError as error:
        typer.echo(f"{out} cannot be written: {error.strerror}; copy it from above.", err=True)
        raise typer.Exit(FAILED) from None


def report_contact(config: Config, registry: Registry, out: Path, allow_blind: bool) -> int:
    """Print what could be read, the missing permissions and the next commands; return the exit code."""
    with progress_bar("Listing resources") as report_progress:
        first_contact = run_interruptible(contact(config, registry, report_progress))
    typer.echo(f"It {watched_sentence(config, registry)}.")
    typer.echo(_contact_sentence(first_contact) if first_contact.accounts else NOTHING_READ)
    for failure in first_contact.failures.listed_sentences:
        typer.echo(f"- {escape_unprintable(failure)}")
    config_option = "" if out == DEFAULT_FILE else f" --config {out}"
    if first_contact.denied:
        typer.echo("Missing permissions:")
    for service, actions in groupby(first_contact.denied, lambda action: action.partition(":")[0]):
        names = (action.partition(":")[2] for action in actions)
        typer.echo(f"- {service}: {', '.join(names)}")
    typer.echo("\nNext:")
    for command, purpose in _next_commands(first_contact, config_option).items():
        typer.echo(f"  {command}  # {purpose}")
    if not first_contact.accounts:
        return FAILED
    return INCOMPLETE if first_contact.failures and not allow_blind else 0


def _contact_sentence(first_contact: FirstContact) -> str:
    accounts = count_of(len(first_contact.accounts), "account")
    services = f"{count_of(first_contact.service_count, 'service')} in use"
    cost = f"CloudWatch costs about {dollars(first_contact.dollars)} a month while all is far from its limits"
    return f"{accounts} can be read: {services}, {first_contact.series_count:,} series. {cost}."


def _next_commands(first_contact: FirstContact, option: str) -> dict[str, str]:
    policy = {f"headroom iam-policy{option} > policy.json": "the permissions that are needed"}
    check = {f"headroom check{option}": "what is near its limit now"}
    return {
        **(policy if first_contact.failures else {}),
        **(check if first_contact.accounts else {}),
        f"headroom lookback{option}": "the last 14 days: what was throttled, which alerts would have fired",
        f"headroom serve{option}": "monitor, and listen on 127.0.0.1:4070",
    }
