"""kill -9 of a worker with leases and sessions as they are shipped: everything is final again within a minute (P9)."""

import asyncio

from tests.chaos.arena import Arena, Needs
from tests.chaos.battery import Battery, Control
from tests.chaos.oracle import Harm
from tests.chaos.points import Blow, Deed
from tests.chaos.variants import Variant
from tests.scene import PATIENCE

AS_SHIPPED = {"lease_seconds": 30.0, "poll_seconds": 5.0, "kafka_session_seconds": 45.0}
LONGEST_RECOVERY = 60.0


async def strike(arena: Arena, size: int) -> None:
    """It dies between claim and answer, with partitions and lanes in its hands, while another stands by."""
    for _ in range(size):
        doomed = arena.worker(blow=Blow("under_way", Deed.KILL, passage=2))
        await asyncio.gather(*(arena.approve(house, 3) for house in arena.houses))
        async with asyncio.timeout(PATIENCE):
            await doomed.ended.wait()
        arena.fault("killed_under_way")
        await asyncio.gather(*(arena.approve(house, 3) for house in arena.houses))


BATTERY = Battery(
    name="defaults",
    title="kill -9 with the leases and sessions as they are shipped",
    size=1,
    short=1,
    strike=strike,
    controls=(Control(Variant.ABANDONS_NOTHING, Harm.UNRESOLVED, strike, size=1, patience=40, is_short=False),),
    needs=Needs(xledger=0, business_central=3, settings=AS_SHIPPED),
    patience=LONGEST_RECOVERY,
)
