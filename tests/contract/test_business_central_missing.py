"""What is missing, or there already: of one item, or of the whole company? Business Central's code decides."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import aiohttp
import pytest
import pytest_asyncio

from connectors.contract import NotSent, Posted, Posting, PostingLine, Rejected, Unavailable
from deploy.local.sandboxes.faults import Action, FaultRule
from tests.contract.bench import Permit, SandboxBench
from tests.integration.sandboxes.clients import BusinessCentralClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_SET_UP = "The VAT Posting Setup does not exist. Identification fields and values: VAT Prod. Posting Group='HOEY'"
TAKEN = "The record in table Purchase Header already exists. Identification fields and values: No.='107001'"
OF_THE_ITEM = [(404, "Internal_RecordNotFound", NO_SET_UP), (409, "Internal_EntityWithSameKeyExists", TAKEN)]
OF_THE_COMPANY = [
    "Internal_CompanyNotFound",
    "Internal_TenantUnavailable",
    "BadRequest_ResourceNotFound",
    "BadRequest_NotFound",
    None,
]


@pytest_asyncio.fixture(loop_scope="module")
async def clerk(business_central: SandboxBench) -> AsyncIterator[BusinessCentralClient]:
    """A bookkeeper at Business Central itself. Nothing is refused any more afterwards."""
    async with aiohttp.ClientSession() as session:
        clerk = BusinessCentralClient(business_central.sandbox, session)
        await clerk.sign_in()
        yield clerk
    await business_central.sandbox.change_settings(refusals={}, leaves_out_dimensions=False)


async def refuse(bench: SandboxBench, kind: str, status: int, code: str | None, message: str = "Gone.") -> None:
    rule = FaultRule(action=Action.REFUSE_BEFORE, kind=kind, status=status, code=code, message=message)
    await bench.sandbox.set_faults(rule)


def with_dimensions(bench: SandboxBench) -> Posting:
    return bench.posting(lines=(PostingLine("7140", Decimal("1250.50"), "Train", None, {"AVD": "10"}),))


async def delete_meanwhile(bench: SandboxBench, clerk: BusinessCentralClient, posting: Posting, kind: str) -> object:
    """The outcome of posting, where somebody deletes the draft while the request of this kind is on its way."""
    await bench.sandbox.hold([kind])
    delivery = asyncio.create_task(bench.connect().post(posting, Permit()))
    await bench.sandbox.wait_held(1)
    (draft,) = await clerk.find(posting.reference)
    await clerk.call("DELETE", f"/purchaseInvoices({draft['id']})", headers={"If-Match": "*"})
    await bench.sandbox.release()
    return await delivery


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize("kind", ["create_invoice", "post_invoice"])
@pytest.mark.parametrize(("status", "code", "message"), OF_THE_ITEM)
async def test_what_one_item_lacks_or_collides_with_rejects_that_item_and_leaves_no_draft(
    business_central: SandboxBench,
    clerk: BusinessCentralClient,
    kind: str,
    status: int,
    code: str,
    message: str,
    attempt: int,
) -> None:
    posting = business_central.posting(attempt=attempt)
    await refuse(business_central, kind, status, code, message)
    assert await business_central.connect().post(posting, Permit()) == Rejected(code, message)
    assert await clerk.find(posting.reference) == []
    await business_central.sandbox.set_faults()
    assert isinstance(await business_central.connect().post(replace(posting, attempt=attempt + 1), Permit()), Posted)
    assert len(await business_central.documents(posting)) == 1


@pytest.mark.parametrize("kind", ["create_invoice", "post_invoice"])
@pytest.mark.parametrize("code", OF_THE_COMPANY)
async def test_a_company_that_is_gone_makes_the_connector_unavailable(
    business_central: SandboxBench, kind: str, code: str | None
) -> None:
    await refuse(business_central, kind, 404, code)
    outcome = await business_central.connect().post(business_central.posting(), Permit())
    assert isinstance(outcome, Unavailable)
    assert "no such company" in outcome.reason


@pytest.mark.parametrize("kind", ["create_invoice", "post_invoice"])
async def test_a_collision_with_our_own_document_is_that_document(business_central: SandboxBench, kind: str) -> None:
    posting, connector = business_central.posting(), business_central.connect()
    first = await connector.post(posting, Permit())
    await business_central.sandbox.change_settings(duplicates="refused_at_posting")
    await refuse(business_central, kind, 409, "Internal_EntityWithSameKeyExists", TAKEN)
    again = await connector.post(posting, Permit())
    await business_central.sandbox.change_settings(duplicates="refused_once_posted")
    assert isinstance(first, Posted)
    assert again == first


@pytest.mark.parametrize("kind", ["get_invoice", "batch", "post_invoice"])
async def test_a_draft_that_somebody_deletes_meanwhile_is_not_sent_and_made_anew(
    business_central: SandboxBench, clerk: BusinessCentralClient, kind: str
) -> None:
    posting = with_dimensions(business_central)
    await business_central.sandbox.change_settings(leaves_out_dimensions=True)
    outcome = await delete_meanwhile(business_central, clerk, posting, kind)
    assert outcome == NotSent("The draft was gone before it could be posted.")
    again = await business_central.connect().post(replace(posting, attempt=2), Permit())
    assert isinstance(again, Posted)
    assert len(await business_central.documents(posting)) == 1


@pytest.mark.parametrize("code", ["Internal_RecordNotFound", *OF_THE_COMPANY])
async def test_a_draft_that_cannot_be_read_because_it_is_missing_is_not_sent(
    business_central: SandboxBench, code: str | None
) -> None:
    await refuse(business_central, "get_invoice", 404, code)
    outcome = await business_central.connect().post(with_dimensions(business_central), Permit())
    assert isinstance(outcome, NotSent)


@pytest.mark.parametrize(("status", "code", "message"), OF_THE_ITEM)
async def test_what_is_missing_inside_a_batch_rejects_the_item_and_leaves_no_draft(
    business_central: SandboxBench, clerk: BusinessCentralClient, status: int, code: str, message: str
) -> None:
    posting = with_dimensions(business_central)
    refusal = {"status": status, "code": code, "message": message}
    await business_central.sandbox.change_settings(refusals={"add_dimension": refusal}, leaves_out_dimensions=True)
    assert await business_central.connect().post(posting, Permit()) == Rejected(code, message)
    assert await clerk.find(posting.reference) == []
