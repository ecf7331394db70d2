"""`sync`: runs that push what is pending."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from worker import insights
from worker.cli.answering import (
    SOURCE,
    ActorOption,
    Exit,
    JsonFlag,
    OrganizationArgument,
    in_transaction,
    operator,
    refuse,
    say_facts,
    say_json,
    with_pool,
)
from worker.runs import RunRefused, request_run
from worker.settings import Settings
from worker.store.database import Connection, Pool, acquire, transaction
from worker.views import RunView

app = typer.Typer(help="Runs that push what is pending.", no_args_is_help=True)

LOOK_SECONDS = 0.1


@app.command()
def run(
    organization: OrganizationArgument,
    *,
    actor: ActorOption,
    wait: Annotated[bool, typer.Option("--wait", help="Return once the run is finished.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Push everything that is pending now. Refused while the connector is off.

    Example: accounting-sync sync run hlf --actor user-9 --wait
    """

    async def work(pool: Pool, _settings: Settings) -> RunView | RunRefused:
        async with transaction(pool) as connection:
            started = await request_run(connection, organization, operator(actor), SOURCE)
            if isinstance(started, RunRefused):
                return started
            view = await insights.view_of_run(connection, started)
        return await finished(pool, view.run_id) if wait else view

    view = with_pool(work)
    if isinstance(view, RunRefused):
        refuse(view.sentence)
    say_run(view, as_json=as_json)
    return status_of(view) if wait else Exit.DONE


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's ID.")], *, as_json: JsonFlag = False
) -> None:
    """Show a run's progress and result.

    Example: accounting-sync sync show 6f1c1c1e-8f3e-4a51-9d64-2f6d1d1d7a10
    """
    try:
        wanted = UUID(run_id)
    except ValueError:
        raise typer.BadParameter(
            "RUN is not a run's ID, which looks like 6f1c1c1e-8f3e-4a51-9d64-2f6d1d1d7a10."
        ) from None

    async def work(connection: Connection) -> RunView | None:
        return await insights.run_view(connection, wanted)

    view = in_transaction(work)
    if view is None:
        refuse(f"There is no run {run_id}. Check the ID.")
    say_run(view, as_json=as_json)


async def finished(pool: Pool, run_id: UUID) -> RunView:
    """The run once it has ended, however long that takes."""
    while True:
        async with acquire(pool) as connection:
            view = await insights.run_view(connection, run_id)
        if view is None or view.state != "running":
            break
        await asyncio.sleep(LOOK_SECONDS)
    return view or refuse(f"The run {run_id} is gone.")


def status_of(view: RunView) -> Exit:
    incomplete = view.counts.rejected or view.counts.unknown or view.state == "stopped"
    return Exit.PARTLY if incomplete else Exit.DONE


def say_run(view: RunView, *, as_json: bool) -> None:
    if as_json:
        say_json(view)
        return
    say_facts(
        [
            ("run", view.run_id),
            ("organisation", view.organization_id),
            ("connector", view.connector),
            ("started by", f"{view.requested_by} ({view.kind})"),
            ("state", view.state),
            ("started", view.started_at),
            ("finished", view.finished_at),
            ("synced", view.counts.synced),
            ("rejected", view.counts.rejected),
            ("outcome unknown", view.counts.unknown),
            ("remaining", view.counts.remaining),
        ]
    )
