"""`python -m tests.benchmarks [SECTION …] [--quick]`: measures, prints, and (whole runs) writes the results down."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module

import asyncpg
from rich.console import Console

from deploy.local.choice import MissingError
from deploy.local.services import Services
from tests.benchmarks import report
from tests.benchmarks.ground import Ground, make_peers_venv
from tests.benchmarks.results import Section

SECTIONS = ("intake", "dispatch", "latency", "scale", "workers")


async def _run(names: list[str], quick: bool, console: Console) -> None:
    peers_python = await make_peers_venv(console.print)
    async with Services.start("test", brokers=1, durable=True, tell=console.print) as services:
        ground = Ground(services, quick, console.print, peers_python)
        found = []
        for name in names:
            console.print(f"Measuring {name}.", style="bold")
            measure: Callable[[Ground], Awaitable[Section]] = import_module(f"tests.benchmarks.{name}").measure
            section = await measure(ground)
            report.show(console, section)
            found.append(section)
        if not quick:
            report.write(found, await _version(services.database_url))
            console.print(f"Written to {report.FOLDER}.")


async def _version(database_url: str) -> str:
    connection = await asyncpg.connect(database_url)
    try:
        return str(await connection.fetchval("show server_version"))
    finally:
        await connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="small numbers, one round: to see that it works")
    asked = parser.parse_args()
    unknown = set(asked.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"There is no section {min(unknown)}: choose from {', '.join(SECTIONS)}.")
    console = Console(highlight=False, soft_wrap=True)
    try:
        asyncio.run(_run(asked.sections or list(SECTIONS), asked.quick, console))
    except MissingError as missing:
        console.print(str(missing))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
