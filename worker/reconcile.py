"""Asking the ERP what became of staged imports and unknown outcomes. Reads only, and only while the connector is on."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from connectors.contract import Finding, Limits, NotSent, Unavailable
from schemas.currency import decimal_amount
from worker.adapters import Adapter
from worker.domain.look_up import Approved, Later, judge_doubt, judge_import
from worker.domain.states import ItemState, Verdict
from worker.settlement import settlement_of
from worker.settler import Settler
from worker.store import items
from worker.store.database import Pool, acquire
from worker.store.items import LookAgain, OpenQuestion

MOST_AT_ONCE = 100
FIRST_LOOK = timedelta(seconds=1)


async def look_up_due(
    pool: Pool, settler: Settler, organization_id: str, adapter: Adapter
) -> NotSent | Unavailable | None:
    """Settles what the ERP has decided. Answers what kept it from looking, where something did."""
    questions = await _due(pool, organization_id, adapter)
    if not questions:
        return None
    findings = await adapter.connector.look_up([one.attempt for one in questions])
    if isinstance(findings, NotSent | Unavailable):
        return findings
    limits = adapter.connector.limits
    judged = [(one, _judge(one, findings[one.attempt.reference], limits)) for one in questions]
    await _look_again(pool, organization_id, judged)
    settlements = [
        settlement_of(one.attempt, one.state, verdict) for one, verdict in judged if isinstance(verdict, Verdict)
    ]
    await asyncio.gather(*map(settler.settle, settlements))  # at once, so that they share a commit
    return None


async def _due(pool: Pool, organization_id: str, adapter: Adapter) -> list[OpenQuestion]:
    async with acquire(pool) as connection:
        if await items.open_version(connection, organization_id, adapter.kind) != adapter.version:
            return []
        return await items.due_looks(connection, organization_id, adapter.kind, MOST_AT_ONCE)


def _judge(question: OpenQuestion, finding: Finding, limits: Limits) -> Verdict | Later:
    approved = Approved(decimal_amount(question.total_minor, question.currency), question.currency)
    if question.state is ItemState.UNKNOWN:
        return judge_doubt(finding, approved, question.absences, limits)
    return judge_import(finding, approved, question.age, limits, FIRST_LOOK)


async def _look_again(pool: Pool, organization_id: str, judged: Sequence[tuple[OpenQuestion, Verdict | Later]]) -> None:
    later = [LookAgain(one, found.delay, found.code, found.reason) for one, found in judged if isinstance(found, Later)]
    if not later:
        return
    async with acquire(pool) as connection:
        await items.look_again(connection, organization_id, later)
