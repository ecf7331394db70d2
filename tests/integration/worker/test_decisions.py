"""What a person decides about one item, and what they may not."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.events import approval
from tests.integration.worker.rows import ADMIN, SHAPES, bring_to, log_of, take_in
from tests.scene import Scene
from worker import decisions
from worker.decisions import Decided, NotDecided
from worker.domain.sentences import say
from worker.domain.states import ItemState
from worker.domain.switching import Actor, Role
from worker.store.database import Pool, acquire, transaction
from worker.store.items import Standing

pytestmark = pytest.mark.asyncio(loop_scope="session")

OWN = Actor("user-9", Role.ORGANIZATION_ADMIN, frozenset({"hlf"}))
OTHERS = Actor("user-9", Role.ORGANIZATION_ADMIN, frozenset({"other"}))
BOTH = pytest.mark.parametrize("decide", [decisions.retry, decisions.hand_over], ids=["retry", "hand over"])
Decide = Callable[..., Awaitable[Decided | NotDecided]]


async def _decide(
    pool: Pool, decide: Decide, reimbursement_id: str = "R-1", *, actor: Actor = OWN, reason: str = "Mended"
) -> Decided | NotDecided:
    async with transaction(pool) as connection:
        return await decide(connection, "hlf", reimbursement_id, actor=actor, reason=reason, source="http")


async def _item(pool: Pool) -> dict[str, object]:
    async with acquire(pool) as connection:
        row = await connection.fetchrow("select * from item where reimbursement_id = 'R-1'")
    assert row is not None
    return dict(row)


async def _in_state(pool: Pool, state: str) -> None:
    await take_in(pool, approval("R-1"))
    if state != "pending":
        await bring_to(pool, state, "R-1")


async def test_a_rejected_item_is_retried_in_its_old_place(pool: Pool) -> None:
    await _in_state(pool, "rejected")
    before = await _item(pool)
    assert await _decide(pool, decisions.retry) == Decided(ItemState.PENDING)
    after = await _item(pool)
    assert (after["state"], after["seq"], after["attempt"]) == ("pending", before["seq"], before["attempt"])
    assert (after["reason"], after["reason_code"]) == (None, None)
    entry = (await log_of(pool))[-1]
    assert (entry["change"], entry["new_state"], entry["actor"], entry["reason"]) == (
        "item_retried", "pending", "user-9", "Mended",
    )  # fmt: skip
    assert (entry["source"], entry["detail"]) == ("http", {"reimbursement_id": "R-1"})


@pytest.mark.parametrize("state", sorted(set(SHAPES) - {"rejected", "unknown"}))
async def test_nothing_that_is_neither_rejected_nor_unknown_is_retried_and_the_try_is_logged(
    pool: Pool, state: str
) -> None:
    await _in_state(pool, state)
    before = await _item(pool)
    words = state.replace("_", " ")
    sentence = (
        f"R-1 is {words}, and only what was rejected or is unknown, or a receipt that was given up, can be retried."
    )
    assert await _decide(pool, decisions.retry) == NotDecided(say(sentence))
    assert await _item(pool) == before
    entry = (await log_of(pool))[-1]
    assert (entry["change"], entry["actor"], entry["reason"]) == ("retry_refused", "user-9", sentence)


async def _with_receipts(pool: Pool, *states: str) -> None:
    """R-1 is synced, and its receipts are in these states, each tried 16 times."""
    file = {"url": "https://files.example/1", "sha256": "0a" * 32, "media_type": "image/png"}
    await take_in(pool, approval("R-1", receipts=[file] * len(states)))
    await bring_to(pool, "synced", "R-1")
    await pool.execute(
        "update receipt set state = ($1::text[])[position], attempts = 16, reason = 'It is away.', "
        "reason_code = 'not_sent', due_at = clock_timestamp() - interval '1 hour', "
        "taken_until = case when ($1::text[])[position] = 'sending' then clock_timestamp() end",
        list(states),
    )


async def _receipts(pool: Pool) -> list[tuple[object, ...]]:
    rows = await pool.fetch(
        "select state, attempts, attempts_before, reason, reason_code, due_at <= clock_timestamp() from receipt "
        "order by position"
    )
    return [tuple(row) for row in rows]


async def test_receipts_that_were_given_up_are_tried_again_and_the_item_stays_as_it_is(pool: Pool) -> None:
    await _with_receipts(pool, "given_up", "attached", "given_up")
    before = await _item(pool)
    assert await _decide(pool, decisions.retry, reason="The host is up") == Decided(ItemState.SYNCED)
    assert await _item(pool) == before
    again = ("waiting", 16, 16, None, None, True)
    assert await _receipts(pool) == [again, ("attached", 16, 0, "It is away.", "not_sent", True), again]
    entry = (await log_of(pool))[-1]
    assert (entry["change"], entry["actor"], entry["new_state"], entry["reason"]) == (
        "receipts_retried", "user-9", "synced", "The host is up",
    )  # fmt: skip
    assert entry["detail"] == {"reimbursement_id": "R-1", "receipts": [1, 3]}


@pytest.mark.parametrize("state", ["waiting", "sending", "attached", "not_wanted"])
async def test_no_receipt_is_tried_again_that_was_not_given_up(pool: Pool, state: str) -> None:
    await _with_receipts(pool, state)
    before = await _receipts(pool)
    assert isinstance(await _decide(pool, decisions.retry), NotDecided)
    assert await _receipts(pool) == before


async def test_receipts_are_tried_again_once_whoever_asks_at_the_same_time(pool: Pool) -> None:
    await _with_receipts(pool, "given_up")
    decided = await asyncio.gather(*(_decide(pool, decisions.retry) for _ in range(4)))
    assert [one for one in decided if isinstance(one, Decided)] == [Decided(ItemState.SYNCED)]
    assert [entry["change"] for entry in await log_of(pool)].count("receipts_retried") == 1


async def test_a_receipt_is_never_tried_again_before_what_was_sent_is_applied_or_lost(pool: Pool) -> None:
    await _with_receipts(pool, "given_up")
    due_at = await pool.fetchval("update receipt set due_at = clock_timestamp() + interval '1 hour' returning due_at")
    await _decide(pool, decisions.retry)
    assert await pool.fetchval("select due_at from receipt") == due_at


async def test_an_unknown_outcome_is_not_sent_by_a_retry_but_looked_up_once_more(pool: Pool) -> None:
    await _in_state(pool, "unknown")
    async with acquire(pool) as connection:
        await connection.execute("update item set due_at = 'infinity', absences = 1, resend_resolves = true")
    assert await _decide(pool, decisions.retry) == Decided(ItemState.UNKNOWN)
    item = await _item(pool)
    assert (item["state"], item["attempt"], item["absences"], item["resend_resolves"]) == ("unknown", 1, 0, False)
    async with acquire(pool) as connection:
        assert await connection.fetchval("select due_at <= clock_timestamp() from item")
    entry = (await log_of(pool))[-1]
    assert (entry["change"], entry["actor"], entry["new_state"]) == ("item_look_up_requested", "user-9", "unknown")


async def test_a_retry_never_shortens_a_quarantine(pool: Pool) -> None:
    await _in_state(pool, "unknown")
    async with acquire(pool) as connection:
        await connection.execute("update item set quarantined_until = clock_timestamp() + interval '1 hour'")
    await _decide(pool, decisions.retry)
    item = await _item(pool)
    assert item["due_at"] == item["quarantined_until"]


@pytest.mark.parametrize("state", ["pending", "rejected", "unknown"])
async def test_an_item_that_is_not_under_way_may_be_handled_elsewhere(pool: Pool, state: str) -> None:
    await _in_state(pool, state)
    decided = await _decide(pool, decisions.hand_over, reason="Voucher 20417")
    assert decided == Decided(ItemState.HANDLED_ELSEWHERE)
    item = await _item(pool)
    assert (item["state"], item["reason"]) == ("handled_elsewhere", "Voucher 20417")
    entry = (await log_of(pool))[-1]
    assert (entry["change"], entry["new_state"]) == ("item_handled_elsewhere", "handled_elsewhere")
    assert (entry["actor"], entry["reason"]) == ("user-9", "Voucher 20417")


@pytest.mark.parametrize("state", ["sending", "confirming", "synced", "handled_elsewhere"])
async def test_an_item_under_way_or_done_is_not_handled_elsewhere(pool: Pool, state: str) -> None:
    await _in_state(pool, state)
    before = await _item(pool)
    words = state.replace("_", " ")
    sentence = f"R-1 is {words} and can't be marked as handled elsewhere now."
    assert await _decide(pool, decisions.hand_over) == NotDecided(say(sentence))
    assert await _item(pool) == before


@BOTH
async def test_a_decision_needs_a_reason(pool: Pool, decide: Decide) -> None:
    await _in_state(pool, "rejected")
    refused = await _decide(pool, decide, reason=" \n")
    assert refused == NotDecided(say("A reason is required. Say why, and try again."))
    assert (await _item(pool))["state"] == "rejected"


@BOTH
async def test_a_decision_about_an_unknown_item_is_refused(pool: Pool, decide: Decide) -> None:
    refused = await _decide(pool, decide, "R-none")
    assert refused == NotDecided(say("hlf has no reimbursement R-none. Check the number."))
    assert await log_of(pool) == []


@BOTH
async def test_a_decision_by_somebody_elses_admin_is_refused_whether_the_item_exists_or_not(
    pool: Pool, decide: Decide
) -> None:
    await _in_state(pool, "rejected")
    for one in ("R-1", "R-none"):
        refused = await _decide(pool, decide, one, actor=OTHERS)
        assert refused == NotDecided(say("user-9 may not decide for hlf: it is not their organisation."))
    assert (await _item(pool))["state"] == "rejected"
    assert [entry["actor"] for entry in await log_of(pool)][-2:] == ["user-9", "user-9"]


@BOTH
@pytest.mark.parametrize("seen", [Standing(ItemState.PENDING, 1), Standing(ItemState.REJECTED, 0)])
async def test_what_has_changed_since_it_was_looked_at_is_not_decided_on(
    pool: Pool, decide: Decide, seen: Standing
) -> None:
    await _in_state(pool, "rejected")
    async with transaction(pool) as connection:
        decided = await decide(connection, "hlf", "R-1", actor=OWN, reason="Voucher 7", source="http", seen=seen)
    assert isinstance(decided, NotDecided)
    assert decided.sentence.startswith("R-1 has changed meanwhile: it is rejected now.")
    assert (await _item(pool))["state"] == "rejected"
    entry = (await log_of(pool))[-1]
    assert (entry["new_state"], entry["reason"]) == ("rejected", decided.sentence)


@BOTH
async def test_what_is_as_it_was_looked_at_is_decided_on(pool: Pool, decide: Decide) -> None:
    await _in_state(pool, "rejected")
    seen = Standing(ItemState.REJECTED, 1)
    async with transaction(pool) as connection:
        decided = await decide(connection, "hlf", "R-1", actor=OWN, reason="Voucher 7", source="http", seen=seen)
    assert isinstance(decided, Decided)


async def test_an_untried_item_may_be_handled_elsewhere_without_a_connector(pool: Pool) -> None:
    await take_in(pool, approval("R-1", "hlf"))
    assert await _decide(pool, decisions.hand_over, actor=ADMIN) == Decided(ItemState.HANDLED_ELSEWHERE)
    assert (await _item(pool))["attempt"] == 0


async def test_what_was_handled_elsewhere_is_never_sent_and_what_was_mended_is(scene: Scene) -> None:
    await scene.organization()
    async with scene.worker():
        await scene.approve(approval("R-1", lines=_meals()), approval("R-2"), approval("R-3", lines=_meals()))
        await scene.counted("item", 3)
        await _decide(scene.pool, decisions.hand_over, "R-2")
        await scene.configure(mapping=_without_meals())
        await scene.switch(True)
        await scene.all_in("rejected", "R-1", "R-3")
        await scene.configure()
        await _decide(scene.pool, decisions.retry, "R-1")
        await scene.all_synced("R-1")
    assert await scene.states() == {"R-1": "synced", "R-2": "handled_elsewhere", "R-3": "rejected"}
    assert await scene.deliveries("hlf", "R-2", "R-3") == []


def _meals() -> list[dict[str, str]]:
    return [{"line_id": "1", "expense_type": "meals", "expense_date": "2026-11-03", "amount": "250.00"}]


def _without_meals() -> dict[str, object]:
    return {"expense_types": {"travel": {"account": "7140"}}, "claimants": {"from": "number"}}
