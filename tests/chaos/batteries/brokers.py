"""Three brokers: one or all killed and restarted, one that hangs, the road to them silent, the group's offsets gone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from deploy.local.kafka_broker import KafkaCluster
from tests.chaos.arena import SHORTEST_SESSION, Arena, Needs
from tests.chaos.battery import Battery, Control
from tests.chaos.crew import Crew
from tests.chaos.groups import all_committed, delete_group
from tests.chaos.oracle import Harm
from tests.chaos.proxy import Proxy
from tests.chaos.traffic import Flow, traffic
from tests.chaos.variants import Variant

BROKERS = 3
WORKERS = 2
LONGER_THAN_A_SESSION = 2.5 * SHORTEST_SESSION
LONGEST_DOWN = 3.0
LONGEST_PAUSE = 1.0
FEW = 4


@dataclass(frozen=True, slots=True)
class _Site:
    """The workers reach each broker by a proxy of its own; approvals do not come that way."""

    arena: Arena
    brokers: KafkaCluster
    proxies: list[Proxy]
    crew: Crew


async def strike(arena: Arena, size: int) -> None:
    async with _site(arena) as site, traffic(arena, Flow(approvals=10)):
        for name in _plan(arena, size):
            await _KINDS[name](site)
            arena.fault(name)
            await asyncio.sleep(arena.random.uniform(0.0, LONGEST_PAUSE))
    await _everything_is_published(arena)


def _plan(arena: Arena, size: int) -> list[str]:
    """Most of them: one broker killed and restarted while the others go on."""
    rare = {"all_killed": size // 12, "stands_still": size // 12, "cut_off": size // 6, "offsets_deleted": size // 12}
    names = [name for name, number in rare.items() for _ in range(max(1, number))]
    names += ["one_killed"] * max(1, size - len(names))
    arena.random.shuffle(names)
    return names[:size]


@asynccontextmanager
async def _site(arena: Arena) -> AsyncIterator[_Site]:
    assert arena.brokers is not None
    async with AsyncExitStack() as stack:
        proxies = [
            await stack.enter_async_context(Proxy.to(detour.port, port=detour.advertised))
            for detour in arena.brokers.detours
        ]
        servers = ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies)
        crew = await stack.enter_async_context(Crew.of(arena, WORKERS, kafka_bootstrap_servers=servers))
        yield _Site(arena, arena.brokers, proxies, crew)
        await crew.leave()


async def _kill_one(site: _Site) -> None:
    broker = site.arena.random.randrange(BROKERS)
    await site.brokers.kill(broker)
    await asyncio.sleep(site.arena.random.uniform(0.2, LONGEST_DOWN))
    await site.brokers.restart(broker)


async def _kill_all(site: _Site) -> None:
    await asyncio.gather(*(site.brokers.kill(broker) for broker in range(BROKERS)))
    await asyncio.sleep(site.arena.random.uniform(0.2, LONGEST_DOWN))
    await asyncio.gather(*(site.brokers.restart(broker) for broker in range(BROKERS)))


async def _stand_still(site: _Site) -> None:
    """Longer than a session: its connections stay open and nothing answers."""
    broker = site.arena.random.randrange(BROKERS)
    await site.brokers.pause(broker)
    await asyncio.sleep(LONGER_THAN_A_SESSION)
    await site.brokers.resume(broker)


async def _cut_off(site: _Site) -> None:
    """Packets of the workers are dropped, to all brokers or to some; half the time the connections end with that."""
    random = site.arena.random
    struck = random.sample(site.proxies, random.randint(1, BROKERS))
    for proxy in struck:
        proxy.silence()
    await asyncio.sleep(LONGER_THAN_A_SESSION)
    if random.random() < 0.5:
        await asyncio.gather(*(proxy.cut() for proxy in struck))
    for proxy in struck:
        proxy.let_flow()


async def _delete_offsets(site: _Site) -> None:
    """All workers leave; those that come then read everything again, and send nothing of it again."""
    await site.crew.leave()
    before = await _requests(site.arena)
    await delete_group(site.arena, site.arena.scene.settings.kafka_group_id)
    site.crew.start(WORKERS)
    await all_committed(site.arena, site.arena.scene.settings.kafka_group_id)
    after = await _requests(site.arena)
    again = [reference for reference, number in before.items() if after.get(reference) != number]
    site.arena.noticed += [f"{reference}: synced, and sent again when it was read again." for reference in again]


async def _requests(arena: Arena) -> Mapping[str, int]:
    """For each item that is synced, how many requests have carried it."""
    synced = await arena.scene.fetch("select reference from item where state = 'synced'")
    numbers: dict[str, int] = dict.fromkeys((row["reference"] for row in synced), 0)
    for erp in arena.ground.erps.values():
        for line in await erp.ledger():
            if line.reference in numbers:
                numbers[line.reference] += 1
    return numbers


_KINDS: Mapping[str, Callable[[_Site], Awaitable[None]]] = {
    "one_killed": _kill_one,
    "all_killed": _kill_all,
    "stands_still": _stand_still,
    "cut_off": _cut_off,
    "offsets_deleted": _delete_offsets,
}


async def _everything_is_published(arena: Arena) -> None:
    """What was on its way to the brokers when the traffic ended."""
    await arena.scene.producer.flush()
    await asyncio.gather(*map(partial(arena.approve, number=1), arena.houses))


async def _read_again(arena: Arena, size: int) -> None:
    """For the control: at the ERP that takes a document twice."""
    async with _site(arena) as site:
        for house in [one for one in arena.houses if one.erp == "xledger"]:
            await arena.approve(house, FEW)
        await arena.scene.all_read()
        await arena.scene.until(arena.is_final)
        for _ in range(size):
            await _delete_offsets(site)
            arena.fault("offsets_deleted")


BATTERY = Battery(
    name="brokers",
    title="brokers killed and restarted, standing still, cut off; offsets deleted",
    size=36,
    short=2,
    strike=strike,
    controls=(Control(Variant.FORGETS_ITEMS, Harm.DOUBLED, _read_again, size=1),),
    needs=Needs(own_brokers=BROKERS),
    kinds=len(_KINDS),
)
