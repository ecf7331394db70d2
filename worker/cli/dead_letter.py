"""`dead-letter`: records that could not be accepted."""

from typing import Annotated

import typer

from worker import insights
from worker.cli.answering import (
    JsonFlag,
    LimitOption,
    in_transaction,
    refuse,
    say,
    say_facts,
    say_json,
    say_table,
)
from worker.insights import PAGE
from worker.store.database import Connection
from worker.views import DeadLetterDetail, DeadLetterPage

app = typer.Typer(help="Records that could not be accepted.", no_args_is_help=True)


@app.command("list")
def list_(
    *,
    before: Annotated[str | None, typer.Option("--before", help="The cursor `next` of the page before.")] = None,
    limit: LimitOption = PAGE,
    as_json: JsonFlag = False,
) -> None:
    """List dead letters, newest first.

    Example: accounting-sync dead-letter list --limit 20
    """

    async def work(connection: Connection) -> DeadLetterPage:
        return await insights.dead_letter_page(connection, before, limit)

    page = in_transaction(work)
    if as_json:
        say_json(page)
        return
    rows = [
        (one.dead_letter_id, one.reason, f"{one.topic}/{one.partition}/{one.offset}", one.received_at, one.detail)
        for one in page.dead_letters
    ]
    say_table(["ID", "REASON", "TOPIC/PARTITION/OFFSET", "RECEIVED", "DETAIL"], rows, "No dead letters.")
    if page.next:
        say(f"There are more. Next page: --before {page.next}")


@app.command()
def show(
    dead_letter_id: Annotated[int, typer.Argument(metavar="ID", min=1, help="The dead letter's ID.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show one dead letter with the original record.

    Example: accounting-sync dead-letter show 17
    """

    async def work(connection: Connection) -> DeadLetterDetail | None:
        return await insights.dead_letter_detail(connection, dead_letter_id)

    letter = in_transaction(work)
    if letter is None:
        refuse(f"There is no dead letter {dead_letter_id}. Check the ID.")
    if as_json:
        say_json(letter)
        return
    say_facts(
        [
            ("id", letter.dead_letter_id),
            ("reason", letter.reason),
            ("detail", letter.detail),
            ("topic", letter.topic),
            ("partition", letter.partition),
            ("offset", letter.offset),
            ("received", letter.received_at),
            ("key", letter.key),
            *[(f"header {name}", value) for name, value in letter.headers],
            ("value", letter.value),
        ]
    )
