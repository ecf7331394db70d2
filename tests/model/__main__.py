"""`python -m tests.model [NAME …]`: the table of all variants, or of those named, with their counterexamples in full.

Exits 1 where anything is not as it must be.
"""

import asyncio
import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from deploy.local.machine import probe
from deploy.local.processes import ServiceError
from deploy.local.run_folder import RunFolder
from tests.model.tlc import Answer, MissingTlcError, Tlc, find_tlc, run
from tests.model.variants import VARIANTS, Variant

WIDTH_OF_A_FILE = 170


def main(names: Sequence[str]) -> int:
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_A_FILE)
    unknown = [name for name in names if name not in VARIANTS]
    if unknown:
        console.print(f"Not known: {', '.join(unknown)}. Known: {', '.join(VARIANTS)}.")
        return 2
    try:
        tlc = asyncio.run(_tlc())
    except (MissingTlcError, ServiceError) as error:
        console.print(str(error), markup=False)
        return 2
    return _check(console, tlc, [VARIANTS[name] for name in names or VARIANTS], is_told_in_full=bool(names))


async def _tlc() -> Tlc:
    async with RunFolder.open() as folder:
        return await find_tlc(await asyncio.to_thread(probe, os.environ), folder)


def _check(console: Console, tlc: Tlc, variants: Sequence[Variant], *, is_told_in_full: bool) -> int:
    answers = []
    for variant in variants:
        with console.status(variant.title):
            answer = run(tlc, variant.constants, variant.checks)
        answers.append((variant, answer))
        if answer.broken and (is_told_in_full or not variant.is_as_expected(answer)):
            console.print(f"\n{variant.name}: {variant.title}\n{answer.trace}", markup=False, highlight=False)
    console.print(_table(answers))
    wrong = [variant.name for variant, answer in answers if not variant.is_as_expected(answer)]
    console.print(f"Not as it must be: {', '.join(wrong)}." if wrong else "Everything is as it must be.")
    return 1 if wrong else 0


def _table(answers: Sequence[tuple[Variant, Answer]]) -> Table:
    table = Table("variant", "what", title="The model of the protocol")
    for heading in ("states", "depth"):
        table.add_column(heading, justify="right")
    table.add_column("result")
    table.add_column("broke")
    table.add_column("seconds", justify="right")
    for variant, answer in answers:
        table.add_row(variant.name, variant.title, *_cells(variant, answer))
    return table


def _cells(variant: Variant, answer: Answer) -> Sequence[str]:
    result = "counterexample" if answer.broken else "holds"
    told = result if variant.is_as_expected(answer) else f"{result}: NOT AS IT MUST BE"
    return f"{answer.states:,}", str(answer.depth), told, answer.broken or "", f"{answer.seconds:.1f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
