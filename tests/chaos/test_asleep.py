"""A worker that stands still in the middle of a transaction keeps nobody from anything once PostgreSQL has ended it."""

import pytest

from tests.chaos.arena import Arena, Needs
from tests.chaos.ground import Ground

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

ONE_EACH = Needs(xledger=1, business_central=1)


@pytest.mark.parametrize("place", [0, 1])
async def test_off_is_acknowledged_although_a_worker_stands_still_amid_a_claim_and_it_wakes_up_unharmed(
    ground: Ground, place: int
) -> None:
    """The claim holds the connector's row, for which the toggle waits, and the lane, which nobody else can lease."""
    async with Arena.open(ground, ONE_EACH, seed=7) as arena:
        house = arena.houses[place]
        sleeper, approved = await arena.asleep(house, "amid_the_claim")
        arena.worker()
        await arena.toggle(house, False)
        await arena.is_off(house)
        sleeper.wake()
        await arena.toggle(house, True)
        await arena.scene.all_synced(approved.reimbursement_id, organization_id=house.organization_id)
        documents = await arena.scene.documents(house.organization_id, approved.reimbursement_id, kind=house.erp)
        assert len(documents) == 1
        assert await sleeper.leave(), sleeper.last_words()
