"""Open and closed periods of Xledger, and how few requests they cost."""

import asyncio
from dataclasses import replace
from datetime import date

import pytest

from connectors.contract import Accepted, Found, ImportRefused, NotSent, PostingLine, Rejected, Unavailable
from deploy.local.sandboxes.faults import Action, FaultRule
from tests.contract.bench import Permit, SandboxBench
from tests.unit.connectors.samples import mapping

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLOSED = date(2025, 12, 15)
FIRST_OPEN = date(2026, 1, 1)
NEVER_OPEN = date(2036, 1, 1)


async def asked(bench: SandboxBench, kind: str) -> int:
    return (await bench.sandbox.requests()).get(kind, 0)


async def test_a_posting_that_may_move_is_booked_on_the_first_open_day_and_says_the_day_it_was_for(
    xledger: SandboxBench,
) -> None:
    posting, connector = xledger.posting(posting_date=CLOSED, moves_to_open_period=True), xledger.connect()
    assert isinstance(await connector.post(posting, Permit()), Accepted)
    (document,) = await xledger.documents(posting)
    assert document.posting_date == FIRST_OPEN
    assert [line.text for line in document.lines] == ["Train (orig. 2025-12-15)", "meals (orig. 2025-12-15)"]


async def test_a_posting_that_may_move_and_need_not_stays_on_its_day(xledger: SandboxBench) -> None:
    posting, connector = xledger.posting(moves_to_open_period=True), xledger.connect()
    await connector.post(posting, Permit())
    (document,) = await xledger.documents(posting)
    assert document.posting_date == posting.posting_date
    assert [line.text for line in document.lines] == ["Train", "meals"]


async def test_the_open_periods_cost_one_request_for_many_postings_and_none_where_nothing_moves(
    xledger: SandboxBench,
) -> None:
    connector, before = xledger.connect(), await asked(xledger, "periodStatusItems")
    await asyncio.gather(*(connector.post(xledger.posting(), Permit()) for _ in range(20)))
    assert await asked(xledger, "periodStatusItems") == before
    moving = [xledger.posting(posting_date=CLOSED, moves_to_open_period=True) for _ in range(20)]
    await asyncio.gather(*(connector.post(posting, Permit()) for posting in moving))
    assert await asked(xledger, "periodStatusItems") == before + 1


async def test_where_no_later_period_is_open_it_is_rejected_and_nothing_is_sent(xledger: SandboxBench) -> None:
    posting, before = xledger.posting(posting_date=NEVER_OPEN, moves_to_open_period=True), await xledger.carried()
    outcome = await xledger.connect().post(posting, Permit())
    assert outcome == Rejected("no_open_period", "No period from 2036-01 on is open in Xledger. Open one, then retry.")
    assert await xledger.carried() == before


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (FaultRule(action=Action.CUT_BEFORE), NotSent),
        (FaultRule(action=Action.HTML), NotSent),
        (FaultRule(action=Action.TOO_MANY_REQUESTS), NotSent),
        (FaultRule(action=Action.UNAUTHORIZED), Unavailable),
    ],
)
async def test_while_the_periods_cannot_be_read_nothing_is_sent(
    xledger: SandboxBench, fault: FaultRule, outcome: type
) -> None:
    await xledger.sandbox.set_faults(fault.model_copy(update={"kind": "periodStatusItems"}))
    posting, before = xledger.posting(moves_to_open_period=True), await xledger.carried()
    assert isinstance(await xledger.connect().post(posting, Permit()), outcome)
    assert await xledger.carried() == before


async def test_a_closed_period_is_named_with_what_to_do_and_with_xledgers_own_words(xledger: SandboxBench) -> None:
    posting, connector = xledger.posting(posting_date=CLOSED), xledger.connect()
    await connector.post(posting, Permit())
    await xledger.settle()
    refused = await xledger.find(connector, posting)
    assert isinstance(refused, ImportRefused)
    assert refused.code == "closed_period"
    assert refused.message == (
        "The period 2025-12 is closed in Xledger. Open it, or set posting_date to first_open_date, then retry. "
        "Xledger says: Period is closed for posted date 2025-12-15."
    )


async def test_after_first_open_date_is_configured_a_retry_of_a_closed_period_is_booked(xledger: SandboxBench) -> None:
    posting = xledger.posting(posting_date=CLOSED)
    await xledger.connect().post(posting, Permit())
    await xledger.settle()
    connector = xledger.connect(mapping=mapping(posting_date="first_open_date"))
    again = replace(posting, moves_to_open_period=True, attempt=2)
    assert isinstance(await connector.post(again, Permit()), Accepted)
    (document,) = await xledger.documents(posting)
    assert document.posting_date == FIRST_OPEN
    assert isinstance(await xledger.find(connector, posting), Found)


async def test_what_an_earlier_try_booked_on_another_day_is_not_booked_again(xledger: SandboxBench) -> None:
    """The period was closed after the first try."""
    posting, connector = xledger.posting(), xledger.connect()
    await connector.post(posting, Permit())
    (document,) = await xledger.documents(posting)
    moved = replace(posting, posting_date=NEVER_OPEN, moves_to_open_period=True, attempt=2)
    outcome = await connector.post(moved, Permit())
    assert not isinstance(outcome, Rejected | Accepted)
    assert len(await xledger.documents(posting)) == 1
    assert document.posting_date == posting.posting_date


async def test_another_refusal_is_not_called_a_closed_period(xledger: SandboxBench) -> None:
    line = PostingLine("9999", xledger.posting().total, "?")
    posting, connector = xledger.posting(lines=(line,)), xledger.connect()
    await connector.post(posting, Permit())
    await xledger.settle()
    refused = await xledger.find(connector, posting)
    assert isinstance(refused, ImportRefused)
    assert (refused.code, refused.message) == ("import_refused", "Account 9999 does not exist.")
