"""One lane's life, driven by hand."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from connectors.account_mapping import AccountMapping
from connectors.contract import (
    AccountingConnector,
    Document,
    Environment,
    Limits,
    NotSent,
    Permit,
    Posted,
    Posting,
    PostOutcome,
    Unavailable,
)
from connectors.reference import reference_of
from tests.events import approval
from tests.integration.worker.test_intake import CHANNELS, records
from tests.integration.worker.test_lanes import LEASE
from tests.integration.worker.test_watchdog import HangingConnector, HangingFactory
from tests.scene import PATIENCE, Scene, fresh
from worker import bootstrap
from worker.batch import store_batch
from worker.bootstrap import make_adapters
from worker.claimer import Claimer
from worker.claiming import Answer, Wish, claim
from worker.drain import Drain, Workshop
from worker.lanes import LaneKeeper
from worker.settler import Settler
from worker.store import connectors
from worker.store.database import transaction

pytestmark = pytest.mark.asyncio(loop_scope="session")


IDLE = timedelta(hours=1)


class CountingClaimer(Claimer):
    """Counts what lanes wish for."""

    wishes = 0

    async def claim(self, wish: Wish) -> Answer:
        self.wishes += 1
        return await super().claim(wish)


async def test_an_item_alone_costs_one_claim_and_none_once_it_is_settled(scene: Scene) -> None:
    await scene.organization("hlf", "business_central")
    await scene.switch(True, "hlf", "business_central")
    worker_id = uuid4()
    claimer, settler = CountingClaimer(scene.pool, worker_id), Settler(scene.pool, worker_id)
    [lane] = await LaneKeeper(scene.pool, worker_id, LEASE, 1).take(None)
    shop = Workshop(scene.pool, worker_id, make_adapters(scene.settings), claimer, settler, idle=IDLE)
    stop = asyncio.Event()
    tasks = [asyncio.create_task(one) for one in (claimer.run(), settler.run(), Drain(lane, shop, stop).run())]
    for number in fresh(3):
        await store_batch(scene.pool, records("approved", approval(number)), CHANNELS)
        lane.tell()
        await scene.until(partial(is_synced, scene, number))
    stop.set()
    lane.wake.set()
    await tasks[-1]
    for task in tasks[:-1]:
        task.cancel()
    first = 3  # an adapter, what the drain looks at then, and after its look-up, which may end beside the first item
    assert claimer.wishes <= first + 3


class Gate(HangingConnector):
    """An ERP that answers at once, but for what waits at its gate: that asks for leave to go on once it is open."""

    limits = Limits(concurrency=2, longest_request_life=LEASE)

    def __init__(self, held: str) -> None:
        self.held = held
        self.is_waited_at = asyncio.Event()
        self.is_open = asyncio.Event()

    async def post(self, posting: Posting, permit: Permit) -> PostOutcome:
        if posting.reference == self.held:
            self.is_waited_at.set()
            await self.is_open.wait()
        return Posted(Document(number="V-1", erp_id="1")) if permit.is_valid() else NotSent("The permit ended.")


class GateFactory(HangingFactory):
    """Whatever is configured, `gate` is what is talked to."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def connect(
        self,
        _settings: Mapping[str, object],
        _credentials: Mapping[str, str],
        _mapping: AccountMapping,
        _environment: Environment,
    ) -> AccountingConnector:
        return self.gate


class NarrowGate(Gate):
    """One at a time."""

    limits = Limits(concurrency=1, longest_request_life=LEASE)


async def test_a_lane_that_has_had_its_turn_is_given_back_amid_its_backlog_once_others_wait_for_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = fresh(3)
    await scene.organization()
    await store_batch(scene.pool, records("approved", *map(approval, names)), CHANNELS)
    await scene.switch(True)
    worker_id, gate = uuid4(), NarrowGate(reference_of("hlf", names[0]))
    monkeypatch.setattr(bootstrap, "installed_connectors", lambda: {"xledger": GateFactory(gate)})
    claimer, settler = Claimer(scene.pool, worker_id), Settler(scene.pool, worker_id)
    [lane] = await LaneKeeper(scene.pool, worker_id, LEASE, 1).take(None)
    shop = Workshop(scene.pool, worker_id, make_adapters(scene.settings), claimer, settler, idle=timedelta(0))
    drain = Drain(lane, shop, asyncio.Event())
    tasks = [asyncio.create_task(one) for one in (claimer.run(), settler.run(), drain.run())]
    async with asyncio.timeout(PATIENCE):
        await gate.is_waited_at.wait()
        lane.is_wanted_elsewhere = True
        gate.is_open.set()
        await tasks[-1]
    for task in tasks[:-1]:
        task.cancel()
    assert list((await scene.states()).values()) == ["synced", "pending", "pending"]
    assert drain.leaves_nothing


async def test_what_is_under_way_beside_an_item_that_cannot_be_settled_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else it would be turned back each time, since the bad one is sent again first."""
    bad, neighbour = fresh(2)
    await scene.organization()
    await scene.fetch("create function refuse() returns trigger language plpgsql as $$ begin raise 'refused'; end $$")
    await scene.fetch(
        "create trigger refuse before update on item for each row "
        f"when (new.reimbursement_id = '{bad}' and new.state = 'synced') execute function refuse()"
    )
    await store_batch(scene.pool, records("approved", approval(bad), approval(neighbour)), CHANNELS)
    await scene.switch(True)
    worker_id, gate = uuid4(), Gate(reference_of("hlf", neighbour))
    monkeypatch.setattr(bootstrap, "installed_connectors", lambda: {"xledger": GateFactory(gate)})
    claimer, settler = Claimer(scene.pool, worker_id), Settler(scene.pool, worker_id)
    [lane] = await LaneKeeper(scene.pool, worker_id, LEASE, 1).take(None)
    shop = Workshop(scene.pool, worker_id, make_adapters(scene.settings), claimer, settler, LEASE)
    drain = Drain(lane, shop, asyncio.Event())
    tasks = [asyncio.create_task(one) for one in (claimer.run(), settler.run(), drain.run())]
    with capture_logs() as logs:
        async with asyncio.timeout(PATIENCE):
            await gate.is_waited_at.wait()
            while "delivery_failed" not in {entry["event"] for entry in logs}:  # noqa: ASYNC110  # a list
                await asyncio.sleep(0.01)
            gate.is_open.set()
            await tasks[-1]
    for task in tasks[:-1]:
        task.cancel()
    assert await scene.states() == {bad: "sending", neighbour: "synced"}
    assert not drain.leaves_nothing


class DuplicateRefusingGate(NarrowGate):
    """Sending again is its look-up."""

    limits = Limits(concurrency=1, longest_request_life=LEASE, refuses_duplicates=True)


class RefusingGate(NarrowGate):
    """Refuses everything with the credentials that it was waited for with."""

    async def post(self, posting: Posting, permit: Permit) -> PostOutcome:
        is_refused = not self.is_open.is_set()
        outcome = await super().post(posting, permit)
        return Unavailable("The token expired.") if is_refused else outcome


async def test_a_refusal_of_credentials_that_were_replaced_meanwhile_suspends_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = fresh(1)
    await scene.organization()
    await scene.switch(True)
    gate = RefusingGate(reference_of("hlf", name))
    monkeypatch.setattr(bootstrap, "installed_connectors", lambda: {"xledger": GateFactory(gate)})
    async with scene.worker():
        await scene.approve(approval(name))
        async with asyncio.timeout(PATIENCE):
            await gate.is_waited_at.wait()
        async with transaction(scene.pool) as connection:
            await connectors.renew(connection, "hlf", "xledger")
        gate.is_open.set()
        await scene.all_synced(name)
    assert [outcome for _, _, outcome in await scene.history(name)] == ["unavailable", "posted"]
    assert "connector_suspended" not in {entry["change"] for entry in await scene.log()}


class Rounds:
    """Counts how often a loop comes round: what it asks of PostgreSQL it asks once a round."""

    count = 0

    def __call__(self, rests: float = 0.0, *, in_vain: bool | None = None) -> None:
        self.count += rests > 0.0 and in_vain is None


async def test_a_full_lane_does_not_ask_for_what_it_has_no_room_to_send_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, hanging = fresh(2)
    await scene.organization()
    await scene.switch(True)
    worker_id, gate = uuid4(), DuplicateRefusingGate(reference_of("hlf", hanging))
    monkeypatch.setattr(bootstrap, "installed_connectors", lambda: {"xledger": GateFactory(gate)})
    await store_batch(scene.pool, records("approved", approval(lost), approval(hanging)), CHANNELS)
    claimer, settler = Claimer(scene.pool, worker_id), Settler(scene.pool, worker_id)
    keeper, adapters = LaneKeeper(scene.pool, worker_id, LEASE, 1), make_adapters(scene.settings)
    [before] = await keeper.take(None)
    async with scene.pool.acquire() as connection:
        adapter = await adapters.make(connection, "hlf", "xledger")
    await claim(scene.pool, worker_id, Wish("hlf", before.fence, adapter, 1))
    await keeper.give_back(before, idle=True, leaves_lost=True)
    [lane] = await keeper.take(None)
    await scene.fetch("update item set due_at = clock_timestamp() + interval '3 seconds' where state = 'unknown'")
    rounds, stop = Rounds(), asyncio.Event()
    drain = Drain(lane, Workshop(scene.pool, worker_id, adapters, claimer, settler, IDLE), stop)
    tasks = [asyncio.create_task(one) for one in (claimer.run(), settler.run(), drain.run(rounds))]
    async with asyncio.timeout(PATIENCE):
        await gate.is_waited_at.wait()
        assert await scene.states() == {lost: "unknown", hanging: "sending"}
        await scene.fetch(
            "select pg_sleep(extract(epoch from due_at - clock_timestamp())) from item where due_at > now()"
        )
        rounds.count = 0
        await asyncio.wait(tasks, timeout=2)  # waiting is the point: what is to be shown does not happen
        assert rounds.count <= 4
        gate.is_open.set()
        await scene.all_synced(lost, hanging)
        stop.set()
        lane.wake.set()
        await tasks[-1]
    for task in tasks[:-1]:
        task.cancel()


async def is_synced(scene: Scene, reimbursement_id: str) -> bool:
    return bool((await scene.item(reimbursement_id))["state"] == "synced")
