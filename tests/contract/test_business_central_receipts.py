"""Receipts at Business Central: each file once on its invoice, whole, whatever is lost on the way."""

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
import pytest_asyncio

from connectors.contract import (
    Attached,
    Attaching,
    AttachOutcome,
    NotSent,
    Posted,
    ReceiptFile,
    Rejected,
    Unavailable,
    Unknown,
)
from deploy.local.sandboxes.faults import Action, FaultRule
from tests.contract.bench import Permit, SandboxBench
from tests.integration.sandboxes.clients import BusinessCentralClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

PDF = ReceiptFile("receipt-01-0a0a0a0a0a0a.pdf", "application/pdf", b"%PDF-1.7 a receipt")
PICTURE = ReceiptFile("receipt-02-0b0b0b0b0b0b.jpg", "image/jpeg", b"\xff\xd8 another")
LOOKING, MAKING, FILLING = "invoice_attachments", "create_attachment", "fill_attachment"
LOST = [Action.CUT_AFTER, Action.TRUNCATE, Action.REFUSE_AFTER]
"""The ERP did it, and its answer does not say so."""


class Desk:
    """A posted invoice, our connector, and a bookkeeper's own look at what hangs on the invoice."""

    def __init__(self, connector: Attaching, invoice: str, clerk: BusinessCentralClient) -> None:
        self._connector = connector
        self.invoice = invoice
        self.clerk = clerk

    async def attach(self, receipt: ReceiptFile = PDF, permit: Permit | None = None) -> AttachOutcome:
        return await self._connector.attach(self.invoice, receipt, permit or Permit())

    async def files(self) -> list[tuple[str, int]]:
        """(name, size), in the order of their names."""
        reply = await self.clerk.call("GET", f"/purchaseInvoices({self.invoice})/attachments")
        return sorted((row["fileName"], row["byteSize"]) for row in reply.body["value"])

    async def leave_empty(self, name: str) -> None:
        content = {"parentId": self.invoice, "parentType": "Purchase Invoice", "fileName": name}
        assert (await self.clerk.call("POST", "/attachments", json=content)).status == 201


@pytest_asyncio.fixture(loop_scope="module")
async def desk(business_central: SandboxBench) -> AsyncIterator[Desk]:
    connector = business_central.connect(attach_receipts=True)
    posted = await connector.post(business_central.posting(), Permit())
    assert isinstance(posted, Posted)
    assert isinstance(connector, Attaching)
    async with aiohttp.ClientSession() as http:
        clerk = BusinessCentralClient(business_central.sandbox, http)
        await clerk.sign_in()
        yield Desk(connector, posted.document.erp_id, clerk)


def whole(*receipts: ReceiptFile) -> list[tuple[str, int]]:
    return [(receipt.name, len(receipt.content)) for receipt in receipts]


async def test_receipts_hang_on_the_posted_invoice_whole(desk: Desk) -> None:
    assert [await desk.attach(PDF), await desk.attach(PICTURE)] == [Attached(), Attached()]
    assert await desk.files() == whole(PDF, PICTURE)


async def test_ten_mebibytes_arrive_whole(desk: Desk) -> None:
    large = replace(PDF, content=b"x" * (10 * 1024 * 1024))
    assert await desk.attach(large) == Attached()
    assert await desk.files() == whole(large)


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("kind", [MAKING, FILLING])
async def test_a_lost_answer_doubles_nothing_however_often_it_is_tried(
    business_central: SandboxBench, desk: Desk, kind: str, lost: Action
) -> None:
    await business_central.sandbox.set_faults(FaultRule(action=lost, kind=kind, status=500))
    assert not isinstance(await desk.attach(), Rejected)
    await business_central.sandbox.set_faults()
    assert [await desk.attach(), await desk.attach()] == [Attached(), Attached()]
    assert await desk.files() == whole(PDF)


async def test_a_request_that_may_still_make_an_attachment_is_unknown_so_that_nobody_makes_another_at_once(
    business_central: SandboxBench, desk: Desk
) -> None:
    for action in (Action.LATE_APPLY, Action.CUT_AFTER, Action.TRUNCATE):
        await business_central.sandbox.set_faults(FaultRule(action=action, kind=MAKING, seconds=3600))
        assert isinstance(await desk.attach(replace(PDF, name=f"{action}.pdf")), Unknown)
    for status in (500, 502, 504):
        await business_central.sandbox.set_faults(FaultRule(action=Action.REFUSE_BEFORE, kind=MAKING, status=status))
        assert isinstance(await desk.attach(), Unknown)


async def test_one_that_was_left_empty_is_filled_and_not_made_again(business_central: SandboxBench, desk: Desk) -> None:
    await desk.leave_empty(PDF.name.upper())
    made = (await business_central.sandbox.requests())[MAKING]
    assert await desk.attach() == Attached()
    assert await desk.files() == [(PDF.name.upper(), len(PDF.content))]
    assert (await business_central.sandbox.requests())[MAKING] == made


async def test_one_that_was_cut_short_is_filled_anew(desk: Desk) -> None:
    await desk.attach(replace(PDF, content=PDF.content[:5]))
    assert await desk.attach() == Attached()
    assert await desk.files() == whole(PDF)


async def test_one_that_is_there_costs_one_request(business_central: SandboxBench, desk: Desk) -> None:
    await desk.attach()
    before = await business_central.sandbox.requests()
    assert await desk.attach() == Attached()
    after = await business_central.sandbox.requests()
    assert {kind: after[kind] - before.get(kind, 0) for kind in after if after[kind] != before.get(kind, 0)} == {
        LOOKING: 1
    }


@pytest.mark.parametrize("kind", [LOOKING, MAKING, FILLING])
@pytest.mark.parametrize(("status", "outcome"), [(429, NotSent), (503, NotSent), (403, Unavailable)])
async def test_what_passes_is_tried_again_and_nothing_is_left_behind(
    business_central: SandboxBench, desk: Desk, kind: str, status: int, outcome: type[AttachOutcome]
) -> None:
    await business_central.sandbox.set_faults(FaultRule(action=Action.REFUSE_BEFORE, kind=kind, status=status))
    assert isinstance(await desk.attach(), outcome)
    await business_central.sandbox.set_faults()
    assert await desk.attach() == Attached()
    assert await desk.files() == whole(PDF)


@pytest.mark.parametrize("kind", [MAKING, FILLING])
async def test_what_business_central_refuses_is_refused_without_its_own_words(
    business_central: SandboxBench, desk: Desk, kind: str
) -> None:
    refusal = FaultRule(
        action=Action.REFUSE_BEFORE, kind=kind, status=400, code="Application_Dialog", message="Kari Nordmann"
    )
    await business_central.sandbox.set_faults(refusal)
    expected = Rejected("refused", "Business Central refused the receipt (Application_Dialog).")
    assert await desk.attach() == expected


async def test_an_ended_permit_lets_nothing_out(business_central: SandboxBench, desk: Desk) -> None:
    before = await business_central.sandbox.requests()
    assert isinstance(await desk.attach(permit=Permit(valid=False)), NotSent)
    after = await business_central.sandbox.requests()
    assert (after.get(MAKING), after.get(FILLING)) == (before.get(MAKING), before.get(FILLING))
    assert await desk.files() == []


async def test_an_invoice_that_is_gone_makes_no_attachment(desk: Desk) -> None:
    desk.invoice = "c4a0c1de-58f7-4b6f-8c2e-000000000000"
    outcome = await desk.attach()
    assert isinstance(outcome, NotSent)
    assert "Internal_RecordNotFound" in outcome.reason


@pytest.mark.parametrize("kind", [MAKING, FILLING])
@pytest.mark.parametrize(
    ("status", "code"), [(404, "Internal_RecordNotFound"), (409, "Internal_EntityWithSameKeyExists")]
)
async def test_what_another_look_may_settle_is_tried_again(
    business_central: SandboxBench, desk: Desk, kind: str, status: int, code: str
) -> None:
    rule = FaultRule(action=Action.REFUSE_BEFORE, kind=kind, status=status, code=code, message="Kari Nordmann")
    await business_central.sandbox.set_faults(rule)
    assert await desk.attach() == NotSent(f"Business Central refused the receipt ({code}).")
    await business_central.sandbox.set_faults()
    assert await desk.attach() == Attached()
    assert await desk.files() == whole(PDF)


async def test_a_connector_attaches_receipts_only_where_that_is_set(
    business_central: SandboxBench, xledger: SandboxBench
) -> None:
    wanted, unwanted = business_central.connect(attach_receipts=True), business_central.connect()
    assert isinstance(wanted, Attaching)
    assert isinstance(unwanted, Attaching)
    assert (wanted.attaches_receipts, unwanted.attaches_receipts) == (True, False)
    assert not isinstance(xledger.connect(), Attaching)
