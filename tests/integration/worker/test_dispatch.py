"""From pending to the ERP: in order, fairly, once, by the rules of each outcome, and never while off."""

import asyncio
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from connectors.reference import reference_of
from deploy.local.configurations import SAMPLE_MAPPING
from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.sandboxes.faults import Action, FaultRule
from deploy.local.sandboxes.ledger import LedgerLine, documents_per_reference
from deploy.local.sandboxes.tenants import Tenants, sample_tenants
from deploy.local.services import Services
from tests.events import approval
from tests.scene import DISPATCH_ONLY, INTAKE_ONLY, PATIENCE, Scene, fresh, own_scene, ready
from worker import bootstrap
from worker.domain.switching import Phase

pytestmark = pytest.mark.asyncio(loop_scope="session")

ERPS = pytest.mark.parametrize("kind", ["xledger", "business_central"])
TAKES_IN = {"xledger": "addGLImportItems", "business_central": "create_invoice"}
MOVES_MONEY = {"xledger": "addGLImportItems", "business_central": "post_invoice"}
WRONG_ACCOUNT = {**SAMPLE_MAPPING, "expense_types": {"travel": {"account": "9999"}}}
NO_TRAVEL = {**SAMPLE_MAPPING, "expense_types": {"meals": {"account": "7150"}}}


async def nothing_unknown_is_sent_again(scene: Scene) -> None:
    """Business Central gets an unknown item again within a second or two, which may be before a test goes on."""
    await scene.fetch(
        "create function due_in_an_hour() returns trigger language plpgsql as $$ "
        "begin new.due_at := clock_timestamp() + interval '1 hour'; return new; end $$"
    )
    await scene.fetch(
        "create trigger due_in_an_hour before update on item for each row "
        "when (new.state = 'unknown') execute function due_in_an_hour()"
    )


async def stored(scene: Scene, *names: str, organization_id: str = "hlf") -> None:
    """Approved and waiting."""
    await scene.approve(*[approval(name, organization_id) for name in names])
    await scene.all_in("pending", *names, organization_id=organization_id)


def order(lines: list[LedgerLine], *names: str) -> list[str]:
    """The names in the order in which their final documents came into being."""
    by_reference = {reference_of("hlf", name): name for name in names}
    return [by_reference[line.reference] for line in lines if line.final and line.reference in by_reference]


@ERPS
async def test_a_lane_posts_oldest_first(scene: Scene, kind: str) -> None:
    names = fresh(20)
    await scene.organization("hlf", kind, concurrency=1)
    async with scene.worker():
        await stored(scene, *names[:12])
        await scene.switch(True, kind=kind)
        await scene.approve(*[approval(name) for name in names[12:]])
        await scene.all_synced(*names)
    assert order(await scene.erps[kind].ledger(), *names) == names


@ERPS
async def test_what_could_not_be_sent_keeps_its_place_in_the_lane(scene: Scene, kind: str) -> None:
    names = fresh(4)
    await scene.organization("hlf", kind, concurrency=1)
    await scene.erps[kind].set_faults(FaultRule(action=Action.REFUSE_BEFORE, kind=TAKES_IN[kind], times=1))
    async with scene.worker():
        await stored(scene, *names)
        await scene.switch(True, kind=kind)
        await scene.all_synced(*names)
    assert order(await scene.erps[kind].ledger(), *names) == names


async def test_a_backlog_of_one_organisation_does_not_delay_the_only_item_of_another(scene: Scene) -> None:
    backlog, (single,) = fresh(300), fresh(1)
    erp = scene.erps["business_central"]
    for organization_id in ("big", "small"):
        await scene.organization(organization_id, "business_central", concurrency=1)
    async with scene.worker():
        await stored(scene, *backlog, organization_id="big")
        await erp.hold(["create_invoice"])
        await scene.switch(True, "big", "business_central")
        await scene.switch(True, "small", "business_central")
        await erp.wait_held(1)
        await scene.approve(approval(single, "small"))
        await erp.wait_held(2)
        await erp.release()
        await scene.all_synced(single, organization_id="small")
    lines = [line for line in await erp.ledger() if line.final]
    place = next(at for at, line in enumerate(lines) if line.reference == reference_of("small", single))
    ahead = {reference_of("big", name) for name in backlog}
    assert len([line for line in lines[:place] if line.reference in ahead]) <= 3


async def test_lanes_that_wait_for_their_erp_leave_their_places_to_those_of_another(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "LANES_AT_ONCE", 2)
    first, second, sound = fresh(3)
    fault = FaultRule(action=Action.TOO_MANY_REQUESTS, kind=TAKES_IN["xledger"], retry_after=3600)
    await scene.erps["xledger"].set_faults(fault)
    await scene.organization("down-1")
    await scene.organization("down-2")
    await scene.organization("up", "business_central")
    async with scene.worker():
        for organization_id, name in (("down-1", first), ("down-2", second)):
            await stored(scene, name, organization_id=organization_id)
            await scene.switch(True, organization_id)
            await scene.until(partial(scene.history, name, organization_id))
        await scene.switch(True, "up", "business_central")
        await scene.approve(approval(sound, "up"))
        await scene.all_synced(sound, organization_id="up")
    waits = await scene.fetch(
        "select not_before - clock_timestamp() as wait from lane where organization_id like 'down%'"
    )
    assert all(timedelta(minutes=50) < row["wait"] <= timedelta(hours=1) for row in waits)


@pytest.mark.parametrize(
    ("kind", "action"), [("xledger", Action.REFUSE_BEFORE), ("business_central", Action.TOO_MANY_REQUESTS)]
)
async def test_what_was_not_sent_is_pending_again_with_its_history_and_synced_after_the_back_off(
    scene: Scene, kind: str, action: Action
) -> None:
    (name,) = fresh(1)
    await scene.organization("hlf", kind)
    await scene.erps[kind].set_faults(FaultRule(action=action, kind=TAKES_IN[kind], times=1, retry_after=3600))
    async with scene.worker():
        await stored(scene, name)
        await scene.switch(True, kind=kind)
        await scene.until(lambda: scene.history(name))
        lane = await _lane_after_failure(scene)
        assert (await scene.item(name))["state"] == "pending"
    assert lane["failures"] == 1
    assert timedelta(minutes=50) < lane["wait"] <= timedelta(hours=1)
    await scene.fetch("update lane set not_before = clock_timestamp()")
    await scene.fetch("update item set due_at = clock_timestamp()")
    async with scene.worker():  # another one: the first waits by a clock of its own
        await scene.all_synced(name)
    assert [(attempt, outcome) for attempt, _, outcome in await scene.history(name)][:2] == [
        (1, "not_sent"),
        (2, "accepted" if kind == "xledger" else "posted"),
    ]
    assert await scene.value("select failures from lane") == 0
    assert len(await scene.documents("hlf", name, kind=kind)) == 1


async def _lane_after_failure(scene: Scene) -> asyncpg.Record:
    """The lane's row follows the item's, in a transaction of its own."""
    failed = "select failures, not_before - clock_timestamp() as wait from lane where failures > 0"
    async with asyncio.timeout(PATIENCE):
        while not (rows := await scene.fetch(failed)):
            pass
    return rows[0]


async def test_what_the_erp_rejects_waits_for_a_person_and_is_synced_once_the_mapping_is_mended(scene: Scene) -> None:
    name, neighbour = fresh(2)
    kind = "business_central"
    await scene.organization("hlf", kind, mapping=WRONG_ACCOUNT)
    async with scene.worker():
        await stored(scene, name)
        await scene.switch(True, kind=kind)
        await scene.all_in("rejected", name)
        rejected = await scene.item(name)
        await scene.configure("hlf", kind)
        await scene.approve(approval(neighbour))
        await scene.all_synced(neighbour)
        assert (await scene.item(name))["state"] == "rejected"
        await scene.retry(name)
        await scene.all_synced(name)
    assert rejected["reason_code"] == "unknown_account_or_vendor"
    assert "9999" in rejected["reason"]
    assert [(attempt, outcome) for attempt, _, outcome in await scene.history(name)] == [(1, "rejected"), (2, "posted")]
    assert len(await scene.documents("hlf", name, kind=kind)) == 1


async def test_what_the_import_refuses_is_rejected_and_synced_once_the_mapping_is_mended(scene: Scene) -> None:
    (name,) = fresh(1)
    await scene.organization("hlf", mapping=WRONG_ACCOUNT)
    async with scene.worker():
        await stored(scene, name)
        await scene.switch(True)
        await scene.all_in("rejected", name)
        rejected = await scene.item(name)
        await scene.configure()
        await scene.retry(name)
        await scene.all_synced(name)
    assert (rejected["reason_code"], rejected["reason"]) == ("import_refused", "Account 9999 does not exist.")
    assert await scene.history(name) == [
        (1, "settled", "accepted"),
        (1, "confirmed", "rejected"),
        (2, "settled", "accepted"),
        (2, "confirmed", "found"),
    ]
    assert len(await scene.documents("hlf", name)) == 1


@ERPS
async def test_what_the_mapping_lacks_is_named_and_nothing_is_sent(scene: Scene, kind: str) -> None:
    name, neighbour = fresh(2)
    await scene.organization("hlf", kind, mapping=NO_TRAVEL)
    async with scene.worker():
        meal = [{"line_id": "1", "expense_type": "meals", "expense_date": "2026-11-03", "amount": "250.00"}]
        await scene.approve(approval(name), approval(neighbour, lines=meal))
        await scene.counted("item", 2)
        await scene.switch(True, kind=kind)
        await scene.all_in("rejected", name)
        await scene.all_synced(neighbour)
        assert await scene.deliveries("hlf", name, kind=kind) == []
        rejected = await scene.item(name)
        await scene.configure("hlf", kind)
        await scene.retry(name)
        await scene.all_synced(name)
    assert rejected["reason_code"] == "unmapped_expense_type"
    assert "'travel'" in rejected["reason"]


@ERPS
async def test_refused_credentials_suspend_the_connector_leave_the_flag_and_stop_all_sending(
    scene: Scene, kind: str
) -> None:
    names, (passes,) = fresh(5), fresh(1)
    erp = scene.erps[kind]
    await scene.organization("hlf", kind, concurrency=1)
    await scene.organization("other", kind)
    async with scene.worker():
        await stored(scene, *names)
        await erp.set_faults(FaultRule(action=Action.UNAUTHORIZED, kind=TAKES_IN[kind]))
        await scene.switch(True, kind=kind)
        await scene.logged("connector_suspended")
        refused = await scene.deliveries("hlf", *names, kind=kind)
        await erp.set_faults()
        await scene.switch(True, "other", kind)
        await scene.approve(approval(passes, "other"), approval(fresh(1)[0]))
        await scene.all_synced(passes, organization_id="other")
        assert await scene.deliveries("hlf", *names, kind=kind) == refused
        assert {line.reference for line in refused} == {reference_of("hlf", names[0])}
        assert set((await scene.states()).values()) == {"pending"}
        (connector,) = await scene.fetch("select * from connector where organization_id = 'hlf'")
        assert (connector["enabled"], connector["changed_by"]) == (True, "admin-1")
        assert connector["suspended_reason"]
        await scene.request_run()
        await scene.all_synced(*names)
    assert len(await scene.documents("hlf", *names, kind=kind)) == len(names)


@ERPS
async def test_an_unknown_outcome_is_parked_and_never_sent_again(scene: Scene, kind: str) -> None:
    name, neighbour = fresh(2)
    erp = scene.erps[kind]
    await scene.organization("hlf", kind, concurrency=1)
    await erp.set_faults(FaultRule(action=Action.CUT_AFTER, kind=MOVES_MONEY[kind], times=1))
    async with scene.worker():
        await stored(scene, name)
        await scene.switch(True, kind=kind)
        await scene.all_in("unknown", name)
        await scene.approve(approval(neighbour))
        await scene.all_synced(neighbour)
        await scene.switch(False, kind=kind)
        await scene.switch(True, kind=kind)
        await scene.request_run()
        await scene.logged("sync_run_finished")
        assert (await scene.item(name))["state"] == "unknown"
    sent = [line for line in await scene.deliveries("hlf", name, kind=kind) if line.request == MOVES_MONEY[kind]]
    assert [line.applied for line in sent] == [True]
    assert len(await scene.documents("hlf", name, kind=kind)) == 1


async def test_a_staged_import_is_confirming_until_the_erp_says_its_transaction_number(scene: Scene) -> None:
    (name,) = fresh(1)
    erp = scene.erps["xledger"]
    await scene.organization()
    await erp.change_settings(import_delay=3600)
    try:
        async with scene.worker():
            await stored(scene, name)
            await scene.switch(True)
            await scene.all_in("confirming", name)
            assert await scene.documents("hlf", name) == []
            await erp.change_settings(process_imports=True)
            await scene.all_synced(name)
    finally:
        await erp.change_settings(import_delay=0.05)
    (document,) = await scene.documents("hlf", name)
    assert (await scene.item(name))["document_number"] == document.document


LINES = [
    {
        "line_id": "1",
        "expense_type": "travel",
        "expense_date": "2026-10-30",
        "amount": "1000.50",
        "description": "Train",
        "dimensions": {"department": "10"},
    },
    {"line_id": "2", "expense_type": "meals", "expense_date": "2026-11-03", "amount": "0.01"},
]


@pytest.mark.promise("P5")
@ERPS
@pytest.mark.parametrize(
    ("currency", "approved_at", "posted_on"),
    [("NOK", "2026-11-20T09:12:44Z", "2026-11-20"), ("EUR", "2026-11-20T23:30:00Z", "2026-11-21")],
)
async def test_amounts_currency_date_accounts_and_tenant_equal_the_event_and_the_mapping(
    scene: Scene, kind: str, currency: str, approved_at: str, posted_on: str
) -> None:
    (name,) = fresh(1)
    await scene.organization("hlf", kind)
    async with scene.worker():
        await scene.approve(
            approval(name, total="1000.51", currency=currency, approved_at=approved_at, lines=LINES),
        )
        await scene.counted("item", 1)
        await scene.switch(True, kind=kind)
        await scene.all_synced(name)
    (document,) = await scene.documents("hlf", name, kind=kind)
    assert (document.total, document.currency or "NOK") == (Decimal("1000.51"), currency)
    assert (document.vendor, document.posting_date) == ("10023", date.fromisoformat(posted_on))
    assert document.tenant == ("hlf" if kind == "xledger" else "blindeforbundet")
    slot = "glObject1" if kind == "xledger" else "AVD"
    assert [
        (line.account, line.amount, line.text, line.tax_code or None, line.dimensions) for line in document.lines
    ] == [
        ("7140", Decimal("1000.50"), "Train", "0", ((slot, "10"),)),
        ("7150", Decimal("0.01"), "meals", None, ()),
    ]


async def test_what_xledgers_closed_period_refuses_is_rejected_with_the_period_and_a_retry_books_it_in_the_open_one(
    scene: Scene,
) -> None:
    (name,) = fresh(1)
    await scene.organization()
    async with scene.worker():
        await scene.approve(approval(name, approved_at="2025-12-15T12:00:00Z"))
        await scene.counted("item", 1)
        await scene.switch(True)
        await scene.all_in("rejected", name)
        rejected = await scene.item(name)
        assert rejected["reason_code"] == "closed_period"
        assert rejected["reason"].startswith("The period 2025-12 is closed in Xledger. Open it, or set posting_date")
        await scene.configure("hlf", "xledger", mapping={**SAMPLE_MAPPING, "posting_date": "first_open_date"})
        await scene.retry(name)
        await scene.all_synced(name)
    (document,) = await scene.documents("hlf", name)
    assert document.posting_date == date(2026, 1, 1)
    assert [line.text for line in document.lines] == ["travel (orig. 2025-12-15)"]
    assert (await scene.item(name))["document_number"] == document.document


def two_tenants() -> Tenants:
    (xledger,) = sample_tenants().xledger
    (central,) = sample_tenants().business_central
    other = {"organization": "second", "company_id": UUID(int=2), "client_id": "second-client", "client_secret": "s2"}
    return Tenants(
        tenants=(
            xledger,
            xledger.model_copy(update={"organization": "second", "token": "c2Vjb25kLXRva2Vu"}),
            central,
            central.model_copy(update=other),
        )
    )


@pytest.mark.promise("P8")
async def test_each_organisation_is_posted_with_its_own_credentials_at_its_own_tenant_alone(
    services: Services, database_url: str, tmp_path: Path
) -> None:
    tenants = two_tenants()
    async with (
        SandboxProcess("xledger", ledger=tmp_path / "x.jsonl", tenants=tenants) as xledger,
        SandboxProcess("business_central", ledger=tmp_path / "b.jsonl", tenants=tenants) as central,
        own_scene(database_url, services.bootstrap_servers, {"xledger": xledger, "business_central": central}) as scene,
    ):
        first, second = tenants.business_central
        organizations: dict[str, tuple[str, dict[str, Any]]] = {
            "x-first": ("xledger", {}),
            "x-second": ("xledger", {"credentials": {"token": tenants.xledger[1].token}}),
            "b-first": ("business_central", {}),
            "b-second": (
                "business_central",
                {
                    "company_id": str(second.company_id),
                    "credentials": {"client_id": second.client_id, "client_secret": second.client_secret},
                },
            ),
        }
        names = fresh(10)
        async with scene.worker():
            for organization_id, (kind, more) in organizations.items():
                await scene.organization(organization_id, kind, **more)
                await scene.switch(True, organization_id, kind)
                await scene.approve(*[approval(name, organization_id) for name in names])
            for organization_id in organizations:
                await scene.all_synced(*names, organization_id=organization_id)
        used = {
            organization_id: {
                (line.tenant, line.credentials) for line in await scene.deliveries(organization_id, *names, kind=kind)
            }
            for organization_id, (kind, _) in organizations.items()
        }
    assert used == {
        "x-first": {("hlf", "hlf/token")},
        "x-second": {("second", "second/token")},
        "b-first": {("blindeforbundet", first.client_id)},
        "b-second": {("second", second.client_id)},
    }


async def test_a_commit_wakes_the_lane_without_a_poll(scene: Scene) -> None:
    one, two = fresh(2)
    await scene.organization()
    async with scene.worker(poll_seconds=60.0) as worker:
        await scene.switch(True)
        await ready(worker)
        for name in (one, two):
            await scene.approve(approval(name))
            await scene.all_synced(name)


async def test_a_commit_while_the_lane_is_given_back_is_not_forgotten(scene: Scene) -> None:
    """Where an item that comes to lose its lane, as these are short, is sent again at once."""
    one, two, passes = fresh(3)
    kind = "business_central"
    for organization_id in ("hlf", "other"):
        await scene.organization(organization_id, kind)
        await scene.switch(True, organization_id, kind)
    async with scene.worker(poll_seconds=60.0, lease_seconds=1.0):
        await scene.approve(approval(one))
        await scene.all_synced(one)
        async with scene.pool.acquire() as connection, connection.transaction():
            await connection.execute("select from lane where organization_id = 'hlf' for update")
            await scene.someone_waits_for_a_lock("update lane set leased_by = null%")
            await scene.approve(approval(two))
            await scene.counted("item", 2)
            await scene.approve(approval(passes, "other"))
            await scene.all_synced(passes, organization_id="other")
        await scene.all_synced(two)


async def test_constant_wakes_do_not_keep_a_worker_from_looking_at_all_lanes(scene: Scene) -> None:
    (name,) = fresh(1)
    await scene.organization()
    async with scene.worker() as worker:
        await ready(worker)
        waking = asyncio.create_task(_wake_without_end(scene))
        try:
            await stored(scene, name)
            # As when the notification is lost: the flag is changed without one.
            await scene.fetch(
                "update connector set enabled = true, changed_by = 'a', changed_at = now(), reason = 'r', "
                "quiesced_at = null, released_through = 1000000"
            )
            await scene.all_synced(name)
        finally:
            waking.cancel()


async def _wake_without_end(scene: Scene) -> None:
    while True:
        await scene.fetch("select pg_notify('accounting_sync_lane', 'nobody')")
        await asyncio.sleep(0.1)


@ERPS
async def test_switching_off_while_a_request_is_under_way_lets_no_other_follow_until_it_is_on_again(
    scene: Scene, kind: str
) -> None:
    names = fresh(5)
    erp = scene.erps[kind]
    await scene.organization("hlf", kind, concurrency=1)
    async with scene.worker():
        await stored(scene, *names)
        await erp.hold([MOVES_MONEY[kind]])
        await scene.switch(True, kind=kind)
        await erp.wait_held(1)
        toggled = await scene.switch(False, kind=kind)
        assert toggled.phase is Phase.SWITCHING_OFF
        assert (await scene.log())[-1]["detail"] == '{"in_flight": 1}'
        await erp.release()
        off = await scene.logged("connector_quiesced")
        assert off["new_state"] == "off"
        sent = await scene.deliveries("hlf", *names, kind=kind)
        assert {line.reference for line in sent} == {reference_of("hlf", names[0])}
        await scene.switch(True, kind=kind)
        await scene.all_synced(*names)
    assert order(await erp.ledger(), *names) == names


@ERPS
async def test_a_success_that_comes_after_the_lease_is_kept_as_evidence_and_settles_the_item(
    scene: Scene, kind: str
) -> None:
    (name,) = fresh(1)
    erp = scene.erps[kind]
    await scene.organization("hlf", kind)
    await nothing_unknown_is_sent_again(scene)
    async with scene.worker(poll_seconds=60.0):
        await stored(scene, name)
        await erp.hold([MOVES_MONEY[kind]])
        await scene.switch(True, kind=kind)
        await erp.wait_held(1)
        await scene.fetch("update lane set leased_until = clock_timestamp() - interval '1 second'")
        async with scene.worker(DISPATCH_ONLY):
            await scene.all_in("unknown", name)
            assert await scene.value("select fence from lane") == 2
            await erp.release()
            await scene.all_synced(name)
    history = await scene.history(name)
    assert history[:2] == [(1, "settled", "unknown"), (1, "late", "accepted" if kind == "xledger" else "posted")]
    assert len(await scene.documents("hlf", name, kind=kind)) == 1
    assert (
        len([line for line in await scene.deliveries("hlf", name, kind=kind) if line.request == MOVES_MONEY[kind]]) == 1
    )


@pytest.mark.promise("P7")
async def test_a_settlement_that_postgresql_refuses_leaves_its_item_unknown_and_its_neighbours_alone(
    scene: Scene,
) -> None:
    first, poison, *names = fresh(7)
    kind = "business_central"
    await scene.organization("hlf", kind)
    await nothing_unknown_is_sent_again(scene)
    await scene.fetch(
        "create function refuse_poison() returns trigger language plpgsql as $$ begin raise 'refused'; end $$"
    )
    await scene.fetch(
        "create trigger poison before update on item for each row "
        f"when (new.reimbursement_id = '{poison}' and new.state = 'synced') execute function refuse_poison()"
    )
    async with scene.worker():
        await stored(scene, first)
        await scene.switch(True, kind=kind)
        await scene.logged("sync_run_finished")
        await scene.approve(approval(poison), *[approval(name) for name in names])
        await scene.all_synced(*names)
        await scene.fetch("update lane set leased_until = clock_timestamp() - interval '1 second'")
        await scene.all_in("unknown", poison)
    assert len(await scene.documents("hlf", poison, *names, kind=kind)) == 6


@pytest.mark.promise("P3")
async def test_no_request_reaches_the_erp_between_an_acknowledged_off_and_the_next_enable(scene: Scene) -> None:
    names = fresh(300)
    kind = "business_central"
    await scene.organization("hlf", kind)
    async with scene.worker():
        await scene.approve(*[approval(name) for name in names])
        await scene.counted("item", len(names))
        for _ in range(50):
            await scene.switch(True, kind=kind)
            await scene.until(lambda: scene.value(SENDS_OR_HAS_NOTHING))
            await _switch_off_for_good(scene, kind)
        await scene.switch(True, kind=kind)
        await scene.all_synced(*names)
    quiet = _quiet_times([(entry["at"], entry["new_state"]) for entry in await scene.log() if entry["new_state"]])
    lines = await scene.deliveries("hlf", *names, kind=kind)
    assert len(quiet) == 50
    assert [line.at for line in lines if any(since < line.at < until for since, until in quiet)] == []
    assert set(documents_per_reference(lines).values()) == {1}
    assert len(documents_per_reference(lines)) == len(names)


SENDS_OR_HAS_NOTHING = """
select exists (select from item where state = 'sending') or not exists (select from item where state = 'pending')
"""


async def _switch_off_for_good(scene: Scene, kind: str) -> None:
    if (await scene.switch(False, kind=kind)).phase is not Phase.OFF:
        await scene.until(lambda: scene.value("select quiesced_at is not null from connector"))


def _quiet_times(changes: list[tuple[datetime, str]]) -> list[tuple[datetime, datetime]]:
    """From each acknowledged off to the enable after it."""
    quiet: list[tuple[datetime, datetime]] = []
    off: datetime | None = None
    for at, state in changes:
        if state == "off":
            off = off or at
        elif state == "on" and off:
            quiet.append((off, at))
            off = None
    return quiet[1:] if quiet and quiet[0][0] == changes[0][0] else quiet


@ERPS
async def test_the_protocol_costs_fewer_than_two_commits_an_item(scene: Scene, kind: str) -> None:
    """Counted by PostgreSQL: every transaction that writes or locks takes a number."""
    names = fresh(100)
    await scene.organization("hlf", kind, concurrency=4)
    async with scene.worker(INTAKE_ONLY):
        await stored(scene, *names)
    before = await scene.value("select pg_current_xact_id()::text::bigint")
    async with scene.worker(DISPATCH_ONLY):
        await scene.switch(True, kind=kind)
        await scene.all_synced(*names)
        after = await scene.value("select pg_current_xact_id()::text::bigint")
    assert (after - before) / len(names) < 2
