"""Everything is wired here and nowhere else; only this module learns which connectors are installed."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from importlib.metadata import entry_points
from uuid import uuid4

import structlog
from fastapi import FastAPI

from connectors.contract import ConnectorFactory, Environment
from connectors.receipt_host import ReceiptHosts
from worker.adapters import Adapters
from worker.admin.application import make_app
from worker.admin.caller import identify_nobody
from worker.admin.code_flow import Client, CodeFlow
from worker.admin.context import AdminContext, SignIn
from worker.admin.provider import Provider
from worker.admin.provider_http import ProviderHttp
from worker.admin.server import AdminServer
from worker.admin.sessions import Sessions, SessionSweeper
from worker.admin.tokens import BearerTokens
from worker.alarms import Alarms
from worker.audit import Auditor, Inspection
from worker.batch import Channel
from worker.claimer import Claimer
from worker.dispatch import Dispatcher
from worker.drain import Workshop
from worker.inspections import LaneInspection, OutboxInspection, PoolInspection, own_connection, own_reader
from worker.intake import Intake
from worker.kafka import make_consumer, make_producer, make_reader
from worker.lag import LagInspection
from worker.lanes import LaneKeeper
from worker.outbox import OutboxPublisher
from worker.overview import Overview
from worker.persistence import persistently
from worker.probes import Probes
from worker.progress import LoopName, Pulse
from worker.receipts import ReceiptCourier
from worker.schedule import Scheduler
from worker.settings import Settings, SettingsError, WorkerRole
from worker.settler import Settler
from worker.silent_sessions import SilentSessions
from worker.store import migrate
from worker.store.database import DatabaseAwayError, Pool, acquire, open_pool
from worker.store.notifications import LANE_CHANNEL, OUTBOX_CHANNEL, Callback, Notifications
from worker.store.sessions import Lifetimes
from worker.supervisor import Loop, Supervisor
from worker.vault import Vault
from worker.watchdog import BlockedLoopGuard, Watchdog

log = structlog.get_logger(__name__)

LANES_AT_ONCE = 200
POOL_SIZE = 16
POLLS_PER_ALARM = 6
SWEEP_EVERY = timedelta(minutes=1)
ALLOCATIONS_PER_COLLECTION = 50_000
SECONDS_BEYOND_SHUTDOWN = 10.0


def installed_kinds() -> list[str]:
    """Their names alone: nothing of them is loaded."""
    return sorted(entry_points(group="accounting_sync.connectors").names)


def installed_connectors() -> Mapping[str, ConnectorFactory]:
    """The factories that are registered under the entry-point group, by kind."""
    factories: list[ConnectorFactory] = [
        entry_point.load() for entry_point in entry_points(group="accounting_sync.connectors")
    ]
    return {str(factory.kind): factory for factory in factories}


def make_vault(settings: Settings) -> Vault:
    return Vault(settings.credentials_key_bytes, settings.credentials_old_key_bytes)


def make_adapters(settings: Settings, pulse: Pulse | None = None) -> Adapters:
    environment = Environment(extra_allowed_hosts=settings.erp_allowed_hosts)
    return Adapters(installed_connectors(), make_vault(settings), environment, pulse)


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
    """Runs the roles of the settings until a signal asks to stop; answers the exit status. Raises MigrationError where
    the database is not migrated."""
    probes = Probes(settings.http_host, settings.probe_port)
    guard = BlockedLoopGuard(timedelta(seconds=settings.stall_seconds))
    with _port_of("SYNC_PROBE_PORT"):
        await probes.start()
    guard.start()
    try:
        async with database(settings, patient=True) as pool:
            await persistently("postgresql", (DatabaseAwayError,), partial(_require_tables, pool))
            worker = probes.worker = Worker(settings, pool)
            _calm_the_collector()
            log.info("worker_started", worker_id=str(worker.worker_id), roles=sorted(settings.roles))
            grace = timedelta(seconds=settings.shutdown_seconds + SECONDS_BEYOND_SHUTDOWN)
            status = await Supervisor(worker.loops(), grace).run()
            log.info("worker_stopped", worker_id=str(worker.worker_id))
            return status
    finally:
        guard.stop()
        await probes.stop()


async def _require_tables(pool: Pool) -> None:
    async with acquire(pool) as connection:
        await migrate.require(connection)


class Worker:
    """The loops of one process."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self.worker_id = uuid4()
        self._settings = settings
        self._pool = pool
        self._poll = timedelta(seconds=settings.poll_seconds)
        self._pulse = Pulse()
        self._inspections: list[Inspection] = []
        self._connecting = partial(own_connection, settings.database_url.get_secret_value())
        self._reading = partial(own_reader, partial(make_reader, settings))
        self._intake = self._make_intake() if WorkerRole.INTAKE in settings.roles else None
        self._overview = Overview(pool)  # unwatched: late counts say when they were counted, and end no process
        self.admin = AdminSide(settings, pool, self._overview) if WorkerRole.ADMIN in settings.roles else None
        self._callbacks: dict[str, Callback] = {}
        self._loops: dict[str, Loop] = {}
        self._wire()
        self._notifications = Notifications(
            settings.database_url.get_secret_value(), self._callbacks, self._pulse.of(LoopName.NOTIFICATIONS)
        )
        self._loops["notifications"] = self._notifications.run
        self._watch(timedelta(seconds=settings.stall_seconds))

    def loops(self) -> Mapping[str, Loop]:
        return self._loops

    def waits_for(self) -> list[str]:
        waits = [] if self._notifications.listening.is_set() else ["postgresql"]
        if self._intake and not self._intake.is_assigned():
            waits.append("kafka")
        return waits

    def why_stalled(self) -> str | None:
        return self._pulse.stall.why if self._pulse.stall else None

    def _watch(self, patience: timedelta) -> None:
        inspections = [*self._inspections, PoolInspection(self._connecting, self._pool)]
        self._loops["audit"] = Auditor(inspections, patience, self._pulse, self._pulse.of(LoopName.AUDIT)).run
        self._loops["watchdog"] = Watchdog(self._pulse, patience).run

    def _wire(self) -> None:
        roles = self._settings.roles
        if self._intake:
            self._loops["intake"] = self._intake.run
        if WorkerRole.DISPATCH in roles:
            dispatcher = self._make_dispatcher()
            self._loops["dispatch"] = dispatcher.run
            self._callbacks[LANE_CHANNEL] = dispatcher.wake
            self._loops["receipts"] = self._make_courier().run
        if WorkerRole.OUTBOX in roles:
            publisher = self._make_publisher()
            self._loops["outbox"] = publisher.run
            self._callbacks[OUTBOX_CHANNEL] = publisher.wake
        if WorkerRole.SCHEDULE in roles:
            self._loops["schedule"] = Scheduler(self._pool, self._poll, self._pulse.of(LoopName.SCHEDULE)).run
            alarm_beat = self._pulse.of(LoopName.ALARMS)
            self._loops["alarms"] = Alarms(self._pool, self._poll * POLLS_PER_ALARM, alarm_beat).run
            sessions_beat = self._pulse.of(LoopName.SILENT_SESSIONS)
            self._loops["silent_sessions"] = SilentSessions(self._pool, self._poll * POLLS_PER_ALARM, sessions_beat).run
        if self.admin:
            self._loops["admin"] = self.admin.run
            self._loops["overview"] = self._overview.run
            sessions_beat = self._pulse.of(LoopName.SESSIONS)
            self._loops["sessions"] = SessionSweeper(
                self._pool, _lifetimes(self._settings), SWEEP_EVERY, sessions_beat
            ).run

    def _make_intake(self) -> Intake:
        channels: dict[str, Channel] = {
            self._settings.approvals_topic: "approvals",
            self._settings.toggles_topic: "toggles",
        }
        beat = self._pulse.of(LoopName.INTAKE)
        intake = Intake(partial(make_consumer, self._settings), self._pool, channels, beat)
        self._inspections.append(LagInspection(self._connecting, self._reading, list(channels), intake, self._pulse))
        return intake

    def _make_dispatcher(self) -> Dispatcher:
        lease = timedelta(seconds=self._settings.lease_seconds)
        shop = Workshop(
            pool=self._pool,
            worker_id=self.worker_id,
            adapters=make_adapters(self._settings, self._pulse),
            claimer=Claimer(
                self._pool,
                self.worker_id,
                self._pulse.of(LoopName.CLAIMER),
                self._pulse.of(LoopName.FIRST_CLAIMER),
            ),
            settler=Settler(self._pool, self.worker_id, self._pulse.of(LoopName.SETTLER)),
            idle=lease,
            pulse=self._pulse,
        )
        keeper = LaneKeeper(self._pool, self.worker_id, lease, LANES_AT_ONCE)
        self._inspections.append(LaneInspection(self._connecting, self.worker_id, keeper, self._pulse))
        shutdown = timedelta(seconds=self._settings.shutdown_seconds)
        return Dispatcher(keeper, shop, lease=lease, poll=self._poll, shutdown=shutdown)

    def _make_courier(self) -> ReceiptCourier:
        return ReceiptCourier(
            self._pool,
            make_adapters(self._settings, self._pulse),
            ReceiptHosts(self._settings.receipt_allowed_hosts),
            poll=self._poll,
            shutdown=timedelta(seconds=self._settings.shutdown_seconds),
            pulse=self._pulse,
        )

    def _make_publisher(self) -> OutboxPublisher:
        publisher = OutboxPublisher(
            self._pool,
            partial(make_producer, self._settings),
            outcomes_topic=self._settings.outcomes_topic,
            dead_letter_topic=self._settings.dead_letter_topic,
            poll=self._poll,
            beat=self._pulse.of(LoopName.OUTBOX),
        )
        self._inspections.append(OutboxInspection(self._connecting, self._reading, publisher, self._pulse))
        return publisher


class AdminSide:
    """The screens and the API of one process. Without an identity provider they answer, and let nobody in."""

    def __init__(self, settings: Settings, pool: Pool, overview: Overview) -> None:
        """`overview` is kept counting by somebody else. Raises SettingsError where the port is taken."""
        self._provider = Provider(settings.oidc_issuer, ProviderHttp()) if settings.oidc_issuer else None
        self._settings = settings
        self._pool = pool
        self._overview = overview
        with _port_of("SYNC_HTTP_PORT"):
            self._server = AdminServer(self._make_app, settings.http_host, settings.http_port)

    @property
    def public_url(self) -> str:
        return self._public_url(self._server.port)

    async def run(self, stop: asyncio.Event) -> None:
        if self._provider is None:
            log.warning("sign_in_not_configured", hint="set SYNC_OIDC_ISSUER and SYNC_OIDC_CLIENT_ID")
        try:
            await self._server.run(stop)
        finally:
            if self._provider:
                await self._provider.close()

    def _public_url(self, port: int) -> str:
        host = self._settings.http_host
        return self._settings.public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def _make_app(self, port: int) -> FastAPI:
        public_url, settings = self._public_url(port), self._settings
        context = AdminContext(
            self._pool, make_adapters(settings), make_vault(settings), public_url, [identify_nobody], self._overview
        )
        if self._provider is None:
            return make_app(context)
        bearer = BearerTokens(
            self._provider, self._provider.issuer, settings.oidc_audience or settings.oidc_client_id or ""
        )
        sign_in = self._sign_in(self._provider, public_url)
        return make_app(replace(context, identify=[bearer, sign_in.sessions], sign_in=sign_in))

    def _sign_in(self, provider: Provider, public_url: str) -> SignIn:
        settings, vault = self._settings, make_vault(self._settings)
        secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None
        client = Client(settings.oidc_client_id or "", secret, f"{public_url}/sign-in/callback")
        sessions = Sessions(self._pool, vault, provider.issuer, _lifetimes(settings))
        return SignIn(CodeFlow(provider, client, vault), sessions)


def _lifetimes(settings: Settings) -> Lifetimes:
    return Lifetimes(timedelta(seconds=settings.session_idle_seconds), timedelta(seconds=settings.session_seconds))


@contextmanager
def _port_of(setting: str) -> Iterator[None]:
    """A port that can't be had is a wrong setting. Raises SettingsError."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SettingsError([f"{setting}: can't listen there ({why}); choose another port or host"]) from None


def _calm_the_collector() -> None:
    """A batch makes many objects that die young: the default threshold spends a third of the intake on them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_PER_COLLECTION, 20, 50)
