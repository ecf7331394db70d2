"""The worker's own pause of a connector whose ERP refuses everything: it begins, is probed, and ends by itself or by a
person. It never touches the administrator's flag."""

import random

import structlog

from connectors.contract import ConfigurationError, NotSent, Unavailable
from worker.adapters import Adapters
from worker.connector_changes import tell_of_change
from worker.domain.retry import probe_delay
from worker.domain.switching import Phase
from worker.runs import WORKER, resume
from worker.store import connectors, sync_log
from worker.store.database import Connection, Pool, acquire, transaction
from worker.store.sync_log import Change
from worker.vault import VaultError

log = structlog.get_logger(__name__)

ANSWERS_AGAIN = "The accounting system answers again."


async def suspend(
    connection: Connection, organization_id: str, kind: str, reason: str, version: int | None = None
) -> bool:
    """Answers whether it is suspended since now. The first probe comes soon, later ones at growing intervals.

    `version`: of the configuration that the ERP refused; a newer one has to be refused itself.
    """
    refusals = await connectors.suspend(connection, organization_id, kind, reason, version)
    if refusals is None:
        return False
    await _plan_probe(connection, organization_id, kind, refusals)
    change = Change(WORKER.id, WORKER.role, "worker", "connector_suspended", kind, Phase.SUSPENDED, reason)
    entry = await sync_log.append(connection, organization_id, change)
    await tell_of_change(connection, organization_id, kind, Phase.SUSPENDED, WORKER, reason, entry.at)
    return True


async def probe(pool: Pool, adapters: Adapters, organization_id: str, kind: str) -> None:
    """Tries a suspended connector by reading alone: it goes on, or is tried again later."""
    refusal = await _refusal(pool, adapters, organization_id, kind)
    async with transaction(pool) as connection:
        if refusal is None:
            await resume(connection, organization_id, WORKER, "worker", ANSWERS_AGAIN)
        else:
            await _note(connection, organization_id, kind, refusal)
    log.info("connector_probed", organization_id=organization_id, connector=kind, answered=refusal is None)


async def _refusal(pool: Pool, adapters: Adapters, organization_id: str, kind: str) -> str | None:
    """Why the ERP still refuses. What it says of single accounts is no hindrance: only items are refused for that."""
    try:
        async with acquire(pool) as connection:
            adapter = await adapters.make(connection, organization_id, kind)
    except (ConfigurationError, VaultError) as error:
        return str(error)
    try:
        found = await adapter.connector.test()
    finally:
        await adapter.connector.close()
    return found.reason if isinstance(found, NotSent | Unavailable) else None


async def _note(connection: Connection, organization_id: str, kind: str, reason: str) -> None:
    refusals = await connectors.note_refusal(connection, organization_id, kind, reason)
    if refusals is not None:
        await _plan_probe(connection, organization_id, kind, refusals)


async def _plan_probe(connection: Connection, organization_id: str, kind: str, refusals: int) -> None:
    delay = probe_delay(refusals, random.random())  # noqa: S311  # spreads, hides nothing
    await connectors.probe_in(connection, organization_id, kind, delay)
