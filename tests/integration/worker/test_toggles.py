"""Switching on and off: who may, what is recorded, and that off is off."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from uuid import UUID

import asyncpg
import pytest

from tests.events import approval, toggle
from tests.integration.worker import rows
from tests.integration.worker.rows import ADMIN, bring_to, central_file, configure, log_of, set_up, switch, take_in
from tests.scene import Scene
from worker import toggles
from worker.domain.switching import NEVER, Actor, Phase, Role, Toggle, Verdict
from worker.store.database import Connection, Pool, acquire, fetch_one, transaction
from worker.suspension import suspend
from worker.toggles import apply_toggle, finish_switching_off

pytestmark = pytest.mark.asyncio(loop_scope="session")

OWN = Actor("user-9", Role.ORGANIZATION_ADMIN, frozenset({"hlf"}))
OTHERS = Actor("user-9", Role.ORGANIZATION_ADMIN, frozenset({"other"}))
NOBODYS = Actor("user-9", Role.ORGANIZATION_ADMIN)


async def _apply(pool: Pool, wish: Toggle) -> toggles.Toggled:
    async with transaction(pool) as connection:
        return await apply_toggle(connection, wish, "http")


def _wish(
    enabled: bool = True,
    *,
    reason: str = "Why",
    actor: Actor = OWN,
    revision: int | None = None,
    seen_change: datetime | None = None,
) -> Toggle:
    return Toggle("hlf", "xledger", enabled, reason, actor, revision, seen_change)


async def _outbox(pool: Pool) -> list[Mapping[str, object]]:
    async with acquire(pool) as connection:
        found = await connection.fetch("select event_type, value from outbox order by outbox_id")
    return [{"type": row["event_type"], **json.loads(row["value"])} for row in found]


async def _enabled(pool: Pool, kind: str = "xledger") -> bool:
    async with acquire(pool) as connection:
        found = await connection.fetchval("select enabled from connector where kind = $1", kind)
    return bool(found)


@pytest.mark.parametrize("actor", [OWN, ADMIN], ids=["own admin", "global admin"])
async def test_whoever_has_the_right_switches_and_is_recorded(pool: Pool, actor: Actor) -> None:
    await set_up(pool)
    toggled = await _apply(pool, _wish(actor=actor, reason="Onboarding done", revision=3))
    assert (toggled.decision.verdict, toggled.phase) == (Verdict.APPLIED, Phase.ON)
    entry = (await log_of(pool))[2]
    assert {name: entry[name] for name in ("actor", "actor_role", "source", "connector", "change", "new_state")} == {
        "actor": actor.id,
        "actor_role": actor.role,
        "source": "http",
        "connector": "xledger",
        "change": "connector_enabled",
        "new_state": "on",
    }
    assert (entry["reason"], entry["detail"]) == ("Onboarding done", {"revision": 3})
    assert entry["organization_id"] == "hlf"


@pytest.mark.parametrize("actor", [OTHERS, NOBODYS], ids=["of another organisation", "without an organisation"])
async def test_whoever_has_no_right_changes_nothing_and_is_recorded(pool: Pool, actor: Actor) -> None:
    await set_up(pool)
    toggled = await _apply(pool, _wish(actor=actor))
    assert (toggled.decision.verdict, toggled.phase) == (Verdict.REFUSED, Phase.OFF)
    assert not await _enabled(pool)
    entry = (await log_of(pool))[-1]
    assert (entry["actor"], entry["change"], entry["new_state"]) == ("user-9", "toggle_refused", "off")
    assert entry["detail"] == {"wanted": "on", "answer": toggled.decision.sentence}
    assert await _outbox(pool) == []


async def test_a_blank_reason_is_refused_and_logged(pool: Pool) -> None:
    await set_up(pool)
    toggled = await _apply(pool, _wish(reason=" "))
    assert toggled.decision.sentence.startswith("A reason is required.")
    assert not await _enabled(pool)
    assert (await log_of(pool))[-1]["change"] == "toggle_refused"


async def test_of_two_administrators_at_once_the_second_is_told_what_the_first_did(pool: Pool) -> None:
    await set_up(pool)
    await switch(pool, False)  # changes nothing, so both see a connector that was never switched
    toggled = await asyncio.gather(
        _apply(pool, _wish(seen_change=NEVER, reason="Onboarding")),
        _apply(pool, _wish(seen_change=NEVER, reason="Me too", actor=ADMIN)),
    )
    assert {one.decision.verdict for one in toggled} == {Verdict.APPLIED, Verdict.REFUSED}
    refused = next(one for one in toggled if one.decision.verdict is Verdict.REFUSED)
    async with acquire(pool) as connection:
        at, by, reason = await fetch_one(connection, "select changed_at, changed_by, reason from connector")
    assert refused.decision.sentence == (
        f"The Xledger connector for hlf was enabled meanwhile, at {at:%Y-%m-%d %H:%M:%S} UTC by {by}: {reason}. "
        "Nothing was changed. Look again before you decide."
    )
    entry = (await log_of(pool))[-1]
    assert (entry["change"], entry["detail"]) == (
        "toggle_refused",
        {"wanted": "on", "answer": refused.decision.sentence},
    )
    seen_now = _wish(False, seen_change=at)
    assert (await _apply(pool, seen_now)).decision.verdict is Verdict.APPLIED
    assert (await _apply(pool, seen_now)).decision.verdict is Verdict.REFUSED


async def test_a_superseded_revision_changes_nothing_and_is_logged(pool: Pool) -> None:
    await set_up(pool)
    await _apply(pool, _wish(True, revision=12))
    for revision in (11, 12):
        toggled = await _apply(pool, _wish(False, revision=revision))
        assert (toggled.decision.verdict, toggled.phase) == (Verdict.SUPERSEDED, Phase.ON)
        assert (await log_of(pool))[-1]["change"] == "toggle_superseded"
    assert await _enabled(pool)
    assert len(await _outbox(pool)) == 1
    assert (await _apply(pool, _wish(False, revision=13))).phase is Phase.OFF


async def test_a_toggle_without_a_revision_does_not_forget_the_last_one(pool: Pool) -> None:
    await set_up(pool)
    await _apply(pool, _wish(True, revision=12))
    await _apply(pool, _wish(False))
    assert (await _apply(pool, _wish(True, revision=12))).decision.verdict is Verdict.SUPERSEDED


async def test_a_toggle_that_changed_nothing_still_supersedes_older_ones(pool: Pool) -> None:
    await set_up(pool)
    await _apply(pool, _wish(True))
    assert (await _apply(pool, _wish(True, revision=12))).decision.verdict is Verdict.UNCHANGED
    assert (await _apply(pool, _wish(False, revision=11))).decision.verdict is Verdict.SUPERSEDED
    assert await _enabled(pool)


async def test_what_is_so_already_is_logged_as_unchanged_and_keeps_its_first_author(pool: Pool) -> None:
    await set_up(pool)
    await _apply(pool, _wish(True))
    assert (await _apply(pool, _wish(True, actor=ADMIN))).decision.verdict is Verdict.UNCHANGED
    assert (await log_of(pool))[-1]["change"] == "toggle_unchanged"
    async with acquire(pool) as connection:
        assert await connection.fetchval("select changed_by from connector") == "user-9"


async def test_a_second_connector_is_refused_with_what_to_do_first(pool: Pool) -> None:
    await set_up(pool)
    await configure(pool, kind="business_central", file=central_file())
    await switch(pool, True)
    toggled = await switch(pool, True, kind="business_central")
    assert toggled.decision.sentence == (
        "The Xledger connector is enabled for hlf, and only one may be. Disable it before enabling Business Central."
    )
    assert not await _enabled(pool, "business_central")
    entry = (await log_of(pool))[-1]
    assert (entry["connector"], entry["change"]) == ("business_central", "toggle_refused")


async def test_a_toggle_for_an_organisation_without_a_connector_is_refused_and_logged(pool: Pool) -> None:
    toggled = await switch(pool, True, "stranger")
    assert toggled.decision.sentence == "No xledger connector is configured for stranger. Configure it first."
    assert toggled.phase is None
    assert [entry["change"] for entry in await log_of(pool, "stranger")] == ["toggle_refused"]


async def test_a_toggle_its_entry_and_its_event_are_one_transaction(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(pool)
    before = await log_of(pool)

    async def fail(connection: Connection, _event: object) -> None:
        await connection.execute("select 1 / 0")

    monkeypatch.setattr("worker.store.outbox.write", fail)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await _apply(pool, _wish())
    assert not await _enabled(pool)
    assert await log_of(pool) == before
    assert await _outbox(pool) == []


async def test_the_outside_is_told_of_each_change_with_its_author(pool: Pool) -> None:
    await set_up(pool)
    await _apply(pool, _wish(True))
    await _apply(pool, _wish(False, reason="Maintenance"))
    changed = [event for event in await _outbox(pool) if event["type"] == "connector.changed.v1"]
    assert [(event["enabled"], event["phase"], event["reason"]) for event in changed] == [
        (True, "on", "Why"),
        (False, "off", "Maintenance"),
    ]
    assert changed[0]["actor"] == {"id": "user-9", "role": "organization_admin"}
    assert changed[0]["changed_at"] == _iso((await log_of(pool))[2]["at"])


def _iso(at: object) -> str:
    return str(at).replace(" ", "T").replace("+00:00", "Z")


async def test_enabling_with_a_hundred_thousand_pending_writes_next_to_nothing(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    async with acquire(pool) as connection:
        await connection.execute("""
            insert into item (organization_id, reimbursement_id, approved_at, total_minor, currency, content_hash,
                              content)
            select organization_id, 'B-' || n, approved_at, total_minor, currency, content_hash, ''
            from item, generate_series(1, 100000) n
        """)
        await connection.execute("checkpoint")
    async with transaction(pool) as connection:
        before = await _rows_written(connection)
        await apply_toggle(connection, _wish(), "cli")
        counts = await _rows_written(connection) - before
        assert await connection.fetchval("select remaining from sync_run") is None
    assert "item" not in counts
    assert sum(counts.values()) < 20


async def _rows_written(connection: Connection) -> Counter[str]:
    """By table, since the server process last told its counts: not by this transaction alone."""
    rows = await connection.fetch("select relname, n_tup_ins + n_tup_upd as rows from pg_stat_xact_user_tables")
    return Counter({row["relname"]: row["rows"] for row in rows})


async def test_off_is_said_at_once_where_nothing_is_in_flight(pool: Pool) -> None:
    await set_up(pool)
    await switch(pool, True)
    assert (await switch(pool, False)).phase is Phase.OFF
    assert [entry["new_state"] for entry in await log_of(pool) if entry["change"] == "connector_disabled"] == ["off"]


async def test_with_something_in_flight_it_is_switching_off_until_that_is_settled(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"), approval("R-2"))
    await switch(pool, True)
    await bring_to(pool, "sending", "R-1", "R-2")
    assert (await switch(pool, False)).phase is Phase.SWITCHING_OFF
    disabled = (await log_of(pool))[-1]
    assert (disabled["new_state"], disabled["detail"]) == ("switching_off", {"in_flight": 2})
    async with transaction(pool) as connection:
        assert not await finish_switching_off(connection, "hlf", "xledger")
        await rows.bring(connection, "synced", "R-1")
        assert not await finish_switching_off(connection, "hlf", "xledger")
        await rows.bring(connection, "unknown", "R-2")
        assert await finish_switching_off(connection, "hlf", "xledger")
        assert not await finish_switching_off(connection, "hlf", "xledger")
    quiesced = [entry for entry in await log_of(pool) if entry["change"] == "connector_quiesced"]
    assert [(entry["actor"], entry["new_state"]) for entry in quiesced] == [("accounting-sync", "off")]


async def test_enabling_again_while_switching_off_is_on_and_never_quiesces(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    await switch(pool, True)
    await bring_to(pool, "sending", "R-1")
    await switch(pool, False)
    assert (await switch(pool, True)).phase is Phase.ON
    async with transaction(pool) as connection:
        await rows.bring(connection, "synced", "R-1")
        assert not await finish_switching_off(connection, "hlf", "xledger")


async def test_one_connector_that_falls_silent_leaves_the_next_ones_run_alone(pool: Pool) -> None:
    await set_up(pool)
    await configure(pool, kind="business_central", file=central_file())
    await take_in(pool, approval("R-1"), approval("R-2"))
    await switch(pool, True)
    await bring_to(pool, "sending", "R-1")
    await switch(pool, False)
    await switch(pool, True, kind="business_central")
    async with transaction(pool) as connection:
        await rows.bring(connection, "synced", "R-1")
        assert await finish_switching_off(connection, "hlf", "xledger")
        runs = await connection.fetch("select connector, result from sync_run order by started_at")
    assert [tuple(run) for run in runs] == [("xledger", "stopped"), ("business_central", None)]


async def test_a_suspension_ends_with_the_admins_next_word(pool: Pool) -> None:
    await set_up(pool)
    await switch(pool, True)
    async with transaction(pool) as connection:
        assert await suspend(connection, "hlf", "xledger", "The token expired.")
        assert not await suspend(connection, "hlf", "xledger", "The token expired.")
    assert await _enabled(pool)
    assert [entry["change"] for entry in await log_of(pool)].count("connector_suspended") == 1
    assert (await switch(pool, True)).phase is Phase.ON


async def test_a_toggle_from_kafka_is_logged_whole(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, toggle(True, revision=4))
    entry = next(entry for entry in await log_of(pool) if entry["change"] == "connector_enabled")
    assert (entry["actor"], entry["actor_role"], entry["organization_id"]) == ("user-9", "organization_admin", "hlf")
    assert (entry["connector"], entry["new_state"], entry["reason"]) == ("xledger", "on", "Onboarding done")
    assert (entry["source"], entry["detail"]) == ("kafka", {"revision": 4})


@pytest.mark.parametrize(
    "actor",
    [
        {"id": "user-9", "role": "organization_admin", "organization_id": "other"},
        {"id": "user-9", "role": "organization_admin"},
    ],
)
async def test_a_toggle_from_kafka_without_a_right_is_refused_and_logged(pool: Pool, actor: dict[str, str]) -> None:
    await set_up(pool)
    await take_in(pool, toggle(True, actor=actor))
    assert not await _enabled(pool)
    assert (await log_of(pool))[-1]["change"] == "toggle_refused"


async def test_an_event_id_with_other_content_is_a_dead_letter_and_the_first_stands(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, toggle(True, event_id="e-1"))
    await take_in(pool, toggle(False, event_id="e-1"))
    assert await _enabled(pool)
    async with acquire(pool) as connection:
        letters = await connection.fetch("select reason, organization_id from dead_letter")
    assert [tuple(letter) for letter in letters] == [("conflicting_content", "hlf")]


async def test_toggles_of_one_fetch_are_applied_in_their_order(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, toggle(True), toggle(False), toggle(True), toggle(False))
    changes = [entry["change"] for entry in await log_of(pool) if entry["source"] == "kafka"]
    switches = [change for change in changes if str(change).startswith("connector_")]
    assert switches == ["connector_enabled", "connector_disabled"] * 2


@pytest.mark.promise("P12")
async def test_replaying_the_toggles_switches_nothing_and_sends_nothing(scene: Scene) -> None:
    """P12, through the broker: on, off, then both events again, and a month later what they say is old."""
    on, off = toggle(True, event_id="on-1"), toggle(False, event_id="off-1")
    await scene.organization()
    async with scene.worker():
        await scene.toggle(on, off)
        await scene.until(partial(_counts, scene, "toggles", 2))
        await scene.approve(approval("R-replayed"))
        await scene.counted("item", 1)
        log = await scene.log()
        await scene.toggle(on, off, on)
        await scene.until(partial(_counts, scene, "duplicates", 3))
        assert await scene.log() == log
        assert await scene.states() == {"R-replayed": "pending"}
        assert await scene.value("select not enabled and quiesced_at is not null from connector")
    assert await scene.deliveries("hlf", "R-replayed") == []


async def _counts(scene: Scene, column: str, expected: int) -> bool:
    return bool(await scene.value(f"select coalesce(sum({column}), 0) >= {expected} from intake_position"))


async def test_off_is_acknowledged_once_nothing_is_in_flight_and_from_then_on_nothing_leaves(scene: Scene) -> None:
    """P3: the request on the wire is answered first; what waits stays where it is until the next enable."""
    erp = scene.erps["xledger"]
    await scene.organization("hlf", "xledger", concurrency=1)
    await scene.organization("canary")
    await scene.switch(True, "canary")
    async with scene.worker():
        await erp.hold()
        await scene.approve(approval("Q-1"), approval("Q-2"), approval("Q-3"))
        await scene.counted("item", 3)
        await scene.switch(True)
        await erp.wait_held(1)
        assert (await scene.switch(False)).phase is Phase.SWITCHING_OFF
        assert not await _is_quiesced(scene)
        await erp.release()
        await scene.until(partial(_is_quiesced, scene))
        quiesced = next(entry for entry in await scene.log() if entry["change"] == "connector_quiesced")
        assert quiesced["new_state"] == "off"
        assert quiesced["at"] >= max(line.at for line in await scene.deliveries("hlf", "Q-1"))
        await scene.approve(approval("Q-4"), approval("C-1", "canary"))
        await scene.counted("item", 5)
        await scene.all_synced("C-1", organization_id="canary")
        assert await scene.deliveries("hlf", "Q-2", "Q-3", "Q-4") == []
        await scene.switch(True)
        await scene.all_synced("Q-1", "Q-2", "Q-3", "Q-4")
    assert len(await scene.documents("hlf", "Q-1", "Q-2", "Q-3", "Q-4")) == 4


async def _is_quiesced(scene: Scene) -> bool:
    return bool(await scene.value("select quiesced_at is not null from connector where organization_id = 'hlf'"))


async def test_the_run_that_an_enable_starts_is_named_in_the_log(pool: Pool) -> None:
    await set_up(pool)
    await switch(pool, True)
    started = next(entry for entry in await log_of(pool) if entry["change"] == "sync_run_started")
    detail = started["detail"]
    assert isinstance(detail, dict)
    async with acquire(pool) as connection:
        assert UUID(detail["run_id"]) == await connection.fetchval("select run_id from sync_run")
