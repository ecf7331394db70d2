import asyncio

import aiohttp
import pytest

from deploy.local.sandboxes.faults import Action, FaultRule
from deploy.local.sandboxes.ledger import documents_per_reference
from tests.integration.sandboxes.clients import BusinessCentralClient, XledgerClient, voucher

pytestmark = pytest.mark.asyncio(loop_scope="module")

BROKEN = (aiohttp.ClientError, TimeoutError)


async def _applied(central: BusinessCentralClient, reference: str) -> list[bool]:
    return [each.applied for each in await central.erp.ledger() if each.reference == reference]


@pytest.mark.parametrize(
    ("rule", "status", "applied"),
    [
        (FaultRule(action=Action.REFUSE_BEFORE), 503, False),
        (FaultRule(action=Action.REFUSE_BEFORE, status=502), 502, False),
        (FaultRule(action=Action.REFUSE_AFTER), 500, True),
        (FaultRule(action=Action.REFUSE_AFTER, status=504), 504, True),
        (FaultRule(action=Action.TOO_MANY_REQUESTS), 429, False),
        (FaultRule(action=Action.UNAUTHORIZED), 401, False),
        (FaultRule(action=Action.REDIRECT), 302, False),
        (FaultRule(action=Action.HTML), 200, True),
        (FaultRule(action=Action.HTML, status=502, apply=False), 502, False),
        (FaultRule(action=Action.DELAY_BEFORE, seconds=0.01), 201, True),
        (FaultRule(action=Action.DELAY_ANSWER, seconds=0.01), 201, True),
        (FaultRule(action=Action.DRIP, seconds=0), 201, True),
    ],
)
async def test_the_ledger_tells_whether_it_was_applied_whatever_the_answer_says(
    central: BusinessCentralClient, reference: str, rule: FaultRule, status: int, applied: bool
) -> None:
    await central.erp.set_faults(rule)
    reply = await central.draft(reference)
    await central.erp.set_faults()
    assert (reply.status, await _applied(central, reference)) == (status, [applied])
    assert len(await central.find(reference)) == int(applied)


@pytest.mark.parametrize(
    ("action", "applied"),
    [
        (Action.CUT_BEFORE, False),
        (Action.CUT_AFTER, True),
        (Action.TRUNCATE, True),
    ],
)
async def test_a_broken_connection_does_not_tell_whether_it_was_applied_and_the_ledger_does(
    central: BusinessCentralClient, reference: str, action: Action, applied: bool
) -> None:
    await central.erp.set_faults(FaultRule(action=action, kind="create_invoice"))
    with pytest.raises(BROKEN):
        await central.draft(reference)
    assert await _applied(central, reference) == [applied]


async def test_a_huge_body_comes_until_the_client_has_enough(central: BusinessCentralClient, reference: str) -> None:
    await central.erp.set_faults(FaultRule(action=Action.HUGE, size=10_000_000))
    url = f"{central.company}/purchaseInvoices"
    async with central.http.get(url, headers={"Authorization": f"Bearer {central.token}"}) as response:
        assert len(await response.content.read(1_000_000)) > 0
        response.close()
    await central.erp.set_faults()
    assert (await central.draft(reference)).status == 201


async def test_429_says_when_to_come_back_only_where_the_rule_does(central: BusinessCentralClient) -> None:
    await central.erp.set_faults(
        FaultRule(action=Action.TOO_MANY_REQUESTS, nth=1),
        FaultRule(action=Action.TOO_MANY_REQUESTS, nth=2, retry_after=7),
    )
    silent, telling, served = [await central.call("GET", "") for _ in range(3)]
    assert [silent.status, telling.status, served.status] == [429, 429, 200]
    assert ("Retry-After" in silent.headers, telling.headers.get("Retry-After")) == (False, "7")


async def test_a_rule_strikes_only_its_kind_its_reference_and_its_nth(
    central: BusinessCentralClient, reference: str
) -> None:
    await central.erp.set_faults(
        FaultRule(action=Action.REFUSE_BEFORE, kind="post_invoice", reference=reference, nth=2)
    )
    first, second = await central.draft(reference), await central.draft(f"{reference}-b")
    assert [(await central.post(second)).status, (await central.post(first)).status] == [204, 204]
    assert ((await central.post(first)).status, await central.erp.struck()) == (503, [1])
    assert (await central.post(first)).status == 400


async def test_a_late_request_is_applied_after_the_client_has_given_up(
    central: BusinessCentralClient, reference: str
) -> None:
    before = len(await central.erp.ledger())
    await central.erp.set_faults(FaultRule(action=Action.LATE_APPLY, seconds=1, kind="create_invoice"))
    with pytest.raises(BROKEN):
        await central.draft(reference)
    assert await central.find(reference) == []
    await central.erp.wait_ledger(before + 1)
    assert len(await central.find(reference)) == 1


async def test_a_wrong_amount_is_echoed_and_not_kept(central: BusinessCentralClient, reference: str) -> None:
    await central.erp.set_faults(FaultRule(action=Action.WRONG_AMOUNT, kind="create_invoice"))
    assert (await central.draft(reference)).body["totalAmountIncludingTax"] == 1251.5
    assert (await central.find(reference))[0]["totalAmountIncludingTax"] == 1250.5


@pytest.mark.parametrize("action", [Action.BLIND, Action.LAG])
async def test_look_ups_can_be_blind_for_a_document_that_is_there(
    central: BusinessCentralClient, reference: str, action: Action
) -> None:
    await central.post(await central.draft(reference))
    await central.erp.set_faults(FaultRule(action=action, seconds=3600, reference=reference))
    assert await central.find(reference) == []
    await central.erp.set_faults(FaultRule(action=action, seconds=0))
    assert len(await central.find(reference)) == 1


async def test_held_requests_wait_until_released(central: BusinessCentralClient, reference: str) -> None:
    await central.erp.hold()
    sending = asyncio.gather(central.draft(reference), central.draft(f"{reference}-b"))
    assert await central.erp.wait_held(2) == 2
    assert await central.find(reference) == []
    await central.erp.release()
    assert [reply.status for reply in await sending] == [201, 201]


async def test_only_the_kinds_asked_for_are_held(central: BusinessCentralClient, reference: str) -> None:
    await central.erp.hold(["post_invoice"])
    draft = await central.draft(reference)
    posting = asyncio.create_task(central.post(draft))
    await central.erp.wait_held(1)
    await central.erp.release()
    assert (await posting).status == 204


async def test_a_held_request_is_applied_though_its_client_is_gone(
    central: BusinessCentralClient, reference: str
) -> None:
    before = len(await central.erp.ledger())
    await central.erp.hold()
    sending = asyncio.create_task(central.draft(reference))
    await central.erp.wait_held(1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await central.erp.release()
    await central.erp.wait_ledger(before + 1)
    assert await _applied(central, reference) == [True]


async def test_waiting_for_a_signal_that_does_not_come_ends(central: BusinessCentralClient) -> None:
    with pytest.raises(TimeoutError):
        await central.erp.wait_held(1, timeout=0.01)


async def test_requests_are_counted_by_kind(central: BusinessCentralClient) -> None:
    before = (await central.erp.requests()).get("vendors", 0)
    await central.call("GET", "/vendors")
    assert await central.erp.wait_requests("vendors", before + 1) == before + 1


async def test_a_rule_that_makes_no_sense_is_refused(central: BusinessCentralClient) -> None:
    async with central.http.post(f"{central.erp.control_url}/faults", json=[{"action": "explode"}]) as response:
        assert response.status == 422


async def test_xledger_fails_in_its_own_words(xledger: XledgerClient, reference: str) -> None:
    await xledger.erp.set_faults(
        FaultRule(action=Action.REFUSE_AFTER, status=200, code="BAD_REQUEST.CONCURRENCY_LIMIT_REACHED", times=1)
    )
    refused = await xledger.add(*voucher(reference))
    await xledger.erp.change_settings(process_imports=True)
    assert (refused.status, refused.code) == (200, "BAD_REQUEST.CONCURRENCY_LIMIT_REACHED")
    assert documents_per_reference(await xledger.erp.ledger())[reference] == 1


async def test_xledger_look_ups_can_be_blind_and_struck_by_reference(xledger: XledgerClient, reference: str) -> None:
    await xledger.add(*voucher(reference))
    await xledger.erp.change_settings(process_imports=True)
    wanted = f'{{invoiceNumber_in: ["{reference}"]}}'
    await xledger.erp.set_faults(FaultRule(action=Action.BLIND, seconds=3600))
    assert await xledger.nodes("journalEntries", "dbId", wanted) == []
    await xledger.erp.set_faults(FaultRule(action=Action.WRONG_AMOUNT, reference=reference, kind="journalEntries"))
    assert (await xledger.nodes("journalEntries", "amount", wanted))[0] == {"amount": "1251.50"}
