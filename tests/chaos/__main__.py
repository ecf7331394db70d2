"""`python -m tests.chaos [BATTERY …] [--scale 0.1] [--seed 7]`: 0 only if all held and every control was caught."""

import argparse
import asyncio
import math
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from rich.console import Console

from deploy.local.choice import MissingError
from deploy.local.services import Services
from tests.chaos.batteries import batteries
from tests.chaos.battery import Battery, Row, play, play_aimed, play_control
from tests.chaos.ground import Ground
from tests.chaos.table import print_table
from tests.state import battery as states

LONGEST_SECONDS = 45 * 60
WIDTH_OF_A_FILE = 170

Game = Callable[[], Awaitable[Row]]


async def _run(chosen: list[Battery | None], scale: float, seed: int, console: Console) -> bool:
    rows: list[Row] = []
    failed: list[str] = []
    limit = asyncio.timeout(LONGEST_SECONDS)
    try:
        async with limit, Services.start("test", tell=console.print) as services, Ground.open(services) as ground:
            aside = _states(ground, scale, seed, console) if None in chosen else None
            for name, game in _games(ground, [one for one in chosen if one], scale, seed):
                console.print(f"Playing {name}.")
                try:
                    rows.append(await game())
                except Exception:  # noqa: BLE001  # whatever broke one battery, the others are played and it is shown
                    console.print_exception()
                    failed.append(name)
            if aside is not None:
                rows.append(await aside)
    except TimeoutError:
        if not limit.expired():
            raise
        failed.append(f"all of it within {LONGEST_SECONDS / 60:.0f} minutes")
    finally:
        print_table(console, rows, seed)
    if failed:
        console.print(f"Not played to the end: {', '.join(failed)}.")
    return not failed and all(row.is_as_it_should_be for row in rows)


def _states(ground: Ground, scale: float, seed: int, console: Console) -> asyncio.Task[Row]:
    """The state machine breaks nothing that others use, so it is played beside the batteries."""
    console.print(f"Playing {states.NAME} beside the others.")
    examples = max(1, math.ceil(states.SIZE * scale))
    return asyncio.create_task(states.play_states(ground.services.database_url, examples, seed, console))


def _games(ground: Ground, chosen: list[Battery], scale: float, seed: int) -> Iterator[tuple[str, Game]]:
    """Each battery, then its controls, each first on the worker as it is shipped, unless that is the battery."""
    for battery in chosen:
        size = max(1, math.ceil(battery.size * scale))
        yield battery.name, partial(play, ground, battery, size, seed)
        for control in battery.controls:
            if control.strike is not battery.strike:
                yield f"{battery.name}, aimed", partial(play_aimed, ground, battery, control, seed)
            yield f"{battery.name}, {control.variant}", partial(play_control, ground, battery, control, seed)


def main() -> int:
    known: dict[str, Battery | None] = {battery.name: battery for battery in batteries()} | {states.NAME: None}
    parser = argparse.ArgumentParser(prog="make chaos", description="Fault batteries against the real worker.")
    parser.add_argument("battery", nargs="*", help=f"any of {', '.join(known)}; default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of faults; 1 is the full size")
    parser.add_argument("--seed", type=int, default=None, help="replays the choices of an earlier run")
    wanted = parser.parse_args()
    if unknown := set(wanted.battery) - set(known):
        parser.error(f"no battery called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    seed = secrets.randbelow(1_000_000) if wanted.seed is None else wanted.seed
    console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
    console.print(f"Seed {seed}: SEED={seed} replays its choices.")
    chosen = [known[name] for name in wanted.battery or known]
    try:
        return 0 if asyncio.run(_run(chosen, wanted.scale, seed, console)) else 1
    except MissingError as missing:
        console.print(str(missing))
        return 2


if __name__ == "__main__":
    sys.exit(main())
