"""The command `headroom init`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from monitor.cli.exit_codes import FAILED
from monitor.cli.options import AllowBlind

if TYPE_CHECKING:
    from monitor.config.proposal import Proposal
    from monitor.report.first_contact import Caller

QUESTIONS = {
    "--accounts": "Accounts: Enter for {account}, which has these credentials; or ARNs of roles, with commas "
    "between; or the word organization",
    "--regions": "Regions, with commas between, or the word all",
    "--notify": "Who is notified: Enter for nobody; or the URL of Alertmanager, of a Slack webhook, or of "
    "another webhook",
}

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom init --regions eu-west-1,us-east-1 --yes")
def init(
    accounts: Annotated[
        str | None, typer.Option(help="ARNs of roles, separated by commas, or the word organization.")
    ] = None,
    regions: Annotated[
        str | None, typer.Option(help="Regions, separated by commas, or the word all.")
    ] = None,
    notify: Annotated[
        str | None,
        typer.Option(help="URL of Alertmanager (http://alertmanager:9093), of Slack, or of another webhook."),
    ] = None,
    profile: Annotated[
        str, typer.Option(help="Profile of the AWS configuration files; default: the environment.")
    ] = "",
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("headroom.yaml"),
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing, and use defaults for missing options.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
    allow_blind: AllowBlind = False,
) -> None:
    """Ask three questions, and write a configuration file.

    Checks the credentials by a call first, and lists the resources of the accounts; both cost nothing, except
    for one metric of each account. Changes nothing in AWS. Exits with 0 when everything could be read; 2 when
    the credentials do not work, an answer is wrong, nothing could be read, or the file cannot be written; 3
    when some reads failed: the file is written, and the missing permissions are listed.
    """
    from monitor.cli.init_run import checked_config, find_caller_or_exit, report_contact, write_files
    from monitor.config.proposal import Proposal

    if out.exists() and not force:
        exit_with(f"{out} exists, and nothing was changed: --force replaces it, --out names another file.")
    options = {"--accounts": accounts, "--regions": regions, "--notify": notify}
    must_ask = not yes and None in options.values()
    if must_ask and not sys.stdin.isatty():
        missing = ", ".join(name for name, value in options.items() if value is None)
        exit_with(f"headroom init asks in a terminal: without one, give {missing}, or --yes for defaults.")
    caller = find_caller_or_exit(profile)
    proposal = Proposal(profile=profile, secret_file=f"{out.stem}-receiver-url")
    for name in QUESTIONS:
        proposal = _take_answer(proposal, name, options[name], caller, asks=not yes)
    config, registry = checked_config(proposal, out)
    write_files(proposal, out)
    raise typer.Exit(report_contact(config, registry, out, allow_blind))


def exit_with(sentence: str) -> NoReturn:
    """Print a sentence to stderr, and exit with FAILED."""
    typer.echo(sentence, err=True)
    raise typer.Exit(FAILED)


def _take_answer(
    proposal: "Proposal", name: str, option: str | None, caller: "Caller", *, asks: bool
) -> "Proposal":
    """Return the proposal with the answer to a question.

    name: the question's key in QUESTIONS. option: the value of the command's option of this name; None if it
    was not given: then the user is asked in the terminal if `asks` is true, else the answer is the default.
    After an invalid answer in the terminal, the question is asked again. An invalid option ends the command.
    """
    from monitor.cli.init_run import with_answer
    from monitor.schema.problems import ConfigError

    default = caller.region if name == "--regions" else ""
    while True:
        is_asked = option is None and asks
        text = _ask(QUESTIONS[name].format(account=caller.account), default) if is_asked else option
        try:
            return with_answer(proposal, name, default if text is None else text)
        except ConfigError as error:
            for problem in error.problems:
                typer.echo(f"{name}: {problem}", err=True)
            if not is_asked:
                raise typer.Exit(FAILED) from None


def _ask(question: str, default: str) -> str:
    """Ask in the terminal, and return the answer. The question goes to stderr."""
    answer: str = typer.prompt(question, default=default, show_default=bool(default), err=True)
    return answer
