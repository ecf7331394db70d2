"""`worker`: the long-running process."""

import sys
from typing import Annotated

import typer

from worker.bootstrap import run_worker
from worker.cli.answering import Exit
from worker.settings import read_worker_settings
from worker.telemetry import configure_logging

app = typer.Typer(help="The long-running process.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keeps `run` a command of its own."""


@app.command()
def run(
    *, as_json: Annotated[bool, typer.Option("--json", help="Log in JSON, whatever SYNC_LOG_FORMAT says.")] = False
) -> int:
    """Run the roles of SYNC_ROLES until SIGTERM; a second signal leaves at once.

    Example: SYNC_ROLES=intake,dispatch accounting-sync worker run
    """
    settings = read_worker_settings()
    configure_logging("json" if as_json else settings.log_format)
    if sys.platform == "win32":
        import asyncio as loops  # noqa: PLC0415  # uvloop does not exist there
    else:
        import uvloop as loops  # noqa: PLC0415  # the other half of the choice above
    status: int = loops.run(run_worker(settings))
    return Exit(status)
