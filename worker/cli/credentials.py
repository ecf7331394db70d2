"""`credentials`: the key that they are encrypted with."""

import sys
from typing import Annotated

import typer

from worker.bootstrap import make_vault
from worker.cli.answering import SOURCE, ActorOption, Exit, JsonFlag, operator, say, say_json, say_table, with_pool
from worker.rekeying import Rekeyed, rekey
from worker.settings import Settings
from worker.store import connectors
from worker.store.database import Pool, acquire

app = typer.Typer(help="The key that credentials are encrypted with.", no_args_is_help=True)

YesFlag = Annotated[bool, typer.Option("--yes", help="Do it; without it, only what would be done is shown.")]
TOLD_EVERY = 100


@app.command()
def status(*, as_json: JsonFlag = False) -> None:
    """Show which keys encrypt how many connectors' credentials, never a key or a credential.

    Example: accounting-sync credentials status
    """

    async def work(pool: Pool, settings: Settings) -> tuple[str, dict[str, int]]:
        async with acquire(pool) as connection:
            return make_vault(settings).key_id, await connectors.secrets_by_key(connection)

    key_id, counts = with_pool(work)
    if as_json:
        keys = [{"key_id": key, "is_current": key == key_id, "connectors": count} for key, count in counts.items()]
        say_json({"keys": keys})
        return
    rows = [(key, count, "the key of today" if key == key_id else "old") for key, count in counts.items()]
    say_table(["KEY", "CONNECTORS", "WHICH"], rows, "No connector has credentials.")


@app.command("rotate")
def rotate(*, actor: ActorOption = "operator", yes: YesFlag = False, as_json: JsonFlag = False) -> int:
    """Encrypt all credentials anew with SYNC_CREDENTIALS_KEY; name the keys before it in SYNC_CREDENTIALS_OLD_KEYS.

    Workers go on meanwhile. Stopped half-way, it goes on where it was when it is run again.

    Example: accounting-sync credentials rotate --actor ops-1 --yes
    """

    async def work(pool: Pool, settings: Settings) -> tuple[int, list[Rekeyed]]:
        vault = make_vault(settings)
        async with acquire(pool) as connection:
            counts = await connectors.secrets_by_key(connection)
        waiting = sum(count for key, count in counts.items() if key != vault.key_id)
        return waiting, await _rotated(pool, settings, actor, waiting) if yes else []

    waiting, done = with_pool(work)
    failed = [one for one in done if one.problem is not None]
    if as_json:
        problems = [
            {"organization_id": one.organization_id, "connector": one.kind, "message": one.problem} for one in failed
        ]
        say_json(
            {"waiting": waiting - (len(done) - len(failed)), "rotated": len(done) - len(failed), "problems": problems}
        )
    else:
        _tell(waiting, done, failed, asked=yes)
    if not failed:
        return Exit.DONE
    return Exit.PARTLY if len(failed) < len(done) else Exit.REFUSED


async def _rotated(pool: Pool, settings: Settings, actor: str, waiting: int) -> list[Rekeyed]:
    """With progress on stderr, line by line: a screen reader reads it, and a log keeps it."""
    done: list[Rekeyed] = []
    async for one in rekey(pool, make_vault(settings), operator(actor), SOURCE):
        done.append(one)
        if len(done) % TOLD_EVERY == 0:
            sys.stderr.write(f"{len(done)} of {waiting} connectors are done.\n")
    return done


def _tell(waiting: int, done: list[Rekeyed], failed: list[Rekeyed], *, asked: bool) -> None:
    if not asked:
        say(
            f"Connectors whose credentials would be encrypted anew: {waiting}. Run it with --yes to do it."
            if waiting
            else "All credentials are under the key of today. There is nothing to do."
        )
        return
    for one in failed:
        sys.stderr.write(f"{one.problem}\n")
    say(f"Connectors with credentials encrypted anew: {len(done) - len(failed)}. Left as they were: {len(failed)}.")
