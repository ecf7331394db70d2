"""The machine as a line of the table of `make chaos`: a size of examples, shared by two processes."""

import asyncio
import shutil
import sys
import time
from asyncio.subprocess import PIPE, STDOUT

from rich.console import Console

from tests.chaos.battery import Row
from tests.chaos.oracle import Harm

NAME = "states"
SIZE = 5_000
PROCESSES = 2
PATIENT = ("nice", "-n", "10") if shutil.which("nice") else ()


async def play_states(database_url: str, size: int, seed: int, console: Console) -> Row:
    """A promise that breaks is shown with the shortest steps that lead there."""
    start = time.monotonic()
    share = -(-size // PROCESSES)
    told = await asyncio.gather(*(_examine(database_url, share, seed + place) for place in range(PROCESSES)))
    broken = [text for text in told if text is not None]
    for text in broken:
        console.print(text, soft_wrap=True, highlight=False, markup=False)
    seconds = time.monotonic() - start
    harm = {one: list[str]() for one in Harm} | {Harm.DIFFERENT: [_last_line(text) for text in broken]}
    return Row(NAME, "as shipped", size, 1, 0, {"example": share * PROCESSES}, harm, 0.0, seconds)


async def _examine(database_url: str, examples: int, seed: int) -> str | None:
    """What it says, where a promise broke."""
    program = [*PATIENT, sys.executable, "-m", "tests.state", database_url, f"{examples}", f"{seed}"]
    process = await asyncio.create_subprocess_exec(*program, stdout=PIPE, stderr=STDOUT)
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said.decode() if process.returncode else None


def _last_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.startswith("AssertionError: ")), "It broke off.")
