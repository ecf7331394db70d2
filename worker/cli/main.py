"""`accounting-sync`: the operators' command. Each group of commands has a module of its own."""

import sys

import typer

from worker.cli import connector, contracts, credentials, dead_letter, item, log, migrate, organization, sync, worker
from worker.cli.answering import run_safely

app = typer.Typer(
    name="accounting-sync",
    help="Delivers approved reimbursements to an organisation's accounting system, exactly once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(migrate.app, name="migrate")
app.add_typer(worker.app, name="worker")
app.add_typer(organization.app, name="organization")
app.add_typer(connector.app, name="connector")
app.add_typer(credentials.app, name="credentials")
app.add_typer(sync.app, name="sync")
app.add_typer(item.app, name="item")
app.add_typer(dead_letter.app, name="dead-letter")
app.add_typer(log.app, name="log")
app.add_typer(contracts.app, name="contracts")


def main() -> None:
    """Exit 0 done, 1 refused or failed, 2 wrong usage or settings, 3 partly done."""
    sys.exit(run_safely(app))
