"""Open outcomes brought to an end: looked up, sent again only where that is safe, else left to a person.

The quarantines are the real ones of 15 minutes; a test lets one pass by moving its end in the database.
"""

import pytest

from connectors.reference import reference_of
from deploy.local.configurations import SAMPLE_MAPPING
from deploy.local.sandboxes.faults import Action, FaultRule
from tests.events import approval
from tests.integration.worker.test_dispatch import ERPS, MOVES_MONEY, stored
from tests.scene import Scene, fresh
from worker.domain.switching import Phase

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOKS_UP = {"xledger": "apTransactions", "business_central": "find_invoices"}


async def lose_an_answer(scene: Scene, name: str, kind: str, action: Action, *, organization_id: str = "hlf") -> None:
    """Approves one, and lets the request that moves its money end without an answer."""
    rule = FaultRule(action=action, kind=MOVES_MONEY[kind], times=1, reference=reference_of(organization_id, name))
    await scene.erps[kind].set_faults(rule)
    await stored(scene, name, organization_id=organization_id)
    await scene.switch(True, organization_id, kind)


async def quarantine_passes(scene: Scene, name: str, organization_id: str = "hlf") -> None:
    await scene.fetch(
        "update item set due_at = clock_timestamp(), quarantined_until = clock_timestamp() "
        "where (organization_id, reimbursement_id) = ($1, $2)",
        organization_id,
        name,
    )
    await wake(scene, organization_id)


async def wake(scene: Scene, organization_id: str = "hlf") -> None:
    await scene.fetch("select pg_notify('accounting_sync_lane', $1)", organization_id)


async def sent(scene: Scene, name: str, kind: str) -> list[bool]:
    """Of each request that would move the item's money: whether the ERP applied it."""
    lines = await scene.deliveries("hlf", name, kind=kind)
    return [line.applied for line in lines if line.request == MOVES_MONEY[kind]]


@pytest.mark.promise("P2")
async def test_an_unknown_outcome_is_not_sent_again_before_its_quarantine_whoever_switches_or_runs(
    scene: Scene,
) -> None:
    name, neighbour = fresh(2)
    kind = "xledger"
    await scene.organization("hlf", kind, concurrency=1)
    async with scene.worker():
        await lose_an_answer(scene, name, kind, Action.CUT_BEFORE)
        await scene.all_in("unknown", name)
        await scene.approve(approval(neighbour))
        await scene.all_synced(neighbour)
        await scene.switch(False, kind=kind)
        await scene.switch(True, kind=kind)
        await scene.request_run()
        await scene.logged("sync_run_finished")
        assert (await scene.item(name))["state"] == "unknown"
    assert await sent(scene, name, kind) == [False]
    left = await scene.value("select due_at - clock_timestamp() from item where state = 'unknown'")
    assert 800 < left.total_seconds() <= 900


@pytest.mark.promise("P9")
async def test_what_is_found_and_equal_after_the_quarantine_is_synced_without_a_second_request(scene: Scene) -> None:
    (name,) = fresh(1)
    kind = "xledger"
    await scene.organization("hlf", kind)
    async with scene.worker():
        await lose_an_answer(scene, name, kind, Action.CUT_AFTER)
        await scene.all_in("unknown", name)
        await quarantine_passes(scene, name)
        await scene.all_synced(name)
    assert await sent(scene, name, kind) == [True]
    (document,) = await scene.documents("hlf", name)
    assert (await scene.item(name))["document_number"] == document.document
    history = await scene.history(name)
    assert history[0] == (1, "settled", "unknown")
    assert history[-1][2] == "found"


@pytest.mark.promise("P9")
async def test_what_is_not_found_twice_a_quarantine_apart_is_sent_again_and_only_then(scene: Scene) -> None:
    (name,) = fresh(1)
    kind = "xledger"
    await scene.organization("hlf", kind)
    async with scene.worker():
        await lose_an_answer(scene, name, kind, Action.CUT_BEFORE)
        await scene.all_in("unknown", name)
        await quarantine_passes(scene, name)
        await scene.until(lambda: scene.value("select absences = 1 from item"))
        left = await scene.value("select due_at - clock_timestamp() from item")
        assert 800 < left.total_seconds() <= 900
        assert await sent(scene, name, kind) == [False]
        await quarantine_passes(scene, name)
        await scene.all_synced(name)
    assert await sent(scene, name, kind) == [False, True]
    assert (await scene.history(name))[:4] == [
        (1, "settled", "unknown"),
        (1, "looked_up", "absent"),
        (1, "looked_up", "absent"),
        (2, "settled", "accepted"),
    ]
    assert len(await scene.documents("hlf", name)) == 1


@pytest.mark.promise("P2")
@pytest.mark.parametrize(("action", "requests"), [(Action.CUT_AFTER, [True]), (Action.CUT_BEFORE, [False, True])])
async def test_where_the_erp_refuses_duplicates_sending_again_is_the_look_up(
    scene: Scene, action: Action, requests: list[bool]
) -> None:
    (name,) = fresh(1)
    kind = "business_central"
    await scene.organization("hlf", kind)
    async with scene.worker():
        await lose_an_answer(scene, name, kind, action)
        await scene.all_synced(name)
    assert await scene.history(name) == [(1, "settled", "unknown"), (2, "settled", "posted")]
    assert await sent(scene, name, kind) == requests
    assert len(await scene.documents("hlf", name, kind=kind)) == 1


@pytest.mark.promise("P2")
async def test_already_exists_is_confirmed_by_reading_the_document(scene: Scene) -> None:
    """The first request is applied between the second attempt's look-up and its post: only the refusal tells."""
    (name,) = fresh(1)
    kind = "business_central"
    reference = reference_of("hlf", name)
    await scene.organization("hlf", kind)
    await scene.erps[kind].change_settings(duplicates="refused_at_posting")
    try:
        async with scene.worker():
            late = FaultRule(action=Action.LATE_APPLY, kind="post_invoice", times=1, seconds=1.5, reference=reference)
            await scene.erps[kind].set_faults(late)
            await stored(scene, name)
            await scene.switch(True, kind=kind)
            await scene.all_synced(name)
    finally:
        await scene.erps[kind].change_settings(duplicates="refused_once_posted")
    assert len(await scene.documents("hlf", name, kind=kind)) == 1


@pytest.mark.promise("P2")
async def test_what_would_be_sent_differently_now_is_looked_up_instead_of_sent_again(scene: Scene) -> None:
    """Business Central refuses a second number of the same vendor alone: a mended mapping may name another vendor."""
    (name,) = fresh(1)
    kind = "business_central"
    await scene.organization("hlf", kind)
    async with scene.worker():
        await scene.erps[kind].hold([MOVES_MONEY[kind]])
        await lose_an_answer(scene, name, kind, Action.CUT_AFTER)
        await scene.erps[kind].wait_held(1)
        other = {**SAMPLE_MAPPING, "claimants": {"table": {"peer-4711": "10024"}}}
        await scene.configure("hlf", kind, mapping=other)
        await scene.erps[kind].release()
        await scene.until(lambda: scene.value("select state = 'unknown' and not resend_resolves from item"))
        assert await scene.value("select due_at = quarantined_until from item")
        await quarantine_passes(scene, name)
        await scene.all_synced(name)
    assert await scene.history(name) == [(1, "settled", "unknown"), (1, "looked_up", "found")]
    assert await sent(scene, name, kind) == [True]
    assert len(await scene.documents("hlf", name, kind=kind)) == 1


@pytest.mark.promise("P2")
async def test_a_resend_that_was_not_sent_leaves_the_outcome_unknown_and_its_quarantine_running(scene: Scene) -> None:
    """Otherwise a mended mapping would send another request while the first may be applied (found by the model)."""
    (name,) = fresh(1)
    kind = "business_central"
    reference = reference_of("hlf", name)
    await scene.organization("hlf", kind)
    async with scene.worker():
        cut = FaultRule(action=Action.CUT_AFTER, kind=MOVES_MONEY[kind], times=1, reference=reference)
        away = FaultRule(action=Action.REFUSE_BEFORE, kind=LOOKS_UP[kind], status=503)
        await scene.erps[kind].set_faults(cut, away)
        await stored(scene, name)
        await scene.switch(True, kind=kind)
        await scene.until(lambda: scene.value("select state = 'unknown' and attempt >= 3 from item"))
        assert await scene.value("select quarantined_until > clock_timestamp() + interval '13 minutes' from item")
        toggled = await scene.switch(False, kind=kind)
        await scene.until(lambda: scene.value("select quiesced_at is not null from connector"))
        assert toggled.decision.verdict == "applied"
        assert await scene.states() == {name: "unknown"}
        await scene.erps[kind].set_faults()
        await scene.switch(True, kind=kind)
        await scene.all_synced(name)
        await scene.nothing_to_publish()
    assert [entry[2] for entry in (await scene.history(name))][:3] == ["unknown", "not_sent", "not_sent"]
    told = await scene.published(scene.settings.outcomes_topic)
    types = [dict(record.headers)["ce_type"] for record in told]
    assert types.count(b"reimbursement.outcome_unknown.v1") == 1
    assert len(await scene.documents("hlf", name, kind=kind)) == 1


@pytest.mark.promise("P2")
async def test_a_refused_resend_is_not_rejected_while_the_first_try_may_have_been_booked_unseen(scene: Scene) -> None:
    """It exists already, which no look-up sees yet: if it were rejected, somebody would book it by hand."""
    (name,) = fresh(1)
    kind = "business_central"
    erp = scene.erps[kind]
    await scene.organization("hlf", kind)
    async with scene.worker():
        cut = FaultRule(action=Action.CUT_AFTER, kind=MOVES_MONEY[kind], times=1, reference=reference_of("hlf", name))
        await erp.set_faults(cut, FaultRule(action=Action.BLIND, seconds=3600))
        await stored(scene, name)
        await scene.switch(True, kind=kind)
        await scene.until(lambda: scene.value("select state = 'unknown' and not resend_resolves from item"))
        assert (await scene.history(name))[-1][2] == "rejected"
        await erp.set_faults()
        await quarantine_passes(scene, name)
        await scene.all_synced(name)
    assert len(await scene.documents("hlf", name, kind=kind)) == 1


async def test_another_document_under_the_reference_waits_for_a_person_with_both_values_and_is_looked_up_on_request(
    scene: Scene,
) -> None:
    (name,) = fresh(1)
    kind = "xledger"
    await scene.organization("hlf", kind)
    async with scene.worker():
        await lose_an_answer(scene, name, kind, Action.CUT_AFTER)
        await scene.all_in("unknown", name)
        await scene.erps[kind].set_faults(FaultRule(action=Action.WRONG_AMOUNT, kind=LOOKS_UP[kind]))
        await quarantine_passes(scene, name)
        await scene.until(lambda: scene.value("select reason_code = 'different_document' from item"))
        item = await scene.item(name)
        assert item["state"] == "unknown"
        assert "over 249.00 NOK under this reference, but 250.00 NOK was approved" in item["reason"]
        assert item["document_number"]
        await scene.erps[kind].set_faults()
        await scene.retry(name)
        await scene.all_synced(name)
    assert await sent(scene, name, kind) == [True]


@pytest.mark.promise("P3")
@ERPS
async def test_while_the_connector_is_off_an_unknown_outcome_is_told_and_neither_looked_up_nor_sent_again(
    scene: Scene, kind: str
) -> None:
    (name,) = fresh(1)
    erp = scene.erps[kind]
    await scene.organization("hlf", kind)
    async with scene.worker():
        await stored(scene, name)
        await erp.hold([MOVES_MONEY[kind]])
        await scene.switch(True, kind=kind)
        await erp.wait_held(1)
        await scene.switch(False, kind=kind)
        await scene.fetch("update lane set leased_until = clock_timestamp() - interval '1 second'")
        off = await scene.logged("connector_quiesced")
        assert off["reason"] == (
            "Nothing is in flight any more. 1 outcome is unknown: looked up once the connector is on again."
        )
        assert off["detail"] == '{"outcome_unknown": 1}'
        before = await erp.requests()
        await quarantine_passes(scene, name)
        await scene.fetch("update lane set leased_until = 'epoch', leased_by = null")
        await wake(scene)
        toggled = await scene.switch(False, kind=kind)
        assert toggled.phase is Phase.OFF
        assert await erp.requests() == before
        await erp.release()
        await scene.switch(True, kind=kind)
        await scene.all_synced(name)
    assert len(await scene.documents("hlf", name, kind=kind)) == 1


@pytest.mark.promise("P7")
async def test_an_import_that_takes_longer_than_its_limit_becomes_visible_and_is_still_confirmed(scene: Scene) -> None:
    (name,) = fresh(1)
    erp = scene.erps["xledger"]
    await scene.organization("hlf", import_limit_seconds=1, check_after_seconds=0)
    await erp.change_settings(import_delay=3600)
    try:
        async with scene.worker():
            await stored(scene, name)
            await scene.switch(True)
            await scene.until(lambda: scene.value("select reason_code = 'import_overdue' from item"))
            assert (await scene.item(name))["state"] == "confirming"
            await erp.change_settings(process_imports=True)
            await scene.all_synced(name)
    finally:
        await erp.change_settings(import_delay=0.05)


@pytest.mark.promise("P2")
async def test_what_the_import_refused_earlier_does_not_reject_the_mended_try_that_look_ups_do_not_see_yet(
    scene: Scene,
) -> None:
    """Its rows stay in the import for good. Rejected once more, a person would retry what is booked already."""
    (name,) = fresh(1)
    erp = scene.erps["xledger"]
    await scene.organization("hlf", check_after_seconds=0, mapping={**SAMPLE_MAPPING, "counter_account": "9999"})
    async with scene.worker():
        await stored(scene, name)
        await scene.switch(True)
        await scene.all_in("rejected", name)
        await scene.until(lambda: scene.value("select claimed_at < clock_timestamp() - interval '3 s' from item"))
        await erp.set_faults(FaultRule(action=Action.LAG, seconds=3, reference=reference_of("hlf", name)))
        await scene.configure("hlf", check_after_seconds=0)
        await scene.retry(name)
        await scene.all_synced(name)
    assert await scene.history(name) == [
        (1, "settled", "accepted"),
        (1, "confirmed", "rejected"),
        (2, "settled", "accepted"),
        (2, "confirmed", "found"),
    ]
    assert len(await scene.documents("hlf", name)) == 1


@pytest.mark.promise("P2")
async def test_what_vanished_from_the_import_waits_for_a_person_and_is_not_sent_again(scene: Scene) -> None:
    (name,) = fresh(1)
    erp = scene.erps["xledger"]
    await scene.organization("hlf", import_limit_seconds=1, check_after_seconds=0)
    await erp.set_faults(FaultRule(action=Action.BLIND, seconds=3600))
    async with scene.worker():
        await stored(scene, name)
        await scene.switch(True)
        await scene.until(lambda: scene.value("select reason_code = 'import_vanished' from item"))
        item = await scene.item(name)
        assert item["state"] == "unknown"
        assert await scene.value("select due_at = 'infinity' from item")
        await erp.set_faults()
        await scene.retry(name)
        await scene.all_synced(name)
    assert await sent(scene, name, "xledger") == [True]
