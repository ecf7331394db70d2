"""Looking up at the ERP what became of staged imports. Reads only, and only while the connector is on."""

from datetime import timedelta

from connectors.contract import Finding, NotSent, Unavailable
from schemas.currency import decimal_amount
from worker.adapters import Adapter
from worker.domain.retry import confirmation_delay
from worker.domain.states import ItemState, Verdict, judge_finding
from worker.settlement import settlement_of
from worker.settler import Settler
from worker.store import items
from worker.store.database import Pool, acquire
from worker.store.items import StagedItem

MOST_AT_ONCE = 100
FIRST_LOOK = timedelta(seconds=1)


async def confirm_due(
    pool: Pool, settler: Settler, organization_id: str, adapter: Adapter
) -> NotSent | Unavailable | None:
    """Settles what the ERP's import has decided. Answers what kept it from looking, where something did."""
    async with acquire(pool) as connection:
        if await items.open_version(connection, organization_id, adapter.kind) != adapter.version:
            return None
        staged = await items.due_confirmations(connection, organization_id, adapter.kind, MOST_AT_ONCE)
    if not staged:
        return None
    findings = await adapter.connector.look_up([one.attempt.reference for one in staged])
    if isinstance(findings, NotSent | Unavailable):
        return findings
    verdicts = [(one, _verdict(one, findings[one.attempt.reference])) for one in staged]
    await _look_again(pool, [one for one, verdict in verdicts if verdict is None])
    for one, verdict in verdicts:
        if verdict is not None:
            await settler.settle(settlement_of(one.attempt, ItemState.CONFIRMING, verdict))
    return None


def _verdict(staged: StagedItem, finding: Finding) -> Verdict | None:
    return judge_finding(finding, decimal_amount(staged.total_minor, staged.currency), staged.currency)


async def _look_again(pool: Pool, undecided: list[StagedItem]) -> None:
    if not undecided:
        return
    delays = [confirmation_delay(one.age, FIRST_LOOK) for one in undecided]
    async with acquire(pool) as connection:
        await items.look_again(connection, undecided, delays)
