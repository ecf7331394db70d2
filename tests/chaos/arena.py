"""One run's own world: a database, topics, organisations at both ERPs, workers, and all that was approved in it."""

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Self

import asyncpg

from deploy.local.database import PostgresCluster, create_database, drop_database
from deploy.local.kafka_broker import KafkaCluster
from deploy.local.sandboxes.client import Erp
from tests.chaos.ground import QUARANTINE_SECONDS, Ground, house_settings
from tests.chaos.nursery import ForkedWorker
from tests.chaos.oracle import FINAL, Approved
from tests.chaos.points import Blow, Deed
from tests.chaos.variants import Variant
from tests.events import approval, toggle
from tests.scene import ALL_ROLES, PATIENCE, Scene, own_brokers, own_database, own_scene
from worker.domain.states import DIFFERENT_DOCUMENT
from worker.settings import WorkerRole
from worker.store.migrate import migrate

LEASE_SECONDS = 1.0
POLL_SECONDS = 0.25
SHORTEST_SESSION = 1.0
SHORTEST_SESSION_ELSEWHERE = 6.0
"""A broker that this run did not start itself allows no shorter one by default."""
READ_TIMEOUT_SECONDS = 5.0
CONCURRENCY = 3


@dataclass(frozen=True, slots=True)
class Needs:
    """What a battery needs: houses (organisations) at each ERP, and services of its own where it breaks them.

    `settings` changes the workers' settings, `connector` those of the connectors.
    """

    xledger: int = 2
    business_central: int = 2
    own_brokers: int = 0
    own_database: bool = False
    partitions: int = 4
    settings: Mapping[str, object] = field(default_factory=dict)
    connector: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class House:
    """An organisation, its ERP, and the tenant that holds its books there."""

    organization_id: str
    erp: Erp
    tenant: str


@dataclass
class Arena:
    """`random` is seeded: whatever a battery chooses, it asks there. `struck` counts the faults by name.

    `noticed`: sentences on what a battery saw go wrong that the ledgers do not tell; they count as `different`.
    """

    ground: Ground
    scene: Scene
    houses: Sequence[House]
    random: random.Random
    variant: Variant | None = None
    brokers: KafkaCluster | None = None
    database: PostgresCluster | None = None
    approved: list[Approved] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    noticed: list[str] = field(default_factory=list)
    last_fault: float = field(default_factory=time.monotonic)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))
    _settings: dict[House, Mapping[str, object]] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def open(cls, ground: Ground, needs: Needs, seed: int, variant: Variant | None = None) -> AsyncIterator[Self]:
        """Every connector is on. Leaving it ends its workers and forgets its faults."""
        async with AsyncExitStack() as stack:
            brokers = await stack.enter_async_context(_brokers(needs)) if needs.own_brokers else None
            database = await stack.enter_async_context(own_database()) if needs.own_database else None
            url = database.dsn if database else await stack.enter_async_context(_fresh_database(ground))
            bootstrap = brokers.bootstrap_servers if brokers else ground.services.bootstrap_servers
            is_ours = brokers is not None or ground.services.broker.cluster is not None
            scene = await stack.enter_async_context(own_scene(url, bootstrap, dict(ground.erps), needs.partitions))
            scene = _hurried(scene, SHORTEST_SESSION if is_ours else SHORTEST_SESSION_ELSEWHERE, needs)
            arena = cls(ground, scene, _houses(ground, needs), random.Random(seed), variant, brokers, database)  # noqa: S311  # replayable, not secret
            stack.push_async_callback(arena._clear)
            await arena._move_in(needs)
            yield arena

    def worker(
        self, roles: frozenset[WorkerRole] = ALL_ROLES, blow: Blow | None = None, **changes: object
    ) -> ForkedWorker:
        """A new worker process, of this run's variant."""
        settings = self.scene.settings.model_copy(update={"roles": roles, "probe_port": 0, "http_port": 0, **changes})
        return self.ground.nursery.start(settings, blow, self.variant)

    async def asleep(self, house: House, point: str) -> tuple[ForkedWorker, Approved]:
        """The only worker, standing still at the point over an approval, for so long that its transactions are over.

        It may well be in one: while an item is on its way it looks for more, and a claim holds the connector and its
        lane against everybody else. That ends neither with its lease nor with its session but after a minute, which
        is hurried here as those are.
        """
        sleeper = self.worker(blow=Blow(point, Deed.STOP))
        (approved,) = await self.approve(house)
        async with asyncio.timeout(PATIENCE):
            await sleeper.struck.wait()
        await self.scene.end_transactions()
        return sleeper, approved

    def fault(self, name: str) -> None:
        """Every fault is counted here when it has been injected."""
        self.struck[name] += 1
        self.last_fault = time.monotonic()

    async def approve(self, house: House, number: int = 1) -> Sequence[Approved]:
        """Publishes approvals of random amounts, and knows of them once the broker has them."""
        new = [self.draft(house) for _ in range(number)]
        await self.publish(new)
        return new

    async def publish(self, new: Sequence[Approved]) -> None:
        await self.scene.approve(*(approval(one.reimbursement_id, one.organization_id, f"{one.total}") for one in new))
        self.approved += new

    async def configure(self, house: House, **changes: object) -> None:
        """The house's connector as it moved in with, but for `changes`."""
        await self.scene.configure(house.organization_id, house.erp, **{**self._settings[house], **changes})

    async def toggle(self, house: House, enabled: bool) -> None:
        """As the admin screens' publisher does it: through Kafka."""
        event_id = f"toggle-{secrets.token_hex(6)}"
        await self.scene.toggle(toggle(enabled, house.organization_id, house.erp, event_id=event_id))

    async def is_off(self, house: House) -> None:
        """Waits until the log acknowledges that the house's connector is off."""

        async def newest_is_off() -> bool:
            entries = [entry for entry in await self.scene.log(house.organization_id) if entry["new_state"]]
            return bool(entries[-1]["new_state"] == "off")

        await self.scene.until(newest_is_off)

    async def all_on(self) -> None:
        """Every connector is switched on, whatever was done before."""
        for house in self.houses:
            await self.scene.switch(True, house.organization_id, house.erp)

    async def count_open(self) -> int:
        """How many approvals are not final yet, those that are still in Kafka included."""
        final = await self.scene.value("select count(*) from item where state = any($1)", list(FINAL))
        return len(self.approved) - int(final)

    async def is_final(self) -> bool:
        """Whether everything that was approved is stored, and nothing is on its way but what waits for a person."""
        counts = await self.scene.fetch(
            "select count(*) as stored, count(*) filter (where state = any($1) or reason_code = $2) as final from item",
            list(FINAL),
            DIFFERENT_DOCUMENT,
        )
        return bool(counts[0]["stored"] == counts[0]["final"] >= len(self.approved))

    def draft(self, house: House) -> Approved:
        """An approval of a random amount that nobody was told of yet."""
        total = Decimal(self.random.randrange(100, 500_000)) / 100
        name = f"R-2026-{next(self._numbers):06}"
        return Approved(house.organization_id, name, total, house.tenant)

    async def _move_in(self, needs: Needs) -> None:
        places: Counter[Erp] = Counter()
        for house in self.houses:
            _, own = house_settings(self.ground.erps[house.erp], places[house.erp])
            places[house.erp] += 1
            common = {
                "quarantine_seconds": QUARANTINE_SECONDS,
                "read_timeout_seconds": READ_TIMEOUT_SECONDS,
                "concurrency": CONCURRENCY,
            }
            self._settings[house] = {**common, **own, **needs.connector}
            await self.scene.organization(house.organization_id, house.erp, **self._settings[house])
        await self.all_on()

    async def _clear(self) -> None:
        await self.ground.nursery.clear()
        for erp in self.ground.erps.values():
            await erp.set_faults()
            await erp.release()


def _hurried(scene: Scene, session_seconds: float, needs: Needs) -> Scene:
    """The same scene with short leases, polls and sessions."""
    hurry = {"lease_seconds": LEASE_SECONDS, "poll_seconds": POLL_SECONDS, "kafka_session_seconds": session_seconds}
    return Scene(scene.settings.model_copy(update={**hurry, **needs.settings}), scene.pool, scene.producer, scene.erps)


def _houses(ground: Ground, needs: Needs) -> list[House]:
    """Organisations of names that no other run has: the sandboxes are shared, and they never forget."""
    run = secrets.token_hex(3)
    wanted: list[tuple[Erp, int]] = [("xledger", needs.xledger), ("business_central", needs.business_central)]
    houses = []
    for erp, number in wanted:
        for place in range(number):
            tenant, _ = house_settings(ground.erps[erp], place)
            houses.append(House(f"{tenant}-{run}", erp, tenant))
    return houses


@asynccontextmanager
async def _brokers(needs: Needs) -> AsyncIterator[KafkaCluster]:
    async with own_brokers(needs.own_brokers, with_detours=True) as cluster:
        yield cluster


@asynccontextmanager
async def _fresh_database(ground: Ground) -> AsyncIterator[str]:
    name = f"chaos_{secrets.token_hex(6)}"
    server = ground.services.database_url
    await create_database(server, name)
    url = server.rsplit("/", 1)[0] + "/" + name
    connection = await asyncpg.connect(url)
    try:
        await migrate(connection)
    finally:
        await connection.close()
    yield url
    await drop_database(server, name)
