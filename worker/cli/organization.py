"""`organization`: who is served."""

from typing import Annotated

import typer

from worker import insights, setup
from worker.cli.answering import (
    SOURCE,
    ActorOption,
    JsonFlag,
    OrganizationArgument,
    in_transaction,
    operator,
    refuse,
    say,
    say_json,
    say_table,
)
from worker.store.database import Connection

app = typer.Typer(help="Who is served.", no_args_is_help=True)


@app.command()
def add(
    organization: OrganizationArgument,
    name: Annotated[str, typer.Option("--name", help="The name people know it by.")],
    *,
    actor: ActorOption = "operator",
    as_json: JsonFlag = False,
) -> None:
    """Add an organisation.

    Example: accounting-sync organization add hlf --name "HLF"
    """

    async def work(connection: Connection) -> bool:
        return await setup.add_organization(connection, organization, name, operator(actor), SOURCE)

    if not in_transaction(work):
        refuse(f"The organisation {organization} is known already.")
    if as_json:
        say_json({"organization_id": organization, "name": name})
    else:
        say(f"Added {organization}. Next: accounting-sync connector configure {organization} KIND --file FILE")


@app.command("list")
def list_(*, as_json: JsonFlag = False) -> None:
    """Show every organisation, its connector and what waits; those that nobody has added come last, without a name.

    Example: accounting-sync organization list --json
    """
    found = in_transaction(insights.organizations_and_strangers)
    if as_json:
        say_json({"organizations": [view.model_dump(mode="json") for view in found]})
        return
    rows = [
        (
            view.organization_id,
            view.name,
            view.connector,
            view.phase,
            sum(waiting.count for waiting in view.waiting),
            ", ".join(f"{waiting.total} {waiting.currency}" for waiting in view.waiting),
        )
        for view in found
    ]
    say_table(["ORGANISATION", "NAME", "CONNECTOR", "PHASE", "WAITING", "AMOUNT"], rows, "No organisations yet.")
