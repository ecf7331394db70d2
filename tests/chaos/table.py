"""The table that `make chaos` prints, and the sentences below it."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.chaos.battery import Row
from tests.chaos.oracle import Harm

SENTENCES_EACH = 5


def print_table(console: Console, rows: Sequence[Row], seed: int) -> None:
    caption = "Only a broken variant may do harm, and it must be caught at it."
    table = Table(title=f"Fault batteries, seed {seed}", caption=caption)
    for title in ("battery", "worker", "size", "approved", "faults", *Harm, "recovery s", "took s", ""):
        table.add_column(title, justify="left" if title in {"battery", "worker"} else "right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row), style=None if row.is_as_it_should_be else "bold red")
    console.print(table)
    for row in rows:
        _print_faults(console, row)
        if row.caught_by is None:
            _print_harm(console, row)


def _cells(row: Row) -> list[str]:
    return [
        row.battery,
        row.worker,
        str(row.size),
        str(row.approved),
        str(row.faults),
        *(str(len(row.harm[harm])) for harm in Harm),
        "never" if row.recovery is None else f"{row.recovery:.1f}",
        f"{row.seconds:.0f}",
        _word(row),
    ]


def _word(row: Row) -> str:
    if row.caught_by is not None:
        return "caught" if row.is_as_it_should_be else f"NOT CAUGHT as {row.caught_by}"
    return "held" if row.is_as_it_should_be else "BROKEN"


def _print_faults(console: Console, row: Row) -> None:
    counts = ", ".join(f"{name} {number}" for name, number in sorted(row.struck.items()))
    console.print(f"{row.battery} ({row.worker}): {counts}", soft_wrap=True, highlight=False)


def _print_harm(console: Console, row: Row) -> None:
    for harm, sentences in row.harm.items():
        for sentence in sentences[:SENTENCES_EACH]:
            console.print(f"  {harm}: {sentence}", soft_wrap=True, highlight=False)
        if len(sentences) > SENTENCES_EACH:
            console.print(f"  {harm}: and {len(sentences) - SENTENCES_EACH} more.")
