"""`make run`: the whole of it on this machine, playing the sample; Ctrl-C ends it and leaves nothing."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from deploy.local.choice import MissingError
from deploy.local.identity.people import PEOPLE
from deploy.local.processes import ServiceError
from deploy.local.sample import evidence
from deploy.local.sample.command_line import PROGRAM
from deploy.local.sample.expectation import Expectation, read_expectation
from deploy.local.sample.judgement import judge
from deploy.local.sample.records import Events, read_events
from deploy.local.sample.stack import Stack, running_stack
from deploy.local.sample.story import storyteller
from deploy.local.sample.tables import print_summary

SAMPLE = Path(__file__).with_name("sample")
INTERRUPTED = 128 + signal.SIGINT
TAIL_LINES = 20
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    """What is played, and where it should end."""

    events: Events
    expected: Expectation


def main(arguments: Sequence[str]) -> int:
    """The exit status. 0: every item of the sample ended where it should."""
    options = _options(arguments)
    # What is wrong is said below in a sentence; connections that Ctrl-C cut while they were made are not wrong.
    for name in ("aiokafka", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return asyncio.run(_run(options.once, options.sample))
    except (MissingError, ServiceError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", flush=True)
        return INTERRUPTED
    except SystemExit as leaving:  # SIGTERM, told by Services
        print("Stopped.", flush=True)
        return leaving.code if isinstance(leaving.code, int) else 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="start everything and play the sample")
    run.add_argument("--once", action="store_true", help="end after the summary; exit 0 only if all is as it should be")
    run.add_argument(
        "--sample", type=Path, default=SAMPLE, metavar="FOLDER", help="another folder with events/ and expected.json"
    )
    return parser.parse_args(arguments)


async def _run(once: bool, folder: Path) -> int:
    sample = _read(folder)
    async with running_stack(_say) as stack:
        as_expected = await _played_well(stack, sample)
        if not once:
            await _stay(stack)
        return 0 if as_expected else 1


def _read(folder: Path) -> Sample:
    """Raises ServiceError, before anything is started."""
    try:
        return Sample(read_events(folder / "events"), read_expectation(folder / "expected.json"))
    except (OSError, ValidationError) as error:
        raise ServiceError(f"The sample in {folder} can't be read: {error}") from None


async def _played_well(stack: Stack, sample: Sample) -> bool:
    """Plays the sample, prints what came of it, and answers whether all is as it should be."""
    _say("")
    try:
        as_expected = await _play(stack, sample)
    except ServiceError as error:
        _say(f"DIFFERS  {error}")
        as_expected = False
    if not as_expected:
        _say_tail(stack)
    return as_expected


async def _play(stack: Stack, sample: Sample) -> bool:
    async with storyteller(stack, sample.events, _say) as story:
        played = await story.play()
        found = await evidence.collect(stack, story.database)
    judgement = judge(found, played, sample.expected)
    print_summary(found, played, sample.expected, judgement)
    return not judgement.differences


async def _stay(stack: Stack) -> None:
    """Until Ctrl-C. Raises ServiceError where the worker ends by itself."""
    _say_where_to_look(stack)
    while stack.worker.running:  # noqa: ASYNC110 -- the end of a child sets no event
        await asyncio.sleep(LOOK_SECONDS)
    raise stack.worker.failure("ended by itself")


def _say_where_to_look(stack: Stack) -> None:
    places = [
        ("screens", f"{stack.screens_url}/  API: {stack.screens_url}/api/v1"),
        ("sign in as", f"{', '.join(PEOPLE)} (no password)"),
        ("identity provider", stack.identity.issuer),
        ("database", f"psql {stack.database_url}"),
        ("broker", stack.services.bootstrap_servers),
        ("worker", f"{stack.probe_url}/readyz  {stack.probe_url}/metrics"),
        ("its log", str(stack.worker.log)),
        *((erp, f"{process.url}  {process.ledger_file}") for erp, process in stack.erps.items()),
        ("commands", f". {stack.environment_file} && {PROGRAM} organization list"),
    ]
    _say("\nWhere to look")
    for name, place in places:
        _say(f"{name:<17} {place}")
    _say("\nRunning until Ctrl-C.")


def _say_tail(stack: Stack) -> None:
    lines = stack.worker.output().splitlines()[-TAIL_LINES:]
    _say("\nThe worker's log ends with")
    for line in lines:
        _say(f"    {line}")


def _say(text: str) -> None:
    print(text, flush=True)
