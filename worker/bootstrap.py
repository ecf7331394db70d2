"""Everything is wired here and nowhere else; only this module learns which connectors are installed."""

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from importlib.metadata import entry_points
from uuid import uuid4

import structlog

from connectors.contract import ConnectorFactory, Environment
from worker.adapters import Adapters
from worker.batch import Channel
from worker.dispatch import Dispatcher
from worker.drain import Workshop
from worker.intake import Intake
from worker.kafka import make_consumer, make_producer
from worker.lanes import LaneKeeper
from worker.outbox import OutboxPublisher
from worker.persistence import persistently
from worker.probes import Probes
from worker.schedule import Scheduler
from worker.settings import Settings, WorkerRole
from worker.settler import Settler
from worker.store.database import DatabaseAwayError, Pool, open_pool
from worker.store.notifications import LANE_CHANNEL, OUTBOX_CHANNEL, Callback, Notifications
from worker.supervisor import Loop, Supervisor
from worker.vault import Vault

log = structlog.get_logger(__name__)

LANES_AT_ONCE = 200
POOL_SIZE = 16
ALLOCATIONS_PER_COLLECTION = 50_000


def installed_connectors() -> Mapping[str, ConnectorFactory]:
    """The factories that are registered under the entry-point group, by kind."""
    factories: list[ConnectorFactory] = [
        entry_point.load() for entry_point in entry_points(group="accounting_sync.connectors")
    ]
    return {str(factory.kind): factory for factory in factories}


def make_adapters(settings: Settings) -> Adapters:
    environment = Environment(extra_allowed_hosts=settings.erp_allowed_hosts)
    return Adapters(installed_connectors(), Vault(settings.credentials_key_bytes), environment)


@asynccontextmanager
async def database(settings: Settings, *, patient: bool) -> AsyncIterator[Pool]:
    """`patient`: a PostgreSQL that is away is waited for; otherwise DatabaseAwayError is raised."""
    opening = partial(open_pool, settings.database_url.get_secret_value(), POOL_SIZE)
    pool = await (persistently("postgresql", (DatabaseAwayError,), opening) if patient else opening())
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(5):
                await pool.close()
        except TimeoutError:
            pool.terminate()


async def run_worker(settings: Settings) -> int:
    """Runs the roles of the settings until a signal asks to stop; answers the exit status."""
    async with database(settings, patient=True) as pool:
        worker = Worker(settings, pool)
        probes = Probes(settings.http_host, settings.probe_port, worker.waits_for)
        await probes.start()
        _calm_the_collector()
        log.info("worker_started", worker_id=str(worker.worker_id), roles=sorted(settings.roles))
        try:
            return await Supervisor(worker.loops()).run()
        finally:
            await probes.stop()
            log.info("worker_stopped", worker_id=str(worker.worker_id))


class Worker:
    """The loops of one process."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self.worker_id = uuid4()
        self._settings = settings
        self._pool = pool
        self._poll = timedelta(seconds=settings.poll_seconds)
        self._intake = self._make_intake() if WorkerRole.INTAKE in settings.roles else None
        self._callbacks: dict[str, Callback] = {}
        self._loops: dict[str, Loop] = {}
        self._wire()
        self._notifications = Notifications(settings.database_url.get_secret_value(), self._callbacks)
        self._loops["notifications"] = self._notifications.run

    def loops(self) -> Mapping[str, Loop]:
        return self._loops

    def waits_for(self) -> list[str]:
        waits = [] if self._notifications.listening.is_set() else ["postgresql"]
        if self._intake and not self._intake.is_assigned():
            waits.append("kafka")
        return waits

    def _wire(self) -> None:
        roles = self._settings.roles
        if self._intake:
            self._loops["intake"] = self._intake.run
        if WorkerRole.DISPATCH in roles:
            dispatcher = self._make_dispatcher()
            self._loops["dispatch"] = dispatcher.run
            self._callbacks[LANE_CHANNEL] = dispatcher.wake
        if WorkerRole.OUTBOX in roles:
            publisher = self._make_publisher()
            self._loops["outbox"] = publisher.run
            self._callbacks[OUTBOX_CHANNEL] = publisher.wake
        if WorkerRole.SCHEDULE in roles:
            self._loops["schedule"] = Scheduler(self._pool, self._poll).run

    def _make_intake(self) -> Intake:
        channels: dict[str, Channel] = {
            self._settings.approvals_topic: "approvals",
            self._settings.toggles_topic: "toggles",
        }
        return Intake(partial(make_consumer, self._settings), self._pool, channels)

    def _make_dispatcher(self) -> Dispatcher:
        lease = timedelta(seconds=self._settings.lease_seconds)
        shop = Workshop(
            pool=self._pool,
            worker_id=self.worker_id,
            adapters=make_adapters(self._settings),
            settler=Settler(self._pool, self.worker_id),
            idle=lease,
        )
        keeper = LaneKeeper(self._pool, self.worker_id, lease, LANES_AT_ONCE)
        return Dispatcher(keeper, shop, lease=lease, poll=self._poll)

    def _make_publisher(self) -> OutboxPublisher:
        return OutboxPublisher(
            self._pool,
            partial(make_producer, self._settings),
            outcomes_topic=self._settings.outcomes_topic,
            dead_letter_topic=self._settings.dead_letter_topic,
            poll=self._poll,
        )


def _calm_the_collector() -> None:
    """A batch makes many objects that die young: the default threshold spends a third of the intake on them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_PER_COLLECTION, 20, 50)
