"""What `make run` prints at the end: plain tables, one line a row, readable without colours."""

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table

from deploy.local.sample.evidence import Evidence, LogLine
from deploy.local.sample.expectation import Expectation
from deploy.local.sample.judgement import Judgement, Row
from deploy.local.sample.story import Played

WIDEST = 400  # a line is never broken: a terminal that is too narrow breaks it itself


def print_summary(evidence: Evidence, played: Played, expected: Expectation, judgement: Judgement) -> None:
    _print_items(judgement.rows)
    _print_dead_letters(evidence, expected)
    _print_log(evidence.log)
    _heading("Manual sync while off")
    for organization, answer in played.refusals.items():
        _say(f"{organization}  exit {answer.status}  {answer.complaint}")
    _say("")
    _say(_summary_line(evidence, played, judgement))
    for difference in judgement.differences:
        _say(f"DIFFERS  {difference}")


def _print_items(rows: Sequence[Row]) -> None:
    _heading("Reimbursements: PostgreSQL against the ERPs' own ledgers")
    titles = ["ORGANISATION", "REIMBURSEMENT", "AMOUNT", "WHAT HAPPENED", "POSTGRESQL", "AT THE ERP", "AGREE"]
    cells = [(*row.item, row.amount, row.way, row.state, row.document or "-", _word(row.agrees)) for row in rows]
    _print_table(titles, cells)


def _print_dead_letters(evidence: Evidence, expected: Expectation) -> None:
    _heading("Records that could not be accepted: dead letters")
    cells = [
        (reason, str(expected.dead_letters.get(reason, 0)), str(evidence.dead_letters.get(reason, 0)))
        for reason in sorted({*expected.dead_letters, *evidence.dead_letters})
    ]
    _print_table(["REASON", "EXPECTED", "FOUND"], cells)
    _say(f"Duplicates, counted and dropped: {evidence.duplicates} (expected {expected.duplicates})")


def _print_log(log: Sequence[LogLine]) -> None:
    _heading("Sync log")
    cells = [
        (
            f"{line.at:%H:%M:%S}",
            line.actor,
            line.organization,
            line.connector or "-",
            line.change,
            line.new_state or "-",
            line.reason or "-",
        )
        for line in log
    ]
    _print_table(["UTC", "WHO", "ORGANISATION", "CONNECTOR", "CHANGE", "NEW STATE", "REASON"], cells)


def _summary_line(evidence: Evidence, played: Played, judgement: Judgement) -> str:
    synced = sum(row.state == "synced" for row in judgement.rows)
    dead = sum(evidence.dead_letters.values())
    log = "whole" if played.log_check.status == 0 else "BROKEN"
    counts = (
        f"{played.published} records: {synced} synced, {len(judgement.rows) - synced} waiting, "
        f"{evidence.duplicates} duplicates, {dead} dead letters, {_toggles(evidence.log)} toggles; "
        f"the sync log is {log}."
    )
    return f"{counts} {_verdict(len(judgement.differences))}"


def _toggles(log: Sequence[LogLine]) -> int:
    """Those that came by Kafka are applied or refused; the operator's one is not among the records."""
    return sum(line.change in ("connector_enabled", "toggle_refused") for line in log)


def _verdict(differences: int) -> str:
    if not differences:
        return "Everything ended where it should."
    return f"{differences} {'thing differs' if differences == 1 else 'things differ'} from what should be."


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="", show_edge=False)
    for title in titles:
        table.add_column(title, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console(file=StringIO(), width=WIDEST, highlight=False, markup=False, color_system=None)
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        _say(line.rstrip())


def _heading(text: str) -> None:
    _say(f"\n{text}")


def _say(text: str) -> None:
    print(text, flush=True)


def _word(agrees: bool) -> str:
    return "yes" if agrees else "NO"
