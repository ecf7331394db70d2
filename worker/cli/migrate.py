"""`migrate`: brings the database to this version."""

import typer

from worker.cli.answering import JsonFlag, run, say, say_json, say_table
from worker.settings import Settings
from worker.store import migrate
from worker.store.database import connect
from worker.store.migrate import Migration, Standing

app = typer.Typer(help="Bring the database to this version.", no_args_is_help=True)


@app.command()
def up(*, as_json: JsonFlag = False) -> None:
    """Apply what waits. Safe to run twice, and from two machines at once.

    Example: accounting-sync migrate up
    """

    async def work(settings: Settings) -> list[Migration]:
        connection = await connect(settings.database_url.get_secret_value())
        try:
            return await migrate.migrate(connection)
        finally:
            await connection.close()

    applied = run(work)
    if as_json:
        say_json({"applied": [migration.name for migration in applied]})
    else:
        say("\n".join(f"Applied {migration.name}." for migration in applied) or "The database is up to date.")


@app.command()
def status(*, as_json: JsonFlag = False) -> None:
    """Show each migration and when it was applied.

    Example: accounting-sync migrate status
    """

    async def work(settings: Settings) -> list[Standing]:
        connection = await connect(settings.database_url.get_secret_value())
        try:
            return await migrate.status(connection)
        finally:
            await connection.close()

    standings = run(work)
    if as_json:
        say_json({"migrations": [{"name": one.name, "applied_at": one.applied_at} for one in standings]})
    else:
        say_table(["MIGRATION", "APPLIED"], [(one.name, one.applied_at or "waiting") for one in standings], "None.")
