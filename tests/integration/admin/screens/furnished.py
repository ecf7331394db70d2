"""Two organisations with something of everything that the screens can show."""

from tests.events import approval
from tests.integration.worker.rows import bring_to, take_in
from tests.scene import ADMIN, Scene
from worker import runs
from worker.domain.switching import Toggle
from worker.store.database import transaction
from worker.store.runs import Run
from worker.toggles import apply_toggle

STATES = ("rejected", "unknown", "synced", "confirming", "handled_elsewhere", "sending")
FILE = {"url": "https://files.example/1", "sha256": "0a" * 32, "media_type": "image/png"}
REASON = "<script>document.title = 'stored'</script> onboarding is done"


async def furnish(scene: Scene, reason: str = REASON) -> str:
    """HLF's Xledger is on, with items in each state and a run under way, which left two and whose id is answered;
    Blindeforbundet's Business Central is off, and two wait. The receipt of what is synced was given up."""
    await scene.organization("hlf", "xledger")
    await scene.organization("blindeforbundet", "business_central")
    receipts = {"synced": [FILE]}
    await take_in(
        scene.pool, *[approval(f"R-{state}", receipts=receipts.get(state, [])) for state in (*STATES, "pending")]
    )
    await take_in(scene.pool, *[approval(f"R-{number}", "blindeforbundet", "1250.50") for number in (1, 2)])
    for state in STATES:
        await bring_to(scene.pool, state, f"R-{state}")
    await scene.fetch("update receipt set state = 'given_up', attempts = 16, reason = 'The host is away.'")
    async with transaction(scene.pool) as connection:
        await apply_toggle(connection, Toggle("hlf", "xledger", True, reason, ADMIN), "cli")
        run = await runs.request_run(connection, "hlf", ADMIN, "cli")
    assert isinstance(run, Run)
    await scene.fetch("update item set run_id = $1 where reimbursement_id in ('R-rejected', 'R-unknown')", run.run_id)
    return str(run.run_id)
