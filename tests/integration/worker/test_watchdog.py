"""A worker that stands still says why and ends; one that waits for others lives on."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from connectors.account_mapping import AccountMapping
from connectors.contract import (
    AccountingConnector,
    Attempted,
    ConnectorKind,
    Environment,
    Finding,
    Limits,
    Permit,
    Posting,
    PostOutcome,
    Problem,
)
from connectors.reference import reference_of
from deploy.local.processes import free_port
from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.sandboxes.faults import Action, FaultRule
from deploy.local.services import Services
from tests.events import approval, toggle
from tests.scene import DISPATCH_ONLY, INTAKE_ONLY, PATIENCE, Scene, fresh, own_brokers, own_database, own_scene, ready
from worker import bootstrap
from worker.bootstrap import Worker
from worker.domain.standstill import Sign
from worker.probes import Probes
from worker.progress import Overdue, StalledError
from worker.settings import WorkerRole

pytestmark = pytest.mark.asyncio(loop_scope="session")

STALL = 30.0
A_WHILE = 0.4 * STALL
"""Three of them are more than a stall, and after one of them a machine that is slow still has the rest of the time."""
SECONDS_TO_COME_ROUND = 3.0
SECONDS_TO_END = 2.0


class Running:
    """A worker with its probes, as the process has them; `ended` once it gave up.

    No test sits out a stall: whatever does not move is made older by a while, again and again, and has to move in
    between. So nobody is blamed for a PostgreSQL or a machine that takes some seconds, as it does beside others.
    """

    def __init__(self, worker: Worker, url: str, tasks: Sequence[asyncio.Task[None]]) -> None:
        self.worker = worker
        self._url = url
        self._tasks = tasks
        self._pulse = worker._pulse
        self._auditor: Any = getattr(worker.loops()["audit"], "__self__")  # noqa: B009  # a bound method
        self._looks = 0
        self._auditor._interval = 0.1
        self._auditor._rest = partial(self._count, self._auditor._rest)

    async def probe(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as http, http.get(f"{self._url}{path}") as response:
            return response.status, await response.text()

    async def stalls(self) -> str:
        """The sentence with which it gives up."""
        async with asyncio.timeout(PATIENCE):
            while not self._ended():
                await self._a_while_passes(patience=SECONDS_TO_COME_ROUND)
        (error,) = [task.exception() for task in self._ended()]
        assert isinstance(error, StalledError)
        status, why = await self.probe("/livez")
        assert status == 503
        return why

    async def lives_on(self, *, while_ready: bool = True) -> None:
        """For longer than a stall takes to be seen."""
        for _ in range(4):
            await self._a_while_passes(patience=PATIENCE)
            assert not self._ended(), self._ended()
        assert await self.probe("/livez") == (200, "alive\n")
        assert (await self.probe("/readyz"))[0] == (200 if while_ready else 503)

    async def _a_while_passes(self, patience: float) -> None:
        """For what stands still by now. Returns once all of it has moved or is to rest longer, and the audit has looked
        at it as it is then; or once somebody gave up; or when the patience is at an end."""
        late = self._pulse.overdue()
        since, looks = time.monotonic(), self._looks
        for one in late:
            self._pulse._rounds[one.loop, one.subject].due -= A_WHILE
        for signs in self._auditor._seen.values():
            signs.update({subject: Sign(sign.seen, sign.since - A_WHILE) for subject, sign in signs.items()})
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not self._ended() and (  # noqa: ASYNC110  # loops tell their pulse alone that they come round
                    self._looks < looks + 2 or any(self._stands_since(since, one) for one in late)
                ):
                    await asyncio.sleep(0.01)

    def _stands_since(self, since: float, late: Overdue) -> bool:
        found = self._pulse._rounds.get((late.loop, late.subject))
        return found is not None and found.at < since

    def _ended(self) -> list[asyncio.Task[None]]:
        return [task for task in self._tasks if task.done()]

    async def _count(self, pause: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
        """The audit has looked at everything, and pauses."""
        self._looks += 1
        await pause(stop)


@asynccontextmanager
async def watched(
    scene: Scene, roles: frozenset[WorkerRole] = frozenset(WorkerRole), **changes: object
) -> AsyncIterator[Running]:
    """Given up or not, everything of it is gone at the end."""
    port = free_port()
    settings = scene.settings.model_copy(update={"roles": roles, "stall_seconds": STALL} | changes)
    probes = Probes("127.0.0.1", port)
    await probes.start()
    worker = probes.worker = Worker(settings, scene.pool)
    stop = asyncio.Event()
    tasks = [asyncio.create_task(loop(stop), name=name) for name, loop in worker.loops().items()]
    try:
        running = Running(worker, f"http://127.0.0.1:{port}", tasks)
        await ready(worker)
        yield running
    finally:
        stop.set()
        _, hung = await asyncio.wait(tasks, timeout=SECONDS_TO_END)
        for task in hung:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await probes.stop()


async def test_a_consumer_that_stops_reading_while_records_wait_is_a_stall(scene: Scene) -> None:
    (name,) = fresh(1)
    async with watched(scene, INTAKE_ONLY) as running:
        with capture_logs() as logs:
            consumer = _consumer(running)
            consumer.pause(*consumer.assignment())
            await scene.approve(approval(name))
            why = await running.stalls()
    assert f"Nothing was read from {scene.settings.approvals_topic}/" in why
    assert "a record stands there at offset 0" in why
    (stalled,) = [entry for entry in logs if entry["event"] == "stalled"]
    assert (stalled["loop"], stalled["log_level"]) == ("intake", "critical")
    assert stalled["why"] in why


async def test_offsets_that_hold_no_record_are_no_lag(scene: Scene) -> None:
    """Markers of transactions take offsets too: the stored position stays below the end for ever."""
    from aiokafka import AIOKafkaProducer

    (name,) = fresh(1)
    message = approval(name)
    async with watched(scene, INTAKE_ONLY) as running:
        producer = AIOKafkaProducer(
            bootstrap_servers=scene.settings.kafka_bootstrap_servers, transactional_id=scene.settings.approvals_topic
        )
        async with producer, producer.transaction():
            await producer.send_and_wait(
                scene.settings.approvals_topic, message.value, message.key, headers=message.headers
            )
        await scene.counted("item", 1)
        await running.lives_on()
    position, end = await scene.value("select max(next_offset) from intake_position"), await scene.ends()
    assert (position, *end.values()) == (1, 2)


async def test_a_worker_more_than_there_are_partitions_is_ready_and_no_stall_while_the_others_read(
    database_url: str, services: Services, xledger_process: SandboxProcess
) -> None:
    names = fresh(3)
    erps = {"xledger": xledger_process}
    async with (
        own_scene(database_url, services.bootstrap_servers, erps, partitions=1) as scene,
        watched(scene, INTAKE_ONLY) as first,
        watched(scene, INTAKE_ONLY) as second,
        watched(scene, INTAKE_ONLY) as third,
    ):
        await scene.approve(*[approval(name) for name in names])
        await scene.counted("item", len(names))
        shares = [len(_consumer(running).assignment()) for running in (first, second, third)]
        assert sorted(shares) == [0, 1, 1]
        idle = (first, second, third)[shares.index(0)]
        await idle.lives_on()


class HangingConnector:
    """An adapter with a bug: it waits for what never comes, and no time-out of its own ends it."""

    limits = Limits(concurrency=1, longest_request_life=timedelta(seconds=1))

    async def post(self, _posting: Posting, _permit: Permit) -> PostOutcome:
        await asyncio.Event().wait()
        raise AssertionError

    async def look_up(self, _attempts: Sequence[Attempted]) -> Mapping[str, Finding]:
        return {}

    async def test(self) -> Sequence[Problem]:
        return ()

    async def close(self) -> None: ...


class HangingFactory:
    """An ERP of its own, as a folder that somebody adds would bring it."""

    kind = ConnectorKind("xledger")
    title = "Hanging"
    secret_fields = frozenset({"token"})

    def validate(self, _settings: Mapping[str, object], _environment: Environment) -> None: ...

    def connect(
        self,
        _settings: Mapping[str, object],
        _credentials: Mapping[str, str],
        _mapping: AccountMapping,
        _environment: Environment,
    ) -> AccountingConnector:
        return HangingConnector()


async def test_a_delivery_that_hangs_in_its_adapter_is_a_stall_and_names_the_item(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, behind = fresh(2)
    await scene.organization()
    monkeypatch.setattr(bootstrap, "installed_connectors", lambda: {"xledger": HangingFactory()})
    with capture_logs() as logs:
        async with watched(scene) as running:
            await scene.approve(approval(name), approval(behind))
            await scene.switch(True)
            why = await running.stalls()
    assert f"The loop delivery of hlf, reference {reference_of('hlf', name)} has not come round" in why
    (stalled,) = [entry for entry in logs if entry["event"] == "stalled"]
    assert any("post" in place for place in stalled["at"])


@pytest.mark.parametrize("kind", ["xledger", "business_central"])
async def test_an_erp_that_takes_its_time_within_the_time_outs_is_no_stall(scene: Scene, kind: str) -> None:
    names = fresh(5)
    await scene.organization("hlf", kind, concurrency=1)
    async with watched(scene) as running:
        await scene.erps[kind].hold()
        await scene.approve(*[approval(name) for name in names])
        await scene.switch(True, kind=kind)
        await scene.erps[kind].wait_held(1)
        await running.lives_on()
        await scene.erps[kind].release()
        await scene.all_synced(*names)


async def test_an_erp_that_is_down_is_no_stall(database_url: str, services: Services, tmp_path: Path) -> None:
    (name,) = fresh(1)
    async with (
        SandboxProcess("xledger", ledger=tmp_path / "ledger.jsonl") as erp,
        own_scene(database_url, services.bootstrap_servers, {"xledger": erp}) as scene,
    ):
        await scene.organization()
        await erp.stop()
        async with watched(scene) as running:
            await scene.approve(approval(name))
            await scene.switch(True)
            await scene.until(lambda: scene.history(name))
            await running.lives_on()


async def test_a_lane_that_its_erp_asked_to_wait_for_long_is_no_stall(scene: Scene) -> None:
    name, behind = fresh(2)
    await scene.organization("hlf", "business_central", concurrency=1)
    await scene.erps["business_central"].set_faults(FaultRule(action=Action.TOO_MANY_REQUESTS, retry_after=3600))
    async with watched(scene) as running:
        await scene.approve(approval(name), approval(behind))
        await scene.counted("item", 2)
        await scene.switch(True, kind="business_central")
        await scene.until(lambda: scene.history(name))
        await running.lives_on()


async def test_a_suspended_connector_is_no_stall(scene: Scene) -> None:
    (name,) = fresh(1)
    await scene.organization("hlf", "business_central")
    await scene.erps["business_central"].set_faults(FaultRule(action=Action.UNAUTHORIZED))
    async with watched(scene) as running:
        await scene.approve(approval(name))
        await scene.switch(True, kind="business_central")
        await scene.logged("connector_suspended")
        await running.lives_on()


async def test_a_connector_that_is_off_is_no_stall_and_neither_is_a_worker_with_nothing_to_do(scene: Scene) -> None:
    await scene.organization()
    async with watched(scene) as running:
        await running.lives_on()
        await scene.approve(approval(*fresh(1)))
        await scene.counted("item", 1)
        await running.lives_on()


async def test_a_lane_that_nobody_takes_is_a_stall(scene: Scene) -> None:
    """The dispatcher comes round and sees nothing to do: here since its look at the lanes skips what is locked."""
    (name,) = fresh(1)
    await scene.organization()
    async with scene.worker(INTAKE_ONLY):
        await scene.approve(approval(name))
        await scene.counted("item", 1)
    await scene.switch(True)
    async with locked_lane(scene), watched(scene, DISPATCH_ONLY) as running:
        why = await running.stalls()
    assert "Nothing was sent for hlf" in why
    assert "no worker takes the lane" in why


@asynccontextmanager
async def locked_lane(scene: Scene) -> AsyncIterator[None]:
    async with scene.pool.acquire() as connection, connection.transaction():
        await connection.execute("select from lane for update")
        yield


async def test_a_pool_whose_connections_never_come_back_is_a_stall(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.store.database.ACQUIRE_SECONDS", 0.2)
    async with watched(scene, INTAKE_ONLY) as running:
        taken = [await scene.pool.acquire() for _ in range(scene.pool.get_max_size())]
        try:
            why = await running.stalls()
        finally:
            for connection in taken:
                await scene.pool.release(connection)
    assert "The pool has had no connection to give" in why


async def test_a_worker_outlives_a_postgresql_that_is_away_for_longer_and_works_on(
    services: Services, xledger_process: SandboxProcess
) -> None:
    names = fresh(4)
    erps = {"xledger": xledger_process}
    async with own_database() as cluster, own_scene(cluster.dsn, services.bootstrap_servers, erps) as scene:
        await scene.organization()
        async with watched(scene) as running:
            await scene.toggle(toggle(True))
            await scene.approve(*[approval(name) for name in names[:2]])
            await scene.all_synced(*names[:2])
            await cluster.crash()
            await scene.approve(*[approval(name) for name in names[2:]])
            await running.lives_on(while_ready=False)
            assert (await running.probe("/readyz"))[1] == "waiting for postgresql\n"
            await cluster.restart()
            await scene.all_synced(*names)
            await ready(running.worker)
            await running.lives_on()


async def test_a_worker_outlives_a_broker_that_is_away_for_longer_and_works_on(
    database_url: str, xledger_process: SandboxProcess
) -> None:
    names = fresh(4)
    erps = {"xledger": xledger_process}
    async with own_brokers() as brokers, own_scene(database_url, brokers.bootstrap_servers, erps) as scene:
        await scene.organization()
        async with watched(scene) as running:
            await scene.toggle(toggle(True))
            await scene.approve(*[approval(name) for name in names[:2]])
            await scene.all_synced(*names[:2])
            await scene.nothing_to_publish()
            await brokers.kill(0)
            await scene.switch(False)
            await scene.switch(True)
            await running.lives_on()
            await brokers.restart(0)
            await scene.approve(*[approval(name) for name in names[2:]])
            await scene.all_synced(*names)
            await scene.nothing_to_publish()
            await running.lives_on()


async def test_a_worker_is_ready_once_it_has_its_partitions_and_listens(scene: Scene) -> None:
    async with watched(scene, kafka_bootstrap_servers=scene.settings.kafka_bootstrap_servers) as running:
        assert await running.probe("/readyz") == (200, "ready\n")


def _consumer(running: Running) -> Any:
    intake = running.worker._intake
    assert intake is not None
    assert intake._consumer is not None
    return intake._consumer
