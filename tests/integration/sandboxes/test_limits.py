import asyncio
from pathlib import Path

import aiohttp
import pytest

from deploy.local.sandboxes.client import SandboxProcess
from tests.integration.sandboxes.clients import BusinessCentralClient, XledgerClient, voucher

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_business_central_serves_some_queues_some_and_refuses_the_rest(
    central: BusinessCentralClient, reference: str
) -> None:
    await central.erp.set_limits(at_once=1, queued=1)
    await central.erp.hold()
    sending = asyncio.create_task(central.draft(reference))
    await central.erp.wait_held(1)
    answers = asyncio.as_completed([central.call("GET", "") for _ in range(3)])
    refused = [await next(answers), await next(answers)]
    await central.erp.release()
    queued = await next(answers)
    await central.erp.set_limits(at_once=None)
    assert [reply.status for reply in (*refused, queued, await sending)] == [429, 429, 200, 201]
    assert not any("Retry-After" in reply.headers for reply in refused)


async def test_business_central_counts_requests_in_its_window(central: BusinessCentralClient) -> None:
    await central.erp.set_limits(per_window=2, window_seconds=300)
    statuses = [(await central.call("GET", "")).status for _ in range(3)]
    await central.erp.set_limits(per_window=None)
    assert statuses == [200, 200, 429]


async def test_xledger_refuses_a_burst(xledger: XledgerClient, reference: str) -> None:
    await xledger.erp.set_limits(per_window=1, window_seconds=300)
    await xledger.call("{ __typename }")
    refused = await xledger.add(*voucher(reference))
    await xledger.erp.set_limits(per_window=None)
    assert (refused.status, refused.code) == (200, "BAD_REQUEST.BURST_RATE_LIMIT_REACHED")
    written = [each for each in await xledger.erp.ledger() if each.reference == reference]
    assert [(each.applied, each.note) for each in written] == [(False, "over a limit")]


async def test_xledger_refuses_too_many_at_once(xledger: XledgerClient, reference: str) -> None:
    await xledger.erp.set_limits(at_once=1)
    await xledger.erp.hold()
    sending = asyncio.create_task(xledger.add(*voucher(reference)))
    await xledger.erp.wait_held(1)
    refused = await xledger.call("{ __typename }")
    await xledger.erp.release()
    assert (await sending).status == 200
    await xledger.erp.set_limits(at_once=None)
    assert refused.code == "BAD_REQUEST.CONCURRENCY_LIMIT_REACHED"


async def test_xledger_says_when_the_credits_come_back(xledger: XledgerClient) -> None:
    await xledger.erp.set_limits(credits=0, credits_reset_seconds=3600)
    refused = await xledger.call("{ __typename }")
    await xledger.erp.set_limits(credits=None)
    assert refused.code == "BAD_REQUEST.INSUFFICIENT_CREDITS"
    assert refused.body["errors"][0]["extensions"]["resetAt"].endswith("Z")


async def test_documented_limits_hold_from_the_start(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with SandboxProcess("xledger", ledger=tmp_path / "ledger.jsonl", limits="documented") as erp:
        client = XledgerClient(erp, http)
        await erp.set_limits(window_seconds=3600)  # however slow the machine, they are within one
        replies = [await client.call("{ __typename }") for _ in range(21)]
    assert ["data" in reply.body for reply in replies] == [True] * 20 + [False]
