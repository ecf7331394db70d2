"""A record that PostgreSQL itself refuses, whatever our own checks let through."""

import pytest

from tests.events import approval
from tests.scene import Scene
from worker.settings import WorkerRole

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_record_that_postgresql_refuses_is_a_dead_letter_and_costs_its_neighbours_nothing(scene: Scene) -> None:
    await scene.fetch("alter table item add constraint refused check (reimbursement_id <> 'R-2')")
    async with scene.worker(roles=frozenset({WorkerRole.INTAKE})):
        await scene.approve(approval("R-1"), approval("R-2"), approval("R-3"))
        await scene.counted("item", 2)
        await scene.counted("dead_letter", 1)
    assert await scene.states() == {"R-1": "pending", "R-3": "pending"}
    letter = (await scene.fetch("select reason, detail from dead_letter"))[0]
    assert letter["reason"] == "invalid_data"
    assert letter["detail"] == "PostgreSQL can't hold it (CheckViolationError)"
