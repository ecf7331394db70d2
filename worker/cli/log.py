"""`log`: who changed what, and whether the record is whole."""

from typing import Annotated

import typer

from worker import insights
from worker.cli.answering import (
    JsonFlag,
    LimitOption,
    OrganizationArgument,
    in_transaction,
    refuse,
    say,
    say_json,
    say_table,
    with_pool,
)
from worker.insights import PAGE
from worker.settings import Settings
from worker.store import sync_log
from worker.store.database import Connection, Pool, acquire
from worker.views import LogPage

app = typer.Typer(help="Who changed what.", no_args_is_help=True)


@app.command("list")
def list_(
    organization: OrganizationArgument,
    *,
    before: Annotated[str | None, typer.Option("--before", help="The cursor `next` of the page before.")] = None,
    limit: LimitOption = PAGE,
    as_json: JsonFlag = False,
) -> None:
    """List an organisation's sync log, newest first.

    Example: accounting-sync log list hlf --json
    """

    async def work(connection: Connection) -> LogPage:
        return await insights.log_page(connection, organization, before, limit)

    page = in_transaction(work)
    if as_json:
        say_json(page)
        return
    rows = [
        (entry.at, entry.actor, entry.source, entry.connector, entry.change, entry.new_state, entry.reason)
        for entry in page.entries
    ]
    titles = ["AT", "ACTOR", "SOURCE", "CONNECTOR", "CHANGE", "NEW STATE", "REASON"]
    say_table(titles, rows, f"{organization} has no log entries.")
    if page.next:
        say(f"There are more. Next page: --before {page.next}")


@app.command()
def verify(
    organization: Annotated[
        str | None, typer.Argument(metavar="[ORG]", help="One organisation; all by default.")
    ] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Check that no entry of the log was changed, removed or reordered.

    Example: accounting-sync log verify hlf
    """

    async def work(pool: Pool, _settings: Settings) -> dict[str, str | None]:
        async with acquire(pool) as connection:
            wanted = [organization] if organization else await sync_log.logged_organizations(connection)
            return {one: await sync_log.verify(connection, one) for one in wanted}

    breaks = with_pool(work)
    broken = {one: sentence for one, sentence in breaks.items() if sentence}
    if as_json:
        say_json({"verified": len(breaks) - len(broken), "broken": broken})
    else:
        for one, sentence in breaks.items():
            say(f"{one}: {sentence or 'the log is whole.'}")
        if not breaks:
            say("There are no logs yet.")
    if broken:
        are = "is" if len(broken) == 1 else "are"
        refuse(f"{len(broken)} of {len(breaks)} logs {are} not whole: {', '.join(broken)}.")
