"""`contracts`: what other teams build against."""

from pathlib import Path
from typing import Annotated

import typer

from schemas import publish
from worker.cli.answering import JsonFlag, refuse, say, say_json

app = typer.Typer(help="What other teams build against.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keeps `export` a command of its own."""


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made where it is missing.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Write the JSON Schemas, the AsyncAPI document and the examples of all events into a folder.

    Example: accounting-sync contracts export ./contracts
    """
    try:
        written = publish.export(folder)
    except OSError as error:
        refuse(f"The folder can't be written: {error.strerror}. Name another one.")
    if as_json:
        say_json({"written": written})
    else:
        say(f"Wrote {len(written)} files into {folder}.")
