"""`item`: where is my reimbursement, and why."""

from typing import Annotated

import typer

from worker import decisions, insights
from worker.cli.answering import (
    SOURCE,
    ActorOption,
    JsonFlag,
    LimitOption,
    OrganizationArgument,
    ReasonOption,
    in_transaction,
    operator,
    refuse,
    say,
    say_facts,
    say_json,
    say_table,
)
from worker.decisions import Decided, NotDecided
from worker.domain.states import ItemState
from worker.insights import PAGE
from worker.store.database import Connection
from worker.views import ItemDetail, ItemPage

app = typer.Typer(help="Where is my reimbursement, and why.", no_args_is_help=True)

ReimbursementArgument = Annotated[str, typer.Argument(metavar="REIMBURSEMENT", help="The reimbursement's ID.")]


@app.command("list")
def list_(
    organization: OrganizationArgument,
    *,
    state: Annotated[ItemState | None, typer.Option("--state", help="Only those in this state.")] = None,
    after: Annotated[str | None, typer.Option("--after", help="The cursor `next` of the page before.")] = None,
    limit: LimitOption = PAGE,
    as_json: JsonFlag = False,
) -> None:
    """List an organisation's reimbursements, oldest first.

    Example: accounting-sync item list hlf --state rejected
    """

    async def work(connection: Connection) -> ItemPage:
        return await insights.item_page(connection, organization, state, after, limit)

    page = in_transaction(work)
    if as_json:
        say_json(page)
        return
    rows = [
        (
            item.reimbursement_id,
            item.state,
            item.total,
            item.currency,
            item.document.number if item.document else None,
            item.reason or item.waiting_for,
        )
        for item in page.items
    ]
    titles = ["REIMBURSEMENT", "STATE", "TOTAL", "CURRENCY", "DOCUMENT", "WHY OR WAITING FOR"]
    say_table(titles, rows, f"{organization} has no reimbursements{f' that are {state}' if state else ''}.")
    if page.next:
        say(f"There are more. Next page: --after {page.next}")


@app.command()
def show(
    organization: OrganizationArgument, reimbursement: ReimbursementArgument, *, as_json: JsonFlag = False
) -> None:
    """Show one reimbursement with every attempt.

    Example: accounting-sync item show hlf R-2026-000417
    """

    async def work(connection: Connection) -> ItemDetail | None:
        return await insights.item_detail(connection, organization, reimbursement)

    item = in_transaction(work)
    if item is None:
        refuse(f"{organization} has no reimbursement {reimbursement}. Check the number.")
    if as_json:
        say_json(item)
        return
    _say(item)


@app.command()
def retry(
    organization: OrganizationArgument,
    reimbursement: ReimbursementArgument,
    *,
    actor: ActorOption,
    reason: ReasonOption,
    as_json: JsonFlag = False,
) -> None:
    """Send a rejected reimbursement round again, once its cause is mended; have an unknown outcome looked up once more;
    have receipts that were given up tried again.

    Example: accounting-sync item retry hlf R-2026-000417 --actor user-9 --reason "Mapping mended"
    """

    async def work(connection: Connection) -> Decided | NotDecided:
        return await decisions.retry(
            connection, organization, reimbursement, actor=operator(actor), reason=reason, source=SOURCE
        )

    _say_decision(reimbursement, in_transaction(work), as_json=as_json)


@app.command("handled-elsewhere")
def handled_elsewhere(
    organization: OrganizationArgument,
    reimbursement: ReimbursementArgument,
    *,
    actor: ActorOption,
    reason: ReasonOption,
    as_json: JsonFlag = False,
) -> None:
    """Say that somebody has booked it by hand, or that it is not to be booked. It will never be sent.

    Example: accounting-sync item handled-elsewhere hlf R-2026-000417 --actor user-9 --reason "Voucher 20417"
    """

    async def work(connection: Connection) -> Decided | NotDecided:
        return await decisions.hand_over(
            connection, organization, reimbursement, actor=operator(actor), reason=reason, source=SOURCE
        )

    _say_decision(reimbursement, in_transaction(work), as_json=as_json)


def _say_decision(reimbursement: str, decided: Decided | NotDecided, *, as_json: bool) -> None:
    if isinstance(decided, NotDecided):
        refuse(decided.sentence)
    if as_json:
        say_json({"reimbursement_id": reimbursement, "state": decided.state})
    else:
        say(_said(reimbursement, decided.state))


def _said(reimbursement: str, state: ItemState) -> str:
    if state is ItemState.UNKNOWN:
        return f"The outcome of {reimbursement} is unknown; it is looked up at the ERP once more."
    if state is ItemState.SYNCED:
        return f"The receipts of {reimbursement} that were given up wait to be tried again."
    return f"{reimbursement} is {state.replace('_', ' ')} now."


def _say(item: ItemDetail) -> None:
    say_facts(
        [
            ("reimbursement", item.reimbursement_id),
            ("state", item.state),
            ("total", f"{item.total} {item.currency}"),
            ("document", item.document.number if item.document else None),
            ("link", item.document.url if item.document else None),
            ("why", item.reason),
            ("waiting for", item.waiting_for),
            ("approved", item.approved_at),
            ("received", item.received_at),
            ("connector", item.connector),
            ("reference", item.reference),
        ]
    )
    say("")
    rows = [(one.attempt, one.kind, one.outcome, one.claimed_at, one.recorded_at, one.detail) for one in item.attempts]
    say_table(["ATTEMPT", "ENTRY", "OUTCOME", "CLAIMED", "RECORDED", "DETAIL"], rows, "No attempts yet.")
    if item.receipts:
        say("")
        files = [(one.receipt, one.state, one.tries, one.due_at, one.reason) for one in item.receipts]
        say_table(["RECEIPT", "STATE", "TRIES", "NEXT TRY", "WHY"], files, "No receipts.")
