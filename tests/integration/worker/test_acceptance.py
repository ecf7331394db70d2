"""The acceptance criteria of the users, in their words."""

import pytest

from tests.events import approval, toggle
from tests.scene import Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_approved_reimbursements_are_held_while_the_connector_is_off(scene: Scene) -> None:
    await scene.organization()
    async with scene.worker():
        await scene.approve(approval("R-1"), approval("R-2"))
        await scene.counted("item", 2)
        assert await scene.states() == {"R-1": "pending", "R-2": "pending"}
    assert await scene.deliveries("hlf", "R-1", "R-2") == []


@pytest.mark.parametrize("kind", ["xledger", "business_central"])
async def test_all_that_waited_is_synced_after_enable_oldest_first(scene: Scene, kind: str) -> None:
    names = [f"{kind}-{number}" for number in range(6)]
    await scene.organization("hlf", kind)
    async with scene.worker():
        await scene.approve(*[approval(name) for name in names])
        await scene.counted("item", 6)
        await scene.toggle(toggle(True, connector=kind))
        await scene.all_synced(*names)
    documents = await scene.documents("hlf", *names, kind=kind)
    assert len({line.reference for line in documents}) == len(documents) == 6
