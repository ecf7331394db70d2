"""Receipts on their way to Business Central: beside the posting, once each, never while off, and never against it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace

import aiohttp
import asyncpg
import pytest
import pytest_asyncio
from aiohttp import web
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from deploy.local.sandboxes.faults import Action, FaultRule
from tests.events import approval
from tests.integration.sandboxes.clients import BusinessCentralClient
from tests.integration.worker.rows import bring_to, central_file, configure, set_up, switch, take_in
from tests.receipt_shelf import PDF, TOKEN, ReceiptShelf, receipt_shelf
from tests.scene import Scene, fresh
from worker import receipts as courier
from worker.bootstrap import Worker
from worker.domain.receipts import MOST_TRIES, HeldBack, ReceiptState, judge_receipt
from worker.domain.switching import Phase
from worker.store import receipts
from worker.store.database import Pool, transaction
from worker.store.receipts import TakenReceipt

pytestmark = pytest.mark.asyncio(loop_scope="session")

KIND = "business_central"
MAKING, FILLING = "create_attachment", "fill_attachment"
HOLD = timedelta(minutes=1)
SHA = "0a" * 32


@pytest_asyncio.fixture(loop_scope="session")
async def shelf() -> AsyncIterator[ReceiptShelf]:
    async with receipt_shelf() as shelf:
        yield shelf


@asynccontextmanager
async def working(scene: Scene, shelf: ReceiptShelf, allowed: str | None = None) -> AsyncIterator[Worker]:
    """A worker to whom the shelf is allowed, or another host."""
    hosts = frozenset({shelf.host if allowed is None else allowed})
    async with scene.worker(receipt_allowed_hosts=hosts, poll_seconds=0.1) as worker:
        yield worker


async def approved(scene: Scene, *files: Mapping[str, str]) -> str:
    """A reimbursement with these receipts is on the topic, and the organisation's connector is on."""
    (name,) = fresh(1)
    await scene.organization("hlf", KIND, attach_receipts=True)
    await scene.switch(True, kind=KIND)
    await scene.approve(approval(name, receipts=list(files)))
    return name


async def are(scene: Scene, *states: str) -> list[asyncpg.Record]:
    """The receipts, as soon as they are in these states, in their order."""

    async def rows() -> list[asyncpg.Record]:
        found = await scene.fetch("select * from receipt order by organization_id, reimbursement_id, position")
        return found if [row["state"] for row in found] == list(states) else []

    return await scene.until(rows)


async def tried(scene: Scene, times: int = 1) -> asyncpg.Record:
    """The one receipt, once it has been tried so often and waits again."""

    async def row() -> asyncpg.Record | None:
        found = await scene.fetch("select * from receipt where attempts >= $1 and reason is not null", times)
        return found[0] if found else None

    waiting = await scene.until(row)
    assert waiting is not None
    return waiting


async def due_now(scene: Scene) -> None:
    """The time for the next try has come, and nobody has it any more."""
    await scene.fetch("update receipt set due_at = clock_timestamp(), taken_until = null where state = 'waiting'")
    await scene.fetch(
        "update receipt set due_at = clock_timestamp(), taken_until = clock_timestamp() where state = 'sending'"
    )


async def on_the_invoice(scene: Scene, name: str) -> list[tuple[str, int]]:
    """(file name, size) of what hangs on the item's invoice, asked of the sandbox itself."""
    invoice = (await scene.item(name))["document_id"]
    async with aiohttp.ClientSession() as http:
        clerk = BusinessCentralClient(scene.erps[KIND], http)
        await clerk.sign_in()
        reply = await clerk.call("GET", f"/purchaseInvoices({invoice})/attachments")
        return sorted((row["fileName"], row["byteSize"]) for row in reply.body["value"])


async def made(scene: Scene) -> int:
    """How many requests for attachments have reached the ERP."""
    by_kind = await scene.erps[KIND].requests()
    return by_kind.get(MAKING, 0) + by_kind.get(FILLING, 0)


async def test_receipts_hang_on_the_invoice_once_it_is_posted_in_their_order(scene: Scene, shelf: ReceiptShelf) -> None:
    picture = b"\xff\xd8" + b"x" * 2_000_000
    files = shelf.put("1"), shelf.put("2", picture, "image/jpeg")
    async with working(scene, shelf):
        name = await approved(scene, *files)
        rows = await are(scene, "attached", "attached")
    assert [(row["attempts"], row["reason"], row["taken_until"]) for row in rows] == [(1, None, None)] * 2
    assert await on_the_invoice(scene, name) == [
        (f"receipt-01-{files[0]['sha256'][:12]}.pdf", len(PDF)),
        (f"receipt-02-{files[1]['sha256'][:12]}.jpg", len(picture)),
    ]
    assert len(await scene.documents("hlf", name, kind=KIND)) == 1


async def test_posting_does_not_wait_for_a_receipts_host_that_hangs(scene: Scene, shelf: ReceiptShelf) -> None:
    hanging = shelf.hold("1")
    async with working(scene, shelf):
        name = await approved(scene, shelf.put("1"))
        await scene.all_synced(name)
        await shelf.asked.wait()
        (following,) = fresh(1)
        await scene.approve(approval(following))
        await scene.all_synced(following)
        hanging.set()
        await are(scene, "attached")


async def test_posting_does_not_fail_with_a_receipts_host_that_is_down_and_the_receipt_comes_once_it_is_up(
    scene: Scene, shelf: ReceiptShelf
) -> None:
    file = shelf.put("1")
    shelf.answers["1"] = web.Response(status=503)
    async with working(scene, shelf):
        name = await approved(scene, file)
        await scene.all_synced(name)
        waiting = await tried(scene)
        assert (waiting["state"], waiting["reason"]) == ("waiting", "The receipt's host answered HTTP 503.")
        assert timedelta(seconds=25) < waiting["due_at"] - waiting["changed_at"] <= timedelta(minutes=1)
        shelf.put("1")
        await due_now(scene)
        await are(scene, "attached")
    assert (await scene.states())[name] == "synced"
    assert len(await on_the_invoice(scene, name)) == 1


async def test_a_receipt_whose_content_differs_is_given_up_visibly_and_never_attached(
    scene: Scene, shelf: ReceiptShelf
) -> None:
    file = shelf.put("1")
    shelf.put("1", b"another content")
    async with working(scene, shelf):
        name = await approved(scene, file)
        (row,) = await are(scene, "given_up")
        entry = await scene.logged("receipt_given_up")
    assert row["reason_code"] == "hash_differs"
    assert (entry["actor"], entry["connector"], entry["reason"]) == ("accounting-sync", KIND, row["reason"])
    assert json.loads(entry["detail"]) == {"reimbursement_id": name, "receipt": 1, "code": "hash_differs"}
    assert (await scene.states())[name] == "synced"
    assert await on_the_invoice(scene, name) == []


async def test_a_redirect_is_refused_and_its_target_not_asked(scene: Scene, shelf: ReceiptShelf) -> None:
    file = shelf.put("1")
    shelf.answers["1"] = web.Response(status=302, headers={"Location": shelf.put("2")["url"]})
    async with working(scene, shelf):
        await approved(scene, file)
        (row,) = await are(scene, "given_up")
    assert (row["reason_code"], len(shelf.requests)) == ("redirected", 1)


async def test_a_host_that_is_not_listed_is_not_asked_and_its_receipt_comes_once_it_is(
    scene: Scene, shelf: ReceiptShelf
) -> None:
    async with working(scene, shelf, allowed="files.example:443"):
        name = await approved(scene, shelf.put("1"))
        waiting = await tried(scene)
        assert "not among the allowed hosts" in waiting["reason"]
        assert shelf.requests == []
    await due_now(scene)
    async with working(scene, shelf):
        await are(scene, "attached")
    assert len(await on_the_invoice(scene, name)) == 1


@pytest.mark.parametrize("kind", [MAKING, FILLING])
async def test_a_lost_answer_leaves_one_attachment(scene: Scene, shelf: ReceiptShelf, kind: str) -> None:
    await scene.erps[KIND].set_faults(FaultRule(action=Action.CUT_AFTER, kind=kind))
    async with working(scene, shelf):
        name = await approved(scene, shelf.put("1"))
        waiting = await tried(scene)
        await scene.erps[KIND].set_faults()
        life = timedelta(minutes=15)
        assert (waiting["due_at"] - waiting["changed_at"] >= life) == (kind == MAKING)
        await due_now(scene)
        await are(scene, "attached")
    assert [size for _, size in await on_the_invoice(scene, name)] == [len(PDF)]


async def test_one_that_is_given_up_on_and_applied_late_is_waited_out_and_not_doubled(
    scene: Scene, shelf: ReceiptShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = time_outs_at_a_word(monkeypatch)
    await scene.erps[KIND].hold([MAKING])
    async with working(scene, shelf):
        name = await approved(scene, shelf.put("1"))
        await scene.erps[KIND].wait_held(1)
        limits[-1].reschedule(0)
        waiting = await tried(scene)
        assert (waiting["state"], waiting["reason_code"]) == ("waiting", "unknown")
        assert waiting["due_at"] - waiting["changed_at"] >= timedelta(minutes=15)
        await scene.erps[KIND].release()
        await due_now(scene)
        await are(scene, "attached")
    assert [size for _, size in await on_the_invoice(scene, name)] == [len(PDF)]


async def at_the_last_try(scene: Scene) -> None:
    """The time for the last of all tries has come."""
    await scene.fetch("update receipt set attempts = $1 where state = 'waiting'", MOST_TRIES - 1)
    await due_now(scene)


async def test_what_was_given_up_is_attached_once_a_person_has_it_tried_again(
    scene: Scene, shelf: ReceiptShelf
) -> None:
    file = shelf.put("1")
    shelf.answers["1"] = web.Response(status=503)
    async with working(scene, shelf):
        name = await approved(scene, file)
        await tried(scene)
        await at_the_last_try(scene)
        await are(scene, "given_up")
        shelf.answers["1"] = web.Response(status=502)
        await scene.retry(name)
        waiting = await tried(scene, MOST_TRIES + 1)
        assert (waiting["state"], waiting["attempts_before"]) == ("waiting", MOST_TRIES)
        assert waiting["due_at"] - waiting["changed_at"] <= timedelta(minutes=1), "tries are counted anew"
        shelf.put("1")
        await due_now(scene)
        (row,) = await are(scene, "attached")
    assert row["attempts"] == MOST_TRIES + 2
    assert (await scene.states())[name] == "synced"
    assert [size for _, size in await on_the_invoice(scene, name)] == [len(PDF)]
    assert len(await scene.documents("hlf", name, kind=KIND)) == 1


async def test_one_that_was_given_up_and_is_applied_late_is_waited_out_whoever_has_it_tried_again(
    scene: Scene, shelf: ReceiptShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shelf.put("1")
    shelf.answers["1"] = web.Response(status=503)
    limits = time_outs_at_a_word(monkeypatch)
    await scene.erps[KIND].hold([MAKING])
    async with working(scene, shelf):
        name = await approved(scene, file)
        await tried(scene)
        shelf.put("1")
        await at_the_last_try(scene)
        await scene.erps[KIND].wait_held(1)
        limits[-1].reschedule(0)
        (given_up,) = await are(scene, "given_up")
        assert given_up["reason_code"] == "unknown"
        before = await made(scene)
        await scene.retry(name)
        (waiting,) = await are(scene, "waiting")
        assert waiting["due_at"] == given_up["due_at"] >= given_up["changed_at"] + timedelta(minutes=15)
        assert await made(scene) == before
        await scene.erps[KIND].release()
        await due_now(scene)
        await are(scene, "attached")
    assert [size for _, size in await on_the_invoice(scene, name)] == [len(PDF)]


@pytest.mark.promise("P3")
async def test_what_a_person_has_tried_again_waits_while_the_connector_is_off(
    scene: Scene, shelf: ReceiptShelf
) -> None:
    file = shelf.put("1")
    shelf.put("1", b"another content")
    async with working(scene, shelf):
        name = await approved(scene, file)
        await are(scene, "given_up")
        await scene.switch(False, kind=KIND)
        asked, sent = len(shelf.requests), await made(scene)
        shelf.put("1")
        await scene.retry(name)
        await asyncio.sleep(0.5)
        assert (len(shelf.requests), await made(scene)) == (asked, sent)
        await scene.switch(True, kind=KIND)
        await are(scene, "attached")
    assert len(await on_the_invoice(scene, name)) == 1


def time_outs_at_a_word(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.Timeout]:
    """Those of the courier, which none of its requests reaches by being slow: each ends when the test says so."""
    begun: list[asyncio.Timeout] = []

    def timeout(_seconds: float) -> asyncio.Timeout:
        begun.append(asyncio.timeout(None))
        return begun[-1]

    monkeypatch.setattr(courier, "asyncio", SimpleNamespace(**vars(asyncio) | {"timeout": timeout}))
    return begun


@pytest.mark.promise("P3")
async def test_a_switch_off_waits_for_a_receipt_on_the_wire_and_lets_none_follow(
    scene: Scene, shelf: ReceiptShelf
) -> None:
    erp = scene.erps[KIND]
    await erp.hold([FILLING])
    async with working(scene, shelf):
        await approved(scene, shelf.put("1"), shelf.put("2"))
        await erp.wait_held(1)
        assert (await scene.switch(False, kind=KIND)).phase is Phase.SWITCHING_OFF
        assert "connector_quiesced" not in {entry["change"] for entry in await scene.log()}
        await erp.release()
        await scene.logged("connector_quiesced")
        await are(scene, "attached", "waiting")
        at_off = await made(scene)
        (neighbour,) = fresh(1)
        await scene.organization("nrk", KIND, attach_receipts=True)
        await scene.switch(True, "nrk", KIND)
        await scene.approve(approval(neighbour, "nrk", receipts=[shelf.put("3")]))
        await are(scene, "attached", "waiting", "attached")
        assert await made(scene) == at_off + 2
        await scene.switch(True, kind=KIND)
        await are(scene, "attached", "attached", "attached")


@pytest.mark.promise("P3")
async def test_a_connector_that_is_switched_off_while_a_receipt_is_fetched_gets_nothing(
    scene: Scene, shelf: ReceiptShelf
) -> None:
    hanging = shelf.hold("1")
    async with working(scene, shelf):
        name = await approved(scene, shelf.put("1"))
        await shelf.asked.wait()
        before = await made(scene)
        assert (await scene.switch(False, kind=KIND)).phase is Phase.OFF
        hanging.set()

        async def is_put_back() -> bool:
            return bool(await scene.value("select taken_until is null from receipt"))

        await scene.until(is_put_back)
        assert await made(scene) == before
        await scene.switch(True, kind=KIND)
        await are(scene, "attached")
    assert len(await on_the_invoice(scene, name)) == 1


@pytest.mark.parametrize(("kind", "more"), [("xledger", {}), (KIND, {}), (KIND, {"attach_receipts": False})])
async def test_where_receipts_are_not_wanted_nobody_is_asked_for_them(
    scene: Scene, shelf: ReceiptShelf, kind: str, more: dict[str, object]
) -> None:
    (name,) = fresh(1)
    await scene.organization("hlf", kind, **more)
    await scene.switch(True, kind=kind)
    async with working(scene, shelf):
        await scene.approve(approval(name, receipts=[shelf.put("1")]))
        await are(scene, "not_wanted")
    assert shelf.requests == []
    assert "receipt_given_up" not in {entry["change"] for entry in await scene.log()}


@pytest.mark.promise("P11")
async def test_the_address_of_a_receipt_is_shown_nowhere(
    scene: Scene, shelf: ReceiptShelf, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second, bad = shelf.put("1"), shelf.put("2"), shelf.put("3")
    shelf.put("2", b"another content")
    shelf.answers["1"] = web.Response(status=500, body=TOKEN.encode())
    with capture_logs() as logs, caplog.at_level("WARNING"):
        async with working(scene, shelf):
            await approved(scene, first, second)
            await are(scene, "waiting", "given_up")
            await tried(scene)
            (refused,) = fresh(1)
            await scene.approve(approval(refused, receipts=[bad | {"url": f"http://files.example/{TOKEN}"}]))
            await scene.counted("dead_letter", 1)
            await scene.nothing_to_publish()
    said = [
        *map(str, logs),
        *(record.getMessage() + str(record.exc_info) for record in caplog.records),
        *capfd.readouterr(),
        generate_latest().decode(),
        *(str(dict(row)) for row in await scene.fetch("select * from receipt")),
        *(str(dict(row)) for row in await scene.log()),
        *(str(row["detail"]) for row in await scene.fetch("select detail from dead_letter")),
        *(str(record.value) for record in await scene.published(scene.settings.outcomes_topic)),
    ]
    assert [text for text in said if TOKEN in text] == []


async def posted(pool: Pool, *names: str, organization_id: str = "hlf", files: int = 1) -> None:
    """Synced at Business Central, without a worker and without an ERP."""
    file = {"url": "https://files.example/1", "sha256": SHA, "media_type": "image/png"}
    await take_in(pool, *[approval(name, organization_id, receipts=[file] * files) for name in names])
    await bring_to(pool, "synced", *names, organization_id=organization_id)
    async with transaction(pool) as connection:
        await connection.execute("update item set connector = $1", KIND)


async def ready_to_attach(pool: Pool, organization_id: str = "hlf") -> None:
    await set_up(pool, organization_id)
    await configure(pool, organization_id, KIND, central_file(attach_receipts=True))
    await switch(pool, True, organization_id, KIND)


async def take(pool: Pool, limit: int = 10) -> list[TakenReceipt]:
    async with transaction(pool) as connection:
        return await receipts.take_due(connection, limit, HOLD)


async def test_only_what_is_posted_has_receipts_to_attach_and_each_once(pool: Pool) -> None:
    await ready_to_attach(pool)
    await take_in(
        pool, approval("R-0", receipts=[{"url": "https://files.example/1", "sha256": SHA, "media_type": "image/png"}])
    )
    assert await pool.fetchval("select count(*) from receipt") == 0
    await bring_to(pool, "rejected", "R-0")
    assert await pool.fetchval("select count(*) from receipt") == 0
    await posted(pool, "R-1", files=3)
    assert [row[0] for row in await pool.fetch("select position from receipt order by 1")] == [1, 2, 3]
    await take_in(pool, approval("R-2"))
    await bring_to(pool, "synced", "R-2")
    assert await pool.fetchval("select count(*) from receipt") == 3


async def test_an_organisation_has_one_under_way_whoever_takes_and_holds_up_no_other(pool: Pool) -> None:
    await ready_to_attach(pool, "hlf")
    await ready_to_attach(pool, "nrk")
    await posted(pool, "R-1", "R-2", files=2)
    await posted(pool, "R-3", organization_id="nrk")
    taken = await take(pool)
    assert {(one.organization_id, one.reimbursement_id, one.position, one.attempts) for one in taken} == {
        ("hlf", "R-1", 1, 1),
        ("nrk", "R-3", 1, 1),
    }
    assert await take(pool) == []
    for one in taken:
        async with transaction(pool) as connection:
            await receipts.settle(connection, one, judge_receipt(HeldBack(), 1, HOLD, 1.0))
    assert {one.attempts for one in await take(pool)} == {1, 2}


async def test_one_worker_takes_at_a_time(pool: Pool) -> None:
    await ready_to_attach(pool)
    await posted(pool, "R-1")
    async with transaction(pool) as first:
        assert len(await receipts.take_due(first, 10, HOLD)) == 1
        assert await take(pool) == []


async def test_a_try_that_somebody_else_has_taken_over_neither_sends_nor_settles(pool: Pool) -> None:
    await ready_to_attach(pool)
    await posted(pool, "R-1")
    (late,) = await take(pool)
    await pool.execute("update receipt set due_at = clock_timestamp(), taken_until = clock_timestamp()")
    (current,) = await take(pool)
    async with transaction(pool) as connection:
        version = await connection.fetchval("select version from connector where kind = $1", KIND)
        assert not await receipts.begin_sending(connection, late, version, HOLD, HOLD)
        assert await receipts.begin_sending(connection, current, version, HOLD, HOLD)
        assert not await receipts.settle(connection, late, judge_receipt(HeldBack(), 1, HOLD, 1.0))


@pytest.mark.parametrize(
    "change",
    [
        "enabled = false",
        "suspended_at = clock_timestamp(), suspended_reason = 'It refuses everything.'",
        "version = version + 1",
    ],
)
async def test_what_changed_since_it_was_taken_keeps_it_back(pool: Pool, change: str) -> None:
    await ready_to_attach(pool)
    await posted(pool, "R-1")
    (taken,) = await take(pool)
    version = await pool.fetchval("select version from connector where kind = $1", KIND)
    await pool.execute(f"update connector set {change} where kind = $1", KIND)
    async with transaction(pool) as connection:
        assert not await receipts.begin_sending(connection, taken, version, HOLD, HOLD)
    await pool.execute("update receipt set due_at = clock_timestamp(), taken_until = null")
    assert bool(await take(pool)) == change.startswith("version")


async def test_what_a_worker_left_on_the_wire_keeps_off_waiting_no_longer_than_it_was_held(pool: Pool) -> None:
    await ready_to_attach(pool)
    await posted(pool, "R-1")
    (taken,) = await take(pool)
    version = await pool.fetchval("select version from connector where kind = $1", KIND)
    async with transaction(pool) as connection:
        assert await receipts.begin_sending(connection, taken, version, HOLD, 2 * HOLD)
    assert (await switch(pool, False, kind=KIND)).phase is Phase.SWITCHING_OFF
    await pool.execute("update receipt set taken_until = clock_timestamp()")
    assert (await switch(pool, True, kind=KIND)).phase is Phase.ON
    assert (await switch(pool, False, kind=KIND)).phase is Phase.OFF


async def test_a_receipt_is_in_one_of_its_states(pool: Pool) -> None:
    await ready_to_attach(pool)
    await posted(pool, "R-1")
    for state in ReceiptState:
        more = ", reason = 'It differs.', taken_until = clock_timestamp()"
        await pool.execute(f"update receipt set state = '{state}'{more}")
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute("update receipt set state = 'lost'")
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute("update receipt set state = 'given_up', reason = null")
