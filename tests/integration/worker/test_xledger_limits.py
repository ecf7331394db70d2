"""A backlog is drained at the limits that Xledger documents, and never over them; and what it costs in requests."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.sandboxes.ledger import documents_per_reference
from deploy.local.services import Services
from tests.events import approval
from tests.integration.worker.rows import take_in
from tests.scene import DISPATCH_ONLY, Scene, fresh, own_scene

pytestmark = pytest.mark.asyncio(loop_scope="session")

BACKLOG = 2000
DOCUMENTED = 20
PATIENCE = 240.0


async def test_a_backlog_is_drained_within_the_documented_limits_in_a_few_requests_for_each_hundred(
    services: Services, database_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    async with (
        SandboxProcess("xledger", ledger=tmp_path / "x.jsonl", limits="documented") as erp,
        own_scene(database_url, services.bootstrap_servers, {"xledger": erp}) as scene,
    ):
        names = fresh(BACKLOG)
        await scene.organization("hlf", "xledger", requests_per_5_seconds=DOCUMENTED, check_after_seconds=1)
        await take_in(scene.pool, *[approval(name) for name in names])
        began = time.monotonic()
        async with scene.worker(DISPATCH_ONLY):
            await scene.switch(True)
            await scene.until(lambda: _all_synced(scene), PATIENCE)
        seconds = time.monotonic() - began
        requests, refused = await erp.requests_at_the_door()
        documents = documents_per_reference(await erp.ledger())
    record_property("requests_per_item", requests / BACKLOG)
    record_property("items_a_minute", BACKLOG / seconds * 60)
    print(f"{requests} requests for {BACKLOG} items in {seconds:.1f} s")  # noqa: T201  # shown with pytest -s
    assert refused == 0
    assert set(documents.values()) == {1}
    assert len(documents) == BACKLOG
    assert requests <= BACKLOG * 0.05
    assert requests <= DOCUMENTED * (seconds / 5 + 1)


async def _all_synced(scene: Scene) -> bool:
    return bool(await scene.value("select count(*) = $1 from item where state = 'synced'", BACKLOG))


async def test_used_up_credits_hold_the_backlog_until_they_are_back_and_lose_nothing(
    services: Services, database_url: str, tmp_path: Path
) -> None:
    async with (
        SandboxProcess("xledger", ledger=tmp_path / "x.jsonl") as erp,
        own_scene(database_url, services.bootstrap_servers, {"xledger": erp}) as scene,
    ):
        names = fresh(300)
        await scene.organization("hlf", "xledger", check_after_seconds=0.1)
        await take_in(scene.pool, *[approval(name) for name in names])
        await erp.set_limits(credits=1, credits_reset_seconds=3600)
        async with scene.worker(DISPATCH_ONLY):
            await scene.switch(True)
            await scene.until(lambda: scene.value("select count(*) > 0 from attempt_entry where outcome = 'not_sent'"))
            paused_for = await scene.value("select max(due_at) - clock_timestamp() from item where state = 'pending'")
        await erp.set_limits(credits=None)
        await scene.fetch("update lane set not_before = clock_timestamp()")
        await scene.fetch("update item set due_at = clock_timestamp()")
        async with scene.worker(DISPATCH_ONLY):  # another one: the first waits by a clock of its own
            await scene.all_synced(*names)
        _, refused = await erp.requests_at_the_door()
        documents = documents_per_reference(await erp.ledger())
    assert paused_for.total_seconds() > 3000, "until resetAt, and not the first back-off of a second"
    assert 1 <= refused <= 3, "nobody asks again before then"
    assert (len(documents), set(documents.values())) == (300, {1})
