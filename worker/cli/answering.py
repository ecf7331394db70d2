"""How every command answers: JSON for machines, plain text for people, one sentence on stderr when it is refused."""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated, NoReturn, TypeVar

import asyncpg
import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from connectors.contract import ConfigurationError
from worker.bootstrap import database
from worker.domain.reasons import plain
from worker.domain.switching import Actor, Role
from worker.paging import BadCursorError
from worker.settings import Settings, SettingsError, read_settings
from worker.store.database import Connection, DatabaseAwayError, Pool, transaction
from worker.store.migrate import NO_TABLES, MigrationError
from worker.telemetry import configure_logging
from worker.vault import VaultError

T = TypeVar("T")

SOURCE = "cli"
WIDTH = 160

JsonFlag = Annotated[bool, typer.Option("--json", help="Answer in JSON, for machines.")]
ActorOption = Annotated[str, typer.Option("--actor", help="Who does it; goes into the sync log.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; goes into the sync log.", callback=plain)]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many at most.")]
OrganizationArgument = Annotated[str, typer.Argument(metavar="ORG", help="The organisation's ID.")]


class Exit(IntEnum):
    DONE = 0
    REFUSED = 1
    WRONG_USAGE = 2
    PARTLY = 3


class RefusedError(Exception):
    """The command is not carried out; the text is the sentence that says why and what to do."""


EXPECTED = (
    RefusedError,
    SettingsError,
    ConfigurationError,
    VaultError,
    MigrationError,
    BadCursorError,
    asyncpg.PostgresError,
    DatabaseAwayError,
)


def run_safely(app: typer.Typer) -> int:
    """The exit status of the command line at hand. Errors become one sentence on stderr, without values."""
    try:
        status = app(standalone_mode=False)
    except typer.TyperException as error:  # typer carries a click of its own, whose errors are not click's
        sys.stderr.write(error.format_message() + "\n")
        return Exit.WRONG_USAGE
    except typer.Abort:
        return Exit.REFUSED
    except EXPECTED as error:
        sys.stderr.write(printable(_sentence(error)) + "\n")
        return Exit.WRONG_USAGE if isinstance(error, SettingsError | BadCursorError) else Exit.REFUSED
    return status if isinstance(status, int) else Exit.DONE


def _sentence(error: Exception) -> str:
    match error:
        case ConfigurationError():
            return "\n".join(error.problems)
        case asyncpg.UndefinedTableError():
            return NO_TABLES
        case asyncpg.PostgresError():
            return f"PostgreSQL refused ({type(error).__name__}). Nothing was changed."
        case DatabaseAwayError():
            return f"PostgreSQL could not be reached ({error}). Check SYNC_DATABASE_URL."
        case _:
            return str(error)


def run(work: Callable[[Settings], Awaitable[T]]) -> T:
    """Runs a command's work with the settings of the environment."""
    settings = read_settings()
    configure_logging(settings.log_format, logging.ERROR)  # a command answers in sentences

    async def whole() -> T:
        return await work(settings)

    return asyncio.run(whole())


def with_pool(work: Callable[[Pool, Settings], Awaitable[T]]) -> T:
    async def whole(settings: Settings) -> T:
        async with database(settings, patient=False) as pool:
            return await work(pool, settings)

    return run(whole)


def in_transaction(work: Callable[[Connection], Awaitable[T]]) -> T:
    async def whole(pool: Pool, _settings: Settings) -> T:
        async with transaction(pool) as connection:
            return await work(connection)

    return with_pool(whole)


def operator(actor: str) -> Actor:
    """Whoever has the command line has the database, so acts as a global administrator."""
    if not actor.strip():
        raise RefusedError("--actor is empty. Say who does this; it goes into the sync log.")
    return Actor(actor, Role.GLOBAL_ADMIN)


def refuse(sentence: str) -> NoReturn:
    raise RefusedError(sentence)


def say(text: str) -> None:
    sys.stdout.write(printable(text) + "\n")


def say_json(view: BaseModel | dict[str, object]) -> None:
    """As it is stored: machines read it."""
    text = view.model_dump_json(indent=2) if isinstance(view, BaseModel) else json.dumps(view, indent=2, default=str)
    sys.stdout.write(text + "\n")


def say_table(titles: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """A plain table that a screen reader and `grep` can follow: no boxes, one line a row."""
    if not rows:
        say(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="", show_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*[shown(cell) for cell in row])
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False, color_system=None)
    console.print(table)


def say_facts(facts: Sequence[tuple[str, object]]) -> None:
    width = max(len(name) for name, _ in facts)
    for name, fact in facts:
        say(f"{name:<{width}}  {shown(fact)}")


def shown(cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, datetime):
        return f"{cell.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    return " ".join(printable(str(cell)).split("\n"))


def printable(text: str) -> str:
    """Without what moves a cursor, colours a terminal or turns the order of letters round; only line breaks stay."""
    return "".join(_printable(letter) for letter in text)


def _printable(letter: str) -> str:
    if letter.isprintable() or letter == "\n":
        return letter
    return " " if letter.isspace() else ""
