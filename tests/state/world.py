"""One example's world: two organisations, one on each kind of ERP, two workers, and the model of it all."""

import asyncio
from dataclasses import dataclass, field
from itertools import count
from typing import Self

from connectors.mapping import validate_mapping
from tests.integration.worker.rows import MAPPING, adapters, central_file, xledger_file
from tests.scene import ADMIN, KEY
from tests.state.books import Books
from tests.state.model import House, Vendor
from tests.state.promises import HOLDINGS, check, sure
from tests.state.workers import Desk, Hand
from worker import setup
from worker.adapters import Adapter, Adapters
from worker.domain.release import ReleasePolicy
from worker.domain.states import ItemState
from worker.store import sync_log
from worker.store.database import Pool, acquire, transaction
from worker.vault import Vault

CLAIMANT = "peer-4711"
FILES = {"xledger": xledger_file, "business_central": central_file}
_NUMBERS = count(1)


@dataclass(frozen=True)
class Workbench:
    """What all examples share: one loop, one pool, one database."""

    loop: asyncio.AbstractEventLoop
    pool: Pool
    adapters: Adapters = field(default_factory=adapters)


@dataclass
class World:
    """`houses`, `books` by kind of ERP. `states`: each item's one step ago."""

    bench: Workbench
    houses: dict[str, House]
    books: dict[str, Books]
    hands: list[Hand]
    states: dict[str, dict[str, ItemState] | None]

    @classmethod
    async def make(cls, bench: Workbench, policies: dict[str, ReleasePolicy]) -> Self:
        number = next(_NUMBERS)
        houses = {kind: House(f"{kind}-{number}", kind, kind != "xledger", policies[kind]) for kind in FILES}
        for house in houses.values():
            async with transaction(bench.pool) as connection:
                await setup.add_organization(connection, house.organization_id, house.kind, ADMIN, "cli")
            await configure(bench, house)
        books = {kind: Books(house.refuses_duplicates, kind) for kind, house in houses.items()}
        hands = [await Hand.start(bench.pool, place) for place in range(2)]
        return cls(bench, houses, books, hands, {kind: {} for kind in houses})

    def adapter(self, hand: Hand, house: House) -> Adapter | None:
        """Made from the configuration that the worker knows."""
        version = hand.versions.get(house.kind)
        if version is None:
            return None
        mapping = validate_mapping(mapping_to(house.vendor_in(version)))
        return Adapter(house.kind, version, Desk(self.books[house.kind]), mapping, "Europe/Oslo")

    async def check(self) -> None:
        async with acquire(self.bench.pool) as connection:
            rows = await connection.fetch(HOLDINGS, [house.organization_id for house in self.houses.values()])
        for kind, house in self.houses.items():
            own = [row for row in rows if row["organization_id"] == house.organization_id]
            self.states[kind] = check(house, self.books[kind], own, self.states[kind])

    async def verify_logs(self) -> None:
        for house in self.houses.values():
            async with acquire(self.bench.pool) as connection:
                broken = await sync_log.verify(connection, house.organization_id)
            sure("P10", broken is None, f"{house.kind}: {broken}")

    async def end(self) -> None:
        for hand in self.hands:
            await hand.crash()


def mapping_to(vendor: Vendor) -> dict[str, object]:
    return {**MAPPING, "claimants": {"table": {CLAIMANT: vendor}}}


async def configure(bench: Workbench, house: House) -> None:
    """A person stores the house's settings; the connector stays on or off, and is not suspended any more."""
    file = FILES[house.kind](release_policy=house.policy.value, mapping=mapping_to(house.vendor))
    async with transaction(bench.pool) as connection:
        await setup.configure(
            connection,
            house.organization_id,
            house.kind,
            file,
            adapters=bench.adapters,
            vault=Vault(KEY),
            actor=ADMIN,
            source="cli",
        )
